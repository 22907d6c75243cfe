import type { LedgerName } from './configuration.ts';
import { readJson, replaceFile } from './home.ts';

/** Verifier keys that an installation's ledgers have shown; what `warder ledger verify` checks signatures against. */
export interface Trust {
  readonly ledgers: readonly LedgerName[];
  /** Keys that sign checkpoints of other ledgers, under the name of the witness. */
  readonly witnesses?: readonly LedgerName[];
}

/** The trusted keys of a home or of a copy of one; `undefined` when there is no such file. */
export function readTrust(path: string): Trust | undefined {
  const value = readJson(path);
  if (typeof value !== 'object' || value === null || !('ledgers' in value) || !Array.isArray(value.ledgers)) return undefined;
  const witnesses = 'witnesses' in value && Array.isArray(value.witnesses) ? named(value.witnesses) : [];
  return { ledgers: named(value.ledgers), ...(witnesses.length === 0 ? {} : { witnesses }) };
}

/** Every key that may have signed something of a ledger. */
export function trustedKeys({ ledgers, witnesses = [] }: Trust): readonly LedgerName[] {
  return [...ledgers, ...witnesses];
}

/**
 * Adds the keys that ledgers, and those who witness them, show at their start. A key once seen stays, so that an exchanged log does not
 * verify. Returns the origins of ledgers that had another key before: somebody should know why.
 */
export function addTrust(path: string, shown: readonly LedgerName[], signing: readonly LedgerName[] = []): readonly string[] {
  const { ledgers: known, witnesses: before = [] } = readTrust(path) ?? { ledgers: [] };
  const fresh = unknown(shown, known);
  const witnesses = [...before, ...unknown(signing, before)];
  if (fresh.length > 0 || witnesses.length > before.length) {
    const trust: Trust = { ledgers: [...known, ...fresh], ...(witnesses.length === 0 ? {} : { witnesses }) };
    replaceFile(path, `${JSON.stringify(trust, null, 2)}\n`, 0o644);
  }
  return fresh.filter((ledger) => known.some((entry) => entry.origin === ledger.origin)).map((ledger) => ledger.origin);
}

function named(list: readonly unknown[]): LedgerName[] {
  return list.filter((entry): entry is LedgerName => {
    if (typeof entry !== 'object' || entry === null || !('origin' in entry) || !('vkey' in entry)) return false;
    return typeof entry.origin === 'string' && typeof entry.vkey === 'string';
  });
}

function unknown(shown: readonly LedgerName[], known: readonly LedgerName[]): LedgerName[] {
  return shown.filter((one) => !known.some((entry) => entry.origin === one.origin && entry.vkey === one.vkey));
}
