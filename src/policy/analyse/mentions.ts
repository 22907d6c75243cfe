import { childrenOf } from '../cel/index.ts';
import type { BinaryExpression, CallExpression, CelExpression } from '../cel/index.ts';
import { constantOf, constantsOf, pathOf, unfold } from './expression.ts';
import type { Names } from './expression.ts';
import type { Scalar } from './scalar.ts';

/** A constant that an expression compares an attribute (or an element of a list of them) with. */
export interface Mention {
  readonly path: string;
  readonly value: Scalar;
  readonly how: 'is' | 'prefix' | 'suffix' | 'infix' | 'matches';
  /** The constant as it stands in the expression; undefined where it stands somewhere else (a DataSet). */
  readonly at: CelExpression | undefined;
}

/** Local names → the attribute whose elements they are. */
type Bound = ReadonlyMap<string, string>;

const relations = new Set(['==', '!=', 'in']);
const textTests: Readonly<Record<string, Mention['how']>> = {
  startsWith: 'prefix',
  endsWith: 'suffix',
  contains: 'infix',
  matches: 'matches',
};

/** What an expression compares attributes with: the words its author believes in. */
export function* mentionsOf(e: CelExpression, names: Names, bound: Bound = new Map()): Generator<Mention> {
  if (e.kind === 'binary' && relations.has(e.op)) yield* compared(e, names, bound);
  else if (e.kind === 'call') yield* tested(e, names, bound);
  if (e.kind !== 'comprehension' && e.kind !== 'bind' && e.kind !== 'optional-map') {
    for (const child of childrenOf(e)) yield* mentionsOf(child, names, bound);
    return;
  }
  const range = e.kind === 'comprehension' ? e.range : e.kind === 'bind' ? e.value : e.target;
  yield* mentionsOf(range, names, bound);
  const inner = new Map(bound);
  const name = e.kind === 'comprehension' ? e.variables.at(-1) : e.name;
  if (name !== undefined) inner.set(name, readPath(range, names, bound) ?? '');
  if (e.kind === 'comprehension' && e.filter !== undefined) yield* mentionsOf(e.filter, names, inner);
  yield* mentionsOf(e.body, names, inner);
}

function* compared(e: BinaryExpression, names: Names, bound: Bound): Generator<Mention> {
  const sides = [
    { read: e.left, constant: e.right },
    { read: e.right, constant: e.left },
  ];
  for (const { read, constant } of sides) {
    const path = readPath(read, names, bound);
    if (path === undefined) continue;
    const one = constantOf(constant, names);
    if (one !== undefined) yield { path, value: one, how: 'is', at: constant };
    else if (e.op === 'in') yield* listed(path, constant, names);
  }
}

function* listed(path: string, e: CelExpression, names: Names): Generator<Mention> {
  const list = unfold(e, names);
  if (list.kind === 'list') {
    for (const { value } of list.elements) {
      const constant = constantOf(value, names);
      if (constant !== undefined) yield { path, value: constant, how: 'is', at: list === e ? value : undefined };
    }
    return;
  }
  for (const value of constantsOf(e, names) ?? []) yield { path, value, how: 'is', at: undefined };
}

function* tested(e: CallExpression, names: Names, bound: Bound): Generator<Mention> {
  const how = Object.hasOwn(textTests, e.name) ? textTests[e.name] : undefined;
  const [first] = e.args;
  if (how === undefined || e.target === undefined || first === undefined) return;
  const path = readPath(e.target, names, bound);
  const value = constantOf(first, names);
  if (path !== undefined && typeof value === 'string') yield { path, value, how, at: first };
}

/** The attribute behind a read: also through `.?`, `orValue`, filters, local names and variables. */
export function readPath(expression: CelExpression, names: Names, bound: Bound): string | undefined {
  const e = unfold(expression, names);
  switch (e.kind) {
    case 'ident':
      return bound.has(e.name) ? bound.get(e.name) || undefined : pathOf(e);
    case 'select': {
      if (e.mode === 'test') return undefined;
      const operand = readPath(e.operand, names, bound);
      return operand === undefined || operand === 'data' ? undefined : `${operand}.${e.field}`;
    }
    case 'index': {
      const operand = readPath(e.operand, names, bound);
      if (operand === undefined || e.index.kind !== 'literal') return undefined;
      return typeof e.index.value === 'string' ? `${operand}.${e.index.value}` : operand;
    }
    case 'call':
      return (e.name === 'orValue' || e.name === 'value') && e.target !== undefined ? readPath(e.target, names, bound) : undefined;
    case 'comprehension':
      return e.macro === 'filter' ? readPath(e.range, names, bound) : undefined;
    default:
      return undefined;
  }
}
