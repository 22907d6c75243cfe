import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerBytes, PrunePlan, PruneRules } from '#model';
import { nodeDisk } from './disk-node.ts';
import { eachOldBundle } from './prune.ts';
import { bundleAt, contentOf } from './removal.ts';
import { bundlePath, tilePath } from './tile-path.ts';

type Sum = { -readonly [Name in keyof LedgerBytes]: number };

/** What pruning would do, from the files alone: also for a log that is in use, and without changing anything. */
export function planPruning(directory: string, rules: PruneRules): PrunePlan {
  const numbers = fullBundles(directory);
  const last = numbers.at(-1);
  const end = Math.min(last === undefined ? 0 : (last + 1) * 256, writingFrom(directory));
  const size: Sum = {
    entries: 0,
    hashes: 0,
    evidence: bytesIn(join(directory, 'blobs')),
    recordings: bytesIn(join(directory, 'recordings')),
  };
  for (const number of numbers) {
    size.entries += sizeOf(directory, bundlePath(number));
    size.hashes += sizeOf(directory, tilePath(0, number));
  }
  const goes = { bundles: 0, records: 0, size: { entries: 0, hashes: 0, evidence: 0, recordings: 0 } satisfies Sum };
  const kept = { class: 0, hold: 0 };
  let undelivered = 0;
  let to = 256;
  eachOldBundle(directory, { from: 256, limit: end, judge: rules.judge() }, ({ number, records, stays }) => {
    if ((number + 1) * 256 > rules.below) undelivered += 1;
    else if (stays !== undefined) kept[stays] += 1;
    else {
      to = (number + 1) * 256;
      goes.bundles += 1;
      goes.records += records.length;
      goes.size.entries += sizeOf(directory, bundlePath(number));
      goes.size.hashes += sizeOf(directory, tilePath(0, number));
      for (const record of records)
        for (const path of contentOf(directory, record))
          goes.size[path.endsWith('.recording') ? 'recordings' : 'evidence'] += nodeDisk.size(path) ?? 0;
    }
  });
  // The first bundle never goes and says nothing of how old the log is.
  const oldest = timeOf(directory, numbers.find((number) => number > 0) ?? numbers[0], 0);
  const newest = timeOf(directory, last, -1);
  return {
    bundles: numbers.length,
    ...(oldest === undefined ? {} : { oldest }),
    ...(newest === undefined ? {} : { newest }),
    size,
    goes: { from: 256, to, ...goes },
    kept,
    undelivered,
  };
}

/** What the write-ahead log still holds stays: the first entry of its oldest segment is the name of that. */
function writingFrom(directory: string): number {
  const firsts = nodeDisk.list(join(directory, 'wal')).flatMap((name) => /^(\d{12})\.wal$/.exec(name)?.[1] ?? []);
  return firsts.length === 0 ? Number.MAX_SAFE_INTEGER : Math.min(...firsts.map(Number));
}

/** SPEC: C2SP tlog-tiles: `x001/234` is the bundle 1234. */
function fullBundles(directory: string): readonly number[] {
  const root = join(directory, 'tile/entries');
  return filesIn(root)
    .map(({ name }) => name)
    .filter((name) => /^(?:x\d{3}\/)*\d{3}$/.test(name))
    .map((name) => Number(name.replaceAll(/[x/]/g, '')))
    .sort((a, b) => a - b);
}

function timeOf(directory: string, number: number | undefined, at: 0 | -1): number | undefined {
  const t = number === undefined ? undefined : bundleAt(directory, number).at(at)?.['t'];
  return typeof t === 'number' ? t : undefined;
}

function sizeOf(directory: string, path: string): number {
  return nodeDisk.size(`${directory}/${path}`) ?? 0;
}

function bytesIn(root: string): number {
  return filesIn(root).reduce((sum, { path }) => sum + (nodeDisk.size(path) ?? 0), 0);
}

function filesIn(root: string): readonly { readonly name: string; readonly path: string }[] {
  if (nodeDisk.size(root) === undefined) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => ({ path: join(one.parentPath, one.name), name: join(one.parentPath, one.name).slice(root.length + 1) }));
}
