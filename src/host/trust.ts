import type { LedgerName } from './configuration.ts';
import { readJson, replaceFile } from './home.ts';

/** Verifier keys that an installation's ledgers have shown; what `warder ledger verify` checks signatures against. */
export interface Trust {
  readonly ledgers: readonly LedgerName[];
}

/** The trusted keys of a home or of a copy of one; `undefined` when there is no such file. */
export function readTrust(path: string): Trust | undefined {
  const value = readJson(path);
  if (typeof value !== 'object' || value === null || !('ledgers' in value) || !Array.isArray(value.ledgers)) return undefined;
  const ledgers = value.ledgers.filter(
    (entry): entry is LedgerName => typeof entry?.origin === 'string' && typeof entry?.vkey === 'string',
  );
  return { ledgers };
}

/**
 * Adds the keys that ledgers show at their start. A key once seen stays, so that an exchanged log does not verify. Returns the origins that
 * had another key before: somebody should know why.
 */
export function addTrust(path: string, shown: readonly LedgerName[]): readonly string[] {
  const known = readTrust(path)?.ledgers ?? [];
  const fresh = shown.filter((ledger) => !known.some((entry) => entry.origin === ledger.origin && entry.vkey === ledger.vkey));
  if (fresh.length > 0) replaceFile(path, `${JSON.stringify({ ledgers: [...known, ...fresh] }, null, 2)}\n`, 0o644);
  return fresh.filter((ledger) => known.some((entry) => entry.origin === ledger.origin)).map((ledger) => ledger.origin);
}
