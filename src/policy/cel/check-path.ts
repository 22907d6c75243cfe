import { nearest } from './suggest.ts';
import { attributePath, candidates, type Context, dottedName, findLocal, pathKey } from './scope.ts';
import { isNumeric } from './unify.ts';
import { boolType, type CelField, type CelType, dynType, formatType } from './types.ts';
import type { Checker } from './check.ts';
import type { CelExpression, IdentExpression, IndexExpression, SelectExpression } from './ast.ts';

/** Types as values, by the names they have in expressions. */
const typeIdents: Readonly<Record<string, string>> = {
  bool: 'bool',
  int: 'int',
  uint: 'uint',
  double: 'double',
  string: 'string',
  bytes: 'bytes',
  list: 'list',
  map: 'map',
  type: 'type',
  null_type: 'null_type',
  optional_type: 'optional_type',
  'google.protobuf.Timestamp': 'google.protobuf.Timestamp',
  'google.protobuf.Duration': 'google.protobuf.Duration',
  'net.IP': 'net.IP',
  'net.CIDR': 'net.CIDR',
  'net.URL': 'net.URL',
  'kubernetes.Quantity': 'kubernetes.Quantity',
  'kubernetes.Semver': 'kubernetes.Semver',
};

/** Resolves a whole dotted name as a variable or a type; undefined when it is neither. */
function resolveName(checker: Checker, e: CelExpression, name: string): CelType | undefined {
  const { variables, container } = checker.environment;
  for (const candidate of candidates(name, container)) {
    const variable = Object.hasOwn(variables, candidate) ? variables[candidate] : undefined;
    if (variable !== undefined) {
      checker.references.set(e.id, { kind: 'variable', name: candidate, optional: variable.optional === true });
      return variable.type;
    }
    const type = Object.hasOwn(typeIdents, candidate) ? typeIdents[candidate] : undefined;
    if (type !== undefined) {
      checker.references.set(e.id, { kind: 'type', name: type });
      return { kind: 'type' };
    }
  }
  return undefined;
}

export function checkIdent(checker: Checker, e: IdentExpression, context: Context): CelType {
  const local = findLocal(context, e.name);
  if (local !== undefined) {
    checker.references.set(e.id, { kind: 'local', slot: local.slot });
    return local.type;
  }
  const type = resolveName(checker, e, e.name);
  if (type !== undefined) return presentRoot(checker, e, type);
  const hint = nearest(e.name, [...Object.keys(checker.environment.variables), ...context.locals.map((known) => known.name)]);
  return checker.problem({ code: 'UNKNOWN_ATTRIBUTE', message: `there is no attribute ${e.name} here`, start: e.start, end: e.end, hint });
}

export function checkSelect(checker: Checker, e: SelectExpression, context: Context): CelType {
  const qualified = e.mode === 'field' ? qualifiedName(checker, e, context) : undefined;
  if (qualified !== undefined) return qualified;
  const operand = visitOperand(checker, e.operand, context);
  const place = { start: e.end - e.field.length - (e.mode === 'test' ? 1 : 0), end: e.mode === 'test' ? e.end - 1 : e.end };
  const read: FieldRead = { e, field: e.field, place, guarded: e.mode !== 'field' || isPresent(checker, e, context) };
  const type = fieldType(checker, operand, read);
  if (e.mode === 'test') return boolType;
  return e.mode === 'optional' && type.kind !== 'optional' ? { kind: 'optional', value: type } : type;
}

/** A variable that may be absent is only good for reading members of it, each with a guard. */
function presentRoot(checker: Checker, e: CelExpression, type: CelType): CelType {
  const reference = checker.references.get(e.id);
  if (reference?.kind !== 'variable' || !reference.optional || checker.membersOnly.has(e.id)) return type;
  const { start, end } = e;
  const hint = `read its members with has(${reference.name}.x) && … or ${reference.name}.?x`;
  checker.problem({ code: 'OPTIONAL_UNGUARDED', message: `${reference.name} may be absent`, start, end, hint });
  return type;
}

function visitOperand(checker: Checker, operand: CelExpression, context: Context): CelType {
  checker.membersOnly.add(operand.id);
  return checker.visit(operand, context);
}

/** Whether the operand is a variable that may be absent, so that each of its members may be. */
function ofOptionalRoot(checker: Checker, e: CelExpression): boolean {
  const operand = e.kind === 'select' || e.kind === 'index' ? checker.references.get(e.operand.id) : undefined;
  return operand?.kind === 'variable' && operand.optional;
}

/** `a.b.c` may be one variable or type with that name; the longest wins, a local never has dots. */
function qualifiedName(checker: Checker, e: SelectExpression, context: Context): CelType | undefined {
  const name = dottedName(e);
  if (name === undefined || findLocal(context, name.split('.', 1)[0] ?? '') !== undefined) return undefined;
  return resolveName(checker, e, name);
}

interface FieldRead {
  readonly e: CelExpression;
  readonly field: string;
  readonly place: { readonly start: number; readonly end: number };
  /** Absence is handled: by a guard, or because the read itself is optional. */
  readonly guarded: boolean;
}

function isPresent(checker: Checker, e: CelExpression, context: Context): boolean {
  const path = attributePath(e, checker.references);
  return path !== undefined && context.facts.has(pathKey(path));
}

function fieldType(checker: Checker, operand: CelType, read: FieldRead): CelType {
  const { field } = read;
  switch (operand.kind) {
    case 'dyn':
    case 'param':
      return dynType;
    case 'map':
      return checker.bindings.shallow(operand.value);
    case 'optional': {
      const inner = fieldType(checker, checker.bindings.shallow(operand.value), { ...read, guarded: true });
      return inner.kind === 'optional' ? inner : { kind: 'optional', value: inner };
    }
    case 'object': {
      const known = Object.hasOwn(operand.fields, field) ? operand.fields[field] : undefined;
      if (known !== undefined) return declaredType(checker, known, read);
      if (operand.open === true) return dynType;
      const hint =
        nearest(field, Object.keys(operand.fields)) ??
        (Object.keys(operand.fields).length === 0 ? 'it has none' : `it has ${Object.keys(operand.fields).join(', ')}`);
      return checker.problem({ code: 'UNKNOWN_ATTRIBUTE', message: `${operand.name} has no attribute ${field} here`, ...read.place, hint });
    }
    default: {
      const message = `${formatType(checker.bindings.resolve(operand))} has no fields`;
      return checker.problem({
        code: 'TYPE',
        message,
        ...read.place,
        hint: operand.kind === 'list' ? 'look into a list with .exists(x, x.…) or .all(x, x.…)' : undefined,
      });
    }
  }
}

function declaredType(checker: Checker, known: CelField, read: FieldRead): CelType {
  if ((known.optional === true || ofOptionalRoot(checker, read.e)) && !read.guarded) {
    const name = dottedName(read.e) ?? `….${read.field}`;
    checker.problem({
      code: 'OPTIONAL_UNGUARDED',
      message: `${name} may be absent`,
      start: read.e.start,
      end: read.e.end,
      hint: `write has(${name}) && … before it, or ${name.replace(/\.([^.]*)$/, '.?$1')}.orValue(default)`,
    });
  }
  return known.type;
}

export function checkIndex(checker: Checker, e: IndexExpression, context: Context): CelType {
  const operand = visitOperand(checker, e.operand, context);
  const index = checker.visit(e.index, context);
  const type = indexType(checker, e, { operand, index, guarded: e.optional || isPresent(checker, e, context) });
  return e.optional && type.kind !== 'optional' ? { kind: 'optional', value: type } : type;
}

function indexType(checker: Checker, e: IndexExpression, known: { operand: CelType; index: CelType; guarded: boolean }): CelType {
  const { operand, index } = known;
  const place = { start: e.index.start, end: e.index.end };
  const flexible = index.kind === 'dyn' || index.kind === 'param';
  switch (operand.kind) {
    case 'dyn':
    case 'param':
      return dynType;
    case 'optional': {
      const inner = indexType(checker, e, { ...known, operand: checker.bindings.shallow(operand.value), guarded: true });
      return inner.kind === 'optional' ? inner : { kind: 'optional', value: inner };
    }
    case 'list':
      if (index.kind === 'int' || flexible) return checker.bindings.shallow(operand.element);
      return checker.problem({
        code: 'TYPE',
        message: `a list index is an int, this is ${formatType(checker.bindings.resolve(index))}`,
        ...place,
      });
    case 'map':
      if ((isNumeric(index) && isNumeric(checker.bindings.shallow(operand.key))) || checker.bindings.assign(operand.key, index))
        return checker.bindings.shallow(operand.value);
      return checker.problem({
        code: 'TYPE',
        message: `this map has ${formatType(checker.bindings.resolve(operand.key))} keys, not ${formatType(checker.bindings.resolve(index))}`,
        ...place,
      });
    case 'object':
      if (e.index.kind === 'literal' && typeof e.index.value === 'string') {
        return fieldType(checker, operand, { e, field: e.index.value, place, guarded: known.guarded });
      }
      if (index.kind === 'string' || flexible) return dynType;
      return checker.problem({ code: 'TYPE', message: `attributes have string names, this is ${formatType(index)}`, ...place });
    default:
      return checker.problem({
        code: 'TYPE',
        message: `${formatType(checker.bindings.resolve(operand))} cannot be indexed`,
        start: e.start,
        end: e.end,
      });
  }
}
