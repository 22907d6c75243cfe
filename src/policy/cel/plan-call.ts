import { absorb, chargeFor, type Code } from './frame.ts';
import { EvalError, noOverload } from './eval-error.ts';
import { accepts, compilePattern, type Overload, overloadsOf } from './functions/index.ts';
import { runOverload } from './functions/overload.ts';
import { readerFor } from './read.ts';
import { CelOptional, type CelValue, kindOf } from './values.ts';
import type { CallExpression, CelExpression } from './ast.ts';
import type { Planner } from './plan.ts';

export function planCall(planner: Planner, e: CallExpression): Code {
  const args = operandsOf(planner, e);
  const special = specialCode(planner, e, args);
  if (special !== undefined) return special;
  // Where the check found nothing it knows, the kinds of the operands decide at run time.
  const known = planner.checked.calls.get(e.id) ?? overloadsOf(e.name).filter((overload) => overload.params.length === args.length);
  const call = dispatch(
    e.name,
    known,
    args.map((argument) => planner.plan(argument)),
  );
  if (args.length > 0 && args.every((argument) => argument.kind === 'literal')) return folded(call);
  return adapted(planner, e, call);
}

/** Arguments of a call, its target first when that is a value and no namespace. */
function operandsOf(planner: Planner, e: CallExpression): readonly CelExpression[] {
  return e.target === undefined || planner.checked.qualified.has(e.id) ? e.args : [e.target, ...e.args];
}

/** Runs the first overload that takes the arguments. */
function dispatch(name: string, known: readonly Overload[], args: readonly Code[]): Code {
  const [first, second] = args;
  if (first !== undefined && args.length === 1) {
    return (frame) => {
      const a = first(frame);
      for (const overload of known) if (takes(overload, 0, a)) return run(frame, overload, [a]);
      throw noOverload(name, kindOf(a));
    };
  }
  if (first !== undefined && second !== undefined && args.length === 2) {
    return (frame) => {
      const a = first(frame);
      const b = second(frame);
      for (const overload of known) if (takes(overload, 0, a) && takes(overload, 1, b)) return run(frame, overload, [a, b]);
      throw noOverload(name, kindOf(a), kindOf(b));
    };
  }
  return (frame) => {
    const values = args.map((code) => code(frame));
    const found = known.find((overload) => values.every((value, index) => takes(overload, index, value)));
    if (found === undefined) throw noOverload(name, ...values.map(kindOf));
    return run(frame, found, values);
  };
}

function takes(overload: Overload, index: number, value: CelValue): boolean {
  const param = overload.params[index];
  return param !== undefined && accepts(param, value);
}

function run(frame: Parameters<Code>[0], overload: Overload, args: readonly CelValue[]): CelValue {
  if (overload.cost !== 'constant') for (const argument of args) chargeFor(frame, argument);
  const result = runOverload(overload, args);
  if (overload.cost !== 'constant') chargeFor(frame, result);
  return result;
}

/** A call of constants is made once; an error it gives is given by every evaluation. */
function folded(call: Code): Code {
  let known: { readonly value: CelValue } | { readonly error: EvalError } | undefined;
  return (frame) => {
    if (known === undefined) {
      try {
        known = { value: call(frame) };
      } catch (thrown) {
        known = { error: absorb(thrown) };
      }
    }
    if ('error' in known) throw known.error;
    return known.value;
  };
}

const scalars = new Set(['int', 'uint', 'double', 'timestamp', 'duration']);

/** What a function takes out of data from outside (a list's maximum…) gets its declared type here. */
function adapted(planner: Planner, e: CallExpression, call: Code): Code {
  const type = planner.typeOf(e);
  const fromData = operandsOf(planner, e).some((argument) => ['list', 'map', 'object', 'optional'].includes(planner.typeOf(argument).kind));
  if (!fromData || !scalars.has(type.kind)) return call;
  const read = readerFor(type, undefined);
  return (frame) => read(call(frame));
}

function specialCode(planner: Planner, e: CallExpression, args: readonly CelExpression[]): Code | undefined {
  const [target, argument] = args;
  if (target === undefined || argument === undefined || args.length !== 2) return undefined;
  switch (e.name) {
    case 'startsWith':
    case 'endsWith':
    case 'contains':
      return textCode(planner, e, { target, argument });
    case 'matches':
      return argument.kind === 'literal' && typeof argument.value === 'string' ? matchCode(planner, target, argument.value) : undefined;
    case 'or':
    case 'orValue':
      return e.target === undefined ? undefined : lazyCode(planner, e.name, { target, argument });
    default:
      return undefined;
  }
}

/** The text tests of most rules, without the dispatch. */
function textCode(planner: Planner, e: CallExpression, operands: { target: CelExpression; argument: CelExpression }): Code | undefined {
  const known = planner.checked.calls.get(e.id);
  if (e.target === undefined || known?.length !== 1 || known[0]?.params[0]?.kind !== 'string') return undefined;
  const text = planner.plan(operands.target);
  const part = planner.plan(operands.argument);
  const test: (a: string, b: string) => boolean =
    e.name === 'contains' ? (a, b) => a.includes(b) : e.name === 'startsWith' ? (a, b) => a.startsWith(b) : (a, b) => a.endsWith(b);
  return (frame) => {
    const a = text(frame);
    const b = part(frame);
    if (typeof a !== 'string' || typeof b !== 'string') throw noOverload(e.name, kindOf(a), kindOf(b));
    return test(a, b);
  };
}

/** A constant pattern is compiled once. One that is no RE2 fails every evaluation; the check has reported it. */
function matchCode(planner: Planner, target: CelExpression, pattern: string): Code {
  const text = planner.plan(target);
  let compiled: ReturnType<typeof compilePattern> | undefined;
  return (frame) => {
    const value = text(frame);
    if (typeof value !== 'string') throw noOverload('matches', kindOf(value), 'string');
    frame.chargeText(value.length);
    compiled ??= compilePattern(pattern);
    return compiled.test(value);
  };
}

/** SPEC: the alternative is evaluated only when the optional is empty. */
function lazyCode(planner: Planner, name: 'or' | 'orValue', operands: { target: CelExpression; argument: CelExpression }): Code {
  const optional = planner.plan(operands.target);
  const alternative = planner.plan(operands.argument);
  return (frame) => {
    const value = optional(frame);
    if (!(value instanceof CelOptional)) throw noOverload(name, kindOf(value));
    if (value.value === undefined) {
      const other = alternative(frame);
      if (name === 'or' && !(other instanceof CelOptional)) throw noOverload(name, 'optional', kindOf(other));
      return other;
    }
    return name === 'or' ? value : value.value;
  };
}
