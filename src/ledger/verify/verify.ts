import { checkBundle, loadBundles, prunedHash, type SignedEntry } from './bundles.ts';
import { concat, equalBytes, parseJson, toBase64, toHex, toText } from './bytes.ts';
import { isObject } from './grammar.ts';
import { History, lastNote } from './history.ts';
import { Levels } from './levels.ts';
import { type Checkpoint, openCheckpoint, parseVkey, type VerifierKey } from './note.ts';
import { checkChunk } from './recordings.ts';
import { Findings, type Report } from './report.ts';
import { followRotations, rotationHolds } from './rotations.ts';
import type { LedgerSource, VerifyCrypto } from './source.ts';
import { Story } from './story.ts';
import type { TrustPolicy } from './policy.ts';
import { compareLogs, type Told } from './together.ts';
import { GrowingTree, leafHash, tilePath } from './tree.ts';
import { type WalEntry, WalReader } from './wal.ts';

export interface VerifyOptions {
  readonly crypto: VerifyCrypto;
  /** Keys that may have signed the log. Without them the log's own key is used, and the report says `pinned: false`. */
  readonly trust?: readonly { readonly vkey: string }[];
  /** Checkpoints kept from earlier (the texts of the notes): the log must still contain what they promised. Those of other logs are left out. */
  readonly since?: readonly string[];
  /** Which logs and how many witnesses are believed, instead of `trust`. SPEC: C2SP tlog-policy. */
  readonly policy?: TrustPolicy;
}

/**
 * Verifies a log from its files: signatures of every checkpoint, entries against tiles, tiles against the signed roots, the write-ahead
 * log against the entries, and what the records say together. Reads everything once, in order, in pieces.
 *
 * Never throws for a bad log; whatever is wrong is a finding. Throws only what `source` throws (a disk that fails).
 */
export async function verifyLedger(source: LedgerSource, options: VerifyOptions): Promise<Report> {
  const [report] = await verifyLedgers([source], options);
  if (report === undefined) throw new Error('there is a report for each log');
  return report;
}

/**
 * Verifies several logs of one installation, one after the other, and what they say together. A log that is being written should come before
 * the log of its control plane, which knows a bundle or a grant before it is used.
 */
export async function verifyLedgers(sources: readonly LedgerSource[], options: VerifyOptions): Promise<Report[]> {
  const verified: Awaited<ReturnType<typeof verifyOne>>[] = [];
  for (const source of sources) verified.push(await verifyOne(source, options));
  compareLogs(verified.flatMap(({ told, origin, findings }) => (told === undefined ? [] : [{ told, origin, findings }])));
  return verified.map(reportOf);
}

async function verifyOne(source: LedgerSource, options: VerifyOptions): Promise<Verified> {
  const findings = new Findings();
  const started = await begin(source, options, findings);
  if (started === undefined)
    return {
      findings,
      told: undefined,
      origin: '',
      vkey: '',
      pinned: false,
      signed: undefined,
      witnesses: {},
      unsigned: 0,
      checkpoints: 0,
      readable: false,
    };
  const pass = new Pass(source, options.crypto, { ...started, findings });
  const { unsigned, checkpoints } = await pass.run();
  return { ...started, told: pass.told, findings, unsigned, checkpoints, readable: true };
}

interface Started {
  readonly origin: string;
  readonly vkey: string;
  readonly pinned: boolean;
  readonly keys: readonly VerifierKey[];
  /** The largest signed size. */
  readonly signed: Checkpoint | undefined;
  readonly witnesses: Readonly<Record<string, number>>;
  readonly others: { readonly what: string; readonly checkpoint: Checkpoint }[];
  readonly historyBytes: number;
}

/** Finds out whose log this is and how much of it is signed; undefined when it is no log. */
async function begin(source: LedgerSource, options: VerifyOptions, findings: Findings): Promise<Started | undefined> {
  const published = await source.read('checkpoint');
  const cosigned = await source.read('cosigned');
  const history = await lastNote(source);
  const notes = [
    { what: 'checkpoint', note: published === undefined ? undefined : (toText(published) ?? '') },
    { what: 'checkpoints.log', note: history.note },
    { what: 'cosigned', note: cosigned === undefined ? undefined : (toText(cosigned) ?? '') },
  ];
  const opened = await firstRecord(source);
  const origins = new Set([...notes.map(({ note }) => note?.split('\n')[0]), opened?.node]);
  for (const note of options.since ?? []) {
    if (origins.has(note.split('\n')[0])) notes.push({ what: 'the earlier checkpoint', note });
    else findings.add('note', 'the earlier checkpoint', 'a checkpoint that was given is of another log');
  }
  if (notes.every(({ note }) => note === undefined) && opened === undefined) {
    findings.add('hole', 'checkpoint', 'this is no ledger: there is neither a checkpoint nor a first entry');
    return undefined;
  }
  const own = parseVkey(String(opened?.vkey ?? ''), options.crypto);
  const keys = await followRotations(source, trustedKeys(options, own, findings), options.crypto);
  if (own === undefined) findings.tampered('record', 'the first entry does not name the key of the log', 0);
  else if (keys.every(({ vkey }) => vkey !== own.vkey))
    findings.tampered('checkpoint', `the log names the key ${own.vkey}, which is not trusted`, 0);
  const valid: { what: string; checkpoint: Checkpoint }[] = [];
  for (const { what, note } of notes) {
    if (note === undefined) continue;
    const checkpoint = await openCheckpoint(note, keys, options.crypto);
    if (!('problem' in checkpoint)) valid.push({ what, checkpoint });
    // The lines of checkpoints.log are reported when they are all read.
    else if (what !== 'checkpoints.log') findings.tampered(what, `${what} ${checkpoint.problem}`);
  }
  const signed = valid
    .map(({ checkpoint }) => checkpoint)
    .reduce<Checkpoint | undefined>((best, one) => (best !== undefined && best.size >= one.size ? best : one), undefined);
  const logged = valid.find(({ what }) => what === 'checkpoints.log')?.checkpoint;
  const shown = valid.find(({ what }) => what === 'checkpoint')?.checkpoint;
  if (shown !== undefined && (logged?.size ?? 0) < shown.size)
    findings.tampered('checkpoints.log', `it ends at size ${logged?.size ?? 0}, but size ${shown.size} was published`, logged?.size ?? 0);
  if (published === undefined) findings.add('hole', 'checkpoint', 'no checkpoint is published');
  checkQuorum(options.policy, valid, findings);
  const origin = signed?.origin ?? own?.name ?? '';
  return {
    origin,
    vkey: (keys.find((key) => key.vkey === own?.vkey) ?? keys[0])?.vkey ?? '',
    pinned: options.trust !== undefined || options.policy !== undefined,
    keys,
    signed,
    witnesses: valid.find(({ what }) => what === 'cosigned')?.checkpoint.witnesses ?? {},
    others: valid.filter(({ what }) => what !== 'checkpoints.log'),
    historyBytes: history.bytes,
  };
}

/** A log that too few have witnessed is not wrong, but not proven as the policy asks. */
function checkQuorum(
  policy: TrustPolicy | undefined,
  notes: readonly { readonly what: string; readonly checkpoint: Checkpoint }[],
  findings: Findings,
): void {
  if (policy === undefined) return;
  const enough = notes.filter(({ checkpoint }) => policy.quorum(checkpoint.cosigners)).map(({ checkpoint }) => checkpoint.size);
  const size = Math.max(0, ...notes.map(({ checkpoint }) => checkpoint.size));
  if (enough.length === 0) findings.add('hole', 'cosigned', 'no checkpoint has the witnesses that the policy asks for');
  else if (Math.max(...enough) < size)
    findings.add('note', 'cosigned', `entries from here on are not witnessed as the policy asks yet`, Math.max(...enough));
}

function trustedKeys(options: VerifyOptions, own: VerifierKey | undefined, findings: Findings): VerifierKey[] {
  if (options.policy !== undefined) return [...options.policy.logs, ...options.policy.witnesses];
  if (options.trust === undefined) return own === undefined ? [] : [own];
  const keys: VerifierKey[] = [];
  for (const { vkey } of options.trust) {
    const key = parseVkey(vkey, options.crypto);
    if (key === undefined) findings.tampered('trust', `${vkey} is not a verifier key of the form name+hash+key`);
    else keys.push(key);
  }
  return keys;
}

/** The first entry, unchecked, from the bundle or from the write-ahead log. */
async function firstRecord(source: LedgerSource): Promise<{ readonly [name: string]: unknown } | undefined> {
  const path = tilePath('entries', 0);
  const widths = (await source.list(`${path}.p`)).filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
  // Where folders cannot be listed, the checkpoint says how wide it is.
  if (widths.length === 0)
    widths.push(/^\S+\n([1-9]\d{0,2})\n/.exec(toText((await source.read('checkpoint')) ?? new Uint8Array()) ?? '')?.[1] ?? '');
  for (const [name, skip] of [
    [path, 2],
    [`${path}.p/${widths[0] ?? ''}`, 2],
    ['wal/000000000000.wal', 92 + 12],
  ] as const) {
    const bytes = await source.read(name, { offset: 0, length: 16 * 1024 + skip });
    const end = bytes === undefined ? -1 : bytes.indexOf(0x7d, skip);
    // The first entry holds no nested object, so it ends at its first closing brace.
    const record = bytes === undefined || end < 0 ? undefined : parseJson(toText(bytes.subarray(skip, end + 1)));
    if (isObject(record)) return record;
  }
  return undefined;
}

/** One walk over the log. */
class Pass {
  readonly #source: LedgerSource;
  readonly #crypto: VerifyCrypto;
  readonly #started: Started & { readonly findings: Findings };
  readonly #size: number;
  readonly #story: Story;
  readonly #levels: Levels;
  readonly #tree: GrowingTree;
  /** Hex leaf hash of the entry before; empty when it is unknown, undefined when it was removed. */
  #prev: string | undefined = '0'.repeat(64);
  /** First entries of the bundles that were removed. */
  readonly #gaps: number[] = [];
  /** False once a leaf is unknown: no root can be computed after that. */
  #treeWhole = true;
  #last: { leaves: Uint8Array[]; bundle: Uint8Array; ends: number[] } = { leaves: [], bundle: new Uint8Array(), ends: [] };

  constructor(source: LedgerSource, crypto: VerifyCrypto, started: Started & { findings: Findings }) {
    this.#source = source;
    this.#crypto = crypto;
    this.#started = started;
    this.#size = started.signed?.size ?? 0;
    this.#story = new Story(started.origin, started.findings);
    this.#levels = new Levels(source, started.findings);
    this.#tree = new GrowingTree(crypto, (level, index, hash) => this.#levels.add(level, index, hash));
  }

  /** What other logs must agree with. */
  get told(): Told {
    return this.#story.told;
  }

  async run(): Promise<{ unsigned: number; checkpoints: number }> {
    const { findings, origin, keys, others, historyBytes } = this.#started;
    const place = { source: this.#source, crypto: this.#crypto, findings };
    const wal = await WalReader.open({ ...place, origin, signed: this.#size });
    const history = await History.open({ ...place, origin, keys, historyBytes }, others);
    for await (const loaded of loadBundles(this.#source, this.#size)) {
      const first = loaded.number * 256;
      const removed = this.#treeWhole ? await prunedHash(this.#source, loaded, this.#size) : undefined;
      if (removed !== undefined) {
        await this.#jump(first, removed, history);
        continue;
      }
      for (const [k, entry] of checkBundle(place, loaded).entries()) {
        const index = first + k;
        const logged = index >= wal.next ? await wal.take(index) : undefined;
        if (logged !== undefined) this.#compareLogged(logged, entry, index);
        else if (index === this.#size - 1 && wal.next <= index) {
          findings.tampered('wal', `the write-ahead log ends before the signed size ${this.#size}`, wal.next);
        }
        const blob = this.#take(index, entry);
        if (this.#story.rotation !== undefined) await this.#checkRotation(index);
        if (blob !== undefined) await this.#checkBlob(blob, index);
        if (this.#story.chunk !== undefined) await checkChunk(place, this.#story.chunk, index);
        if (this.#treeWhole && history.hasAt(this.#tree.size)) await history.check(this.#tree);
      }
      if (this.#treeWhole) await this.#levels.check();
    }
    if (this.#treeWhole) await this.#levels.end(this.#size, this.#last);
    if (this.#treeWhole) await history.end(this.#size);
    const unsigned = await this.#tail(wal);
    if (this.#size === 0) findings.add('hole', 'checkpoint', 'nothing is signed yet');
    for (const first of this.#gaps) {
      if (!this.#story.pruned.some(({ from, to }) => from <= first && first + 256 <= to))
        findings.tampered(tilePath('entries', first / 256), `the entries ${first} to ${first + 255} were signed but are missing`, first);
    }
    this.#story.end();
    return { unsigned, checkpoints: history.agreed };
  }

  /** A bundle that was removed: the tree goes on with the hash above it, the story does not know what was in it. */
  async #jump(first: number, hash: Uint8Array, history: History): Promise<void> {
    this.#gaps.push(first);
    this.#tree.addTile(hash);
    await this.#levels.check();
    await history.skipTo(this.#tree.size);
    if (history.hasAt(this.#tree.size)) await history.check(this.#tree);
    this.#story.gap(first + 256);
    this.#prev = undefined;
  }

  /** Takes a signed entry into tree and story; returns the blob of its evidence. */
  #take(index: number, entry: SignedEntry): string | undefined {
    if (entry.leaf === undefined) this.#treeWhole = false;
    else if (this.#treeWhole) this.#tree.add(entry.leaf);
    if (entry.bytes === undefined) this.#story.stop();
    const blob = entry.bytes === undefined ? undefined : this.#story.take(index, parseJson(toText(entry.bytes)), this.#prev);
    if (index >= this.#size - (this.#size % 256)) this.#remember(entry);
    this.#prev = entry.leaf === undefined ? '' : toHex(entry.leaf);
    return blob;
  }

  /** A change of keys must be signed by both, and be among those that were followed from the trusted key. */
  async #checkRotation(index: number): Promise<void> {
    const { rotation } = this.#story;
    if (rotation === undefined) return;
    const { origin, keys, findings } = this.#started;
    if (!keys.some(({ vkey }) => vkey === rotation.vkey) || !(await rotationHolds(origin, rotation, this.#crypto)))
      findings.tampered('key', 'the change of keys is not signed by the key before, or the file `rotations` lacks it', index);
  }

  #compareLogged(logged: WalEntry, entry: SignedEntry, index: number): void {
    if (entry.leaf !== undefined && !equalBytes(leafHash(this.#crypto, logged.bytes), entry.leaf)) {
      this.#started.findings.tampered('wal', 'the write-ahead log has another entry than the bundle', index);
    }
    this.#checkSegment(logged, index);
  }

  /** Entries after the signed size: only the write-ahead log has them. */
  async #tail(wal: WalReader): Promise<number> {
    if (wal.next === Number.POSITIVE_INFINITY) return 0;
    let index = this.#size;
    for (let entry = await wal.take(index); entry !== undefined; entry = await wal.take(index)) {
      this.#checkSegment(entry, index);
      const blob = this.#story.take(index, parseJson(toText(entry.bytes)), this.#prev);
      await this.#checkRotation(index);
      if (blob !== undefined) await this.#checkBlob(blob, index);
      if (this.#story.chunk !== undefined)
        await checkChunk({ source: this.#source, crypto: this.#crypto, findings: this.#started.findings }, this.#story.chunk, index);
      this.#prev = toHex(leafHash(this.#crypto, entry.bytes));
      index += 1;
    }
    if (index > this.#size)
      this.#started.findings.add('note', 'checkpoint', `${index - this.#size} entries are not signed yet`, this.#size);
    return index - this.#size;
  }

  #checkSegment({ segment }: WalEntry, index: number): void {
    if (segment === undefined) return;
    const { findings } = this.#started;
    if (this.#prev !== undefined && this.#prev !== '' && toHex(segment.prev) !== this.#prev)
      findings.tampered('wal', 'the segment that begins here does not link to the entry before it', index);
    const low = this.#story.low(index);
    if (low !== undefined && low !== segment.low)
      findings.tampered(
        'wal',
        `the segment that begins here says that all operations before ${segment.low} are settled, which is true before ${low}`,
        index,
      );
  }

  async #checkBlob(blob: string, index: number): Promise<void> {
    const stored = await this.#source.read(`blobs/${blob.slice(0, 2)}/${blob}`);
    if (stored === undefined) {
      this.#started.findings.holes.missingBlobs += 1;
      this.#started.findings.add('hole', 'evidence', `blob ${blob} is not here; it may have been erased`, index);
    } else if (toHex(this.#crypto.sha256(stored)) !== blob) this.#started.findings.tampered('evidence', `blob ${blob} was changed`, index);
    if (stored !== undefined) this.#source.release?.(stored);
  }

  #remember(entry: SignedEntry): void {
    if (entry.leaf !== undefined) this.#last.leaves.push(entry.leaf);
    if (entry.bytes === undefined) return;
    const length = new Uint8Array([entry.bytes.length >> 8, entry.bytes.length & 0xff]);
    this.#last.bundle = concat(this.#last.bundle, length, entry.bytes);
    this.#last.ends.push(this.#last.bundle.length);
  }
}

interface Verified {
  readonly findings: Findings;
  /** Undefined for what is no log. */
  readonly told: Told | undefined;
  readonly origin: string;
  readonly vkey: string;
  readonly pinned: boolean;
  readonly signed: Checkpoint | undefined;
  readonly witnesses: Readonly<Record<string, number>>;
  readonly unsigned: number;
  readonly checkpoints: number;
  readonly readable: boolean;
}

function reportOf(result: Verified): Report {
  const { findings, signed } = result;
  const { origin, vkey, pinned, unsigned, checkpoints, witnesses } = result;
  const { list, counts, holes } = findings;
  const status = !result.readable ? 'unreadable' : counts.tampered > 0 ? 'tampered' : counts.hole > 0 ? 'incomplete' : 'proven';
  return {
    status,
    origin,
    size: signed?.size ?? 0,
    root: signed === undefined ? '' : toBase64(signed.root),
    unsigned,
    vkey,
    pinned,
    checkpoints,
    witnesses,
    holes,
    findings: list,
    counts,
  };
}
