import { Fault, type Pruned, type PruneRequest, type PruneRules, type Stays, type StoredRecord } from '#model';
import { cosignedAt } from './cosigner.ts';
import { writeDurably } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import { type StoppedLog, withLog } from './maintain.ts';
import { bundleAt, removeBundle } from './removal.ts';
import { type Upkeep, upkeepAt } from './upkeep.ts';

/** What a `log.pruned` record says, and where it stands. */
interface Plan {
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly holds: readonly string[];
}

/**
 * Removes old entries, in two steps that are days apart if need be: first the log itself says what may go; once a mirror, which has every
 * entry, has signed a checkpoint that covers this record, the files go. The hashes above level 0 stay, and so does the first bundle, so
 * everything that is left can be proven as before. What is held now stays, also when it was not held yet when the log said that it may go.
 * Interrupted, it can be repeated.
 *
 * A log that is being written is pruned by its writer, which is asked for it bundle by bundle; what may go is judged here, beside the traffic.
 */
export async function pruneLedger(place: StoppedLog, request: PruneRequest): Promise<Pruned> {
  const running = await upkeepAt(place.directory);
  if (running !== undefined) {
    try {
      return await prune(place.directory, running, request);
    } finally {
      running.close();
    }
  }
  return withLog(place, {}, (log, stamp) => {
    const upkeep: Upkeep = {
      prunable: async () => log.prunable(),
      line: async (index) => log.read(index, 1)[0],
      record: async (order) => log.recordPruning(stamp, order),
      remove: (_, bundle) => removeBundle(place.directory, bundle),
    };
    return prune(place.directory, upkeep, request);
  });
}

async function prune(directory: string, upkeep: Upkeep, request: PruneRequest): Promise<Pruned> {
  const plans = readPlans(directory);
  const last = plans.at(-1);
  const counts = { removed: 0, kept: 0 };
  for (const plan of plans) {
    confirmPlan(await upkeep.line(plan.index), plan);
    if (!isWitnessed(directory, plan.index, request.witnesses)) return { ...plan, ...counts, status: 'waiting', waitsFor: 'witness' };
    if (plan.to > request.below) return { ...plan, ...counts, status: 'waiting', waitsFor: 'delivery' };
    const { goes, kept } = bundlesThatGo(directory, plan, request);
    for (const bundle of goes) await upkeep.remove(plan.index, bundle);
    counts.removed += goes.length;
    counts.kept = kept;
  }
  if (last !== undefined && counts.removed > 0) return { from: last.from, to: last.to, ...counts, status: 'removed' };
  // What is no longer held goes with a new record: the old ones say that it stays.
  const released = plans.some(({ holds }) => holds.some((session) => !request.holds.includes(session)));
  const from = released ? 256 : (last?.to ?? 256);
  const prunable = await upkeep.prunable();
  const limit = Math.min(prunable, Math.floor(request.below / 256) * 256);
  let goes = false;
  const to = eachOldBundle(directory, { from, limit, judge: request.judge() }, ({ stays }) => {
    if (stays === undefined) goes = true;
  });
  if (to <= from || !goes) return { from, to: from, ...counts, status: 'nothing', ...(limit < prunable ? { waitsFor: 'delivery' } : {}) };
  const { by, reason, holds } = request;
  const index = await upkeep.record({ from, to, by, reason, holds });
  const lines = [...plans, { index, from, to, holds }].map((plan) => `${JSON.stringify(plan)}\n`);
  writeDurably(nodeDisk, `${directory}/pruned`, Buffer.from(lines.join('')));
  return { from, to, ...counts, status: 'recorded' };
}

function readPlans(directory: string): Plan[] {
  const text = Buffer.from(nodeDisk.read(`${directory}/pruned`) ?? []).toString();
  // Safe: each is compared with the record that it points to before it is followed.
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Plan]));
}

/** The file `pruned` only says where to look; what counts is the record. */
function confirmPlan(line: string | undefined, plan: Plan): void {
  const { kind, from, to, holds } = JSON.parse(line ?? '{}') as { kind?: string; from?: number; to?: number; holds?: readonly string[] };
  if (kind === 'log.pruned' && from === plan.from && to === plan.to && JSON.stringify(holds) === JSON.stringify(plan.holds)) return;
  throw new Fault(
    'LEDGER_TAMPERED',
    `the file pruned says that entry ${plan.index} allows to remove ${plan.from} to ${plan.to}, which it does not`,
  );
}

function isWitnessed(directory: string, index: number, witnesses: readonly string[]): boolean {
  const note = Buffer.from(nodeDisk.read(`${directory}/cosigned`) ?? []).toString();
  const text = note.slice(0, note.indexOf('\n\n') + 1);
  if (Number(text.split('\n')[1]) <= index) return false;
  const lines = note.slice(text.length + 1).split(/(?<=\n)/);
  return witnesses.some((vkey) => lines.some((line) => cosignedAt(text, line, vkey) !== undefined));
}

/** Bundles that the plan allows to go, nobody wants kept, and that are still there; and how many stay. */
function bundlesThatGo(directory: string, { from, to, holds }: Plan, { judge }: PruneRules): { goes: number[]; kept: number } {
  const goes: number[] = [];
  let kept = 0;
  const stays = judge();
  remind(directory, from, stays);
  for (let number = from / 256; number < to / 256; number += 1) {
    const records = bundleAt(directory, number);
    if (records.length === 0) continue;
    // All are shown, also after one that is needed.
    const needed = records.map((record) => stays(record)).some((why) => why !== undefined);
    if (needed || records.some(({ session }) => typeof session === 'string' && holds.includes(session))) kept += 1;
    else goes.push(number);
  }
  return { goes, kept };
}

export interface OldBundle {
  readonly number: number;
  readonly records: readonly StoredRecord[];
  /** Why it stays although it is old enough. */
  readonly stays: 'class' | 'hold' | undefined;
}

/**
 * Shows the whole bundles from `from` on that hold nothing young, in their order, and returns where they end. Those that went before are passed
 * over.
 */
export function eachOldBundle(
  directory: string,
  { from, limit, judge }: { readonly from: number; readonly limit: number; readonly judge: (record: StoredRecord) => Stays | undefined },
  show: (bundle: OldBundle) => void,
): number {
  remind(directory, from, judge);
  let to = from;
  for (; to + 256 <= limit; to += 256) {
    const records = bundleAt(directory, to / 256);
    if (records.length === 0) continue;
    const why = records.map((record) => judge(record));
    if (why.includes('young')) break;
    show({ number: to / 256, records, stays: why.includes('hold') ? 'hold' : why.includes('class') ? 'class' : undefined });
  }
  return to;
}

/** Bundles before the first one looked at that the judge sees too: sessions go on over the border between two. */
const bundlesRemembered = 64;

function remind(directory: string, from: number, judge: (record: StoredRecord) => unknown): void {
  for (let number = Math.max(0, from / 256 - bundlesRemembered); number < from / 256; number += 1) {
    for (const record of bundleAt(directory, number)) judge(record);
  }
}
