import { limits } from '#model';
import { inNetwork, parseNetwork } from '../match/network.ts';
import type { Network } from '../match/network.ts';
import { alphabetOf, exactPattern, exampleOf, findString, isExact, Language } from './pattern.ts';
import type { Pattern, StringClause } from './pattern.ts';

export type Scalar = string | number | boolean;
/** What values an attribute has. `any`: only the request knows. */
export type Domain = 'string' | 'int' | 'double' | 'bool' | 'any';

/** A set of scalars; an absent attribute is in none of them. `id` is equal for equal sets. */
export type Test =
  | { readonly kind: 'present'; readonly id: string }
  | {
      readonly kind: 'among';
      readonly id: string;
      readonly atoms: ReadonlySet<Scalar>;
      readonly patterns: readonly Pattern[];
      readonly language: Language;
    }
  | { readonly kind: 'network'; readonly id: string; readonly networks: readonly Network[] }
  | { readonly kind: 'range'; readonly id: string; readonly op: '<' | '<=' | '>' | '>='; readonly bound: number };

/** `value ∈ test`, or `value ∉ test`. */
export interface Term {
  readonly test: Test;
  readonly negated: boolean;
}

export const present: Test = { kind: 'present', id: 'present' };

/** Values that are one of `atoms`, or strings that match one of `patterns`. */
export function among(atoms: readonly Scalar[], patterns: readonly Pattern[] = []): Test {
  const id = `among ${JSON.stringify([...new Set(atoms)].sort(byText))} ${JSON.stringify(patterns)}`;
  const known = made.get(id);
  if (known !== undefined) return known;
  const strings = atoms.filter((atom) => typeof atom === 'string').map(exactPattern);
  const test: Test = { kind: 'among', id, atoms: new Set(atoms), patterns, language: new Language([...strings, ...patterns]) };
  if (made.size >= limits.analysisTestsKept) made.clear();
  made.set(id, test);
  return test;
}

/** Equal sets share their automaton; only a memory, it changes no answer. */
const made = new Map<string, Test>();

function byText(a: Scalar, b: Scalar): number {
  const [one, other] = [`${typeof a} ${String(a)}`, `${typeof b} ${String(b)}`];
  return one < other ? -1 : one > other ? 1 : 0;
}

export function network(networks: readonly Network[]): Test {
  return { kind: 'network', id: `network ${networks.map(({ bits, shift, v4 }) => `${bits}<<${shift} ${v4}`).join()}`, networks };
}

export function range(op: '<' | '<=' | '>' | '>=', bound: number): Test {
  return { kind: 'range', id: `${op} ${bound}`, op, bound };
}

export function holds(test: Test, value: Scalar | undefined): boolean {
  if (value === undefined) return false;
  switch (test.kind) {
    case 'present':
      return true;
    case 'among':
      return test.atoms.has(value) || (typeof value === 'string' && test.patterns.length > 0 && test.language.matches(value));
    case 'network':
      return typeof value === 'string' && test.networks.some((one) => inNetwork(one, value));
    case 'range':
      if (typeof value !== 'number') return false;
      return test.op === '<'
        ? value < test.bound
        : test.op === '<='
          ? value <= test.bound
          : test.op === '>'
            ? value > test.bound
            : value >= test.bound;
  }
}

function satisfies(value: Scalar, clauses: readonly Clause[]): boolean {
  return clauses.every((clause) => clause.some(({ test, negated }) => holds(test, value) !== negated));
}

/** Alternatives, one of which must hold. */
export type Clause = readonly Term[];

export type Solved = { readonly value: Scalar } | undefined | 'unknown';

/**
 * A value of the domain that satisfies all clauses; undefined when there is none. Exact for finite sets, globs, prefixes, numbers and
 * networks each, `unknown` where networks and other sets of strings meet or an automaton grows too large. `preferred` is taken when it fits.
 */
export function solveScalar(domain: Domain, clauses: readonly Clause[], preferred: readonly Scalar[] = []): Solved {
  const fitting = preferred.find((value) => inDomain(value, domain) && satisfies(value, clauses));
  if (fitting !== undefined) return { value: fitting };
  const finite = finiteChoice(clauses);
  if (finite !== undefined) return firstOf(finite, domain, clauses);
  switch (domain) {
    case 'bool':
      return firstOf([true, false], domain, clauses);
    case 'int':
    case 'double':
      return firstOf(boundaries(clauses, domain), domain, clauses);
    case 'string':
      return solveString(clauses);
    case 'any': {
      const text = solveString(clauses);
      if (text !== undefined && text !== 'unknown') return text;
      return firstOf(boundaries(clauses, 'double'), 'double', clauses) ?? firstOf([true, false], 'bool', clauses) ?? text;
    }
  }
}

function inDomain(value: Scalar, domain: Domain): boolean {
  if (domain === 'any') return true;
  if (domain === 'string') return typeof value === 'string';
  if (domain === 'bool') return typeof value === 'boolean';
  return typeof value === 'number' && (domain === 'double' || Number.isInteger(value));
}

function firstOf(values: Iterable<Scalar>, domain: Domain, clauses: readonly Clause[]): { readonly value: Scalar } | undefined {
  for (const value of values) if (inDomain(value, domain) && satisfies(value, clauses)) return { value };
  return undefined;
}

/** The values of a clause that only finitely many satisfy: no other value needs to be looked at. */
function finiteChoice(clauses: readonly Clause[]): Scalar[] | undefined {
  let best: Scalar[] | undefined;
  for (const clause of clauses) {
    if (!clause.every(({ test, negated }) => !negated && test.kind === 'among' && test.patterns.every(isExact))) continue;
    const values = clause.flatMap(({ test }) =>
      test.kind === 'among' ? [...test.atoms, ...test.patterns.map((pattern) => exampleOf(pattern))] : [],
    );
    if (best === undefined || values.length < best.length) best = values;
  }
  return best;
}

/** Every number at which an answer can change, and one on either side and between. */
function boundaries(clauses: readonly Clause[], domain: 'int' | 'double'): number[] {
  const numbers = new Set<number>([0]);
  for (const { test } of clauses.flat()) {
    if (test.kind === 'range') numbers.add(test.bound);
    else if (test.kind === 'among') for (const atom of test.atoms) if (typeof atom === 'number') numbers.add(atom);
  }
  const sorted = [...numbers].sort((a, b) => a - b);
  const points = new Set<number>();
  for (const [i, point] of sorted.entries()) {
    const next = sorted[i + 1] ?? point + 2;
    points.add(point);
    for (const near of domain === 'int'
      ? [Math.floor(point), Math.floor(point) + 1, Math.ceil(point) - 1]
      : [(point + next) / 2, point - 1])
      points.add(near);
  }
  return [...points].sort((a, b) => Math.abs(a) - Math.abs(b) || b - a);
}

function solveString(clauses: readonly Clause[]): Solved {
  const tests = clauses.flat().map(({ test }) => test);
  const examples = tests.flatMap(examplesOf);
  for (const value of [...examples, 'x']) if (satisfies(value, clauses)) return { value };
  const networks = tests.some((test) => test.kind === 'network');
  // Between two boundaries all addresses are alike, and every string that is no address is alike to networks.
  if (networks) return tests.every((test) => test.kind === 'network' || test.kind === 'present') ? undefined : 'unknown';
  const strings: StringClause[] = [];
  for (const clause of clauses) {
    if (clause.some((term) => term.test.kind === 'present' && !term.negated)) continue;
    const split = (negated: boolean): Language[] =>
      clause.flatMap((term) => (term.test.kind === 'among' && term.negated === negated ? [term.test.language] : []));
    // A string is in no range and never absent, so such a term holds exactly when it is negated and a range.
    if (clause.some((term) => term.test.kind === 'range' && term.negated)) continue;
    strings.push({ inside: split(false), outside: split(true) });
  }
  const patterns = tests.flatMap((test) => (test.kind === 'among' ? [...test.patterns, ...exactOf(test.atoms)] : []));
  const found = findString(strings, { alphabet: alphabetOf(patterns), statesMax: limits.analysisStatesMax });
  return found === undefined || found === 'unknown' ? found : { value: found.text };
}

function exactOf(atoms: ReadonlySet<Scalar>): Pattern[] {
  return [...atoms].filter((atom) => typeof atom === 'string').map(exactPattern);
}

function examplesOf(test: Test): string[] {
  switch (test.kind) {
    case 'among':
      return [...[...test.atoms].filter((atom) => typeof atom === 'string'), ...test.patterns.map((pattern) => exampleOf(pattern))];
    case 'network':
      return test.networks.flatMap(edgesOf);
    default:
      return [];
  }
}

/** The addresses at which membership in a network, written as text, changes; none for what is no network. */
export function addressesAround(network: string): string[] {
  const parsed = parseNetwork(network);
  return parsed === undefined ? [] : edgesOf(parsed);
}

/** First and last address of a network and their neighbours outside. */
function edgesOf({ bits, shift, v4 }: Network): string[] {
  const first = bits << shift;
  const last = first + (1n << shift) - 1n;
  const highest = v4 ? 0xffff_ffffn : (1n << 128n) - 1n;
  return [first, last, first - 1n, last + 1n]
    .filter((address) => address >= 0n && address <= highest)
    .map((address) => formatAddress(address, v4));
}

function formatAddress(address: bigint, v4: boolean): string {
  if (v4) return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 0xffn)).join('.');
  return Array.from({ length: 8 }, (_, i) => ((address >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');
}
