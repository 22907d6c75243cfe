import { hash } from 'node:crypto';
import { Fault } from '#model';

/** What the index keeps of a ledger entry, beside the line itself. */
export interface IndexedEntry {
  readonly i: number;
  readonly kind: string;
  readonly t: number;
  readonly session: string | null;
  readonly operation: string | null;
  readonly n: number | null;
  readonly decision: string | null;
  readonly subject: string | null;
  readonly onBehalfOf: string | null;
  readonly resource: string | null;
  readonly verdict: string | null;
  readonly reason: string | null;
  readonly line: string;
  /** The same as an object. */
  readonly entry: Readonly<Record<string, unknown>>;
  /** Hex leaf hash of the previous entry, as the entry says it. */
  readonly prev: string;
  /** Hex leaf hash of this one. SPEC: RFC 6962 §2.1, SHA-256(0x00 ‖ entry). */
  readonly leaf: string;
}

/** Reads a stored line of a ledger. Throws LEDGER_TAMPERED when it is not one. */
export function indexEntry(line: string): IndexedEntry {
  // Canonical JSON has none, and what counts on that must not be led astray.
  if (line.includes('\n')) throw new Fault('LEDGER_TAMPERED', 'an entry is not one line');
  const entry = parsed(line);
  const who = objectAt(entry, 'who');
  const what = objectAt(entry, 'what');
  const decision = objectAt(entry, 'decision');
  const i = entry['i'];
  const t = entry['t'];
  const kind = entry['kind'];
  const prev = entry['prev'];
  if (!Number.isSafeInteger(i) || !Number.isSafeInteger(t) || typeof kind !== 'string' || typeof prev !== 'string') {
    throw new Fault('LEDGER_TAMPERED', 'an entry lacks its index, its time, its kind or its predecessor');
  }
  return {
    // Checked one line above; the compiler does not narrow through isSafeInteger.
    i: i as number,
    t: t as number,
    kind,
    prev,
    session: text(entry['session']),
    operation: text(entry['operation']),
    n: Number.isSafeInteger(entry['n']) ? Number(entry['n']) : null,
    decision: text(decision['id']),
    // Who reads evidence is the subject of that decision.
    subject: text(who['subject']) ?? (kind === 'recording.read' ? text(entry['by']) : null),
    onBehalfOf: text(who['onBehalfOf']),
    resource: text(what['resource']),
    verdict: text(decision['verdict']),
    reason: text(decision['reason']) ?? text(entry['reason']),
    line,
    entry,
    leaf: hash('sha256', `\0${line}`),
  };
}

function parsed(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (isObject(value)) return value;
  } catch {
    // Falls through to the fault: what is not JSON is not an entry.
  }
  throw new Fault('LEDGER_TAMPERED', 'an entry is not a JSON object');
}

/** A member that is an object; an empty one when it is missing. */
export function objectAt(value: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> {
  const member = value[key];
  return isObject(member) ? member : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  // PostgreSQL cannot store NUL in a text; the line itself carries it escaped.
  return typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : null;
}
