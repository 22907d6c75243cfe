import { childrenOf, format, parse } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';
import { isKind } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { PolicySpec } from '../documents/kinds/policy.ts';
import type { MatchSpec, ObligationSpec, RuleSpec } from '../documents/kinds/rule.ts';

/** A policy with one small mistake in it. Tests that are worth something notice it. */
export interface Mutant {
  /** What was done, e.g. `p/r: drops the rule`. */
  readonly name: string;
  readonly document: Document & DocumentOf<'Policy'>;
  /** The rule in which the mistake is, by its id: the changed rule, or undefined where it is gone. Absent: it is in the policy's own lines. */
  readonly rule?: { readonly id: string; readonly spec: RuleSpec | undefined };
  /** The policy with the mistake; undefined where nothing is left of it. */
  readonly spec: PolicySpec | undefined;
}

/** Every mutant of the named policies (of all without names): rules dropped, atoms negated, matches widened, obligations weakened. */
export function mutantsOf(documents: readonly Document[], policies: readonly string[] | undefined): Mutant[] {
  return documents.flatMap((document) => {
    if (!isKind(document, 'Policy') || (policies !== undefined && !policies.includes(document.name))) return [];
    return mutatePolicy(document.spec).map(({ name, ...mutation }) => ({ name: `${document.name}${name}`, document, ...mutation }));
  });
}

interface Mutation<T> {
  readonly name: string;
  readonly spec: T | undefined;
}

function mutatePolicy(spec: PolicySpec): (Mutation<PolicySpec> & Pick<Mutant, 'rule'>)[] {
  const found: (Mutation<PolicySpec> & Pick<Mutant, 'rule'>)[] = mutateMatch(spec.match).map(({ name, spec: match }) => ({
    name: `: ${name}`,
    spec: withMatch(spec, match),
  }));
  for (const [i, rule] of spec.rules.entries()) {
    for (const { name, spec: mutated } of mutateRule(rule)) {
      const rules = spec.rules.toSpliced(i, 1, ...(mutated === undefined ? [] : [mutated]));
      const { id } = rule;
      found.push({ name: `/${id}: ${name}`, spec: rules.length === 0 ? undefined : { ...spec, rules }, rule: { id, spec: mutated } });
    }
  }
  return found;
}

function mutateRule(rule: RuleSpec): Mutation<RuleSpec>[] {
  const found: Mutation<RuleSpec>[] = [{ name: 'drops the rule', spec: undefined }];
  found.push(...mutateMatch(rule.match).map(({ name, spec }) => ({ name, spec: withMatch(rule, spec) })));
  for (const part of ['when', 'unless'] as const) {
    const source = rule[part];
    if (source === undefined) continue;
    for (const { name, spec } of mutateCondition(source))
      if (spec !== undefined) found.push({ name: `${part} ${name}`, spec: { ...rule, [part]: spec } });
    const { [part]: _dropped, ...rest } = rule;
    found.push({ name: `drops "${part}"`, spec: rest });
  }
  found.push(...mutateObligations(rule).map(({ name, spec }) => ({ name, spec: withObligations(rule, spec) })));
  found.push(...mutateLimits(rule));
  const { approval } = rule.require ?? {};
  if (approval !== undefined && approval.quorum > 1) {
    found.push({
      name: 'lowers the quorum',
      spec: { ...rule, require: { ...rule.require, approval: { ...approval, quorum: approval.quorum - 1 } } },
    });
  }
  return found;
}

/** Limits ten times as large. */
function mutateLimits(rule: RuleSpec): Mutation<RuleSpec>[] {
  return (rule.limits ?? []).map((limit, i, all) => ({
    name: `raises max of the limit ${limit.name}`,
    spec: { ...rule, limits: all.toSpliced(i, 1, { ...limit, max: limit.max * 10 + 1 }) },
  }));
}

/** A match that asks for less: a line gone, or one of its values. */
function mutateMatch(match: MatchSpec | undefined): Mutation<MatchSpec>[] {
  return Object.entries(match ?? {}).flatMap(([path, value]) => {
    const { [path]: _dropped, ...rest } = match ?? {};
    const found: Mutation<MatchSpec>[] = [{ name: `drops the line ${path}`, spec: rest }];
    const put = (changed: MatchSpec[string]): MatchSpec => ({ ...match, [path]: changed });
    if (!Array.isArray(value))
      return [
        ...found,
        ...mutateOperators(value as Operators).map(({ name, spec }) => ({ name: `${name} of ${path}`, spec: spec && put(spec) })),
      ]; // Array.isArray does not narrow readonly arrays away.
    for (const [i, atom] of value.entries()) {
      if (value.length > 1) found.push({ name: `drops ${String(atom)} from ${path}`, spec: put(value.toSpliced(i, 1)) });
      const wider = typeof atom === 'string' ? widened(atom) : undefined;
      if (wider !== undefined)
        found.push({ name: `widens ${String(atom)} to ${wider} in ${path}`, spec: put(value.toSpliced(i, 1, wider)) });
    }
    return found;
  });
}

type Operators = Exclude<MatchSpec[string], readonly unknown[]>;

/** Bounds one off, and values of `in` and `notIn` gone. */
function mutateOperators(operators: Operators): Mutation<Operators>[] {
  const found: Mutation<Operators>[] = [];
  const { min, max } = operators;
  if (min !== undefined) found.push({ name: `lowers min ${min} to ${min - 1}`, spec: { ...operators, min: min - 1 } });
  if (max !== undefined) found.push({ name: `raises max ${max} to ${max + 1}`, spec: { ...operators, max: max + 1 } });
  for (const key of ['in', 'notIn', 'cidr'] as const) {
    const list = operators[key] ?? [];
    if (list.length < 2) continue;
    for (const [i, atom] of list.entries())
      found.push({
        name: `drops ${String(atom)} from ${key}`,
        spec: { ...operators, [key]: (list as readonly unknown[]).toSpliced(i, 1) } as Operators,
      }); // The same list, shorter.
  }
  return found;
}

/** A glob that stands for more, one part shorter: `alter.*` for `alter.table.*`. Undefined where no part is left: then the line itself is dropped. */
function widened(glob: string): string | undefined {
  const parts = /^(.*[./:])?([^./:*]+[./:])(\*.*)$/.exec(glob);
  return parts?.[1] === undefined || parts[3] === undefined ? undefined : `${parts[1]}${parts[3].replace(/^\*+/, '**')}`;
}

function withMatch<T extends { readonly match?: MatchSpec }>(holder: T, match: MatchSpec | undefined): T {
  const { match: _replaced, ...rest } = holder;
  return (match === undefined || Object.keys(match).length === 0 ? rest : { ...rest, match }) as T; // The same holder with another match.
}

/** Each atom negated, once; each whole number it is compared with moved by one. */
function mutateCondition(source: string): Mutation<string>[] {
  const parsed = parse(source);
  if (!parsed.ok) return [];
  const bounds = boundsIn(parsed.ast).map(({ start, end, value }) => ({
    name: `changes ${value} to ${value + 1n} in ${source
      .slice(Math.max(0, start - 24), end)
      .replaceAll(/\s+/g, ' ')
      .trim()}`,
    spec: `${source.slice(0, start)}${value + 1n}${source.slice(end)}`,
  }));
  return [...negated(parsed.ast), ...bounds];
}

/** Whole numbers that something is compared with: where an author is one off. */
function boundsIn(e: CelExpression): { start: number; end: number; value: bigint }[] {
  const inner = childrenOf(e).flatMap(boundsIn);
  if (e.kind !== 'binary' || !['<', '<=', '>', '>=', '=='].includes(e.op)) return inner;
  const own = [e.left, e.right].flatMap((side) =>
    side.kind === 'literal' && typeof side.value === 'bigint' ? [{ start: side.start, end: side.end, value: side.value }] : [],
  );
  return [...own, ...inner];
}

function negated(ast: CelExpression): Mutation<string>[] {
  return negations(ast).map(({ atom, whole }) => ({ name: `negates ${format(atom)}`, spec: format(whole) }));
}

function negations(expression: CelExpression): { atom: CelExpression; whole: CelExpression }[] {
  if (expression.kind === 'binary' && (expression.op === '&&' || expression.op === '||')) {
    const left = negations(expression.left).map(({ atom, whole }) => ({ atom, whole: { ...expression, left: whole } }));
    return [...left, ...negations(expression.right).map(({ atom, whole }) => ({ atom, whole: { ...expression, right: whole } }))];
  }
  if (expression.kind === 'unary' && expression.op === '!') {
    return negations(expression.operand).map(({ atom, whole }) => ({ atom, whole: { ...expression, operand: whole } }));
  }
  const { id, start, end } = expression;
  return [{ atom: expression, whole: { kind: 'unary', op: '!', operand: expression, id, start, end } }];
}

function mutateObligations({ obligations = [], effect }: RuleSpec): Mutation<readonly ObligationSpec[] | undefined>[] {
  return obligations.flatMap((obligation, i) => {
    const found: Mutation<readonly ObligationSpec[] | undefined>[] = [];
    // A transform without obligations is a rule that is gone.
    const last = obligations.length === 1;
    if (!last || effect !== 'transform')
      found.push({ name: `drops the obligation ${obligation.type} (${i + 1})`, spec: last ? undefined : obligations.toSpliced(i, 1) });
    const weaker = weaken(obligation);
    if (weaker !== undefined)
      found.push({ name: `weakens the obligation ${obligation.type} (${i + 1})`, spec: obligations.toSpliced(i, 1, weaker) });
    return found;
  });
}

function weaken(obligation: ObligationSpec): ObligationSpec | undefined {
  if (obligation.type === 'row_limit') return { ...obligation, max: obligation.max * 10 + 1 };
  if (obligation.type === 'redact' && obligation.select.text.detectors.length > 1)
    return { ...obligation, select: { text: { detectors: obligation.select.text.detectors.slice(1) } } };
  if (obligation.type === 'quarantine' && obligation.scope.length > 1) return { ...obligation, scope: obligation.scope.slice(1) };
  if (obligation.type === 'mask' && obligation.with.strategy !== 'none') return { ...obligation, with: { strategy: 'none' } };
  return undefined;
}

function withObligations(rule: RuleSpec, obligations: readonly ObligationSpec[] | undefined): RuleSpec {
  const { obligations: _replaced, ...rest } = rule;
  return obligations === undefined ? rest : { ...rest, obligations };
}
