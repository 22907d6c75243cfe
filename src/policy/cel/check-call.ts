import { functionNames, overloadsOf } from './functions/index.ts';
import { type Overload } from './functions/overload.ts';
import { constantProblem } from './constants.ts';
import { nearest } from './suggest.ts';
import { candidates, type Context, dottedName, findLocal } from './scope.ts';
import { type CelType, dynType, formatType } from './types.ts';
import type { CallExpression } from './ast.ts';
import type { Checker } from './check.ts';

/** Resolves a call to the overloads that its operand types allow. */
export function checkCall(checker: Checker, e: CallExpression, context: Context): CelType {
  const namespaced = namespacedName(checker, e, context);
  const wrongName = namespaced === undefined ? unknownInNamespace(checker, e, context) : undefined;
  if (wrongName !== undefined) return wrongName;
  const args = e.target === undefined || namespaced !== undefined ? e.args : [e.target, ...e.args];
  const types = args.map((argument) => checker.visit(argument, context));
  const name = namespaced ?? (e.target === undefined ? globalName(checker, e.name) : e.name);
  const member = e.target !== undefined && namespaced === undefined;
  if (namespaced !== undefined) checker.qualified.add(e.id);
  const known = overloadsOf(name).filter((overload) => overload.member === member);
  if (known.length === 0) return unknownFunction(checker, e, member);
  const matching = match(checker, known, types);
  if (matching.length === 0) return mismatch(checker, e, { known, types });
  checker.calls.set(
    e.id,
    matching.map((found) => found.overload),
  );
  constantProblem(checker, e, name);
  return resultType(checker, matching, types);
}

/** `math.abs(x)`: a function in a namespace, unless `math` is a variable. */
function namespacedName(checker: Checker, e: CallExpression, context: Context): string | undefined {
  const prefix = e.target === undefined ? undefined : dottedName(e.target);
  if (prefix === undefined) return undefined;
  const root = prefix.split('.', 1)[0] ?? '';
  if (findLocal(context, root) !== undefined || Object.hasOwn(checker.environment.variables, root)) return undefined;
  const qualified = candidates(`${prefix}.${e.name}`, checker.environment.container);
  return qualified.find((candidate) => overloadsOf(candidate).some((overload) => !overload.member));
}

/** `math.abz(x)`: what stands before the dot is a namespace of functions and no variable. */
function unknownInNamespace(checker: Checker, e: CallExpression, context: Context): CelType | undefined {
  if (e.target?.kind !== 'ident') return undefined;
  const { name } = e.target;
  const variable = findLocal(context, name) !== undefined || Object.hasOwn(checker.environment.variables, name);
  const known = functionNames(false).filter((candidate) => candidate.startsWith(`${name}.`));
  if (variable || known.length === 0) return undefined;
  for (const argument of e.args) checker.visit(argument, context);
  const full = `${name}.${e.name}`;
  const hint = nearest(full, known) ?? `there are ${known.join(', ')}`;
  return checker.problem({ code: 'UNKNOWN_FUNCTION', message: `there is no function ${full}`, start: e.start, end: e.end, hint });
}

function globalName(checker: Checker, name: string): string {
  const names = candidates(name, checker.environment.container);
  return names.find((candidate) => overloadsOf(candidate).length > 0) ?? name;
}

interface Match {
  readonly overload: Overload;
  readonly params: readonly CelType[];
  readonly result: CelType;
}

function match(checker: Checker, known: readonly Overload[], types: readonly CelType[]): Match[] {
  const found: Match[] = [];
  for (const overload of known) {
    if (overload.params.length !== types.length) continue;
    const names = new Map<string, CelType>();
    const params = overload.params.map((param) => checker.bindings.instantiate(param, names));
    const result = checker.bindings.instantiate(overload.result, names);
    if (checker.bindings.trial(() => fits(checker, params, types))) found.push({ overload, params, result });
  }
  // SPEC: an overload whose parameters are exactly these types hides those that would only take them as dyn.
  const exact = found.filter((candidate) => candidate.params.every((param, index) => param.kind !== 'dyn' || types[index]?.kind === 'dyn'));
  return exact.length > 0 ? exact : found;
}

function fits(checker: Checker, params: readonly CelType[], types: readonly CelType[]): boolean {
  return params.every((param, index) => checker.bindings.assign(param, types[index] ?? dynType));
}

function resultType(checker: Checker, matching: readonly Match[], types: readonly CelType[]): CelType {
  const [first] = matching;
  if (first === undefined) return dynType;
  if (matching.length === 1) {
    fits(checker, first.params, types);
    return first.result;
  }
  const kinds = new Set(matching.map((candidate) => formatType(candidate.overload.result)));
  const simple =
    first.result.kind !== 'list' && first.result.kind !== 'map' && first.result.kind !== 'optional' && first.result.kind !== 'param';
  return kinds.size === 1 && simple ? first.result : dynType;
}

function unknownFunction(checker: Checker, e: CallExpression, member: boolean): CelType {
  const hint = nearest(e.name, functionNames(member));
  const what = member ? `there is no method ${e.name}` : `there is no function ${e.name}`;
  return checker.problem({ code: 'UNKNOWN_FUNCTION', message: what, start: e.start, end: e.end, hint });
}

/** At most this many signatures are shown for a call that fits none. */
const signaturesShown = 4;

function mismatch(checker: Checker, e: CallExpression, tried: { known: readonly Overload[]; types: readonly CelType[] }): CelType {
  const given = tried.types.map((type) => formatType(checker.bindings.resolve(type)));
  const shown = tried.known.slice(0, signaturesShown).map((overload) => showSignature(overload));
  const optional = tried.types.some((type) => type.kind === 'optional')
    ? 'take the value out of the optional with .orValue(default)'
    : undefined;
  return checker.problem({
    code: 'TYPE',
    message: `${e.name} does not take (${given.join(', ')})`,
    start: e.start,
    end: e.end,
    hint: optional ?? `it is ${shown.join(' or ')}`,
  });
}

function showSignature(overload: Overload): string {
  const params = overload.params.map(formatType);
  const target = overload.member ? `${params.shift() ?? ''}.` : '';
  return `${target}${overload.name}(${params.join(', ')})`;
}
