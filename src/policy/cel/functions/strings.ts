import { EvalError, noOverload } from '../eval-error.ts';
import { type CelValue, kindOf } from '../values.ts';
import { checkTextSize, codePoints, isPlain, unitOffset } from './text.ts';
import { fn, type Library } from './overload.ts';
import { formatText } from './format-text.ts';

function outOfRange(index: bigint): EvalError {
  return new EvalError('RANGE', `index out of range: ${index}`);
}

/** A code point offset as a UTF-16 offset. Throws an `EvalError` outside 0…length. */
function offsetIn(text: string, index: bigint): number {
  if (index < 0n || index > BigInt(codePoints(text))) throw outOfRange(index);
  return unitOffset(text, Number(index));
}

function charAt(text: string, index: bigint): string {
  const code = text.codePointAt(offsetIn(text, index));
  return code === undefined ? '' : String.fromCodePoint(code);
}

/** A UTF-16 offset back as a code point offset; -1 stays -1. */
function pointsBefore(text: string, units: number): bigint {
  return BigInt(units < 0 || isPlain(text) ? units : codePoints(text.slice(0, units)));
}

function indexOf(text: string, part: string, from = 0n): bigint {
  return pointsBefore(text, text.indexOf(part, offsetIn(text, from)));
}

function lastIndexOf(text: string, part: string): bigint {
  return pointsBefore(text, text.lastIndexOf(part));
}

function lastIndexBefore(text: string, part: string, from: bigint): bigint {
  return pointsBefore(text, text.lastIndexOf(part, offsetIn(text, from)));
}

function join(list: readonly CelValue[], separator = ''): string {
  const texts = list.map((element) => {
    if (typeof element !== 'string') throw noOverload('join', kindOf(element));
    return element;
  });
  checkTextSize(texts.reduce((sum, text) => sum + text.length + separator.length, 0));
  return texts.join(separator);
}

/** Replaces up to `count` occurrences, all when negative. An empty `part` stands before every character and at the end. */
function replace(text: string, part: string, replacement: string, count = -1n): string {
  const pieces = part === '' ? ['', ...text, ''] : text.split(part);
  const gaps = pieces.length - 1;
  const replaced = count < 0n || count > BigInt(gaps) ? gaps : Number(count);
  checkTextSize(text.length + replaced * replacement.length);
  let out = pieces[0] ?? '';
  for (let i = 1; i < pieces.length; i += 1) out += (i <= replaced ? replacement : part) + (pieces[i] ?? '');
  return out;
}

/** SPEC: `limit` 0 gives an empty list, a negative one all parts; otherwise the last part keeps the rest. */
function split(text: string, separator: string, limit = -1n): string[] {
  if (limit === 0n) return [];
  const parts = separator === '' ? [...text] : text.split(separator);
  if (limit < 0n || limit >= BigInt(parts.length)) return parts;
  const most = Number(limit);
  return [...parts.slice(0, most - 1), parts.slice(most - 1).join(separator)];
}

function substring(text: string, start: bigint, end?: bigint): string {
  const from = offsetIn(text, start);
  const to = end === undefined ? text.length : offsetIn(text, end);
  if (from > to) throw new EvalError('RANGE', `invalid substring range: start ${start}, end ${end ?? 'of the text'}`);
  return text.slice(from, to);
}

/** SPEC: the Unicode property White_Space, which is not what `String.prototype.trim` takes. */
const space = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && space.test(text.charAt(start))) start += 1;
  while (end > start && space.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

const escapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

function quote(text: string): string {
  let out = '"';
  for (const character of text.toWellFormed()) out += escapes[character] ?? character;
  return `${out}"`;
}

export const stringFunctions: Library = [
  fn('string->charAt(int): string', charAt),
  fn('string->indexOf(string): int', indexOf),
  fn('string->indexOf(string, int): int', indexOf),
  fn('string->lastIndexOf(string): int', lastIndexOf),
  fn('string->lastIndexOf(string, int): int', lastIndexBefore),
  fn('list<string>->join(): string', join),
  fn('list<string>->join(string): string', join),
  fn('string->lowerAscii(): string', (text: string) => text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase())),
  fn('string->upperAscii(): string', (text: string) => text.replaceAll(/[a-z]+/g, (part) => part.toUpperCase())),
  fn('string->replace(string, string): string', replace),
  fn('string->replace(string, string, int): string', replace),
  fn('string->split(string): list<string>', split),
  fn('string->split(string, int): list<string>', split),
  fn('string->substring(int): string', substring),
  fn('string->substring(int, int): string', substring),
  fn('string->trim(): string', trim),
  fn('string->reverse(): string', (text: string) => [...text].reverse().join('')),
  fn('string->format(list<A>): string', formatText),
  fn('strings.quote(string): string', quote),
];
