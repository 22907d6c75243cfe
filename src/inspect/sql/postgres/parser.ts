import { loadModule, parseSync } from 'libpg-query';
import type { RawStmt } from 'libpg-query';

let loaded = false;

/** Loads PostgreSQL's own parser (WebAssembly). Once per process, before the first inspection. */
export async function loadInspectors(): Promise<void> {
  await loadModule();
  loaded = true;
}

export type Parsed =
  | { readonly ok: true; readonly statements: readonly RawStmt[] }
  /** `position` is 1-based in characters. */
  | { readonly ok: false; readonly message: string; readonly position?: number };

/** Parses with PostgreSQL's grammar. Total: anything the parser throws is a refusal. The caller has bounded length and nesting. */
export function parse(text: string): Parsed {
  if (!loaded) return { ok: false, message: 'the SQL parser is not loaded' };
  if (text.length === 0) return { ok: true, statements: [] };
  try {
    return { ok: true, statements: parseSync(text).stmts ?? [] };
  } catch (thrown) {
    return refusal(thrown);
  }
}

function refusal(thrown: unknown): Parsed {
  if (!(thrown instanceof Error)) return { ok: false, message: 'the statement could not be parsed' };
  if (thrown instanceof RangeError) return { ok: false, message: 'the statement is nested too deeply to be analysed' };
  const position = positionOf(thrown);
  return position === undefined ? { ok: false, message: thrown.message } : { ok: false, message: thrown.message, position };
}

function positionOf(error: Error): number | undefined {
  if (!('sqlDetails' in error) || typeof error.sqlDetails !== 'object' || error.sqlDetails === null) return undefined;
  if (!('cursorPosition' in error.sqlDetails) || typeof error.sqlDetails.cursorPosition !== 'number') return undefined;
  return error.sqlDetails.cursorPosition + 1;
}
