/**
 * Languages of strings: globs and what CEL's `startsWith`, `endsWith`, `contains` and `==` accept, as one small kind of automaton. Whether
 * a string with given memberships exists is decided exactly, and the shortest such string is the proof.
 */

/** Any run of characters, any run without `/`, or one UTF-16 unit that stands for itself. */
type Token = number;
const any: Token = -1;
const segment: Token = -2;
const slash = 47;

/** A string matches when all of it does. */
export type Pattern = readonly Token[];

export function patternOfGlob(glob: string): Pattern {
  const tokens: Token[] = [];
  for (let i = 0; i < glob.length; i += 1) {
    if (glob[i] !== '*') {
      tokens.push(glob.charCodeAt(i));
      continue;
    }
    const start = i;
    while (glob[i + 1] === '*') i += 1;
    tokens.push(i > start ? any : segment);
  }
  return tokens;
}

export function exactPattern(text: string): Pattern {
  return Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
}

export function prefixPattern(text: string): Pattern {
  return [...exactPattern(text), any];
}

export function suffixPattern(text: string): Pattern {
  return [any, ...exactPattern(text)];
}

export function infixPattern(text: string): Pattern {
  return [any, ...exactPattern(text), any];
}

export function isExact(pattern: Pattern): boolean {
  return pattern.every((token) => token >= 0);
}

/** The pattern with its stars filled in: a string that matches it. */
export function exampleOf(pattern: Pattern, star = 'x'): string {
  return pattern.map((token) => (token < 0 ? star : String.fromCharCode(token))).join('');
}

/** An automaton over a union of patterns, made deterministic as far as it is walked. */
export class Language {
  readonly #patterns: readonly Pattern[];
  readonly #states: { readonly positions: readonly number[]; readonly accepting: boolean }[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #steps = new Map<number, number>();
  readonly start: number;

  constructor(patterns: readonly Pattern[]) {
    this.#patterns = patterns;
    this.start = this.#intern(patterns.map((_, p) => p * stride));
  }

  accepts(state: number): boolean {
    return this.#states[state]?.accepting ?? false;
  }

  /** Nothing that follows can be accepted. */
  isDead(state: number): boolean {
    return this.#states[state]?.positions.length === 0;
  }

  step(state: number, unit: number): number {
    const known = this.#steps.get(state * units + unit);
    if (known !== undefined) return known;
    const next: number[] = [];
    for (const position of this.#states[state]?.positions ?? []) {
      const token = this.#tokenAt(position);
      if (token === any || (token === segment && unit !== slash)) next.push(position);
      else if (token === unit) next.push(position + 1);
    }
    const to = this.#intern(next);
    this.#steps.set(state * units + unit, to);
    return to;
  }

  matches(text: string): boolean {
    let state = this.start;
    for (let i = 0; i < text.length; i += 1) state = this.step(state, text.charCodeAt(i));
    return this.accepts(state);
  }

  #tokenAt(position: number): Token | undefined {
    return this.#patterns[Math.floor(position / stride)]?.[position % stride];
  }

  /** The state of a set of positions, with what follows when stars stand for nothing. */
  #intern(positions: readonly number[]): number {
    const closed = new Set<number>();
    let accepting = false;
    for (let position of positions) {
      closed.add(position);
      for (let token = this.#tokenAt(position); token === any || token === segment; token = this.#tokenAt(position))
        closed.add((position += 1));
    }
    for (const position of closed) {
      const pattern = this.#patterns[Math.floor(position / stride)];
      if (pattern !== undefined && position % stride === pattern.length) accepting = true;
    }
    const sorted = [...closed].sort((a, b) => a - b);
    const key = sorted.join(' ');
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    this.#states.push({ positions: sorted, accepting });
    this.#byKey.set(key, this.#states.length - 1);
    return this.#states.length - 1;
  }
}

/** Positions of one pattern; longer than any pattern of a policy file can be. */
const stride = 1 << 20;
const units = 65_536;

/** A string must be in one of `inside` or outside one of `outside`. */
export interface StringClause {
  readonly inside: readonly Language[];
  readonly outside: readonly Language[];
}

/** The characters that tell the given patterns apart: those they name, `/`, and one that none of them names. */
export function alphabetOf(patterns: readonly Pattern[]): readonly number[] {
  const named = new Set<number>(patterns.flat().filter((token) => token >= 0));
  const other = [...'xyzabcdefghijklmnopqrstuvw0123456789'].find((letter) => !named.has(letter.charCodeAt(0)));
  let fresh = other?.charCodeAt(0) ?? 0x100;
  while (named.has(fresh)) fresh += 1;
  const letters = new Set([fresh, ...named]);
  letters.add(slash);
  return [...letters];
}

/**
 * The shortest string that satisfies all clauses; undefined when there is none. `unknown` when more than `statesMax` states would have to
 * be looked at.
 */
export function findString(
  clauses: readonly StringClause[],
  { alphabet, statesMax }: { readonly alphabet: readonly number[]; readonly statesMax: number },
): { readonly text: string } | undefined | 'unknown' {
  const languages = [...new Set(clauses.flatMap(({ inside, outside }) => [...inside, ...outside]))];
  const rank = new Map(languages.map((language, i) => [language, i]));
  const compiled = clauses.map(({ inside, outside }) => ({
    inside: inside.map((l) => rank.get(l) ?? 0),
    outside: outside.map((l) => rank.get(l) ?? 0),
  }));
  const satisfied = (states: readonly number[]): boolean => {
    const member = (l: number): boolean => languages[l]?.accepts(states[l] ?? 0) ?? false;
    return compiled.every(({ inside, outside }) => inside.some(member) || outside.some((l) => !member(l)));
  };
  const needed = compiled.filter(({ outside }) => outside.length === 0).map(({ inside }) => inside);
  const hopeless = (states: readonly number[]): boolean =>
    needed.some((inside) => inside.every((l) => languages[l]?.isDead(states[l] ?? 0) === true));
  const start = languages.map((language) => language.start);
  const queue: { readonly states: readonly number[]; readonly text: string }[] = [{ states: start, text: '' }];
  const seen = new Set([start.join(' ')]);
  let empty: { readonly text: string } | undefined;
  for (let at = 0; at < queue.length; at += 1) {
    const here = queue[at];
    if (here === undefined) break;
    if (satisfied(here.states)) {
      // The empty string is a proof like any other, but a longer one tells a reader more.
      if (here.text !== '') return { text: here.text };
      empty = { text: '' };
    }
    for (const unit of alphabet) {
      const states = languages.map((language, l) => language.step(here.states[l] ?? 0, unit));
      const key = states.join(' ');
      if (seen.has(key)) {
        if (empty !== undefined && here.text === '' && satisfied(states)) return { text: String.fromCharCode(unit) };
        continue;
      }
      if (hopeless(states)) continue;
      if (seen.size >= statesMax) return empty ?? 'unknown';
      seen.add(key);
      queue.push({ states, text: here.text + String.fromCharCode(unit) });
    }
  }
  return empty;
}
