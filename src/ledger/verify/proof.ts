import { checkBundle, loadBundle, readTile } from './bundles.ts';
import { equalBytes, fromBase64, parseJson, toBase64, toText } from './bytes.ts';
import { isObject, recordProblem } from './grammar.ts';
import { lastNote } from './history.ts';
import { openCheckpoint, parseVkey, type VerifierKey } from './note.ts';
import type { TrustPolicy } from './policy.ts';
import { Findings } from './report.ts';
import { followRotations } from './rotations.ts';
import type { LedgerSource, VerifyCrypto } from './source.ts';
import { leafHash, nodeHash } from './tree.ts';

const firstLine = 'c2sp.org/tlog-proof@v1';

/** What the proof of one record shows. */
export interface ProofReport {
  readonly status: 'proven' | 'tampered' | 'unreadable';
  readonly origin: string;
  readonly index: number;
  /** Size of the log when its root was signed. */
  readonly size: number;
  /** Name of each known witness that signed the same root → when, in seconds since 1970. */
  readonly witnesses: Readonly<Record<string, number>>;
  /** The record, exactly as it stands in the log. */
  readonly record: string;
  /** What is wrong, when something is. */
  readonly problem?: string;
}

/**
 * The proof that a record stands in a log at a signed size: a text that can be checked with the log's key and nothing else.
 * Undefined when no signed size covers the index, or when the files do not hold together (`verifyLedger` says where).
 * SPEC: C2SP tlog-proof; its extra data is the record.
 */
export async function proveRecord(
  source: LedgerSource,
  index: number,
  options: { readonly crypto: VerifyCrypto; readonly trust?: readonly { readonly vkey: string }[] },
): Promise<string | undefined> {
  const { crypto } = options;
  for (const note of await notesOf(source)) {
    const [origin = '', sizeText] = note.split('\n');
    const size = Number(sizeText);
    if (!Number.isSafeInteger(size) || index >= size) continue;
    const width = Math.min(256, size - Math.floor(index / 256) * 256);
    const entries = checkBundle({ crypto, findings: new Findings() }, await loadBundle(source, Math.floor(index / 256), width));
    const entry = entries[index % 256]?.bytes;
    if (entry === undefined) return undefined;
    const path = await pathTo({ source, crypto, size }, index);
    if (path === undefined) return undefined;
    const text = [firstLine, `extra ${toBase64(entry)}`, `index ${index}`, ...path.map(toBase64), '', note].join('\n');
    // What is handed out has been checked the way the receiver will.
    const trust = options.trust ?? (await ownKeys(source, { origin, crypto }));
    const report = await verifyProof(text, { crypto, trust });
    return report.status === 'proven' ? text : undefined;
  }
  return undefined;
}

/** Checks the proof of one record. Never throws for a bad one. The key must come from elsewhere: the proof itself names none. */
export async function verifyProof(
  text: string,
  options: { readonly crypto: VerifyCrypto; readonly trust: readonly { readonly vkey: string }[]; readonly policy?: TrustPolicy },
): Promise<ProofReport> {
  const none = { origin: '', index: -1, size: 0, witnesses: {}, record: '' };
  const parts = parseProof(text);
  if (parts === 'other') return { ...none, status: 'unreadable', problem: 'this is not the proof of a record' };
  if (parts === undefined) return { ...none, status: 'tampered', problem: 'the proof is damaged' };
  const { entry, index, path, note } = parts;
  const named = options.trust.map(({ vkey }) => parseVkey(vkey, options.crypto)).filter((key) => key !== undefined);
  const keys = options.policy === undefined ? named : [...options.policy.logs, ...options.policy.witnesses];
  const opened = await openCheckpoint(note, keys, options.crypto);
  if ('problem' in opened) return { ...none, status: 'tampered', index, problem: `the checkpoint of the proof ${opened.problem}` };
  if (options.policy?.quorum(opened.cosigners) === false)
    return {
      ...none,
      status: 'tampered',
      index,
      problem: 'the checkpoint of the proof does not have the witnesses that the policy asks for',
    };
  const record = toText(entry) ?? '';
  const about = { ...none, origin: opened.origin, size: opened.size, witnesses: opened.witnesses, index, record };
  const value = parseJson(record);
  const bad = recordProblem(value);
  if (bad !== undefined || !isObject(value)) return { ...about, status: 'tampered', problem: `the record ${bad ?? 'is none'}` };
  if (value.i !== index || value.node !== opened.origin)
    return { ...about, status: 'tampered', problem: 'the record is another than the proof says' };
  const root = rootFrom({ index, size: opened.size, leaf: leafHash(options.crypto, entry) }, path, options.crypto);
  if (root === undefined || !equalBytes(root, opened.root))
    return { ...about, status: 'tampered', problem: 'the proof does not lead from the record to the signed root' };
  return { ...about, status: 'proven' };
}

interface Parts {
  readonly entry: Uint8Array;
  readonly index: number;
  readonly path: readonly Uint8Array[];
  readonly note: string;
}

/** `other` when it is no proof at all, undefined when it is a damaged one. */
function parseProof(text: string): Parts | 'other' | undefined {
  const end = text.indexOf('\n\n');
  const [first, extra, position, ...hashes] = text.slice(0, Math.max(0, end)).split('\n');
  if (first !== firstLine || extra?.startsWith('extra ') !== true || position === undefined) return 'other';
  const entry = fromBase64(extra.slice('extra '.length));
  const [, index] = /^index (0|[1-9]\d{0,14})$/.exec(position) ?? [];
  const path = hashes.map(fromBase64).filter((hash) => hash?.length === 32);
  if (entry === undefined || index === undefined || path.length !== hashes.length) return undefined;
  // Safe: what is undefined was filtered out above.
  return { entry, index: Number(index), path: path as Uint8Array[], note: text.slice(end + 2) };
}

/** SPEC: RFC 9162 §2.1.3.2. Undefined when the index is outside or the path has another length than it must. */
export function rootFrom(
  at: { readonly index: number; readonly size: number; readonly leaf: Uint8Array },
  path: readonly Uint8Array[],
  crypto: VerifyCrypto,
): Uint8Array | undefined {
  // Divisions instead of shifts: indexes may have more than 32 bits.
  let [fn, sn, node] = [at.index, at.size - 1, at.leaf];
  if (fn > sn) return undefined;
  for (const sibling of path) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      node = nodeHash(crypto, sibling, node);
      for (; fn % 2 === 0 && fn > 0; sn = Math.floor(sn / 2)) fn /= 2;
    } else node = nodeHash(crypto, node, sibling);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 ? node : undefined;
}

interface Place {
  readonly source: LedgerSource;
  readonly crypto: VerifyCrypto;
  readonly size: number;
}

/** Hashes from the sibling of the leaf up to a child of the root; undefined when a tile is missing. SPEC: RFC 6962 §2.1.1. */
async function pathTo(place: Place, index: number): Promise<Uint8Array[] | undefined> {
  const path: Uint8Array[] = [];
  let [low, high] = [0, place.size];
  while (high - low > 1) {
    const middle = low + below(high - low);
    const left = index < middle;
    const sibling = left ? await rangeHash(place, middle, high) : await rangeHash(place, low, middle);
    if (sibling === undefined) return undefined;
    path.unshift(sibling);
    if (left) high = middle;
    else low = middle;
  }
  return path;
}

/** Hash over the leaves from `low` up to `high`, from the highest tiles that hold it. */
async function rangeHash(place: Place, low: number, high: number): Promise<Uint8Array | undefined> {
  const count = high - low;
  const level = Math.round(Math.log2(count)) / 8;
  if (Number.isInteger(level) && 256 ** level === count) return storedHash(place, level, low / count);
  const middle = low + below(count);
  const [left, right] = [await rangeHash(place, low, middle), await rangeHash(place, middle, high)];
  return left === undefined || right === undefined ? undefined : nodeHash(place.crypto, left, right);
}

async function storedHash({ source, size }: Place, level: number, index: number): Promise<Uint8Array | undefined> {
  const number = Math.floor(index / 256);
  const width = Math.min(256, Math.floor(size / 256 ** level) - number * 256);
  const tile = await readTile(source, { level, number, width });
  const at = (index % 256) * 32;
  return tile === undefined || tile.bytes.length < at + 32 ? undefined : tile.bytes.slice(at, at + 32);
}

/** The largest power of two below the count, which is at least 2. */
function below(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

/** Signed notes of the log, the one with most signatures first. */
async function notesOf(source: LedgerSource): Promise<string[]> {
  const notes = [await source.read('cosigned'), await source.read('checkpoint')].map((bytes) =>
    bytes === undefined ? undefined : toText(bytes),
  );
  return [...notes, (await lastNote(source)).note].filter((note) => note !== undefined);
}

/** The key that the log names in its first entry, with those that followed it. */
async function ownKeys(source: LedgerSource, log: { origin: string; crypto: VerifyCrypto }): Promise<VerifierKey[]> {
  const widths = (await source.list('tile/entries/000.p')).map(Number).filter((width) => width > 0);
  const bytes = (await source.read('tile/entries/000')) ?? (await source.read(`tile/entries/000.p/${Math.max(...widths)}`));
  const first = bytes === undefined ? undefined : parseJson(toText(bytes.subarray(2, 2 + (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)))));
  const key = isObject(first) ? parseVkey(String(first.vkey), log.crypto) : undefined;
  return key?.name === log.origin ? followRotations(source, [key], log.crypto) : [];
}
