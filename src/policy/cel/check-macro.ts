import { presentIfTrue } from './guards.ts';
import { type Context, withFacts, withLocals } from './scope.ts';
import { boolType, type CelType, dynType, formatType, intType, stringType } from './types.ts';
import type { BindExpression, ComprehensionExpression, OptionalMapExpression } from './ast.ts';
import type { Checker } from './check.ts';

/** What a macro iterates over: the types of its first and second variable in the one- and two-variable forms. */
interface Range {
  readonly key: CelType;
  readonly value: CelType;
  readonly map: boolean;
}

export function checkComprehension(checker: Checker, e: ComprehensionExpression, context: Context): CelType {
  const range = rangeOf(checker, e, checker.visit(e.range, context));
  const item = range.map ? range.key : range.value;
  const types = e.variables.length === 2 ? [range.key, range.value] : [item];
  const locals = e.variables.map((name, index) => checker.local(name, types[index] ?? dynType));
  checker.references.set(e.id, { kind: 'slots', slots: locals.map((local) => local.slot) });
  let inner = withLocals(context, locals);
  if (e.filter !== undefined) {
    checker.condition(e.filter, inner, `the filter of ${e.macro}`);
    inner = withFacts(inner, presentIfTrue(e.filter, checker.references));
  }
  switch (e.macro) {
    case 'all':
    case 'exists':
    case 'exists_one':
    case 'existsOne':
      checker.condition(e.body, inner, e.macro);
      return boolType;
    case 'filter':
      checker.condition(e.body, inner, e.macro);
      return { kind: 'list', element: item };
    case 'map':
    case 'transformList':
      return { kind: 'list', element: checker.visit(e.body, inner) };
    case 'transformMap':
      return { kind: 'map', key: range.key, value: checker.visit(e.body, inner) };
    case 'transformMapEntry':
      return entryType(checker, e, inner);
    case 'sortBy':
      checker.visit(e.body, inner);
      return { kind: 'list', element: item };
  }
}

function rangeOf(checker: Checker, e: ComprehensionExpression, type: CelType): Range {
  switch (type.kind) {
    case 'list':
      return { key: intType, value: checker.bindings.shallow(type.element), map: false };
    case 'map':
      return { key: checker.bindings.shallow(type.key), value: checker.bindings.shallow(type.value), map: true };
    case 'object':
      return { key: stringType, value: dynType, map: true };
    case 'dyn':
    case 'param':
      return { key: dynType, value: dynType, map: false };
    default: {
      const { start, end } = e.range;
      const message = `${e.macro} goes over a list or a map, this is ${formatType(checker.bindings.resolve(type))}`;
      checker.problem({ code: 'TYPE', message, start, end });
      return { key: dynType, value: dynType, map: false };
    }
  }
}

function entryType(checker: Checker, e: ComprehensionExpression, context: Context): CelType {
  const type = checker.visit(e.body, context);
  if (type.kind === 'map') return type;
  if (type.kind !== 'dyn' && type.kind !== 'param') {
    const { start, end } = e.body;
    checker.problem({
      code: 'TYPE',
      message: `transformMapEntry makes map entries, this is ${formatType(checker.bindings.resolve(type))}`,
      start,
      end,
      hint: 'write {key: value}',
    });
  }
  return { kind: 'map', key: dynType, value: dynType };
}

export function checkBind(checker: Checker, e: BindExpression, context: Context): CelType {
  const local = checker.local(e.name, checker.visit(e.value, context));
  checker.references.set(e.id, { kind: 'slots', slots: [local.slot] });
  return checker.visit(e.body, withLocals(context, [local]));
}

export function checkOptionalMap(checker: Checker, e: OptionalMapExpression, context: Context): CelType {
  const target = checker.visit(e.target, context);
  const inner = checker.bindings.fresh();
  if (target.kind !== 'dyn' && !checker.bindings.assign({ kind: 'optional', value: inner }, target)) {
    const { start, end } = e.target;
    const name = e.flat ? 'optFlatMap' : 'optMap';
    checker.problem({
      code: 'TYPE',
      message: `${name} works on an optional value, this is ${formatType(checker.bindings.resolve(target))}`,
      start,
      end,
    });
  }
  const local = checker.local(e.name, target.kind === 'dyn' ? dynType : inner);
  checker.references.set(e.id, { kind: 'slots', slots: [local.slot] });
  const body = checker.visit(e.body, withLocals(context, [local]));
  if (!e.flat) return { kind: 'optional', value: body };
  if (body.kind === 'optional' || body.kind === 'dyn') return body;
  const { start, end } = e.body;
  return checker.problem({
    code: 'TYPE',
    message: `the result of optFlatMap is optional, this is ${formatType(checker.bindings.resolve(body))}`,
    start,
    end,
  });
}
