import { EvalError } from './eval-error.ts';
import { mapGet } from './equality.ts';
import { isInherited, memberReader, type Reader, readerFor } from './read.ts';
import { attributePath } from './scope.ts';
import { CelOptional, CelTypeValue, CelUint, type CelValue, kindOf, typeName } from './values.ts';
import { dynType } from './types.ts';
import type { CelExpression, IdentExpression, IndexExpression, SelectExpression } from './ast.ts';
import type { Code, Frame } from './frame.ts';
import type { Planner } from './plan.ts';
import type { CelType } from './types.ts';

/** A `cel.bind` value that is computed when it is first needed. */
export class Suspended {
  readonly code: Code;
  constructor(code: Code) {
    this.code = code;
  }
}

/** The path an expression reads, as policies and errors write it; undefined when it does not start at a variable. */
function pathText(planner: Planner, e: CelExpression): string | undefined {
  const path = attributePath(e, planner.checked.references);
  return path?.root.kind === 'variable' ? [path.root.name, ...path.fields].join('.') : undefined;
}

/** What a failing read says, and of which attribute. */
function missing(kind: 'NO_SUCH_ATTRIBUTE' | 'NO_SUCH_KEY', what: string, path: string | undefined): EvalError {
  if (kind === 'NO_SUCH_ATTRIBUTE') return new EvalError(kind, `no such attribute: ${path ?? what}`, path ?? what);
  return new EvalError(kind, `no such key: ${what}${path === undefined ? '' : ` in ${path}`}`, path);
}

export function planIdent(planner: Planner, e: IdentExpression): Code {
  const raw = planRawIdent(planner, e);
  const reference = planner.checked.references.get(e.id);
  if (reference?.kind !== 'variable') return raw as Code; // Locals are read when they are set, types are values.
  const read = readerFor(planner.typeOf(e), reference.name);
  return (frame) => read(raw(frame));
}

function planRawIdent(planner: Planner, e: IdentExpression): (frame: Frame) => unknown {
  const reference = planner.checked.references.get(e.id);
  switch (reference?.kind) {
    case 'local': {
      const { slot } = reference;
      return (frame) => {
        const value = frame.slots[slot];
        if (!(value instanceof Suspended)) return value;
        const computed = value.code(frame);
        frame.slots[slot] = computed;
        return computed;
      };
    }
    case 'type': {
      const value = new CelTypeValue(reference.name);
      return () => value;
    }
    case 'variable':
      return variableCode(reference.name, reference.optional);
    default:
      return () => {
        throw missing('NO_SUCH_ATTRIBUTE', e.name, undefined);
      };
  }
}

const nothing = Object.freeze({});

function variableCode(name: string, optional: boolean): (frame: Frame) => unknown {
  return (frame) => {
    const value = frame.lookup(name);
    if (value !== undefined) return value;
    if (optional) return nothing;
    throw missing('NO_SUCH_ATTRIBUTE', name, name);
  };
}

/** Reads an operand as it comes from outside, without making a value of it: the member that is read from it decides. */
export function planRaw(planner: Planner, e: CelExpression): (frame: Frame) => unknown {
  if (e.kind === 'ident') return planRawIdent(planner, e);
  if (e.kind === 'select' && e.mode === 'field') return planRawSelect(planner, e);
  return planner.plan(e);
}

function planRawSelect(planner: Planner, e: SelectExpression): (frame: Frame) => unknown {
  const reference = planner.checked.references.get(e.id);
  if (reference?.kind === 'variable') return variableCode(reference.name, reference.optional);
  if (reference?.kind === 'type') {
    const value = new CelTypeValue(reference.name);
    return () => value;
  }
  const operand = planRaw(planner, e.operand);
  const path = pathText(planner, e);
  const member = memberReader(e.field, path);
  const declared = planner.typeOf(e.operand).kind === 'object';
  const careful = (frame: Frame): unknown => {
    const container = operand(frame);
    if (container instanceof CelOptional) return optionalMember(container, (inner) => member(inner));
    const value = member(container);
    if (value === undefined) throw missing(declared ? 'NO_SUCH_ATTRIBUTE' : 'NO_SUCH_KEY', `'${e.field}'`, path);
    return value;
  };
  const root = planner.checked.references.get(e.operand.id);
  return root?.kind === 'variable' ? quickMember(root.name, e.field, careful) : careful;
}

/** `variable.field`, the commonest read of all, when the variable is a plain object that has the member; otherwise the careful way. */
function quickMember(name: string, field: string, careful: (frame: Frame) => unknown): (frame: Frame) => unknown {
  if (isInherited(field)) return careful;
  return (frame) => {
    const container = frame.lookup(name);
    if (typeof container === 'object' && container !== null && Object.getPrototypeOf(container) === Object.prototype) {
      const value: unknown = (container as Readonly<Record<string, unknown>>)[field];
      if (value !== undefined) return value;
    }
    return careful(frame);
  };
}

export function planSelect(planner: Planner, e: SelectExpression): Code {
  const read = readerFor(planner.typeOf(e), pathText(planner, e));
  if (e.mode === 'field') {
    const raw = planRawSelect(planner, e);
    return (frame) => read(raw(frame));
  }
  const operand = planRaw(planner, e.operand);
  const member = memberReader(e.field, pathText(planner, e));
  if (e.mode === 'test') {
    return (frame) => {
      const container = operand(frame);
      const inner = container instanceof CelOptional ? container.value : container;
      return inner !== undefined && member(inner) !== undefined;
    };
  }
  return (frame) => {
    const container = operand(frame);
    return optionalMember(container instanceof CelOptional ? container : new CelOptional(container as CelValue), member, read);
  };
}

/** A member of an optional container: none when the container or the member is absent. */
function optionalMember(container: CelOptional, member: (inner: unknown) => unknown, read?: Reader): CelOptional {
  if (container.value === undefined) return CelOptional.none;
  const value = member(container.value);
  if (value === undefined) return CelOptional.none;
  const made = read === undefined ? (value as CelValue) : read(value);
  return made instanceof CelOptional ? made : new CelOptional(made);
}

export function planIndex(planner: Planner, e: IndexExpression): Code {
  const operand = planRaw(planner, e.operand);
  const path = pathText(planner, e) ?? pathText(planner, e.operand);
  const read = readerFor(planner.typeOf(e), path);
  const index = planner.plan(e.index);
  if (e.optional) {
    return (frame) => {
      const container = operand(frame);
      const key = index(frame);
      const wrapped = container instanceof CelOptional ? container : new CelOptional(container as CelValue);
      return optionalMember(wrapped, (inner) => elementAt(inner, key), read);
    };
  }
  return (frame) => {
    const container = operand(frame);
    const key = index(frame);
    if (container instanceof CelOptional) return optionalMember(container, (inner) => elementAt(inner, key), read);
    const value = elementAt(container, key);
    if (value === undefined) throw noElement(container, key, path);
    return read(value);
  };
}

function noElement(container: unknown, key: CelValue, path: string | undefined): EvalError {
  if (Array.isArray(container))
    return new EvalError('RANGE', `index out of bounds: ${listIndex(key)} in a list of ${container.length}`, path);
  // A computed key may be data, which messages do not repeat; a constant one is part of the path.
  return new EvalError('NO_SUCH_KEY', `no such key${path === undefined ? '' : `: ${path}`}`, path);
}

/** The element of a list or map; undefined when there is none. Throws an `EvalError` when it cannot be indexed so. */
function elementAt(container: unknown, key: CelValue): unknown {
  if (Array.isArray(container)) return container[listIndex(key)] as unknown;
  const kind = kindOf(container);
  if (kind !== 'map') throw new EvalError('TYPE', `no such overload: ${typeName(kind)} cannot be indexed`);
  return mapGet(container as object, key); // Its kind is map.
}

function listIndex(key: CelValue): number {
  const value = key instanceof CelUint ? key.value : key;
  if (typeof value === 'bigint') return Number(value);
  // SPEC: a double is an index when it is integral.
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new EvalError('TYPE', `no such overload: a list index is an int, not ${kindOf(key)}`);
}

/** The reader for a macro's variable, which comes from a list or map of declared elements. */
export function localReader(type: CelType | undefined): Reader {
  return readerFor(type ?? dynType, undefined);
}
