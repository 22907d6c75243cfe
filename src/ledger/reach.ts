import { Fault, limits, type RecordObligation, type World } from '#model';

/** How far away a record must be kept before an operation is released. */
export type EvidenceLevel = NonNullable<RecordObligation['evidence']>;
export type RemoteLevel = Extract<EvidenceLevel, 'mirrored' | 'witnessed'>;

interface Waiter {
  readonly level: RemoteLevel;
  /** Size of the log that must be reached. */
  readonly size: number;
  done(fault?: Fault): void;
}

/**
 * How much of the log is safe elsewhere: `mirrored`, its entries are durable on another machine; `witnessed`, a signed root that covers
 * them was signed there too. Whoever ships the log says how far it is; whoever wants to release an operation waits for it.
 */
export class Reach {
  readonly #world: World;
  readonly #sizes: Record<RemoteLevel, number> = { mirrored: 0, witnessed: 0 };
  readonly #waiters = new Set<Waiter>();
  #up = false;
  /** Called when somebody begins to wait: a reason to hurry. */
  onWanted: ((level: RemoteLevel) => void) | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** Whether the other side can be reached now. When it is lost, whoever waits is refused at once. */
  link(up: boolean): void {
    this.#up = up;
    if (up) return;
    for (const waiter of [...this.#waiters]) waiter.done(unreachable(waiter.level));
  }

  /** The other side has this many entries. The other side may also have lost some. */
  advance(level: RemoteLevel, size: number): void {
    this.#sizes[level] = size;
    for (const waiter of [...this.#waiters]) if (waiter.level === level && size >= waiter.size) waiter.done();
  }

  /** Size of the log that has reached this level. */
  at(level: RemoteLevel): number {
    return this.#sizes[level];
  }

  /** True while somebody waits for this level. */
  wanted(level: RemoteLevel): boolean {
    return [...this.#waiters].some((waiter) => waiter.level === level);
  }

  /** Throws LEDGER_UNWITNESSED when there is no hope of reaching the level now: asked before anything is recorded. */
  check(level: RemoteLevel): void {
    if (!this.#up) throw unreachable(level);
  }

  /** Resolves when the log is safe elsewhere up to this size. Rejects with LEDGER_UNWITNESSED when it takes too long. */
  wait(level: RemoteLevel, size: number): Promise<void> {
    if (this.#sizes[level] >= size) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        level,
        size,
        done: (fault) => {
          timer.cancel();
          this.#waiters.delete(waiter);
          if (fault === undefined) resolve();
          else reject(fault);
        },
      };
      const timer = this.#world.after(limits.ledgerReachMs, () =>
        waiter.done(new Fault('LEDGER_UNWITNESSED', `a record was not ${level} within ${limits.ledgerReachMs} ms`)),
      );
      this.#waiters.add(waiter);
      if (this.#up) this.onWanted?.(level);
      else waiter.done(unreachable(level));
    });
  }
}

function unreachable(level: RemoteLevel): Fault {
  return new Fault('LEDGER_UNWITNESSED', `the rule wants the record ${level} first, and the control plane cannot be reached`);
}
