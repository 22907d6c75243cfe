import { absorb, type Code } from './frame.ts';
import { EvalError, noOverload } from './eval-error.ts';
import { type CelValue, kindOf } from './values.ts';

function settle(code: Code, frame: Parameters<Code>[0]): CelValue | EvalError {
  try {
    return code(frame);
  } catch (thrown) {
    return absorb(thrown);
  }
}

/** The error of an operand that decided nothing: its own, or that it is no bool. */
function failure(op: string, operand: CelValue | EvalError): EvalError {
  return operand instanceof EvalError ? operand : noOverload(op, kindOf(operand));
}

/** SPEC: false && error is false whichever side fails; both sides are evaluated only when needed. */
export function planAnd(left: Code, right: Code): Code {
  return (frame) => {
    const first = settle(left, frame);
    if (first === false) return false;
    if (first === true) {
      const second = right(frame);
      if (typeof second !== 'boolean') throw failure('_&&_', second);
      return second;
    }
    if (settle(right, frame) === false) return false;
    throw failure('_&&_', first);
  };
}

/** SPEC: true || error is true whichever side fails. */
export function planOr(left: Code, right: Code): Code {
  return (frame) => {
    const first = settle(left, frame);
    if (first === true) return true;
    if (first === false) {
      const second = right(frame);
      if (typeof second !== 'boolean') throw failure('_||_', second);
      return second;
    }
    if (settle(right, frame) === true) return true;
    throw failure('_||_', first);
  };
}

export function planNot(operand: Code): Code {
  return (frame) => {
    const value = operand(frame);
    if (typeof value !== 'boolean') throw failure('!_', value);
    return !value;
  };
}

export function planTernary(condition: Code, then: Code, otherwise: Code): Code {
  return (frame) => {
    const value = condition(frame);
    if (value === true) return then(frame);
    if (value === false) return otherwise(frame);
    throw failure('_?_:_', value);
  };
}
