import type { Catalog, SqlFacts } from '#model';
import { errorResponse, noticeResponse, type Diagnostic } from './encode.ts';
import { decodeDiagnostic } from './target-messages.ts';

/** Fields that may quote values: detail, hint, where, internal query and its position. */
const quoting = new Set(['D', 'H', 'W', 'q', 'p']);

/** Classes whose very message may quote values: data exceptions, cardinality, errors and messages raised by user code, external routines. */
const quotingClasses = new Set(['22', '21', 'P0', '38', '39', 'XX', '01', '00', '02']);

/**
 * Classes of errors whose message names objects and circumstances, never a value of a row: connection, transactions, constraints (the row
 * is in the detail), cursors and prepared statements, resources, limits, object state, interruption.
 */
const plainClasses = new Set(['08', '23', '24', '25', '26', '2D', '34', '3B', '40', '53', '54', '55', '57', '58']);

/** Insufficient privilege: names an object that exists. */
const plainCodes = new Set(['42501']);

/** General names of the classes above, as the standard has them. */
const general: Readonly<Record<string, string>> = {
  '22': 'data exception',
  '21': 'cardinality violation',
  P0: 'raised by user code',
  '38': 'external routine exception',
  '39': 'external routine invocation exception',
  XX: 'internal error',
};

/**
 * An ErrorResponse or NoticeResponse for the client. When the statement could touch labelled columns, the parts that may quote their values
 * are left out; severity, code, position and the names of schema, table, column, type and constraint stay.
 *
 * EVASION: `CAST(email AS int)`, a violated constraint, or RAISE would otherwise show what masking hides.
 */
export function diagnosticFor(
  kind: 'error' | 'notice',
  body: { readonly source: Buffer; readonly start: number; readonly end: number },
  sensitive: boolean,
): Buffer {
  const fields = decodeDiagnostic(body.source, body.start, body.end);
  const encode = kind === 'error' ? errorResponse : noticeResponse;
  if (!fields.has('C')) fields.set('C', kind === 'error' ? 'XX000' : '00000');
  if (!fields.has('S')) fields.set('S', kind === 'error' ? 'ERROR' : 'NOTICE');
  if (!fields.has('M')) fields.set('M', 'no message');
  if (!sensitive) return encode([...fields] satisfies Diagnostic);
  const code = fields.get('C') ?? '';
  const kept: [string, string][] = [];
  for (const [letter, text] of fields) {
    if (quoting.has(letter)) continue;
    kept.push([letter, letter === 'M' && mayQuote(kind, code, fields) ? generalMessage(kind, code) : text]);
  }
  return encode(kept);
}

function mayQuote(kind: 'error' | 'notice', code: string, fields: ReadonlyMap<string, string>): boolean {
  const group = code.slice(0, 2);
  if (kind === 'error') {
    if (quotingClasses.has(group)) return true;
    // EVASION: `email::regclass` fails with `relation "ada@example.com" does not exist`. An error with a position is about the text of the
    // statement, which its author knows; one without came up while a row was looked at.
    return !fields.has('P') && !plainClasses.has(group) && !plainCodes.has(code);
  }
  // The server's own notices ("relation exists, skipping") have a code of their own class; RAISE has 00000 and 01000 and a context.
  return quotingClasses.has(group) && (fields.has('W') || fields.get('R') === 'exec_stmt_raise' || group !== '00');
}

function generalMessage(kind: 'error' | 'notice', code: string): string {
  const name = general[code.slice(0, 2)] ?? (kind === 'error' ? 'error' : 'notice');
  return `${name} (${code}; warder: the text was withheld because the statement touches classified columns)`;
}

/** The SQLSTATE of an ErrorResponse body. */
export function sqlstateOf(source: Buffer, start: number, end: number): string {
  return decodeDiagnostic(source, start, end).get('C') ?? 'XX000';
}

/** Verbs of statements that look at no row: their messages name objects only. */
const rowless = new Set([
  'drop',
  'truncate',
  'lock',
  'comment',
  'begin',
  'commit',
  'rollback',
  'savepoint',
  'release',
  'close',
  'deallocate',
  'show',
]);

/**
 * Whether messages about this statement may quote labelled values: it uses a labelled column, or touches a relation that has one (a
 * constraint shows the whole row), or was not understood.
 */
export function isSensitive(facts: SqlFacts, catalog: Catalog | undefined): boolean {
  if (!facts.complete || facts.labels.length > 0 || !catalog) return true;
  if (facts.verbs.every((verb) => rowless.has(verb))) return false;
  return facts.statements.some(({ relations }) =>
    relations.some(({ schema, name }) => {
      if (schema === 'pg_catalog' || schema === 'information_schema') return false;
      const relation = catalog.relation(schema === '' || schema === '?' ? undefined : schema, name);
      return !relation || relation.columns.some(({ labels }) => labels.length > 0);
    }),
  );
}
