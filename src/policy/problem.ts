import type { SourceFile } from './source.ts';

/** Something wrong (or doubtful) in a policy file: what, where, and what would be right. */
export interface Problem {
  /** `P101`… for findings of the analysis, otherwise a word such as `YAML`, `SCHEMA`, `REFERENCE`, `CEL`. */
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The source line and a `^` under the place. */
  readonly caret?: string;
  readonly hint?: string;
  /** The edit that mends it, where there is only one. */
  readonly fix?: Edit;
  /** The document it looks for and does not find; only while a bundle is compiled, see `withLost`. */
  readonly missing?: Missing;
}

/** A document that something refers to. */
export interface Missing {
  readonly kind: string;
  readonly name: string;
}

/** A change of a file's text: what stands between two offsets (UTF-16 units, `end` exclusive) is replaced. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** What it does, for a person. */
  readonly what: string;
}

/** A place in a file; what every node of a document knows about itself. */
export interface Place {
  readonly file: SourceFile;
  readonly line: number;
  readonly column: number;
}

export interface Complaint {
  readonly code: string;
  readonly severity?: Problem['severity'];
  readonly message: string;
  readonly hint?: string | undefined;
  readonly fix?: Edit | undefined;
  readonly missing?: Missing;
}

/** A problem at a place, with the source line and a caret under the column. */
export function problemAt(place: Place, complaint: Complaint): Problem {
  const { code, severity = 'error', message, hint, fix, missing } = complaint;
  const { line, column } = place;
  const caret = caretAt(place);
  return {
    code,
    severity,
    message,
    path: place.file.path,
    line,
    column,
    caret,
    ...(hint === undefined ? {} : { hint }),
    ...(fix === undefined ? {} : { fix }),
    ...(missing === undefined ? {} : { missing }),
  };
}

/** Replaces a misspelt word at its place by the only known word it can mean; undefined when it could mean several, or is not there as such. */
export function respell(
  place: Place,
  word: string,
  { known, taken }: { known: Iterable<string>; taken: Iterable<string> },
): Edit | undefined {
  const used = new Set(taken);
  const bound = word.length < shortWordChars ? 2 : 3;
  const near = [...known].filter(
    (candidate) => !used.has(candidate) && editDistance(word.toLowerCase(), candidate.toLowerCase(), bound) < bound,
  );
  const [only, second] = near;
  if (only === undefined || second !== undefined) return undefined;
  const offset = offsetAt(place);
  const quoted = /["']/.test(place.file.text[offset] ?? '') ? 1 : 0;
  const start = offset + quoted;
  if (!place.file.text.startsWith(word, start)) return undefined;
  return { start, end: start + word.length, text: only, what: `"${word}" → "${only}"` };
}

/** In a word this short, two wrong letters make another word. */
const shortWordChars = 5;

/** Offset of a place in its file, in UTF-16 units. */
export function offsetAt({ file, line, column }: Place): number {
  let start = 0;
  for (let n = 1; n < line; n += 1) start = file.text.indexOf('\n', start) + 1;
  return start + column - 1;
}

/** Of a line longer than this only what is around the place is shown: a whole document may stand in one. */
const caretLineCharsMax = 160;

function caretAt(place: Place): string {
  const whole = lineOf(place.file.text, place.line);
  const start = whole.length <= caretLineCharsMax ? 0 : Math.max(0, place.column - 1 - caretLineCharsMax / 2);
  const end = whole.length <= caretLineCharsMax ? whole.length : start + caretLineCharsMax;
  const before = start === 0 ? '' : '…';
  // A tab stays a tab so that the caret stands under its character whatever the reader's tab width is.
  const lead = before + whole.slice(start, place.column - 1);
  const column = before.length + place.column - 1 - start;
  return `${before}${whole.slice(start, end)}${end < whole.length ? '…' : ''}\n${lead.replaceAll(/[^\t]/g, ' ').padEnd(column)}^`;
}

function lineOf(text: string, line: number): string {
  let start = 0;
  for (let n = 1; n < line; n += 1) {
    const next = text.indexOf('\n', start);
    if (next < 0) return '';
    start = next + 1;
  }
  const end = text.indexOf('\n', start);
  const whole = text.slice(start, end < 0 ? text.length : end);
  return whole.endsWith('\r') ? whole.slice(0, -1) : whole;
}

/** One problem as text: `path:line:column: severity CODE message`, the line with a caret, and the hint. */
export function formatProblem(problem: Problem): string {
  const lines = [`${problem.path}:${problem.line}:${problem.column}: ${problem.severity} ${problem.code} ${problem.message}`];
  if (problem.caret !== undefined) for (const line of problem.caret.split('\n')) lines.push(`    ${line}`);
  if (problem.hint !== undefined) lines.push(`    hint: ${problem.hint}`);
  return lines.join('\n');
}

/** Problems in the order a reader walks the files, first of all what keeps a file from being read: the rest may follow from it. */
export function inReadingOrder(problems: readonly Problem[]): Problem[] {
  const rank = ({ code }: Problem): number => (code === unreadable ? 0 : 1);
  return [...problems].sort(
    (a, b) =>
      rank(a) - rank(b) || compareText(a.path, b.path) || a.line - b.line || a.column - b.column || compareText(a.message, b.message),
  );
}

/** The policy that a rule's id `policy/rule` names. */
export function policyOf(rule: string): Missing {
  return { kind: 'Policy', name: rule.split('/')[0] ?? '' };
}

/** The code of a file that is not YAML. */
const unreadable = 'YAML';

/** Order of strings by UTF-16 code units: the same on every machine, unlike a locale's. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The known word a person most likely meant, or undefined when none is near. */
function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `did you mean …?`, or undefined when nothing is near. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const meant = nearest(word, known);
  return meant === undefined ? undefined : `did you mean "${meant}"?`;
}

function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound || a.length > 128 || b.length > 128) return bound;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? bound;
}
