import { compare, equals, mapGet } from './equality.ts';
import { EvalError } from './eval-error.ts';
import { planRaw } from './plan-path.ts';
import { constantList } from './containers.ts';
import { codePoints } from './functions/text.ts';
import { type CelValue, kindOf } from './values.ts';
import type { BinaryExpression, CelExpression } from './ast.ts';
import type { Code, Frame } from './frame.ts';
import type { Planner } from './plan.ts';

type Order = '<' | '<=' | '>' | '>=';

/** A string, bool or null literal: values that are equal exactly when JavaScript says `===`. */
function identityLiteral(e: CelExpression): { readonly value: CelValue } | undefined {
  if (e.kind !== 'literal') return undefined;
  const { value } = e;
  return typeof value === 'string' || typeof value === 'boolean' || value === null ? { value } : undefined;
}

export function planEquality(planner: Planner, e: BinaryExpression): Code {
  const wanted = e.op === '==';
  const [constant, other] =
    identityLiteral(e.right) === undefined ? [identityLiteral(e.left), e.right] : [identityLiteral(e.right), e.left];
  if (constant !== undefined) {
    const { value } = constant;
    return planIdentity(planner, other, { value, wanted });
  }
  const numbers = numericPair(planner, e);
  // Both sides are whole numbers, which JavaScript compares exactly also between a bigint and a number.
  // oxlint-disable-next-line eqeqeq -- `===` would tell 1n from 1
  if (numbers !== undefined) return (frame) => (numbers.left(frame) == numbers.right(frame)) === wanted;
  const left = planner.plan(e.left);
  const right = planner.plan(e.right);
  return (frame) => {
    const value = left(frame);
    if (Array.isArray(value)) frame.charge(value.length);
    return equals(value, right(frame)) === wanted;
  };
}

/** Comparison with a constant whose JavaScript identity decides. The reader is asked only about values of another type. */
function planIdentity(planner: Planner, other: CelExpression, constant: { value: CelValue; wanted: boolean }): Code {
  const { value, wanted } = constant;
  const operand = planner.plan(other);
  if (other.kind !== 'select' || other.mode !== 'field') return (frame) => (operand(frame) === value) === wanted;
  const raw = planRaw(planner, other);
  const type = typeof value;
  return (frame) => {
    const found = raw(frame);
    if (found === value) return wanted;
    return typeof found === type && type !== 'object' ? !wanted : (operand(frame) === value) === wanted;
  };
}

export function planOrder(planner: Planner, e: BinaryExpression, op: Order): Code {
  const numbers = numericPair(planner, e);
  if (numbers !== undefined) return numericOrder(op, numbers.left, numbers.right);
  const left = planner.plan(e.left);
  const right = planner.plan(e.right);
  switch (op) {
    case '<':
      return (frame) => compare(left(frame), right(frame)) < 0;
    case '<=':
      return (frame) => compare(left(frame), right(frame)) <= 0;
    case '>':
      return (frame) => compare(left(frame), right(frame)) > 0;
    case '>=':
      return (frame) => compare(left(frame), right(frame)) >= 0;
  }
}

type NumberCode = (frame: Frame) => number | bigint;

function numericOrder(op: Order, left: NumberCode, right: NumberCode): Code {
  switch (op) {
    case '<':
      return (frame) => left(frame) < right(frame);
    case '<=':
      return (frame) => left(frame) <= right(frame);
    case '>':
      return (frame) => left(frame) > right(frame);
    case '>=':
      return (frame) => left(frame) >= right(frame);
  }
}

/** Both sides as machine numbers where they are surely ints: comparing them needs no bigint to be made. */
function numericPair(planner: Planner, e: BinaryExpression): { left: NumberCode; right: NumberCode } | undefined {
  const left = intCode(planner, e.left);
  const right = left === undefined ? undefined : intCode(planner, e.right);
  return left === undefined || right === undefined ? undefined : { left, right };
}

function intCode(planner: Planner, e: CelExpression): NumberCode | undefined {
  if (e.kind === 'literal' && typeof e.value === 'bigint') {
    const value = Number.isSafeInteger(Number(e.value)) ? Number(e.value) : e.value;
    return () => value;
  }
  if (planner.typeOf(e).kind !== 'int') return undefined;
  if (e.kind === 'select' && e.mode === 'field') {
    const raw = planRaw(planner, e);
    const exact = planner.plan(e);
    // The exact code says what is wrong with data that is not a whole number.
    return (frame) => {
      const value = raw(frame);
      return typeof value === 'number' && Number.isSafeInteger(value) ? value : (exact(frame) as bigint);
    };
  }
  return sizeCode(planner, e);
}

function sizeCode(planner: Planner, e: CelExpression): NumberCode | undefined {
  if (e.kind !== 'call' || e.name !== 'size' || planner.checked.qualified.has(e.id)) return undefined;
  const operand = e.target ?? e.args[0];
  if (operand === undefined) return undefined;
  const code = planner.plan(operand);
  const kind = planner.typeOf(operand).kind;
  const exact = planner.plan(e);
  if (kind !== 'list' && kind !== 'string') return undefined;
  return (frame) => {
    const value = code(frame);
    if (Array.isArray(value)) return value.length;
    return typeof value === 'string' ? codePoints(value) : (exact(frame) as bigint); // `size` gives an int or throws.
  };
}

export function planIn(planner: Planner, e: BinaryExpression): Code {
  const member = planner.plan(e.left);
  const constant = constantList(e.right);
  if (constant?.every((value) => typeof value === 'string') === true) {
    const texts = new Set(constant);
    return (frame) => {
      const value = member(frame);
      return typeof value === 'string' && texts.has(value);
    };
  }
  const container = planner.plan(e.right);
  if (e.left.kind === 'literal' && typeof e.left.value === 'string') return planTextIn(planner, e, e.left.value);
  return (frame) => {
    const value = member(frame);
    return contains(frame, container(frame), value);
  };
}

/** `"text" in list`, the commonest membership test: a list needs no copy of its elements to look for a text. */
function planTextIn(planner: Planner, e: BinaryExpression, text: string): Code {
  const container = planner.plan(e.right);
  const raw = planRaw(planner, e.right);
  return (frame) => {
    const found = raw(frame);
    if (!Array.isArray(found)) return contains(frame, container(frame), text);
    frame.charge(found.length >> 2);
    return found.includes(text);
  };
}

function contains(frame: Frame, container: CelValue, value: CelValue): boolean {
  if (Array.isArray(container)) {
    const list: readonly unknown[] = container;
    frame.charge(list.length >> 2);
    if (typeof value === 'string') return list.includes(value);
    return list.some((element) => equals(element, value));
  }
  const kind = kindOf(container);
  if (kind !== 'map') throw new EvalError('TYPE', `no such overload: ${kindOf(value)} in ${kind}`);
  return mapGet(container as object, value) !== undefined; // Its kind is map.
}
