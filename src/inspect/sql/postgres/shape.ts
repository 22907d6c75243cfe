import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { limits } from '#model';
import { tokensOf } from './lexer.ts';

/** What a text looks like without its literals, and what the literals were. */
export interface Shape {
  /** Comments and literals gone, literals as `$n` (numbered after the text's own parameters), words folded, one space between words. */
  readonly normalized: string;
  readonly literals: readonly string[];
  /** Upper bound on the depth of the parse tree. */
  readonly depth: number;
  readonly tokens: number;
}

// EVASION: these words nest without a parenthesis and keep their operands apart by AND, so they are never reset in a group.
const nestingWords = new Set(['case', 'join', 'union', 'intersect', 'except', 'natural', 'cross', 'between']);

/** One pass over the text. Stops early, with the count so far, when a limit is passed. */
export function shapeOf(text: string): Shape {
  const parts: Part[] = [];
  const literals: string[] = [];
  const nesting = new Nesting();
  let highest = 0;
  let tokens = 0;
  for (const token of tokensOf(text)) {
    tokens += 1;
    if (tokens > limits.statementTokensMax) break;
    nesting.see(token.text);
    if (token.kind === 'parameter') highest = Math.max(highest, Number(token.text.slice(1)));
    if (token.kind === 'literal') {
      literals.push(token.text);
      parts.push({ text: '$', literal: true });
    } else parts.push({ text: token.text, literal: false });
  }
  return { normalized: render(parts, highest), literals, depth: nesting.deepest, tokens };
}

interface Part {
  readonly text: string;
  readonly literal: boolean;
}

function render(parts: readonly Part[], highest: number): string {
  let next = Number.isSafeInteger(highest) ? highest : 0;
  let text = '';
  let previous = '(';
  for (const part of parts) {
    const glued = '.,;)]'.includes(part.text) || part.text === '::' || '(.['.includes(previous) || previous === '::';
    if (!glued) text += ' ';
    if (part.literal) {
      next += 1;
      text += `$${next}`;
    } else text += part.text;
    previous = part.text;
  }
  return text.trimStart();
}

/** Counts, for every open group, the tokens that may each nest one level deeper than the one before. */
class Nesting {
  deepest = 0;
  #outer = 0;
  #here = 0;
  #kept = 0;
  readonly #stack: { here: number; kept: number }[] = [];

  see(token: string): void {
    if (token === '(' || token === '[') {
      this.#stack.push({ here: this.#here, kept: this.#kept });
      this.#outer += this.#here + this.#kept + 1;
      this.#here = 0;
      this.#kept = 0;
    } else if (token === ')' || token === ']') {
      const group = this.#stack.pop();
      this.#here = (group?.here ?? 0) + 1;
      this.#kept = group?.kept ?? 0;
      this.#outer = Math.max(0, this.#outer - (this.#here - 1) - this.#kept - 1);
    } else if (token === ';') {
      this.#here = 0;
      this.#kept = 0;
    } else if (token === ',' || token === 'and' || token === 'or') this.#here = 0;
    else if (nestingWords.has(token)) this.#kept += 1;
    else this.#here += 1;
    this.deepest = Math.max(this.deepest, this.#outer + this.#here + this.#kept);
  }
}

export function hashText(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/** Hex SHA-256 of the literals in order and the parameters: with the fingerprint it stands for the exact statement. */
export function hashLiterals(literals: readonly string[], parameters: readonly (string | null)[]): string {
  return hashText(JSON.stringify([literals, parameters]));
}
