/** Why an expression does not compile. */
export type CelProblemCode =
  /** The text is not CEL. */
  | 'SYNTAX'
  /** The text is longer or nested deeper than allowed. */
  | 'TOO_LARGE'
  /** An operator or function is used with types it does not have. */
  | 'TYPE'
  /** No such variable, or an object that has no such attribute in this phase or target. */
  | 'UNKNOWN_ATTRIBUTE'
  | 'UNKNOWN_FUNCTION'
  /** An attribute that may be absent is read without a guard. */
  | 'OPTIONAL_UNGUARDED'
  /** A constant pattern is not RE2. */
  | 'REGEX'
  /** A constant argument is not of the form its function reads, e.g. `ip("300.1.1.1")`. */
  | 'CONSTANT'
  /** The static cost bound is above the allowed one. */
  | 'COST';

export interface CelProblem {
  readonly code: CelProblemCode;
  readonly message: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** Of the marked part on its first line; at least 1. */
  readonly length: number;
  /** The source line and a `^` under the marked part. */
  readonly caret: string;
  readonly hint?: string;
}

export interface ProblemDraft {
  readonly code: CelProblemCode;
  readonly message: string;
  readonly start: number;
  readonly end: number;
  readonly hint?: string | undefined;
}

/** Longest excerpt of a line shown with a caret; longer lines are cut round the marked part. */
const excerptChars = 100;

/** Places a problem in its source: line, column and the line with a caret under it. */
export function locate(source: string, draft: ProblemDraft): CelProblem {
  const start = Math.min(draft.start, source.length);
  const lineStart = source.lastIndexOf('\n', start - 1) + 1;
  const nextBreak = source.indexOf('\n', start);
  const lineEnd = nextBreak < 0 ? source.length : nextBreak;
  const line = source.slice(0, lineStart).split('\n').length;
  const length = Math.max(1, Math.min(draft.end, lineEnd) - start);
  const column = start - lineStart + 1;
  const cut = Math.max(0, Math.min(column - 1 - excerptChars / 2, lineEnd - lineStart - excerptChars));
  const shown = source.slice(lineStart + cut, Math.min(lineEnd, lineStart + cut + excerptChars)).replaceAll('\t', ' ');
  const marks = '^'.repeat(Math.max(1, Math.min(length, shown.length - (column - 1 - cut))));
  const caret = `${shown}\n${' '.repeat(column - 1 - cut)}${marks}`;
  const base = { code: draft.code, message: draft.message, line, column, length, caret };
  return draft.hint === undefined ? base : { ...base, hint: draft.hint };
}

/** Ends a parse at the first syntax problem; never leaves this folder. */
export class ProblemSignal extends Error {
  readonly draft: ProblemDraft;

  constructor(draft: ProblemDraft) {
    super(draft.message);
    this.draft = draft;
  }
}
