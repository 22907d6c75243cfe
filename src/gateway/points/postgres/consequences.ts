import type { Inspection } from '#inspect';
import type { SqlFacts } from '#model';

/** Settings that decide what the text after them means, or who runs it. `all` is RESET ALL. */
const meaningful = new Set([
  'search_path',
  'role',
  'session_authorization',
  'client_encoding',
  'standard_conforming_strings',
  'backslash_quote',
  'all',
]);

/**
 * What of an operation makes the meaning of later ones uncertain, by name; empty for nearly all. `unsettled`: the end of the transaction may
 * change settings back.
 */
export function taints({ facts, transaction }: Inspection, unsettled: boolean): readonly string[] {
  const found = facts.settings.filter((name) => meaningful.has(name)).map((name) => `after-setting:${name}`);
  if (facts.effects.some((effect) => effect.startsWith('session.role'))) found.push('after-setting:role');
  if (facts.verbs.includes('discard')) found.push('after-setting:all');
  if (!facts.complete) found.push('after-unknown');
  if (unsettled && transaction.length > 0) found.push('after-setting:transaction');
  return found;
}

const catalogEffects = ['create', 'alter', 'drop', 'rename', 'code'];

/** The operation may have changed what relations and columns are called, or what they are. */
export function changesCatalog(facts: SqlFacts): boolean {
  return !facts.complete || facts.effects.some((effect) => catalogEffects.includes(effect.split('.', 1)[0] ?? ''));
}

const replacing = new Set(['deallocate', 'prepare', 'discard', 'declare', 'close', 'do', 'call', 'execute']);

/** The operation may have put other statements or cursors under names the protocol uses. */
export function replacesNames(facts: SqlFacts): boolean {
  return !facts.complete || facts.verbs.some((verb) => replacing.has(verb));
}

/** The target would answer with a COPY to or from the client, which Warder refuses. */
export function needsCopy(facts: SqlFacts): boolean {
  return facts.effects.includes('copy.in') || facts.effects.includes('copy.out');
}

/** A text without any statement: comments, white space, semicolons. It does nothing, so it is no operation. */
export function isEmpty({ certainty, facts, outputs }: Inspection): boolean {
  return certainty === 'parsed' && facts.complete && outputs.length === 0 && facts.statements.length === 0;
}
