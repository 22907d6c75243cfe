import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Fault } from '#model';

const bundleEntries = 256;

/**
 * The entries of a ledger folder, of all ledgers of a home, or of a file with one entry on each line, in order. What was not sealed into
 * bundles yet (the last second of a running gateway) is left out. Throws LEDGER_UNREADABLE.
 */
export async function* ledgerEntries(path: string): AsyncGenerator<string> {
  if (!existsSync(path)) throw new Fault('LEDGER_UNREADABLE', `there is no ${path}`);
  if (statSync(path).isFile()) {
    yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
    return;
  }
  const folders = ledgersIn(path);
  if (folders.length === 0) throw new Fault('LEDGER_UNREADABLE', `there is no ledger in ${path}`);
  for (const folder of folders) for (const file of bundlesOf(join(folder, 'tile', 'entries'))) yield* entriesOf(file);
}

/** A folder with tiles, or those up to two levels below it: a home, or a copy of one. */
function ledgersIn(path: string, levels = 2): string[] {
  if (existsSync(join(path, 'tile'))) return [path];
  if (levels === 0) return [];
  const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.flatMap((entry) => ledgersIn(join(path, entry.name), levels - 1)).sort();
}

/** Files of bundles in order; of a partial bundle the widest. SPEC: docs/formats/ledger-layout.md */
function bundlesOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const widest = new Map<number, { width: number; file: string }>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const place = /^(?:x\d{3}\/)*\d{3}(?:\.p\/(\d+))?$/.exec(file.slice(folder.length + 1));
    if (place === null) continue;
    const number = Number(
      file
        .slice(folder.length + 1)
        .replace(/\.p\/.*$/, '')
        .replaceAll(/[x/]/g, ''),
    );
    const width = place[1] === undefined ? bundleEntries : Number(place[1]);
    if (width > (widest.get(number)?.width ?? 0)) widest.set(number, { width, file });
  }
  return [...widest].sort(([a], [b]) => a - b).map(([, { file }]) => file);
}

/** Each entry has its length in front, 16 bits, big-endian. */
function* entriesOf(file: string): Generator<string> {
  const bytes = readFileSync(file);
  let at = 0;
  while (at < bytes.length) {
    const end = at + 2 <= bytes.length ? at + 2 + bytes.readUInt16BE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new Fault('LEDGER_UNREADABLE', `${file} ends in the middle of an entry`);
    yield bytes.toString('utf8', at + 2, end);
    at = end;
  }
}
