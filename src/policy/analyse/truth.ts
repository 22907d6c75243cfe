import { limits } from '#model';
import { childrenOf, format } from '../cel/index.ts';
import type { BinaryExpression, CallExpression, CelExpression, ComprehensionExpression } from '../cel/index.ts';
import { clockSite, instantOf } from './clock.ts';
import { and, always, disjunctive, holding, never, not, or } from './formula.ts';
import type { Formula } from './formula.ts';
import { constantOf, constantsOf, pathOf, readAt, readOf, unfold } from './expression.ts';
import type { Names, Read } from './expression.ts';
import { listLiteral, opaqueLiteral, scalarLiteral } from './literal.ts';
import type { Site } from './literal.ts';
import { infixPattern, prefixPattern, suffixPattern } from './pattern.ts';
import { among, holds, present, range } from './scalar.ts';
import type { Scalar, Term, Test } from './scalar.ts';

/** The element a macro looks at, while its body is taken apart. */
interface Local {
  readonly name: string;
  readonly site: Site;
}

interface Scope {
  readonly names: Names;
  readonly local: Local | undefined;
}

const element = '$element';

/**
 * When a condition evaluates to `sense`, as a formula. An evaluation error is neither true nor false, so `truth(e, false)` is not the
 * negation of `truth(e, true)`; that is `not(truth(e, true))`. What the theory does not cover becomes an opaque literal.
 */
export function truth(condition: CelExpression, sense: boolean, names: Names): Formula {
  return truthIn(condition, sense, { names, local: undefined });
}

function truthIn(condition: CelExpression, sense: boolean, scope: Scope): Formula {
  const e = unfold(condition, scope.names);
  if (e.kind === 'literal' && typeof e.value === 'boolean') return e.value === sense ? always : never;
  if (e.kind === 'unary' && e.op === '!') return truthIn(e.operand, !sense, scope);
  if (e.kind === 'binary' && (e.op === '&&' || e.op === '||')) {
    const parts = [truthIn(e.left, sense, scope), truthIn(e.right, sense, scope)];
    return (e.op === '&&') === sense ? and(...parts) : or(...parts);
  }
  if (e.kind === 'ternary') {
    const then = and(truthIn(e.condition, true, scope), truthIn(e.then, sense, scope));
    return or(then, and(truthIn(e.condition, false, scope), truthIn(e.otherwise, sense, scope)));
  }
  return atom(e, sense, scope) ?? opaque(e, sense, scope.names);
}

function atom(e: CelExpression, sense: boolean, scope: Scope): Formula | undefined {
  switch (e.kind) {
    case 'binary':
      return relation(e, sense, scope);
    case 'call':
      return call(e, sense, scope);
    case 'comprehension':
      return quantified(e, sense, scope);
    case 'select':
      if (e.mode === 'test') return presence(readAt(pathOf(e), scope.names), sense);
      return flag(e, sense, scope);
    case 'ident':
    case 'index':
      return flag(e, sense, scope);
    default:
      return undefined;
  }
}

function flag(e: CelExpression, sense: boolean, scope: Scope): Formula | undefined {
  const read = readIn(e, scope);
  // What is neither true nor false, of an attribute without a type, is an error.
  return read?.shape === 'scalar' ? compare(read, among([sense]), true) : undefined;
}

function presence(read: Read | undefined, sense: boolean): Formula | undefined {
  if (read === undefined || read.instead !== undefined) return undefined;
  if (!read.site.optional) return sense ? always : never;
  return holding(scalarLiteral(read.site, { test: present, negated: !sense }));
}

function readIn(e: CelExpression, { names, local }: Scope): Read | undefined {
  if (local !== undefined && e.kind === 'ident' && e.name === local.name) return { site: local.site, shape: 'scalar' };
  return readOf(e, names);
}

const flipped = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const;
const mirrored = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

function relation(e: BinaryExpression, sense: boolean, scope: Scope): Formula | undefined {
  const { op } = e;
  if (op === 'in') return membership(e, sense, scope);
  if (op === '==' || op === '!=' || op === '<' || op === '<=' || op === '>' || op === '>=') {
    const sized = emptiness(e, sense, scope);
    if (sized !== undefined) return sized;
    const left = constantOf(e.left, scope.names) ?? instantOf(e.left);
    const right = constantOf(e.right, scope.names) ?? instantOf(e.right);
    const constant = left ?? right;
    if (constant === undefined) return undefined;
    if (left !== undefined && right !== undefined) return folded(left, op, right, sense);
    const side = left === undefined ? e.left : e.right;
    const clock = clockSite(side);
    const read: Read | undefined = clock === undefined ? readIn(side, scope) : { site: clock, shape: 'scalar' };
    if (read?.shape !== 'scalar') return undefined;
    if (op === '==' || op === '!=') return compare(read, among([constant]), (op === '==') === sense);
    if (typeof constant !== 'number' || read.site.domain === 'string') return undefined;
    const facing = left === undefined ? op : mirrored[op];
    return compare(read, range(sense ? facing : flipped[facing], constant), true);
  }
  return undefined;
}

/** A relation between two constants. */
function folded(left: Scalar, op: '==' | '!=' | '<' | '<=' | '>' | '>=', right: Scalar, sense: boolean): Formula | undefined {
  const equal = left === right;
  if (op === '==' || op === '!=') return ((op === '==') === equal) === sense ? always : never;
  if (typeof left !== 'number' || typeof right !== 'number') return undefined;
  return holds(range(op, right), left) === sense ? always : never;
}

/** `value ∈ test` is `sense`, and the value is there: reading an absent one is an error, which is neither. */
function compare({ site, instead }: Read, test: Test, sense: boolean): Formula {
  const inside = holding(scalarLiteral(site, { test, negated: !sense }));
  const there = holding(scalarLiteral(site, { test: present, negated: false }));
  const value = sense || !site.optional ? inside : and(there, inside);
  if (instead === undefined) return value;
  return holds(test, instead) === sense ? or(value, not(there)) : value;
}

/** `size(list) > 0` and its relatives: whether there is any element. */
function emptiness(e: BinaryExpression, sense: boolean, scope: Scope): Formula | undefined {
  const bound = constantOf(e.right, scope.names);
  const sized = unfold(e.left, scope.names);
  if (typeof bound !== 'number' || sized.kind !== 'call' || sized.name !== 'size') return undefined;
  const [argument] = sized.args;
  const list = sized.target ?? argument;
  const read = list && readIn(list, scope);
  const whatever = read?.site.optional === false ? ofAnySize(e.op, bound) : undefined;
  if (whatever !== undefined) return whatever === sense ? always : never;
  if (read?.shape !== 'list') return undefined;
  const any = (e.op === '>' && bound === 0) || (e.op === '!=' && bound === 0) || (e.op === '>=' && bound === 1);
  const none = (e.op === '==' && bound === 0) || (e.op === '<' && bound === 1) || (e.op === '<=' && bound === 0);
  if (!any && !none) return undefined;
  return ofList(read.site, [[]], any === sense);
}

/** The answer that a comparison with a size gives whatever the size is: no size is below zero. */
function ofAnySize(op: BinaryExpression['op'], bound: number): boolean | undefined {
  if (op === '>=' && bound <= 0) return true;
  if (op === '<' && bound <= 0) return false;
  if (bound >= 0) return undefined;
  return op === '>' || op === '!=' ? true : op === '<=' || op === '==' ? false : undefined;
}

function membership(e: BinaryExpression, sense: boolean, scope: Scope): Formula | undefined {
  const constants = constantsOf(e.right, scope.names);
  if (constants !== undefined) {
    const constant = constantOf(e.left, scope.names);
    if (constant !== undefined) return constants.includes(constant) === sense ? always : never;
    const clock = clockSite(e.left);
    const read: Read | undefined = clock === undefined ? readIn(e.left, scope) : { site: clock, shape: 'scalar' };
    return read?.shape === 'scalar' ? compare(read, among(constants), sense) : undefined;
  }
  const constant = constantOf(e.left, scope.names);
  if (constant === undefined) return undefined;
  const read = readIn(e.right, scope);
  if (read?.shape === 'list') return ofList(read.site, [[{ test: among([constant]), negated: false }]], sense);
  const path = pathOf(unfold(e.right, scope.names));
  if (read?.shape !== 'other' || typeof constant !== 'string' || !/^[A-Za-z_]\w*$/.test(constant)) return undefined;
  const member = presence(readAt(`${path}.${constant}`, scope.names), sense);
  const map = presence(read, true);
  return member && map && and(map, member);
}

/** Some element (or, with `sense` false, no element) satisfies one of the alternatives; the list itself is there. */
function ofList(site: Site, alternatives: readonly (readonly Term[])[], sense: boolean): Formula {
  const literals = alternatives.map((terms) => holding(listLiteral(site, terms, !sense)));
  if (sense) return or(...literals);
  const there = site.optional ? [holding(scalarLiteral({ ...site, domain: 'any' }, { test: present, negated: false }))] : [];
  return and(...there, ...literals);
}

const textTests = { startsWith: prefixPattern, endsWith: suffixPattern, contains: infixPattern } as const;

function call(e: CallExpression, sense: boolean, scope: Scope): Formula | undefined {
  const [argument] = e.args;
  if (e.target === undefined) return undefined;
  if (e.name === 'orValue') return flag(e, sense, scope);
  if (e.name === 'hasValue' && e.target.kind === 'select' && e.target.mode === 'optional') {
    return presence(readAt(pathOf(e.target), scope.names), sense);
  }
  const test = Object.hasOwn(textTests, e.name) ? textTests[e.name as keyof typeof textTests] : undefined; // It has the key.
  const constant = argument && constantOf(argument, scope.names);
  if (test === undefined || typeof constant !== 'string') return undefined;
  const read = readIn(e.target, scope);
  if (read?.shape !== 'scalar' || read.site.domain !== 'string') return undefined;
  return compare(read, among([], [test(constant)]), sense);
}

/** `list.exists(v, …)` and `list.all(v, …)` where the body speaks of nothing but the element. */
function quantified(e: ComprehensionExpression, sense: boolean, scope: Scope): Formula | undefined {
  const [name] = e.variables;
  if ((e.macro !== 'exists' && e.macro !== 'all') || e.variables.length !== 1 || name === undefined || scope.local !== undefined)
    return undefined;
  const read = readIn(e.range, scope);
  if (read?.shape !== 'list' || read.site.domain === 'any') return undefined;
  const local: Local = { name, site: { path: element, domain: read.site.domain, optional: false } };
  const some = (e.macro === 'exists') === sense;
  // What some element must be, or what none may be. Of a typed element no test can fail, so what is not true of it is false.
  const wanted = truthIn(e.body, some ? sense : e.macro === 'exists', { ...scope, local });
  const alternatives = disjunctive(wanted, limits.analysisConjunctionsMax);
  if (alternatives === undefined || !alternatives.flat().every((literal) => literal.kind === 'scalar' && literal.path === element))
    return undefined;
  const terms = alternatives.map((literals) => literals.flatMap((literal) => (literal.kind === 'scalar' ? [literal.term] : [])));
  return ofList(read.site, terms, some);
}

/** An expression nobody looks into. Equal texts over equal variables are the same question. */
export function opaque(e: CelExpression, sense: boolean, names: Names): Formula {
  const { reads, constants, uses, fields } = partsOf(e, names);
  const definitions = [...uses]
    .sort()
    .map((name) => `${name} = ${names.variables.find((variable) => variable.name === name)?.program.source ?? ''}`);
  const key = [format(e), ...definitions].join('\n');
  return holding(opaqueLiteral({ key, sense, reads: [...reads], constants: [...constants], fields: [...fields] }));
}

interface Parts {
  readonly reads: Set<string>;
  readonly constants: Set<string | number>;
  readonly uses: Set<string>;
  readonly fields: Set<string>;
}

function partsOf(e: CelExpression, names: Names): Parts {
  const parts: Parts = { reads: new Set(), constants: new Set(), uses: new Set(), fields: new Set() };
  const visit = (here: CelExpression): void => {
    const path = pathOf(here);
    const [root, name] = path?.split('.') ?? [];
    if (path !== undefined && root === 'vars' && name !== undefined) {
      if (parts.uses.has(name)) return;
      parts.uses.add(name);
      const variable = names.variables.find((candidate) => candidate.name === name);
      if (variable !== undefined) visit(variable.program.ast);
      return;
    }
    if (path !== undefined && root !== undefined && Object.hasOwn(names.attributes, root)) {
      if (root === 'data') for (const value of constantsOf(here, names) ?? []) if (typeof value !== 'boolean') parts.constants.add(value);
      parts.reads.add(path);
      return;
    }
    if (here.kind === 'select') parts.fields.add(here.field);
    const constant = constantOf(here, names);
    if (typeof constant === 'string' || typeof constant === 'number') parts.constants.add(constant);
    for (const child of childrenOf(here)) visit(child);
  };
  visit(e);
  return parts;
}
