import { attributePath, pathKey, type References } from './scope.ts';
import type { CelExpression } from './ast.ts';

/**
 * Attributes that are present whenever `e` is true. They make reads on the other side of `&&` or in the then-branch legal.
 * Sound, not complete: what is not recognised here is not a guard.
 */
export function presentIfTrue(e: CelExpression, references: References): string[] {
  if (e.kind === 'select' && e.mode === 'test') return prefixes(e, references);
  if (e.kind === 'unary' && e.op === '!') return presentIfFalse(e.operand, references);
  if (e.kind === 'binary' && e.op === '&&') return [...presentIfTrue(e.left, references), ...presentIfTrue(e.right, references)];
  if (e.kind === 'binary' && e.op === 'in') return memberGuard(e.left, e.right, references);
  if (e.kind === 'call' && e.name === 'hasValue' && e.target !== undefined && isOptionalRead(e.target))
    return prefixes(e.target, references);
  return [];
}

/** Attributes that are present whenever `e` is false: for the other side of `||` and the else-branch. */
export function presentIfFalse(e: CelExpression, references: References): string[] {
  if (e.kind === 'unary' && e.op === '!') return presentIfTrue(e.operand, references);
  if (e.kind === 'binary' && e.op === '||') return [...presentIfFalse(e.left, references), ...presentIfFalse(e.right, references)];
  return [];
}

function isOptionalRead(e: CelExpression): boolean {
  return (e.kind === 'select' && e.mode === 'optional') || (e.kind === 'index' && e.optional);
}

/** `has(a.b.c)` also shows that `a.b` is there. */
function prefixes(e: CelExpression, references: References): string[] {
  const path = attributePath(e, references);
  if (path === undefined) return [];
  return path.fields.map((_, index) => pathKey({ root: path.root, fields: path.fields.slice(0, index + 1) }));
}

function memberGuard(key: CelExpression, container: CelExpression, references: References): string[] {
  const path = attributePath(container, references);
  if (path === undefined || key.kind !== 'literal' || typeof key.value !== 'string') return [];
  return [pathKey({ root: path.root, fields: [...path.fields, key.value] })];
}
