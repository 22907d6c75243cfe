import { Fault } from '#model';
import { decodeBundle } from './bundle.ts';
import { cosignedAt } from './cosigner.ts';
import { folderOf, writeDurably } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import type { Log } from './log.ts';
import { type StoppedLog, withLog } from './maintain.ts';
import { bundlePath, tilePath } from './tile-path.ts';

export interface PruneRequest {
  /** Entries recorded before this moment may go, ms. */
  readonly before: number;
  readonly by: string;
  readonly reason: string;
  /** Sessions under legal hold: bundles with any of their records stay. */
  readonly holds: readonly string[];
  /** Verifier keys of witnesses, one of which must have signed the record of the pruning before anything is removed. */
  readonly witnesses: readonly string[];
}

/**
 * `recorded`: the log says what may go; run the installation until it is witnessed, then prune again. `waiting`: that has not happened yet.
 * `removed`: it has, and the files are gone. `nothing`: no whole bundle is that old.
 */
export interface Pruned {
  readonly status: 'recorded' | 'waiting' | 'removed' | 'nothing';
  readonly from: number;
  readonly to: number;
  /** Bundles that were removed, and that were kept for a hold. */
  readonly removed: number;
  readonly kept: number;
}

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
 * everything that is left can be proven as before. Interrupted, it can be repeated.
 */
export function pruneLedger(place: StoppedLog, request: PruneRequest): Promise<Pruned> {
  return withLog(place, {}, (log, stamp) => {
    const plans = readPlans(place.directory);
    const last = plans.at(-1);
    const counts = { removed: 0, kept: 0 };
    for (const plan of plans) {
      confirmPlan(log, plan);
      if (!isWitnessed(place, plan.index, request.witnesses)) return { ...plan, ...counts, status: 'waiting' };
      const { removed, kept } = removeBundles(place.directory, plan);
      counts.removed += removed;
      counts.kept = kept;
    }
    if (last !== undefined && counts.removed > 0) return { from: last.from, to: last.to, ...counts, status: 'removed' };
    const from = last?.to ?? 256;
    const to = oldEnd(place.directory, { from, limit: log.prunable(), before: request.before });
    if (to <= from) return { from, to: from, ...counts, status: 'nothing' };
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

/** Removes what the plan allows and is still there. */
function removeBundles(directory: string, { from, to, holds }: Plan): { removed: number; kept: number } {
  const [counts, folders] = [{ removed: 0, kept: 0 }, new Set<string>()];
  for (let number = from / 256; number < to / 256; number += 1) {
    const bundle = `${directory}/${bundlePath(number)}`;
    const bytes = nodeDisk.read(bundle);
    if (bytes === undefined) continue;
    const records = (decodeBundle(bytes) ?? []).map((entry) => parsed(entry));
    if (records.some(({ session }) => session !== undefined && holds.includes(session))) {
      counts.kept += 1;
      continue;
    }
    for (const { evidence } of records)
      if (evidence?.blob !== undefined) remove(`${directory}/blobs/${evidence.blob.slice(0, 2)}/${evidence.blob}`);
    // The tile first: a bundle without its tile is incomplete, a tile without its bundle would look like tampering.
    remove(`${directory}/${tilePath(0, number)}`);
    remove(bundle);
    counts.removed += 1;
  }
  for (const folder of folders) nodeDisk.syncFolder(folder);
  return counts;

  function remove(path: string): void {
    nodeDisk.remove(path);
    if (nodeDisk.size(folderOf(path)) !== undefined) folders.add(folderOf(path));
  }
}

function parsed(entry: Uint8Array): { readonly t: number; readonly session?: string; readonly evidence?: { readonly blob?: string } } {
  // Safe: our own entry.
  return JSON.parse(Buffer.from(entry).toString()) as ReturnType<typeof parsed>;
}

/** The end of the whole bundles from `from` on whose entries are all older. */
function oldEnd(directory: string, about: { readonly from: number; readonly limit: number; readonly before: number }): number {
  let end = about.from;
  for (; end + 256 <= about.limit; end += 256) {
    const entries = decodeBundle(nodeDisk.read(`${directory}/${bundlePath(end / 256)}`) ?? new Uint8Array()) ?? [];
    if (entries.length === 0 || entries.some((entry) => parsed(entry).t >= about.before)) break;
  }
  return end;
}
