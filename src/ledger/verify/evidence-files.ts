import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { type EvidenceFiles, type EvidenceReport, verifyEvidence } from './evidence-bundle.ts';
import { nodeCrypto } from './node.ts';
import { tarPlaces } from './tar.ts';

/** Checks the evidence of one session: an archive, or the folder it was unpacked into. Throws what reading it throws. */
export async function verifyEvidenceAt(path: string, trust: readonly { readonly vkey: string }[]): Promise<EvidenceReport> {
  const files = readEvidence(path);
  if (files !== undefined) return verifyEvidence(files, { crypto: nodeCrypto, ...(trust.length === 0 ? {} : { trust }) });
  const message = 'this is no archive of the form that evidence has, or it was changed';
  const none = { session: '', pinned: false, logs: {}, witnesses: [], records: 0, operations: 0, chunks: 0 };
  return { ...none, status: 'tampered', findings: [{ severity: 'tampered', what: 'archive', message }] };
}

/** The files of an archive, or of the folder it was unpacked into; undefined for an archive of another form. They are read when they are looked at. */
export function readEvidence(path: string): EvidenceFiles | undefined {
  if (statSync(path).isDirectory()) return new LazyFiles(filesIn(path));
  const archive = openSync(path, 'r');
  const read = (at: number, length: number): Uint8Array => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(archive, bytes, 0, length, at));
  };
  const places = tarPlaces(read, fstatSync(archive).size);
  if (places === undefined) {
    closeSync(archive);
    return undefined;
  }
  // It stays open as long as the process: whoever reads has one.
  return new LazyFiles(new Map([...places].map(([name, { at, length }]) => [name, () => read(at, length)])));
}

/** Contents that are not kept: an archive may be larger than the memory. */
class LazyFiles implements EvidenceFiles {
  readonly #files: ReadonlyMap<string, () => Uint8Array>;

  constructor(files: ReadonlyMap<string, () => Uint8Array>) {
    this.#files = files;
  }

  get(path: string): Uint8Array | undefined {
    return this.#files.get(path)?.();
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  keys(): Iterable<string> {
    return this.#files.keys();
  }

  *[Symbol.iterator](): Generator<[string, Uint8Array]> {
    for (const [path, read] of this.#files) yield [path, read()];
  }
}

function filesIn(folder: string): Map<string, () => Uint8Array> {
  const files = new Map<string, () => Uint8Array>();
  const root = resolve(folder);
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory()) files.set(relative(root, path).split(sep).join('/'), () => readFileSync(path));
  }
  return files;
}

/** The report for people. */
export function evidenceText(report: EvidenceReport): string {
  const { status, session, pinned, logs, witnesses, records, operations, chunks, findings } = report;
  const lines = [
    `${session === '' ? 'evidence' : session}  ${status.toUpperCase()}  ${records} records, ${operations} operations, ${chunks} chunks of recording`,
    ...Object.entries(logs).map(([origin, vkey]) => `  ${origin} signed with ${vkey}`),
    ...(witnesses.length === 0 ? [] : [`  witnessed by ${witnesses.join(', ')}`]),
    ...(pinned || status === 'unreadable'
      ? []
      : ['  KEYS NOT PINNED: the evidence only agrees with itself; compare the keys above with ones you know, or give them with --key']),
    ...findings.map(
      ({ severity, what, index, message }) => `  ${severity} ${index === undefined ? what : `index ${index}, ${what}`}: ${message}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}
