/**
 * A lexer for PostgreSQL's tokens, iterative and linear. The grammar is decided by the real parser alone; this one serves the
 * normalised text, the literals' hash and the bound on nesting that keeps the real parser from running out of stack.
 *
 * SPEC: PostgreSQL 18, src/backend/parser/scan.l, with standard_conforming_strings on.
 */
export type TokenKind = 'word' | 'quoted' | 'literal' | 'parameter' | 'operator';

export interface Token {
  readonly kind: TokenKind;
  /** The exact text; words are folded to lower case as the server folds them (ASCII only). */
  readonly text: string;
}

const operatorCharacters = '~!@#^&|`?+-*/%<>=';

/** The tokens of a text in order, without white space and comments. Unterminated quotes and comments end at the end of the text. */
export function* tokensOf(text: string): Generator<Token, void, undefined> {
  let at = 0;
  while (at < text.length) {
    const start = at;
    const character = text.charAt(at);
    if (isSpace(character)) {
      at += 1;
    } else if (character === '-' && text.charAt(at + 1) === '-') {
      at = endOfLine(text, at);
    } else if (character === '/' && text.charAt(at + 1) === '*') {
      at = endOfComment(text, at);
    } else {
      at = endOfToken(text, at);
      yield tokenAt(text, start, at);
    }
  }
}

function tokenAt(text: string, start: number, end: number): Token {
  const raw = text.slice(start, end);
  const first = raw.charAt(0);
  const last = raw.charAt(raw.length - 1);
  if (first === "'" || (last === "'" && raw.length > 1) || (first === '$' && last === '$' && raw.length > 1))
    return { kind: 'literal', text: raw };
  if (first === '"' || last === '"') return { kind: 'quoted', text: raw };
  if (first === '$') return { kind: raw.length > 1 ? 'parameter' : 'operator', text: raw };
  if (isDigit(first) || (first === '.' && raw.length > 1 && isDigit(raw.charAt(1)))) return { kind: 'literal', text: raw };
  if (isWordStart(first)) return { kind: 'word', text: foldAscii(raw) };
  return { kind: 'operator', text: raw };
}

/** Where the token that begins at `at` ends; always beyond `at`. */
function endOfToken(text: string, at: number): number {
  const character = text.charAt(at);
  const next = text.charAt(at + 1);
  if (character === "'") return endOfQuoted(text, at, "'");
  if (character === '"') return endOfQuoted(text, at, '"');
  if ((character === 'e' || character === 'E') && next === "'") return endOfEscaped(text, at + 1);
  if ('bBxXnN'.includes(character) && next === "'") return endOfQuoted(text, at + 1, "'");
  if ((character === 'u' || character === 'U') && next === '&') {
    const quote = text.charAt(at + 2);
    if (quote === "'" || quote === '"') return endOfQuoted(text, at + 2, quote);
  }
  if (character === '$') return endOfDollar(text, at);
  if (isDigit(character) || (character === '.' && isDigit(next))) return endOfNumber(text, at);
  if (isWordStart(character)) return endOfWord(text, at);
  if (operatorCharacters.includes(character)) return endOfOperator(text, at);
  if (character === ':' && (next === ':' || next === '=')) return at + 2;
  return at + 1;
}

function endOfQuoted(text: string, at: number, quote: string): number {
  let from = at + 1;
  for (;;) {
    const close = text.indexOf(quote, from);
    if (close < 0) return text.length;
    if (text.charAt(close + 1) !== quote) return close + 1;
    from = close + 2;
  }
}

function endOfEscaped(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i += 1) {
    const character = text.charAt(i);
    if (character === '\\') i += 1;
    else if (character === "'") {
      if (text.charAt(i + 1) !== "'") return i + 1;
      i += 1;
    }
  }
  return text.length;
}

function endOfDollar(text: string, at: number): number {
  let end = at + 1;
  while (isDigit(text.charAt(end))) end += 1;
  if (end > at + 1) return end;
  if (isWordStart(text.charAt(end))) {
    while (isWordStart(text.charAt(end)) || isDigit(text.charAt(end))) end += 1;
  }
  if (text.charAt(end) !== '$') return at + 1;
  const tag = text.slice(at, end + 1);
  const close = text.indexOf(tag, end + 1);
  return close < 0 ? text.length : close + tag.length;
}

function endOfNumber(text: string, at: number): number {
  let end = at;
  let dots = 0;
  for (; end < text.length; end += 1) {
    const character = text.charAt(end);
    if (character === '.') {
      // `1..2` is a range of two numbers, not a number with two points.
      if (dots > 0 || text.charAt(end + 1) === '.') break;
      dots += 1;
    } else if (character === '+' || character === '-') {
      const before = text.charAt(end - 1);
      if ((before !== 'e' && before !== 'E') || text.charAt(at + 1).toLowerCase() === 'x' || !isDigit(text.charAt(end + 1))) break;
    } else if (!isDigit(character) && !isWordStart(character)) break;
  }
  return end;
}

function endOfWord(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && (isWordStart(text.charAt(end)) || isDigit(text.charAt(end)) || text.charAt(end) === '$')) end += 1;
  return end;
}

function endOfOperator(text: string, at: number): number {
  let end = at;
  while (end < text.length && operatorCharacters.includes(text.charAt(end))) {
    // A comment may begin in the middle of what looks like an operator.
    if (end > at && (text.startsWith('--', end) || text.startsWith('/*', end))) break;
    end += 1;
  }
  return end;
}

function endOfLine(text: string, at: number): number {
  for (let i = at; i < text.length; i += 1) {
    const character = text.charAt(i);
    if (character === '\n' || character === '\r') return i;
  }
  return text.length;
}

function endOfComment(text: string, at: number): number {
  let depth = 0;
  let i = at;
  while (i < text.length) {
    if (text.startsWith('/*', i)) {
      depth += 1;
      i += 2;
    } else if (text.startsWith('*/', i)) {
      depth -= 1;
      i += 2;
      if (depth === 0) return i;
    } else i += 1;
  }
  return text.length;
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\t' || character === '\r' || character === '\f' || character === '\v';
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}

/** Letters, underscore, and everything beyond ASCII. */
function isWordStart(character: string): boolean {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || character === '_' || character >= '\x80';
}

function foldAscii(word: string): string {
  const lower = word.toLowerCase();
  // Beyond ASCII the server does not fold (in multi-byte encodings), JavaScript does.
  if (lower.length === word.length && !hasWide(word)) return lower;
  let folded = '';
  for (let i = 0; i < word.length; i += 1) {
    const character = word.charAt(i);
    folded += character < '\x80' ? character.toLowerCase() : character;
  }
  return folded;
}

function hasWide(word: string): boolean {
  for (let i = 0; i < word.length; i += 1) if (word.charCodeAt(i) >= 0x80) return true;
  return false;
}
