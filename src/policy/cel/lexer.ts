import { ProblemSignal } from './problem.ts';

export type TokenKind = 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'ident' | 'quoted' | 'punctuation' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** The text as written; for `quoted` (`` `a-b` ``) without its backticks. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

// All patterns are our own, sticky and linear; a user's text is only ever matched, never compiled.
const space = /(?:[\t\n\f\r ]|\/\/[^\n]*)*/y;
const number = /0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)|[0-9]+[uU]?/y;
const ident = /[_a-zA-Z][_a-zA-Z0-9]*/y;
const quoted = /`([a-zA-Z0-9_.\-/ ]+)`/y;
const stringStart = /([bB]?)([rR]?)("""|'''|"|')/y;
const punctuation = /&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()[\]{}]/y;

/** Splits CEL source into tokens. Throws a `ProblemSignal` at text that is none. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += matchAt(space, source, at)?.[0].length ?? 0;
    if (at >= source.length) break;
    const token = readToken(source, at);
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', text: '', start: source.length, end: source.length });
  return tokens;
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

function readToken(source: string, start: number): Token {
  const opening = matchAt(stringStart, source, start);
  if (opening !== null) return readString(source, start, opening);
  const digits = matchAt(number, source, start)?.[0];
  if (digits !== undefined) return numberToken(source, start, digits);
  const name = matchAt(ident, source, start)?.[0];
  if (name !== undefined) return { kind: 'ident', text: name, start, end: start + name.length };
  const field = matchAt(quoted, source, start);
  if (field !== null) return { kind: 'quoted', text: field[1] ?? '', start, end: start + field[0].length };
  const mark = matchAt(punctuation, source, start)?.[0];
  if (mark !== undefined) return { kind: 'punctuation', text: mark, start, end: start + mark.length };
  const shown = JSON.stringify(String.fromCodePoint(source.codePointAt(start) ?? 0));
  throw new ProblemSignal({
    code: 'SYNTAX',
    message: `unexpected character ${shown}`,
    start,
    end: start + 1,
    hint: characterHint(source, start),
  });
}

function characterHint(source: string, at: number): string | undefined {
  const character = source.charAt(at);
  if (character === '=') return 'equality is written ==';
  if (character === '&' || character === '|') return `logic is written ${character}${character}`;
  if (character === '`') return 'a quoted field may hold letters, digits, _ . - / and spaces';
  return undefined;
}

function numberToken(source: string, start: number, text: string): Token {
  const end = start + text.length;
  if (matchAt(ident, source, end) !== null) {
    throw new ProblemSignal({ code: 'SYNTAX', message: `a name cannot follow the number ${text} directly`, start, end: end + 1 });
  }
  const hex = /^0[xX]/.test(text);
  if (/[uU]$/.test(text)) return { kind: 'uint', text, start, end };
  return { kind: !hex && /[.eE]/.test(text) ? 'double' : 'int', text, start, end };
}

function readString(source: string, start: number, opening: RegExpExecArray): Token {
  const [prefix, bytes, raw, quote] = opening as unknown as [string, string, string, string]; // All four groups always take part.
  let at = start + prefix.length;
  while (at < source.length) {
    if (source.startsWith(quote, at)) {
      const end = at + quote.length;
      return { kind: bytes === '' ? 'string' : 'bytes', text: source.slice(start, end), start, end };
    }
    const character = source.charAt(at);
    if (quote.length === 1 && (character === '\n' || character === '\r')) break;
    at += character === '\\' && raw === '' ? 2 : 1;
  }
  const hint =
    quote.length === 1
      ? `close it with ${quote} on the same line, or use ${quote.repeat(3)} for text over several lines`
      : `close it with ${quote}`;
  throw new ProblemSignal({ code: 'SYNTAX', message: 'string without an end', start, end: Math.min(at, source.length), hint });
}
