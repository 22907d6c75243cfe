import type { CelExpression } from './ast.ts';
import type { CelType } from './types.ts';

/** A variable that a macro or `cel.bind` introduces. The slot is its own place in the evaluation frame. */
export interface Local {
  readonly name: string;
  readonly slot: number;
  readonly type: CelType;
}

/** Attributes known to be present on the path that is being checked, as keys of `pathKey`. */
export type Facts = ReadonlySet<string>;

/** What surrounds the expression being checked: locals, innermost last, and what guards have established. */
export interface Context {
  readonly locals: readonly Local[];
  readonly facts: Facts;
}

export const emptyContext: Context = { locals: [], facts: new Set() };

export function withLocals(context: Context, locals: readonly Local[]): Context {
  return { ...context, locals: [...context.locals, ...locals] };
}

export function withFacts(context: Context, facts: Iterable<string>): Context {
  return { ...context, facts: new Set([...context.facts, ...facts]) };
}

export function findLocal(context: Context, name: string): Local | undefined {
  return context.locals.findLast((local) => local.name === name);
}

/** What a node was resolved to. The planner builds on it and never resolves a name itself. */
export type Reference =
  /** `optional`: when the variable is absent, it counts as an object without members. */
  | { readonly kind: 'variable'; readonly name: string; readonly optional: boolean }
  | { readonly kind: 'local'; readonly slot: number }
  | { readonly kind: 'type'; readonly name: string }
  /** Slots of the variables a macro introduces. */
  | { readonly kind: 'slots'; readonly slots: readonly number[] };

export type References = ReadonlyMap<number, Reference>;

/**
 * The names a possibly qualified name may mean, most specific first.
 * SPEC: CEL language definition, "Name resolution": in container `a.b`, `x` means `a.b.x`, `a.x`, then `x`; `.x` only `x`.
 */
export function candidates(name: string, container: string | undefined): string[] {
  if (name.startsWith('.')) return [name.slice(1)];
  const parts = container === undefined || container === '' ? [] : container.split('.');
  const names: string[] = [];
  for (let length = parts.length; length > 0; length -= 1) names.push(`${parts.slice(0, length).join('.')}.${name}`);
  return [...names, name];
}

/** `a.b.c` for a chain of plain field selections on a name; undefined for anything else. */
export function dottedName(e: CelExpression): string | undefined {
  if (e.kind === 'ident') return e.name;
  if (e.kind !== 'select' || e.mode !== 'field') return undefined;
  const operand = dottedName(e.operand);
  return operand === undefined ? undefined : `${operand}.${e.field}`;
}

/** The static attribute path of an expression: its root variable or local and the fields read from it. */
export interface AttributePath {
  readonly root: Reference & { kind: 'variable' | 'local' };
  readonly fields: readonly string[];
}

/** The path an expression reads, whatever the way: `a.b`, `a.?b`, `a["b"]`, `a[?"b"]`, `has(a.b)`. */
export function attributePath(e: CelExpression, references: References): AttributePath | undefined {
  const fields: string[] = [];
  let at = e;
  for (;;) {
    const reference = references.get(at.id);
    if (reference?.kind === 'variable' || reference?.kind === 'local') return { root: reference, fields: fields.reverse() };
    if (at.kind === 'select') fields.push(at.field);
    else if (at.kind === 'index' && at.index.kind === 'literal' && typeof at.index.value === 'string') fields.push(at.index.value);
    else return undefined;
    at = at.operand;
  }
}

/** A text that is equal for equal paths only; field names may hold dots, so they are joined by a line break. */
export function pathKey(path: AttributePath): string {
  const root = path.root.kind === 'local' ? `#${path.root.slot}` : path.root.name;
  return [root, ...path.fields].join('\n');
}
