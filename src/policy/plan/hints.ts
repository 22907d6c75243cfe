import { childrenOf } from '../cel/index.ts';
import type { CallExpression, CelExpression } from '../cel/index.ts';
import { infixPattern, prefixPattern, suffixPattern } from '../analyse/pattern.ts';
import type { Pattern } from '../analyse/pattern.ts';
import { samplesOf } from '../analyse/pattern-samples.ts';

/** A value worth trying for an attribute, with the words in which a class of requests is described. */
export interface Hint {
  readonly path: string;
  readonly label: string;
  readonly value: string | number | boolean;
  /** All texts it stands for, where it is more than one. */
  readonly pattern?: Pattern | undefined;
}

/** Takes what the reading of a condition finds. */
export interface HintSink {
  value(hint: Hint): void;
  /** Attributes that are compared with each other: each is tried with the other's values. */
  link(a: string, b: string): void;
  /** The attribute's size is compared with this number. */
  size(path: string, items: number): void;
  /** The attribute may be there or not. */
  exists(path: string): void;
  /** The attribute is looked through like a list. */
  list(path: string): void;
  /** Something that no value could be derived from, in words. */
  opaque(path: string, why: string): void;
}

/** What names mean inside a condition. */
export interface Names {
  /** Conditions behind `vars.name`. */
  readonly variables: ReadonlyMap<string, CelExpression>;
  /** Values of the DataSets that are lists. */
  readonly data: (name: string) => readonly unknown[];
  /** Macro variables → the attribute whose elements they are. */
  readonly bound: ReadonlyMap<string, string>;
}

/** Reads the literals a condition compares attributes with: the places where its answer can change. */
export function hintsOf(e: CelExpression, names: Names, sink: HintSink): void {
  const path = pathOf(e, names);
  // A path that stands alone is a truth value or an operand; whoever holds the schema knows which.
  if (path !== undefined) sink.value({ path, label: 'true', value: true });
  switch (e.kind) {
    case 'binary':
      relate(e, names, sink);
      break;
    case 'call':
      ofCall(e, names, sink);
      break;
    case 'select': {
      const tested = e.mode === 'test' || e.mode === 'optional' ? pathOf({ ...e, mode: 'field' }, names) : undefined;
      if (tested !== undefined) sink.exists(tested);
      break;
    }
    case 'comprehension':
    case 'optional-map':
    case 'bind':
      return inside(e, names, sink);
    default:
  }
  for (const child of childrenOf(e)) hintsOf(child, names, sink);
}

/** Macros give their variable a meaning: the attribute whose elements it goes over. */
function inside(e: CelExpression & { readonly kind: 'comprehension' | 'optional-map' | 'bind' }, names: Names, sink: HintSink): void {
  const range = e.kind === 'comprehension' ? e.range : e.kind === 'bind' ? e.value : e.target;
  const path = pathOf(range, names);
  if (path !== undefined && e.kind === 'comprehension') sink.list(path);
  hintsOf(range, names, sink);
  const name = e.kind === 'comprehension' ? e.variables.at(-1) : e.name;
  const bound = new Map(names.bound);
  if (name !== undefined && path !== undefined) bound.set(name, path);
  else if (name !== undefined) bound.set(name, '');
  const inner = { ...names, bound };
  if (e.kind === 'comprehension' && e.filter !== undefined) hintsOf(e.filter, inner, sink);
  hintsOf(e.body, inner, sink);
}

function relate(e: CelExpression & { readonly kind: 'binary' }, names: Names, sink: HintSink): void {
  const { op, left, right } = e;
  if (op === '&&' || op === '||') return;
  const [a, b] = [pathOf(left, names), pathOf(right, names)];
  if (a !== undefined && b !== undefined) return sink.link(a, b);
  const sized = sizeOf(left, names) ?? sizeOf(right, names);
  const path = a ?? b ?? sized;
  if (path === undefined) return;
  const values = valuesOf(a === undefined && sizeOf(left, names) === undefined ? left : right, names);
  if (values === undefined) return sink.opaque(path, `"${op}" with a computed value`);
  for (const value of values) {
    if (typeof value === 'number' && sized !== undefined) sink.size(sized, value);
    else if (typeof value === 'number' && op !== '==' && op !== '!=' && op !== 'in') {
      for (const near of [value - 1, value, value + 1]) sink.value({ path, label: String(near), value: near });
    } else sink.value({ path, label: String(value), value });
  }
}

function sizeOf(e: CelExpression, names: Names): string | undefined {
  if (e.kind !== 'call' || e.name !== 'size') return undefined;
  const of = e.target ?? e.args[0];
  return of === undefined ? undefined : pathOf(of, names);
}

function ofCall(e: CallExpression, names: Names, sink: HintSink): void {
  const path = e.target === undefined ? undefined : pathOf(e.target, names);
  const [first] = e.args;
  if (path === undefined || first === undefined) return;
  if (e.name === 'orValue') {
    sink.exists(path);
    for (const value of valuesOf(first, names) ?? []) sink.value({ path, label: String(value), value });
    return;
  }
  const [text] = valuesOf(first, names) ?? [];
  if (typeof text !== 'string') return;
  switch (e.name) {
    case 'startsWith':
      return sink.value({ path, label: `${text}*`, value: `${text}x`, pattern: prefixPattern(text) });
    case 'endsWith':
      return sink.value({ path, label: `*${text}`, value: `x${text}`, pattern: suffixPattern(text) });
    case 'contains':
      return sink.value({ path, label: `*${text}*`, value: `x${text}x`, pattern: infixPattern(text) });
    case 'matches': {
      const samples = samplesOf(text);
      if (samples.length === 0) sink.opaque(path, `the pattern ${text}`);
      for (const value of samples) sink.value({ path, label: value, value });
      return;
    }
    default:
  }
}

/** The attribute an expression reads, also through `.?`, `orValue`, filters and `vars.name`. */
export function pathOf(e: CelExpression, names: Names): string | undefined {
  switch (e.kind) {
    case 'ident': {
      const name = e.name.replace(/^\./, '');
      return names.bound.has(name) ? names.bound.get(name) || undefined : name;
    }
    case 'select': {
      if (e.mode === 'test') return undefined;
      if (e.operand.kind === 'ident' && e.operand.name === 'vars') {
        const variable = names.variables.get(e.field);
        return variable && pathOf(variable, names);
      }
      const operand = pathOf(e.operand, names);
      return operand === undefined || operand === 'data' ? undefined : `${operand}.${e.field}`;
    }
    case 'index': {
      const operand = pathOf(e.operand, names);
      if (operand === undefined || e.index.kind !== 'literal') return undefined;
      return typeof e.index.value === 'string' ? `${operand}.${e.index.value}` : operand;
    }
    case 'call':
      return e.name === 'orValue' && e.target !== undefined ? pathOf(e.target, names) : undefined;
    case 'comprehension':
      return e.macro === 'filter' || e.macro === 'sortBy' ? pathOf(e.range, names) : undefined;
    default:
      return undefined;
  }
}

/** The constants an expression stands for: a literal, a list of them, a DataSet. */
function valuesOf(e: CelExpression, names: Names): readonly (string | number | boolean)[] | undefined {
  switch (e.kind) {
    case 'literal': {
      const value = typeof e.value === 'bigint' ? Number(e.value) : e.value;
      return isAtom(value) ? [value] : undefined;
    }
    case 'unary': {
      const [value] = valuesOf(e.operand, names) ?? [];
      return e.op === '-' && typeof value === 'number' ? [-value] : undefined;
    }
    case 'list': {
      const parts = e.elements.map(({ value }) => valuesOf(value, names));
      return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
    }
    case 'select':
      return e.operand.kind === 'ident' && e.operand.name === 'data' ? names.data(e.field).filter(isAtom) : undefined;
    default:
      return undefined;
  }
}

function isAtom(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
