import { Fault, type Pruned, type PruneRequest, type PruneRules, type Stays, type StoredRecord } from '#model';
import { decodeBundle } from './bundle.ts';
import { cosignedAt } from './cosigner.ts';
import { folderOf, writeDurably } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import type { Log } from './log.ts';
import { type StoppedLog, withLog } from './maintain.ts';
import { recordingPath } from './recording/files.ts';
import { bundlePath, tilePath } from './tile-path.ts';

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
 */
export function pruneLedger(place: StoppedLog, request: PruneRequest): Promise<Pruned> {
  return withLog(place, {}, (log, stamp) => {
    const plans = readPlans(place.directory);
    const last = plans.at(-1);
    const counts = { removed: 0, kept: 0 };
    for (const plan of plans) {
      confirmPlan(log, plan);
      if (!isWitnessed(place, plan.index, request.witnesses)) return { ...plan, ...counts, status: 'waiting', waitsFor: 'witness' };
      if (plan.to > request.below) return { ...plan, ...counts, status: 'waiting', waitsFor: 'delivery' };
      const { removed, kept } = removeBundles(place.directory, plan, request);
      counts.removed += removed;
      counts.kept = kept;
    }
    if (last !== undefined && counts.removed > 0) return { from: last.from, to: last.to, ...counts, status: 'removed' };
    // What is no longer held goes with a new record: the old ones say that it stays.
    const released = plans.some(({ holds }) => holds.some((session) => !request.holds.includes(session)));
    const from = released ? 256 : (last?.to ?? 256);
    const limit = Math.min(log.prunable(), Math.floor(request.below / 256) * 256);
    let goes = false;
    const to = eachOldBundle(place.directory, { from, limit, judge: request.judge() }, ({ stays }) => {
      if (stays === undefined) goes = true;
    });
    if (to <= from || !goes)
      return { from, to: from, ...counts, status: 'nothing', ...(limit < log.prunable() ? { waitsFor: 'delivery' } : {}) };
    const { by, reason, holds } = request;
    const index = log.recordPruning(stamp, { from, to, by, reason, holds });
    const lines = [...plans, { index, from, to, holds }].map((plan) => `${JSON.stringify(plan)}\n`);
    writeDurably(nodeDisk, `${place.directory}/pruned`, Buffer.from(lines.join('')));
    return { from, to, ...counts, status: 'recorded' };
  });
}

function readPlans(directory: string): Plan[] {
  const text = Buffer.from(nodeDisk.read(`${directory}/pruned`) ?? []).toString();
  // Safe: each is compared with the record that it points to before it is followed.
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Plan]));
}

/** The file `pruned` only says where to look; what counts is the record. */
function confirmPlan(log: Log, plan: Plan): void {
  const [line = '{}'] = log.read(plan.index, 1);
  const { kind, from, to, holds } = JSON.parse(line) as { kind?: string; from?: number; to?: number; holds?: readonly string[] };
  if (kind === 'log.pruned' && from === plan.from && to === plan.to && JSON.stringify(holds) === JSON.stringify(plan.holds)) return;
  throw new Fault(
    'LEDGER_TAMPERED',
    `the file pruned says that entry ${plan.index} allows to remove ${plan.from} to ${plan.to}, which it does not`,
  );
}

function isWitnessed({ directory }: StoppedLog, index: number, witnesses: readonly string[]): boolean {
  const note = Buffer.from(nodeDisk.read(`${directory}/cosigned`) ?? []).toString();
  const text = note.slice(0, note.indexOf('\n\n') + 1);
  if (Number(text.split('\n')[1]) <= index) return false;
  const lines = note.slice(text.length + 1).split(/(?<=\n)/);
  return witnesses.some((vkey) => lines.some((line) => cosignedAt(text, line, vkey) !== undefined));
}

/** Removes what the plan allows, nobody wants kept, and is still there. */
function removeBundles(directory: string, { from, to, holds }: Plan, { judge }: PruneRules): { removed: number; kept: number } {
  const [counts, folders] = [{ removed: 0, kept: 0 }, new Set<string>()];
  const stays = judge();
  remind(directory, from, stays);
  for (let number = from / 256; number < to / 256; number += 1) {
    const records = bundleAt(directory, number);
    if (records.length === 0) continue;
    // All are shown, also after one that is needed.
    const needed = records.map((record) => stays(record)).some((why) => why !== undefined);
    if (needed || records.some(({ session }) => typeof session === 'string' && holds.includes(session))) {
      counts.kept += 1;
      continue;
    }
    for (const path of records.flatMap((record) => contentOf(directory, record))) remove(path);
    // The tile first: a bundle without its tile is incomplete, a tile without its bundle would look like tampering.
    remove(`${directory}/${tilePath(0, number)}`);
    remove(`${directory}/${bundlePath(number)}`);
    counts.removed += 1;
  }
  for (const folder of folders) nodeDisk.syncFolder(folder);
  return counts;

  function remove(path: string): void {
    nodeDisk.remove(path);
    if (nodeDisk.size(folderOf(path)) !== undefined) folders.add(folderOf(path));
  }
}

/** Files that only this record refers to: its sealed evidence, or the recording of the session that it closes. */
export function contentOf(directory: string, record: StoredRecord): readonly string[] {
  const { evidence, kind, session } = record;
  const blob = typeof evidence === 'object' && evidence !== null && 'blob' in evidence ? evidence.blob : undefined;
  return [
    ...(typeof blob === 'string' ? [`${directory}/blobs/${blob.slice(0, 2)}/${blob}`] : []),
    ...(kind === 'recording.closed' && typeof session === 'string' ? [recordingPath(directory, session)] : []),
  ];
}

/** The records of one whole bundle; none when it is not there. */
export function bundleAt(directory: string, number: number): readonly StoredRecord[] {
  const bytes = nodeDisk.read(`${directory}/${bundlePath(number)}`);
  // Safe: our own entries.
  return (decodeBundle(bytes ?? new Uint8Array()) ?? []).map((entry) => JSON.parse(Buffer.from(entry).toString()) as StoredRecord);
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
