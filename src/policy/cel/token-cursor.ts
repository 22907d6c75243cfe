import { type ProblemDraft, ProblemSignal } from './problem.ts';
import type { CelSpan } from './ast.ts';
import type { Token } from './lexer.ts';

/** What macro expansion needs of the parser: fresh ids, and a way to refuse. */
export interface NodeMaker {
  span(start: number, end: number): CelSpan;
  refuse(at: CelSpan, message: string, hint?: string): never;
}

/** A place in a list of tokens, and the ids of the nodes made from them. */
export class TokenCursor implements NodeMaker {
  readonly #tokens: readonly Token[];
  #at = 0;
  #ids = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  span(start: number, end: number): CelSpan {
    this.#ids += 1;
    return { id: this.#ids, start, end };
  }

  refuse(at: { start: number; end: number }, message: string, hint?: string): never {
    const draft: ProblemDraft = { code: 'SYNTAX', message, start: at.start, end: at.end, hint };
    throw new ProblemSignal(draft);
  }

  peek(): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new Error('read past the end token'); // Impossible: the end token is never consumed.
    return token;
  }

  is(text: string): boolean {
    const token = this.peek();
    return token.text === text && (token.kind === 'punctuation' || token.kind === 'ident');
  }

  take(text: string): boolean {
    if (!this.is(text)) return false;
    this.#at += 1;
    return true;
  }

  next(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#at += 1;
    return token;
  }

  expect(text: string, where: string): Token {
    if (!this.is(text)) this.unexpected(`expected ${text} ${where}`);
    return this.next();
  }

  unexpected(hint: string): never {
    const token = this.peek();
    const message = token.kind === 'end' ? 'the expression ends too early' : `unexpected ${JSON.stringify(token.text)}`;
    return this.refuse(token, message, hint);
  }

  /** The token `count` after the next one; undefined past the end. */
  ahead(count: number): Token | undefined {
    return this.#tokens[this.#at + count];
  }

  skip(count: number): void {
    this.#at += count;
  }
}
