import type { CelExpression } from '../../cel/index.ts';

export const arithmetic: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%']);

/** Integers for certain. Numbers that come out of a JSON document are doubles to the evaluator, integers to their author. */
function isInteger(e: CelExpression): boolean {
  if (e.kind === 'ternary') return isInteger(e.then) && isInteger(e.otherwise);
  if (e.kind === 'binary') return arithmetic.has(e.op) && isInteger(e.left) && isInteger(e.right);
  return isIntegerLeaf(e);
}

/** An integer in at least one of the ways it can come about: then its author counts in integers. */
export function mayBeInteger(e: CelExpression): boolean {
  if (e.kind === 'ternary') return mayBeInteger(e.then) || mayBeInteger(e.otherwise);
  if (e.kind === 'binary') return arithmetic.has(e.op) && (e.op === '/' || e.op === '%' || mayBeInteger(e.left) || mayBeInteger(e.right));
  return isIntegerLeaf(e);
}

function isIntegerLeaf(e: CelExpression): boolean {
  if (e.kind === 'literal') return typeof e.value === 'bigint';
  if (e.kind === 'call') return integerFunctions.has(e.name);
  return e.kind === 'unary' && isInteger(e.operand);
}

const integerFunctions: ReadonlySet<string> = new Set([
  'size',
  'int',
  'indexOf',
  'lastIndexOf',
  'compareTo',
  'major',
  'minor',
  'patch',
  'prefixLength',
]);

/** Whether an operand must be converted to be the integer its author takes it for. */
export function needsInt(e: CelExpression): boolean {
  // Arithmetic that may be about integers is made to be, operand by operand.
  if (isInteger(e) || (e.kind === 'binary' && mayBeInteger(e))) return false;
  return ['select', 'index', 'ident', 'ternary', 'binary', 'unary'].includes(e.kind) || isUnwrap(e);
}

function isUnwrap(e: CelExpression): boolean {
  return e.kind === 'call' && (e.name === 'orValue' || e.name === 'value');
}
