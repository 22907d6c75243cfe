import { format, parse } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';
import { isKind } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import type { PolicySpec } from '../documents/kinds/policy.ts';
import type { MatchSpec, ObligationSpec, RuleSpec } from '../documents/kinds/rule.ts';

/** The documents with one small mistake in them. Tests that are worth something notice it. */
export interface Mutant {
  /** What was done, e.g. `p/r: drops the rule`. */
  readonly name: string;
  readonly documents: readonly Document[];
}

/** Every mutant of the named policies (of all without names): rules dropped, atoms negated, matches widened, obligations weakened. */
export function mutantsOf(documents: readonly Document[], policies: readonly string[] | undefined): Mutant[] {
  return documents.flatMap((document) => {
    if (!isKind(document, 'Policy') || (policies !== undefined && !policies.includes(document.name))) return [];
    return mutatePolicy(document.spec).map(({ name, spec }) => ({
      name: `${document.name}${name}`,
      documents: documents.flatMap((other) => (other !== document ? other : spec === undefined ? [] : { ...document, spec })),
    }));
  });
}

interface Mutation<T> {
  readonly name: string;
  readonly spec: T | undefined;
}

function mutatePolicy(spec: PolicySpec): Mutation<PolicySpec>[] {
  const found: Mutation<PolicySpec>[] = mutateMatch(spec.match).map(({ name, spec: match }) => ({
    name: `: ${name}`,
    spec: withMatch(spec, match),
  }));
  for (const [i, rule] of spec.rules.entries()) {
    for (const { name, spec: mutated } of mutateRule(rule)) {
      const rules = spec.rules.toSpliced(i, 1, ...(mutated === undefined ? [] : [mutated]));
      found.push({ name: `/${rule.id}: ${name}`, spec: rules.length === 0 ? undefined : { ...spec, rules } });
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
  found.push(...mutateObligations(rule.obligations ?? []).map(({ name, spec }) => ({ name, spec: withObligations(rule, spec) })));
  const { approval } = rule.require ?? {};
  if (approval !== undefined && approval.quorum > 1) {
    found.push({
      name: 'lowers the quorum',
      spec: { ...rule, require: { ...rule.require, approval: { ...approval, quorum: approval.quorum - 1 } } },
    });
  }
  return found;
}

/** A match that asks for less: a line gone, or one of its values. */
function mutateMatch(match: MatchSpec | undefined): Mutation<MatchSpec>[] {
  return Object.entries(match ?? {}).flatMap(([path, value]) => {
    const { [path]: _dropped, ...rest } = match ?? {};
    const found: Mutation<MatchSpec>[] = [{ name: `drops the line ${path}`, spec: rest }];
    if (!Array.isArray(value) || value.length < 2) return found;
    for (const [i, atom] of value.entries())
      found.push({ name: `drops ${String(atom)} from ${path}`, spec: { ...match, [path]: value.toSpliced(i, 1) } });
    return found;
  });
}

function withMatch<T extends { readonly match?: MatchSpec }>(holder: T, match: MatchSpec | undefined): T {
  const { match: _replaced, ...rest } = holder;
  return (match === undefined || Object.keys(match).length === 0 ? rest : { ...rest, match }) as T; // The same holder with another match.
}

/** Each atom negated, once. */
function mutateCondition(source: string): Mutation<string>[] {
  const parsed = parse(source);
  if (!parsed.ok) return [];
  return negations(parsed.ast).map(({ atom, whole }) => ({ name: `negates ${format(atom)}`, spec: format(whole) }));
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

function mutateObligations(obligations: readonly ObligationSpec[]): Mutation<readonly ObligationSpec[]>[] {
  return obligations.flatMap((obligation, i) => {
    const found: Mutation<readonly ObligationSpec[]>[] = [];
    if (obligations.length > 1)
      found.push({ name: `drops the obligation ${obligation.type} (${i + 1})`, spec: obligations.toSpliced(i, 1) });
    const weaker = weaken(obligation);
    if (weaker !== undefined)
      found.push({ name: `weakens the obligation ${obligation.type} (${i + 1})`, spec: obligations.toSpliced(i, 1, weaker) });
    return found;
  });
}

function weaken(obligation: ObligationSpec): ObligationSpec | undefined {
  if (obligation.type === 'row_limit') return { ...obligation, max: obligation.max * 10 + 1 };
  if (obligation.type === 'mask' && obligation.with.strategy !== 'none') return { ...obligation, with: { strategy: 'none' } };
  return undefined;
}

function withObligations(rule: RuleSpec, obligations: readonly ObligationSpec[] | undefined): RuleSpec {
  const { obligations: _replaced, ...rest } = rule;
  return obligations === undefined ? rest : { ...rest, obligations };
}
