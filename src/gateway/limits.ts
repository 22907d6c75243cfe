import { limits, type LimitCharge, type World } from '#model';
import { ExceptionUses, isUse } from './exception-uses.ts';

/** Whether everything could be paid; otherwise the charge that could not, how long until it could be, and whether people are to be asked. */
export type Payment = { readonly ok: true } | Unpaid;

interface Unpaid {
  readonly ok: false;
  readonly charge: LimitCharge;
  readonly waitMs: number;
  readonly escalates: boolean;
}

interface Bucket {
  units: number;
  /** Monotonic time of the last look, ns. */
  at: bigint;
  readonly capacity: number;
  readonly perMs: number;
  readonly max: number;
}

/**
 * The counters of quota rules: one bucket for each name and key, holding `max + burst` units and refilling evenly with `max` in a period.
 * They live in the memory of this gateway: each gateway counts for itself, and a restart begins with full buckets. Uses of exceptions are
 * paid here too, and kept on disk.
 */
export class Counters {
  readonly #world: World;
  readonly #countersMax: number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #uses: ExceptionUses;

  constructor(world: World, countersMax: number = limits.countersMax, uses: ExceptionUses = new ExceptionUses()) {
    this.#world = world;
    this.#countersMax = countersMax;
    this.#uses = uses;
  }

  /** Uses of exceptions made so far, as the engine wants to know them. */
  get exceptionUses(): Readonly<Record<string, number>> {
    return this.#uses.made;
  }

  /**
   * Pays all charges or none. Several charges of one counter (a batch) add up. What may pass although it exceeds its limit empties nothing.
   */
  pay(charges: readonly LimitCharge[]): Payment {
    if (charges.length === 0) return paid;
    const uses = charges.filter(isUse);
    const lacking = this.#uses.lacking(uses);
    if (lacking !== undefined) return { ok: false, charge: lacking, waitMs: 0, escalates: false };
    const now = this.#world.monotonicNs();
    const owed = new Map<Bucket, number>();
    let escalating: Unpaid | undefined;
    for (const charge of charges) {
      if (isUse(charge)) continue;
      const bucket = this.#bucket(charge, now);
      if (bucket === undefined) {
        if (charge.onStoreError === 'deny') return { ok: false, charge, waitMs: 0, escalates: false };
        continue;
      }
      const sum = (owed.get(bucket) ?? 0) + charge.cost;
      // Fractions of a unit that floating point loses must not refuse what exactly fits.
      if (sum <= bucket.units + tolerance) owed.set(bucket, sum);
      else if (charge.onExceed === 'deny') return { ok: false, charge, waitMs: waitOf(bucket, sum), escalates: false };
      else if (charge.onExceed === 'escalate') escalating ??= { ok: false, charge, waitMs: waitOf(bucket, sum), escalates: true };
    }
    // Nobody is asked about what a limit that asks nobody refuses all the same.
    if (escalating !== undefined) return escalating;
    if (uses.length > 0) this.#uses.note(uses);
    for (const [bucket, sum] of owed) bucket.units = Math.max(0, bucket.units - sum);
    return paid;
  }

  /** The bucket as it is now; undefined when there is no room for another one. */
  #bucket(charge: LimitCharge, now: bigint): Bucket | undefined {
    const { name, key, max, perMs, burst } = charge;
    // The terms are part of the counter: a changed policy starts anew instead of reading old units by new terms.
    const id = JSON.stringify([name, key, max, perMs, burst]);
    const known = this.#buckets.get(id);
    if (known !== undefined) {
      refill(known, now);
      return known;
    }
    if (this.#buckets.size >= this.#countersMax) this.#forgetFull(now);
    if (this.#buckets.size >= this.#countersMax) return undefined;
    const fresh: Bucket = { units: max + burst, at: now, capacity: max + burst, perMs, max };
    this.#buckets.set(id, fresh);
    return fresh;
  }

  /** A full bucket is as good as none. */
  #forgetFull(now: bigint): void {
    for (const [id, bucket] of this.#buckets) {
      refill(bucket, now);
      if (bucket.units >= bucket.capacity) this.#buckets.delete(id);
    }
  }
}

const paid: Payment = { ok: true };
const tolerance = 1e-9;

function refill(bucket: Bucket, now: bigint): void {
  const elapsedMs = Number(now - bucket.at) / 1e6;
  bucket.units = Math.min(bucket.capacity, bucket.units + (elapsedMs * bucket.max) / bucket.perMs);
  bucket.at = now;
}

/** Until the bucket holds enough; infinite when it never will. */
function waitOf(bucket: Bucket, wanted: number): number {
  if (wanted > bucket.capacity || bucket.max === 0) return Number.POSITIVE_INFINITY;
  return Math.ceil(((wanted - bucket.units) * bucket.perMs) / bucket.max);
}
