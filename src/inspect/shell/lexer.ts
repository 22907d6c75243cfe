/** A word of a shell text. */
export interface Word {
  readonly kind: 'word';
  /** What the shell makes of it; undefined where only the shell can tell (`$x`, a glob, braces). */
  readonly text: string | undefined;
  /** As it is written. */
  readonly raw: string;
  /** Texts that the shell runs to make the word: `$(…)`, backticks, `<(…)`. */
  readonly inner: readonly string[];
  /** A part of it is quoted: it is no reserved word and no assignment. */
  readonly quoted: boolean;
}

export interface Operator {
  readonly kind: 'operator';
  readonly text: string;
}

export type Token = Word | Operator;

/** Longest first. SPEC: POSIX.1-2024, Shell Command Language, 2.3 Token Recognition; bash's own operators besides. */
const operators = [
  '&>>',
  '<<<',
  '<<-',
  ';;&',
  '&&',
  '||',
  ';;',
  ';&',
  '|&',
  '&>',
  '>>',
  '<<',
  '<&',
  '>&',
  '<>',
  '>|',
  ';',
  '&',
  '|',
  '(',
  ')',
  '<',
  '>',
];

/** Thrown inside the lexer where a quote or a parenthesis is never closed. */
class Unclosed extends Error {}

/** The tokens of a text as a POSIX shell or bash sees them; undefined where something is never closed. A line break is `;`. */
export function tokensOf(text: string): readonly Token[] | undefined {
  try {
    return [...new Lexer(text).tokens()];
  } catch (error) {
    if (error instanceof Unclosed) return undefined;
    throw error;
  }
}

class Lexer {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  *tokens(): Generator<Token> {
    while (this.#at < this.#text.length) {
      const character = this.#text.charAt(this.#at);
      if (character === ' ' || character === '\t' || character === '\r') this.#at += 1;
      else if (character === '\n') {
        this.#at += 1;
        yield { kind: 'operator', text: ';' };
      } else if (character === '\\' && this.#text.charAt(this.#at + 1) === '\n') this.#at += 2;
      else if (character === '#') this.#comment();
      else yield this.#operator() ?? this.#word();
    }
  }

  #comment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #operator(): Operator | undefined {
    // `<(…)` and `>(…)` are words.
    if (/^[<>]\(/.test(this.#text.slice(this.#at, this.#at + 2))) return undefined;
    const found = operators.find((operator) => this.#text.startsWith(operator, this.#at));
    if (found === undefined) return undefined;
    this.#at += found.length;
    return { kind: 'operator', text: found };
  }

  #word(): Word {
    const word = { text: '' as string | undefined, inner: [] as string[], quoted: false };
    const start = this.#at;
    const add = (more: string | undefined): void => {
      word.text = word.text === undefined || more === undefined ? undefined : word.text + more;
    };
    while (this.#at < this.#text.length) {
      const character = this.#text.charAt(this.#at);
      if (/\s/.test(character) || (this.#startsOperator() && !this.#startsSubstitution())) break;
      if (character === "'") {
        word.quoted = true;
        add(this.#until("'"));
      } else if (character === '"') {
        word.quoted = true;
        this.#double(word.inner, add);
      } else if (character === '\\') {
        word.quoted = true;
        add(this.#text.charAt(this.#at + 1));
        this.#at += 2;
      } else if (character === '$' || character === '`' || this.#startsSubstitution()) this.#expansion(word.inner, add);
      else {
        // What a glob or a brace becomes depends on the files there.
        add(/[*?[\]{}]/.test(character) ? undefined : character);
        this.#at += 1;
      }
    }
    return { kind: 'word', ...word, raw: this.#text.slice(start, this.#at) };
  }

  #startsOperator(): boolean {
    return operators.some((operator) => this.#text.startsWith(operator, this.#at));
  }

  #startsSubstitution(): boolean {
    return /^[<>]\(/.test(this.#text.slice(this.#at, this.#at + 2));
  }

  /** From an opening quote to the closing one, which cannot be escaped. */
  #until(quote: string): string {
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end < 0) throw new Unclosed();
    const inside = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inside;
  }

  #double(inner: string[], add: (more: string | undefined) => void): void {
    this.#at += 1;
    for (;;) {
      const character = this.#text.charAt(this.#at);
      if (character === '') throw new Unclosed();
      if (character === '"') break;
      if (character === '\\' && /[$`"\\\n]/.test(this.#text.charAt(this.#at + 1))) {
        add(this.#text.charAt(this.#at + 1).replace('\n', ''));
        this.#at += 2;
      } else if (character === '$' || character === '`') this.#expansion(inner, add);
      else {
        add(character);
        this.#at += 1;
      }
    }
    this.#at += 1;
  }

  /** `$x`, `${…}`, `$(…)`, `$((…))`, `$'…'`, backticks, `<(…)`: what comes out is not known, what runs inside is. */
  #expansion(inner: string[], add: (more: string | undefined) => void): void {
    const next = this.#text.slice(this.#at, this.#at + 2);
    if (next.startsWith('`')) {
      inner.push(this.#until('`').replaceAll(/\\([$`\\])/g, '$1'));
      return add(undefined);
    }
    if (next === '$(' || next === '<(' || next === '>(') {
      this.#at += 2;
      inner.push(this.#balanced('(', ')'));
      return add(undefined);
    }
    if (next === '${') {
      this.#at += 2;
      const inside = this.#balanced('{', '}');
      if (/[$`]/.test(inside)) inner.push(`: ${inside.replace(/^[^$`]*/, '')}`);
      return add(undefined);
    }
    this.#at += 1;
    if (next === "$'" || next === '$"') return add(undefined);
    const name = /^(?:\w+|[@*#?$!-])/.exec(this.#text.slice(this.#at))?.[0];
    this.#at += name?.length ?? 0;
    add(name === undefined ? '$' : undefined);
  }

  #balanced(open: string, close: string): string {
    const start = this.#at;
    for (let depth = 1; depth > 0; this.#at += 1) {
      const character = this.#text.charAt(this.#at);
      if (character === '') throw new Unclosed();
      if (character === '\\') this.#at += 1;
      else if (character === "'" && open === '(') this.#skipQuoted("'");
      else if (character === '"') this.#skipQuoted('"');
      else if (character === open) depth += 1;
      else if (character === close) depth -= 1;
    }
    return this.#text.slice(start, this.#at - 1);
  }

  /** Leaves the place at the closing quote. */
  #skipQuoted(quote: string): void {
    for (this.#at += 1; this.#text.charAt(this.#at) !== quote; this.#at += 1) {
      if (this.#at >= this.#text.length) throw new Unclosed();
      if (quote === '"' && this.#text.charAt(this.#at) === '\\') this.#at += 1;
    }
  }
}
