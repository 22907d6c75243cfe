import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { type EvidenceReport, verifyEvidence } from './evidence-bundle.ts';
import { nodeCrypto } from './node.ts';
import { readTar } from './tar.ts';

/** Checks the evidence of one session: an archive, or the folder it was unpacked into. Throws what reading it throws. */
export async function verifyEvidenceAt(path: string, trust: readonly { readonly vkey: string }[]): Promise<EvidenceReport> {
  const files = readEvidence(path);
  if (files !== undefined) return verifyEvidence(files, { crypto: nodeCrypto, ...(trust.length === 0 ? {} : { trust }) });
  const message = 'this is no archive of the form that evidence has, or it was changed';
  const none = { session: '', pinned: false, logs: {}, witnesses: [], records: 0, operations: 0, chunks: 0 };
  return { ...none, status: 'tampered', findings: [{ severity: 'tampered', what: 'archive', message }] };
}

/** The files of an archive, or of the folder it was unpacked into; undefined for an archive of another form. */
export function readEvidence(path: string): Map<string, Uint8Array> | undefined {
  return statSync(path).isDirectory() ? readFolder(path) : readTar(readFileSync(path));
}

function readFolder(folder: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const root = resolve(folder);
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory()) files.set(relative(root, path).split(sep).join('/'), readFileSync(path));
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
