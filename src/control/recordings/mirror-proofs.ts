import { createHash } from 'node:crypto';
import { readCheckpoint } from '#ledger';
import { Fault, limits } from '#model';
import type { Database } from '../store/database.ts';

/**
 * Proofs that these entries, in their order, stand in a gateway's log, made from the mirror alone: for when the gateway is gone. They lead to the newest checkpoint
 * of the log that the mirror has witnessed. Reads every entry below it once.
 *
 * Faults: NOT_FOUND when one of them is not signed, or when entries have left the mirror. SPEC: C2SP tlog-proof, docs/formats/proof.md; RFC 6962 §2.1.1.
 */
export async function* proofsFromMirror(db: Database, origin: string, indexes: readonly number[]): AsyncGenerator<string> {
  const log = await db.selectFrom('mirror').select(['vkey', 'note']).where('origin', '=', origin).executeTakeFirst();
  if (log === undefined || log.note === '') throw new Fault('NOT_FOUND', `no checkpoint of ${origin} was witnessed yet`);
  const { size } = readCheckpoint(log.note, log.vkey);
  const last = indexes.at(-1) ?? 0;
  if (last >= size) throw new Fault('NOT_FOUND', `record ${last} of ${origin} is not signed, and its gateway is away`);
  const paths = indexes.map((index) => siblings(index, { start: 0, end: size }));
  const nodes = await perfectNodes(db, { origin, size }, new Set(paths.flat().flatMap((range) => perfectParts(range).map(keyOf))));
  for (let from = 0; from < indexes.length; from += limits.mirrorBatchEntriesMax) {
    const some = indexes.slice(from, from + limits.mirrorBatchEntriesMax);
    const lines = await linesOf(db, origin, some);
    for (const [k, index] of some.entries()) {
      const path = (paths[from + k] ?? []).map((range) => rootOf(range, nodes).toString('base64'));
      const extra = Buffer.from(lines.get(index) ?? '').toString('base64');
      yield ['c2sp.org/tlog-proof@v1', `extra ${extra}`, `index ${index}`, ...path, '', log.note].join('\n');
    }
  }
}

/** Leaves from `start` up to `end`. */
interface Range {
  readonly start: number;
  readonly end: number;
}

function keyOf({ start, end }: Range): string {
  return `${start}-${end}`;
}

/** The subtrees beside the way from a leaf to the root, from below. */
function siblings(index: number, { start, end }: Range): Range[] {
  if (end - start <= 1) return [];
  const middle = start + split(end - start);
  return index < middle
    ? [...siblings(index, { start, end: middle }), { start: middle, end }]
    : [...siblings(index, { start: middle, end }), { start, end: middle }];
}

/** The largest power of two below a size. */
function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** The perfect subtrees that a subtree is made of, from the left. */
function perfectParts({ start, end }: Range): Range[] {
  const size = end - start;
  if (Number.isInteger(Math.log2(size))) return [{ start, end }];
  const middle = start + split(size);
  return [{ start, end: middle }, ...perfectParts({ start: middle, end })];
}

function rootOf(range: Range, nodes: ReadonlyMap<string, Buffer>): Buffer {
  const known = nodes.get(keyOf(range));
  if (known !== undefined) return known;
  const middle = range.start + split(range.end - range.start);
  if (range.end - range.start <= 1) throw new Fault('INTERNAL', `the hash of ${keyOf(range)} was not worked out`);
  return parent(rootOf({ start: range.start, end: middle }, nodes), rootOf({ start: middle, end: range.end }, nodes));
}

/** Goes through all leaves below `size` and keeps the hashes of those perfect subtrees that are wanted. */
async function perfectNodes(
  db: Database,
  { origin, size }: { origin: string; size: number },
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Buffer>> {
  const kept = new Map<string, Buffer>();
  const open: (Range & { readonly hash: Buffer })[] = [];
  const add = (node: Range & { readonly hash: Buffer }): void => {
    if (wanted.has(keyOf(node))) kept.set(keyOf(node), node.hash);
    const left = open.at(-1);
    if (left === undefined || left.end - left.start !== node.end - node.start) return void open.push(node);
    open.pop();
    add({ start: left.start, end: node.end, hash: parent(left.hash, node.hash) });
  };
  for (let next = 0; next < size; ) {
    const rows = await db
      .selectFrom('record')
      .select(['i', 'line'])
      .where('origin', '=', origin)
      .where('i', '>=', next)
      .where('i', '<', Math.min(size, next + limits.mirrorBatchEntriesMax))
      .orderBy('i')
      .execute();
    for (const { i, line } of rows) {
      if (i !== next)
        throw new Fault('NOT_FOUND', `entries of ${origin} have left the mirror, so it cannot prove others while the gateway is away`);
      add({ start: i, end: i + 1, hash: createHash('sha256').update('\0').update(line).digest() });
      next += 1;
    }
    if (rows.length === 0) throw new Fault('NOT_FOUND', `entry ${next} of ${origin} has left the mirror`);
  }
  return kept;
}

async function linesOf(db: Database, origin: string, indexes: readonly number[]): Promise<ReadonlyMap<number, string>> {
  const rows = await db.selectFrom('record').select(['i', 'line']).where('origin', '=', origin).where('i', 'in', indexes).execute();
  return new Map(rows.map(({ i, line }) => [i, line]));
}

function parent(left: Buffer, right: Buffer): Buffer {
  return createHash('sha256')
    .update(Buffer.from([1]))
    .update(left)
    .update(right)
    .digest();
}
