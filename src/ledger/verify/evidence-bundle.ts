import { concat, fromText, parseJson, toHex, toText } from './bytes.ts';
import { isObject } from './grammar.ts';
import { verifyProof } from './proof.ts';
import type { Finding } from './report.ts';
import { SessionStory } from './session-story.ts';
import type { VerifyCrypto } from './source.ts';

/** What an evidence file, a session taken along with everything that proves it, shows. */
export interface EvidenceReport {
  readonly status: 'proven' | 'tampered' | 'incomplete' | 'unreadable';
  readonly session: string;
  /** True when every log's key was handed in; false when keys were taken from the evidence itself, which then only agrees with itself. */
  readonly pinned: boolean;
  /** Logs whose signed records are in it → the verifier key they were checked with. */
  readonly logs: Readonly<Record<string, string>>;
  /** Names of known witnesses that signed the same roots. */
  readonly witnesses: readonly string[];
  readonly records: number;
  readonly operations: number;
  readonly chunks: number;
  readonly findings: readonly Finding[];
}

interface Options {
  readonly crypto: VerifyCrypto;
  /** Keys known from elsewhere, of logs and of witnesses. */
  readonly trust?: readonly { readonly vkey: string }[];
}

/** Files by path; a Map is one. What `get` gives need not be kept. */
export interface EvidenceFiles {
  get(path: string): Uint8Array | undefined;
  has(path: string): boolean;
  keys(): Iterable<string>;
  [Symbol.iterator](): Iterator<[string, Uint8Array]>;
}

interface Manifest {
  readonly session: string;
  readonly gateway: string;
  readonly logs: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Checks an evidence file: the list of its files is what a signed record says, every file is as listed, every record stands in a signed log, the
 * records of the session are all there, and the texts and recorded bytes are those the records committed to.
 * `files`: path → content, of the unpacked folder or the archive. Never throws for bad ones. SPEC: docs/formats/recording.md, Evidence file.
 */
export async function verifyEvidence(files: EvidenceFiles, options: Options): Promise<EvidenceReport> {
  const listed = files.get('manifest.json');
  const manifest = listed === undefined ? undefined : readManifest(listed);
  if (listed === undefined || manifest === undefined) {
    const finding: Finding = { severity: 'hole', what: 'manifest.json', message: 'this is no evidence file: it has no list of its files' };
    return {
      status: 'unreadable',
      session: '',
      pinned: false,
      logs: {},
      witnesses: [],
      records: 0,
      operations: 0,
      chunks: 0,
      findings: [finding],
    };
  }
  return new Check(files, { ...options, manifest, listed }).run();
}

class Check {
  readonly #files: EvidenceFiles;
  readonly #given: Options & { readonly manifest: Manifest; readonly listed: Uint8Array };
  readonly #findings: Finding[] = [];
  readonly #witnesses = new Set<string>();
  readonly #logs = new Map<string, string>();
  #records = 0;

  constructor(files: EvidenceFiles, given: Options & { manifest: Manifest; listed: Uint8Array }) {
    this.#files = files;
    this.#given = given;
  }

  async run(): Promise<EvidenceReport> {
    const { manifest, trust } = this.#given;
    this.#checkFiles();
    await this.#checkManifest();
    const story = new SessionStory(manifest.session, (severity, message, index) => this.#add(severity, 'session', message, index));
    for (const path of [...this.#files.keys()].sort()) if (path.startsWith('records/')) await this.#checkRecord(path, story);
    story.end();
    const bad = this.#findings.some(({ severity }) => severity === 'tampered');
    const holes = this.#findings.some(({ severity }) => severity === 'hole');
    return {
      status: bad ? 'tampered' : holes ? 'incomplete' : 'proven',
      session: manifest.session,
      pinned:
        trust !== undefined && this.#logs.size > 0 && [...this.#logs.values()].every((vkey) => trust.some((known) => known.vkey === vkey)),
      logs: Object.fromEntries(this.#logs),
      witnesses: [...this.#witnesses].sort(),
      records: this.#records,
      operations: story.operations,
      chunks: story.chunks,
      findings: this.#findings,
    };
  }

  /** Every file is the one that is listed, and there is no other. */
  #checkFiles(): void {
    const { manifest, crypto } = this.#given;
    const beside = ['manifest.json', 'manifest.tlog-proof'];
    for (const [path, content] of this.#files) {
      if (beside.includes(path)) continue;
      const wanted = Object.hasOwn(manifest.files, path) ? manifest.files[path] : undefined;
      if (wanted === undefined) this.#add('tampered', path, 'the file is not in the list');
      else if (toHex(crypto.sha256(content)) !== wanted) this.#add('tampered', path, 'the file was changed');
    }
    for (const path of Object.keys(manifest.files)) if (!this.#files.has(path)) this.#add('tampered', path, 'the file is missing');
  }

  /** The list of files is what the record of the export says. */
  async #checkManifest(): Promise<void> {
    const { manifest, listed, crypto } = this.#given;
    const proof = toText(this.#files.get('manifest.tlog-proof') ?? new Uint8Array()) ?? '';
    const record = await this.#proven('manifest.tlog-proof', proof);
    if (record === undefined) return;
    // Unknown signatures are ignored by the rules of notes, so a changed one would not be noticed; there is none here.
    if (proof.split('\n').filter((line) => line.startsWith('\u2014 ')).length !== 1)
      this.#add('tampered', 'manifest.tlog-proof', 'the proof of the list has more than the signature of its log');
    const says = `sha256:${toHex(crypto.sha256(listed))}`;
    if (record.kind !== 'recording.read' || record.action !== 'recording.export' || record.session !== manifest.session)
      this.#add('tampered', 'manifest.tlog-proof', 'the record is not that of the export of this session');
    else if (record.manifest !== says) this.#add('tampered', 'manifest.json', 'the list of files is not the one that was recorded');
  }

  /** One record: proven, named as it must be, and with what it committed to. */
  async #checkRecord(path: string, story: SessionStory): Promise<void> {
    const content = this.#files.get(path);
    const record = content === undefined ? undefined : await this.#proven(path, toText(content) ?? '');
    if (record === undefined) return;
    this.#records += 1;
    const { manifest } = this.#given;
    const index = Number(record.i);
    const name = `${String(record.node).split('/').at(-1) ?? ''}/${String(index).padStart(12, '0')}`;
    if (path !== `records/${name}.tlog-proof`) this.#add('tampered', path, `the record is entry ${index} of ${String(record.node)}`);
    if (record.kind === 'recording.chunk')
      this.#checkCommitted(record.stored, { index, prefix: 'recording/v1', path: `recording/${name}` });
    else if (isObject(record.evidence)) this.#checkCommitted(record.evidence, { index, prefix: 'evidence/v1', path: `evidence/${name}` });
    if (record.node === manifest.gateway) story.take(record, index);
  }

  /** Salt and content are in one file, in the order in which they were hashed. */
  #checkCommitted(
    said: unknown,
    { index, prefix, path }: { readonly index: number; readonly prefix: string; readonly path: string },
  ): void {
    const content = this.#files.get(path);
    if (content === undefined) return this.#add('hole', path, 'what the record committed to is not here; it may have been erased', index);
    const commit = toHex(this.#given.crypto.sha256(concat(fromText(prefix), content)));
    if (!isObject(said) || said.commit !== commit) this.#add('tampered', path, 'this is not what the record committed to', index);
  }

  /** The record of a proof that holds, with a key from elsewhere or else the one that the evidence names. */
  async #proven(path: string, text: string): Promise<{ readonly [name: string]: unknown } | undefined> {
    const { manifest, crypto, trust = [] } = this.#given;
    const origin = text.slice(text.indexOf('\n\n') + 2).split('\n')[0] ?? '';
    const own = trust.filter(({ vkey }) => vkey.startsWith(`${origin}+`));
    const named = Object.hasOwn(manifest.logs, origin) ? manifest.logs[origin] : undefined;
    const keys = own.length > 0 ? trust : named === undefined ? [] : [{ vkey: named }, ...trust];
    const report = await verifyProof(text, { crypto, trust: keys });
    if (report.status !== 'proven') {
      this.#add('tampered', path, report.problem ?? 'the proof does not hold');
      return undefined;
    }
    this.#logs.set(report.origin, own.find(({ vkey }) => vkey === named)?.vkey ?? own[0]?.vkey ?? named ?? '');
    for (const name of Object.keys(report.witnesses)) this.#witnesses.add(name);
    const record = parseJson(report.record);
    return isObject(record) ? record : undefined;
  }

  #add(severity: Finding['severity'], what: string, message: string, index?: number): void {
    this.#findings.push({ severity, what, message, ...(index === undefined ? {} : { index }) });
  }
}

function readManifest(bytes: Uint8Array): Manifest | undefined {
  const value = parseJson(toText(bytes));
  if (!isObject(value) || value.format !== 'warder-evidence/v1') return undefined;
  const { session, gateway, logs, files } = value;
  if (typeof session !== 'string' || typeof gateway !== 'string' || !isTexts(logs) || !isTexts(files)) return undefined;
  return { session, gateway, logs, files };
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return isObject(value) && Object.values(value).every((member) => typeof member === 'string');
}
