import { naturalBounds } from './clock.ts';
import type { Conjunction } from './formula.ts';
import type { ListLiteral, Literal, OpaqueLiteral, ScalarLiteral } from './literal.ts';
import { holds, range, solveScalar } from './scalar.ts';
import type { Clause, Scalar } from './scalar.ts';

/** What a request must look like; attributes that are not named are free. */
export interface Model {
  readonly scalars: ReadonlyMap<string, Scalar | Missing | Present>;
  readonly lists: ReadonlyMap<string, ListModel>;
  /** What nobody could look into: it holds or not, only a trial can tell. */
  readonly open: readonly OpaqueLiteral[];
}

interface ListModel {
  readonly elements: readonly Scalar[];
  readonly absent: boolean;
}

interface Missing {
  readonly kind: 'missing';
}
interface Present {
  readonly kind: 'present';
}
const missing: Missing = { kind: 'missing' };
const anything: Present = { kind: 'present' };

/** `impossible` is proven. A model may still fail on what is open in it. `unknown`: neither was found. */
export type Answer = { readonly kind: 'possible'; readonly model: Model } | { readonly kind: 'impossible' } | { readonly kind: 'unknown' };

const impossible: Answer = { kind: 'impossible' };
const unknown: Answer = { kind: 'unknown' };

/** Values people recognise, taken where nothing else is asked for. */
export type Preferences = (path: string) => readonly Scalar[];

/** Whether a request can satisfy all literals, with one that does. */
export function solve(conjunction: Conjunction, preferred: Preferences): Answer {
  if (contradicts(conjunction)) return impossible;
  const scalars = new Map<string, Scalar | Missing | Present>();
  const lists = new Map<string, ListModel>();
  const open: OpaqueLiteral[] = [];
  let doubtful = false;
  for (const [key, literals] of Map.groupBy(conjunction, siteOf)) {
    const [first] = literals;
    if (first === undefined) continue;
    if (first.kind === 'opaque') {
      open.push(...literals.filter((literal) => literal.kind === 'opaque'));
      continue;
    }
    const found =
      first.kind === 'scalar'
        ? solveAttribute(
            literals.filter((literal) => literal.kind === 'scalar'),
            preferred,
          )
        : solveList(
            literals.filter((literal) => literal.kind === 'list'),
            preferred,
          );
    if (found === undefined) return impossible;
    if (found === 'unknown') doubtful = true;
    else if (first.kind === 'scalar')
      scalars.set(first.path, (found as { value: Scalar | Missing | Present }).value); // By the branch above.
    else lists.set(key.slice(0, -2), found as ListModel); // By the branch above.
  }
  if (!nested(scalars, lists)) return impossible;
  return doubtful ? unknown : { kind: 'possible', model: { scalars, lists, open } };
}

function siteOf(literal: Literal): string {
  return literal.kind === 'opaque' ? '' : literal.kind === 'list' ? `${literal.path}[]` : literal.path;
}

/** A literal and its opposite; an expression that is true and false at once. */
function contradicts(conjunction: Conjunction): boolean {
  const senses = new Map<string, boolean>();
  const ids = new Set(conjunction.map(({ id }) => id));
  for (const literal of conjunction) {
    if (literal.kind !== 'opaque') continue;
    if (literal.negated) {
      if (ids.has(`${literal.sense} ${literal.key}`)) return true;
      continue;
    }
    const other = senses.get(literal.key);
    if (other !== undefined && other !== literal.sense) return true;
    senses.set(literal.key, literal.sense);
  }
  return false;
}

function solveAttribute(
  literals: readonly ScalarLiteral[],
  preferred: Preferences,
): { readonly value: Scalar | Missing | Present } | undefined | 'unknown' {
  const [first] = literals;
  if (first === undefined) return { value: anything };
  if (first.optional && literals.every(({ term }) => holds(term.test, undefined) === !term.negated)) return { value: missing };
  const clauses = [...literals.map(({ term }): Clause => [term]), ...boundsOf(first.path)];
  if (literals.every(({ term }) => term.test.kind === 'present')) {
    return literals.some(({ term }) => term.negated) ? undefined : { value: anything };
  }
  return solveScalar(first.domain, clauses, preferred(first.path));
}

/** What every value there can be satisfies. */
function boundsOf(path: string): readonly Clause[] {
  const bounds = naturalBounds(path);
  if (bounds === undefined) return [];
  const [least, greatest] = bounds;
  return [[{ test: range('>=', least), negated: false }], [{ test: range('<=', greatest), negated: false }]];
}

function solveList(literals: readonly ListLiteral[], preferred: Preferences): ListModel | undefined | 'unknown' {
  const [first] = literals;
  if (first === undefined) return undefined;
  const forbidden = literals
    .filter(({ negated }) => negated)
    .map(({ some }): Clause => some.map(({ test, negated }) => ({ test, negated: !negated })));
  const elements: Scalar[] = [];
  for (const { some, negated } of literals) {
    if (negated) continue;
    const clauses = [...some.map((term): Clause => [term]), ...forbidden];
    const present = elements.find((value) => clauses.every((clause) => clause.some(({ test, negated }) => holds(test, value) !== negated)));
    if (present !== undefined) continue;
    const found = solveScalar(first.domain, clauses, preferred(first.path));
    if (found === undefined || found === 'unknown') return found;
    elements.push(found.value);
  }
  if (elements.length === 0) {
    // An example element says more than an empty list, where one is possible.
    const example = solveScalar(first.domain, forbidden, preferred(first.path));
    if (example !== undefined && example !== 'unknown' && preferred(first.path).includes(example.value)) elements.push(example.value);
  }
  return { elements, absent: false };
}

/** What is absent has no members, so none of them can be asked for. */
function nested(scalars: Model['scalars'], lists: Model['lists']): boolean {
  const absent = [...scalars].filter(([, value]) => value === missing).map(([path]) => `${path}.`);
  if (absent.length === 0) return true;
  for (const [path, value] of scalars) if (value !== missing && absent.some((parent) => path.startsWith(parent))) return false;
  for (const [path, { elements }] of lists)
    if (elements.length > 0 && absent.some((parent) => path === parent.slice(0, -1) || path.startsWith(parent))) return false;
  return true;
}
