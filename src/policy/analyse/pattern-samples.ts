import { compilePattern } from '../match/pattern.ts';

/** Samples of one pattern; alternatives multiply, so they are cut. */
const samplesMax = 12;

/**
 * Texts that fit a pattern: one for each alternative and for each range of a class, as far as it is made of what people write: literals,
 * classes, groups, alternatives, repetitions. Every one is checked with the real engine, so whatever is not understood only gives fewer.
 */
export function samplesOf(pattern: string): string[] {
  const compiled = compilePattern(pattern);
  if (!compiled.ok) return [];
  const reader = new Reader(pattern.replace(/^\(\?[a-z]+\)/, ''));
  const texts = reader.alternatives() ?? [];
  return [...new Set(texts)].filter((text) => compiled.test(text)).slice(0, samplesMax);
}

const classes: Readonly<Record<string, readonly string[]>> = { d: ['0', '7'], w: ['a', '0', '_'], s: [' '], D: ['a'], W: ['-'], S: ['a'] };

/** A recursive descent over the pattern; every part gives the texts it stands for. Undefined: not understood. */
class Reader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  alternatives(): string[] | undefined {
    const all: string[] = [];
    for (;;) {
      const some = this.#sequence();
      if (some === undefined) return undefined;
      all.push(...some);
      if (this.#source[this.#at] !== '|') return all.slice(0, samplesMax);
      this.#at += 1;
    }
  }

  #sequence(): string[] | undefined {
    let texts = [''];
    while (this.#at < this.#source.length && this.#source[this.#at] !== '|' && this.#source[this.#at] !== ')') {
      const part = this.#part();
      if (part === undefined) return undefined;
      const repeated = this.#repeated(part);
      texts = joined(texts, repeated);
    }
    return texts;
  }

  #part(): string[] | undefined {
    const character = this.#source[this.#at] ?? '';
    this.#at += 1;
    switch (character) {
      case '^':
      case '$':
        return [''];
      case '.':
        return ['x'];
      case '[':
        return this.#class();
      case '(':
        return this.#group();
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
      case '{':
        return undefined;
      default:
        return [character];
    }
  }

  #escape(): string[] | undefined {
    const character = this.#source[this.#at] ?? '';
    this.#at += 1;
    if (Object.hasOwn(classes, character)) return [...(classes[character] ?? [])];
    if (character === 'b' || character === 'A' || character === 'z') return [''];
    return /^[A-Za-z0-9]$/.test(character) ? undefined : [character];
  }

  #group(): string[] | undefined {
    const head = /^\?(?:P?<\w+>|[a-z-]*:)/.exec(this.#source.slice(this.#at))?.[0];
    if (this.#source[this.#at] === '?' && head === undefined) return undefined;
    this.#at += head?.length ?? 0;
    const inner = this.alternatives();
    if (inner === undefined || this.#source[this.#at] !== ')') return undefined;
    this.#at += 1;
    return inner;
  }

  #class(): string[] | undefined {
    const end = this.#source.indexOf(']', this.#at + 1);
    const body = end < 0 ? undefined : this.#source.slice(this.#at, end);
    if (body === undefined || body.startsWith('[:')) return undefined;
    this.#at = end + 1;
    if (body.startsWith('^')) return [...'xX0-_'].filter((candidate) => !body.includes(candidate)).slice(0, 2);
    // One text for each range and each single character, so that a class with one more range has one more sample.
    return [...body.matchAll(/\\(.)|(.)-(.)|(.)/g)].flatMap(([, escaped, from, _to, single]) =>
      escaped !== undefined && Object.hasOwn(classes, escaped) ? (classes[escaped] ?? []) : [escaped ?? from ?? single ?? ''],
    );
  }

  #repeated(texts: string[]): string[] {
    const found = /^(?:([*+?])|\{(\d+)(?:,(\d*))?\})\??/.exec(this.#source.slice(this.#at));
    if (found === null) return texts;
    this.#at += found[0].length;
    const [, sign, least] = found;
    if (sign === '*' || sign === '?') return [...texts, ''];
    if (sign === '+') return texts;
    const times = Math.min(Number(least ?? 1), 64);
    return times === 0 ? [...texts, ''] : texts.map((text) => text.repeat(times));
  }
}

/** Every beginning with the first end, the first beginning with every end: all combinations would be too many. */
function joined(heads: readonly string[], tails: readonly string[]): string[] {
  const [head = '', ...otherHeads] = heads;
  const [tail = '', ...otherTails] = tails;
  return [head + tail, ...otherHeads.map((other) => other + tail), ...otherTails.map((other) => head + other)].slice(0, samplesMax);
}
