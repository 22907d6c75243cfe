import { limits } from '#model';
import { compile, formatType, parse } from '../../cel/index.ts';
import type { CelField, CelProblem, CelType } from '../../cel/index.ts';
import { placeInside } from '../../documents/node.ts';
import type { Place } from '../../problem.ts';
import { celField, requestSchema } from '../../schema/index.ts';
import type { Target } from '#model';
import type { Cursor } from '../cursor.ts';
import { applyEdits } from './edit.ts';
import type { Span } from './edit.ts';
import { rewrite } from './rewrite.ts';
import type { Dialect } from './rewrite.ts';

/** An expression as it is said here. */
export interface Translated {
  readonly text: string;
  readonly type: CelType;
}

/** What translated expressions of one policy may speak about; grows by the variables they define. */
export class Realm {
  readonly #roots: Readonly<Record<string, CelField>>;
  readonly #vars: Record<string, CelField> = {};

  constructor(target: Target) {
    const roots = Object.entries(requestSchema(target, 'request')).map(([name, attribute]) => [name, celField(attribute)]);
    this.#roots = { ...Object.fromEntries(roots), data: { type: { kind: 'object', name: 'Data', fields: {}, open: true } } };
  }

  define(name: string, type: CelType): void {
    this.#vars[name] = { type };
  }

  get variables(): Readonly<Record<string, CelField>> {
    return { ...this.#roots, vars: { type: { kind: 'object', name: 'Variables', fields: { ...this.#vars } } } };
  }
}

export interface TranslateOptions {
  readonly dialect: Dialect;
  readonly realm: Realm;
  /** What the result must be; default anything. */
  readonly result?: 'bool';
  /** Only this part of the text. */
  readonly span?: Span;
}

/**
 * Translates the CEL expression at a cursor. What cannot be said here is reported by name, where it stands; then there is no
 * translation, and the caller must say what that means for its policy.
 */
export function translate(cursor: Cursor, options: TranslateOptions): Translated | undefined {
  const whole = cursor.text();
  if (whole === undefined) return undefined;
  const { dialect, realm, span = { start: 0, end: whole.length } } = options;
  const source = whole.slice(span.start, span.end);
  const inWhole = (offset: number): number => span.start + offset;
  const parsed = parse(source, limits.celSourceCharsMax);
  if (!parsed.ok) {
    for (const problem of parsed.problems) report(cursor, problem, { text: source, origin: inWhole });
    return undefined;
  }
  const { edits, refused } = rewrite(source, parsed.ast, dialect);
  for (const { construct, at, message, suggestion } of refused) {
    cursor.findings.add(placeOfOffset(cursor, inWhole(at.start)), { severity: 'unsupported', construct, message, suggestion });
  }
  if (refused.length > 0) return undefined;
  const { text, origin } = applyEdits(source, edits);
  const compiled = compile(text, { variables: realm.variables, costMax: limits.conditionCostMax });
  if (!compiled.ok) {
    for (const problem of compiled.problems) report(cursor, problem, { text, origin: (offset) => inWhole(origin(offset)) });
    return undefined;
  }
  const { type } = compiled.program;
  if (options.result !== undefined && type.kind !== options.result && type.kind !== 'dyn') {
    cursor.unsupported(`the expression must give a ${options.result}, not a ${formatType(type)}`);
    return undefined;
  }
  return { text: text.trim(), type };
}

function report(cursor: Cursor, problem: CelProblem, { text, origin }: { text: string; origin: (offset: number) => number }): void {
  const place = placeOfOffset(cursor, origin(offsetOf(text, problem.line, problem.column)));
  const named = problem.code === 'UNKNOWN_FUNCTION' ? /(?:method|function) (\S+)/.exec(problem.message)?.[1] : undefined;
  cursor.findings.add(place, {
    severity: 'unsupported',
    construct: named ?? cursor.name,
    message: `the expression cannot be evaluated here: ${problem.message}`,
    suggestion: problem.hint,
  });
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let n = 1; n < line; n += 1) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}

/** The place in the file of an offset inside the expression. */
function placeOfOffset(cursor: Cursor, offset: number): Place {
  const { node } = cursor;
  if (node?.kind !== 'scalar') return cursor.place;
  const before = String(node.value).slice(0, offset);
  const line = before.split('\n').length;
  return placeInside(node, line, offset - (before.lastIndexOf('\n') + 1) + 1);
}
