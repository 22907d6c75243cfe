import type { CelExpression } from '../cel/index.ts';
import type { CompiledData, Variable } from '../compile/compiled.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields, AttributeType } from '../schema/index.ts';
import type { Site } from './literal.ts';
import type { Domain, Scalar } from './scalar.ts';

/** What the names of an expression stand for. */
export interface Names {
  readonly attributes: AttributeFields;
  readonly variables: readonly Variable[];
  readonly data: CompiledData;
}

/** An attribute as an expression reads it: a scalar, a list, or something else that can only be there or not. */
export interface Read {
  readonly site: Site;
  readonly shape: 'scalar' | 'list' | 'other';
  /** The value in place of an absent one: `.?x.orValue("…")`. */
  readonly instead?: Scalar;
}

/** The dotted path of a chain of selections on a name; undefined for anything else. */
export function pathOf(e: CelExpression): string | undefined {
  if (e.kind === 'ident') return e.name.startsWith('.') ? e.name.slice(1) : e.name;
  if (e.kind === 'select') return under(pathOf(e.operand), e.field);
  if (e.kind === 'index' && e.index.kind === 'literal' && typeof e.index.value === 'string') return under(pathOf(e.operand), e.index.value);
  return undefined;
}

function under(path: string | undefined, field: string): string | undefined {
  // A name with a dot in it would read as two.
  return path === undefined || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(field) ? undefined : `${path}.${field}`;
}

const variableRoot = 'vars.';

/** The expression behind `vars.name`; anything else as it is. */
export function unfold(e: CelExpression, { variables }: Names): CelExpression {
  let here = e;
  // Variables cannot refer to each other in a circle, so this ends.
  for (;;) {
    const path = pathOf(here);
    if (path?.startsWith(variableRoot) !== true) return here;
    const found = variables.find(({ name }) => `${variableRoot}${name}` === path);
    if (found === undefined) return here;
    here = found.program.ast;
  }
}

/** The attribute an expression reads; undefined when it is no plain read of one. */
export function readOf(expression: CelExpression, names: Names): Read | undefined {
  const e = unfold(expression, names);
  if (e.kind === 'call' && e.name === 'orValue' && e.target !== undefined) {
    const [argument] = e.args;
    const instead = argument && constantOf(argument, names);
    const inner = e.target.kind === 'select' && e.target.mode === 'optional' ? readAt(pathOf(e.target), names) : undefined;
    return inner === undefined || instead === undefined || inner.shape !== 'scalar' ? undefined : { ...inner, instead };
  }
  if (e.kind === 'select' && e.mode !== 'field') return undefined;
  if (e.kind === 'index' && e.optional) return undefined;
  return readAt(pathOf(e), names);
}

export function readAt(path: string | undefined, { attributes }: Names): Read | undefined {
  if (path === undefined || path.startsWith(variableRoot) || path.startsWith('data.') || path === 'now') return undefined;
  const found = resolveAttribute(attributes, path);
  if (!found.found) return undefined;
  const { type, optional } = found;
  if (type.kind === 'list')
    return { site: { path, domain: domainOf(type.element), optional }, shape: isScalar(type.element) ? 'list' : 'other' };
  if (throughList(attributes, path)) return undefined;
  return { site: { path, domain: domainOf(type), optional }, shape: isScalar(type) ? 'scalar' : 'other' };
}

/** A path through a list collects; CEL knows no such read. */
function throughList(attributes: AttributeFields, path: string): boolean {
  const segments = path.split('.');
  return segments.slice(0, -1).some((_, i) => {
    const found = resolveAttribute(attributes, segments.slice(0, i + 1).join('.'));
    return found.found && found.type.kind === 'list';
  });
}

function isScalar({ kind }: AttributeType): boolean {
  return kind === 'string' || kind === 'int' || kind === 'double' || kind === 'bool' || kind === 'dyn';
}

export function domainOf({ kind }: AttributeType): Domain {
  return kind === 'string' || kind === 'int' || kind === 'double' || kind === 'bool' ? kind : 'any';
}

/** A constant string, number or bool. */
export function constantOf(expression: CelExpression, names: Names): Scalar | undefined {
  const e = unfold(expression, names);
  if (e.kind === 'unary' && e.op === '-') {
    const inner = constantOf(e.operand, names);
    return typeof inner === 'number' ? -inner : undefined;
  }
  if (e.kind !== 'literal') return undefined;
  if (typeof e.value === 'bigint') return Number.isSafeInteger(Number(e.value)) ? Number(e.value) : undefined;
  return typeof e.value === 'string' || typeof e.value === 'number' || typeof e.value === 'boolean' ? e.value : undefined;
}

/** A list of constants: written out, or a DataSet that never goes stale. */
export function constantsOf(expression: CelExpression, names: Names): readonly Scalar[] | undefined {
  const e = unfold(expression, names);
  if (e.kind === 'list') {
    const values = e.elements.map(({ optional, value }) => (optional ? undefined : constantOf(value, names)));
    return values.every((value) => value !== undefined) ? values : undefined;
  }
  const path = pathOf(e);
  if (path?.startsWith('data.') !== true) return undefined;
  const set = names.data.lasting[path.slice('data.'.length)];
  return Array.isArray(set) && set.every(isAtom) ? set : undefined;
}

function isAtom(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
