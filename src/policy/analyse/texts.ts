import type { Bundle } from '../bundle.ts';
import type { CompiledRule, Condition, Variable } from '../compile/compiled.ts';
import { isKind, specNode } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import { placeInside } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import type { CelExpression } from '../cel/index.ts';
import type { Place } from '../problem.ts';
import type { AttributeFields } from '../schema/index.ts';
import type { Names } from './expression.ts';
import { sourcesOf } from './ground.ts';

/** A CEL expression as it stands in a document, with what its names mean. */
export interface WrittenExpression {
  /** What it belongs to, for a person: `the rule "p/d"`, `the exception "e"`. */
  readonly owner: string;
  readonly part: string;
  /** The rule it is about; absent for variables that several rules may read. */
  readonly rule?: CompiledRule;
  /** Rules it bears on, for findings. */
  readonly rules: readonly string[];
  readonly node: Node;
  readonly source: string;
  readonly ast: CelExpression;
  readonly names: Names;
}

/** Every CEL expression of rules, variables, exceptions and rollouts, each where it stands. */
export function* expressionsOf(documents: readonly Document[], bundle: Bundle): Generator<WrittenExpression> {
  const { rules, data } = bundle.compiled;
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  const sources = sourcesOf(documents);
  const namesOf = (attributes: AttributeFields, variables: readonly Variable[]): Names => ({ attributes, variables, data });
  for (const rule of rules) {
    const source = sources.get(rule.id);
    if (source === undefined) continue;
    const names = namesOf(rule.attributes, rule.policy.variables);
    const at = (path: readonly (string | number)[]): Node => specNode(source.document, ['rules', source.position, ...path]);
    const shared = { owner: `the rule "${rule.id}"`, rule, rules: [rule.id], names };
    for (const { part, condition, path } of partsOf(rule))
      yield { ...shared, part, node: at(path), source: condition.program.source, ast: condition.program.ast };
  }
  const firstOf = Map.groupBy(rules, ({ policy }) => policy.name);
  for (const document of documents) {
    if (isKind(document, 'Policy')) yield* variablesIn(document, firstOf.get(document.name)?.[0], namesOf);
    else if (isKind(document, 'Library')) {
      const { target, phase = 'request' } = document.spec;
      yield* variablesIn(
        document,
        rules.find(({ policy }) => policy.target === target && policy.phase === phase),
        namesOf,
      );
    } else if (isKind(document, 'Exception')) {
      for (const { policy, rules: waived } of document.spec.waives) {
        const [rule] = waived.flatMap((id) => byId.get(`${policy}/${id}`) ?? []);
        const when = rule?.changes.exceptions.find(({ name }) => name === document.name)?.when;
        if (rule === undefined || when === undefined) continue;
        const names = namesOf(rule.attributes, rule.policy.variables);
        const { source, ast } = when.program;
        const node = specNode(document, ['scope', 'when']);
        yield {
          owner: `the exception "${document.name}"`,
          part: 'when',
          rules: waived.map((id) => `${policy}/${id}`),
          node,
          source,
          ast,
          names,
        };
        break;
      }
    }
  }
}

function partsOf(rule: CompiledRule): { part: string; condition: Condition; path: readonly (string | number)[] }[] {
  const found = [
    { part: 'when', condition: rule.when, path: ['when'] },
    { part: 'unless', condition: rule.unless, path: ['unless'] },
    { part: 'unlessValid', condition: rule.unlessValid?.input, path: ['unlessValid', 'input'] },
    ...rule.limits.map(({ cost }, i) => ({ part: 'limits', condition: cost, path: ['limits', i, 'cost'] })),
    ...rule.obligations.map(({ forEach }, i) => ({
      part: 'obligations',
      condition: forEach?.list,
      path: ['obligations', i, 'forEach', 'in'],
    })),
  ];
  return found.flatMap(({ condition, ...rest }) => (condition === undefined ? [] : [{ ...rest, condition }]));
}

function* variablesIn(
  document: Document & { readonly kind: 'Policy' | 'Library' },
  rule: CompiledRule | undefined,
  namesOf: (attributes: AttributeFields, variables: readonly Variable[]) => Names,
): Generator<WrittenExpression> {
  if (rule === undefined) return;
  const rules = document.kind === 'Policy' ? document.spec.rules.map(({ id }) => `${document.name}/${id}`) : [];
  for (const name of Object.keys(document.spec.variables ?? {})) {
    const variable = rule.policy.variables.find((candidate) => candidate.name === name);
    if (variable === undefined) continue;
    const { source, ast } = variable.program;
    yield {
      owner: `the variable "${name}"`,
      part: 'variables',
      rules,
      node: specNode(document, ['variables', name]),
      source,
      ast,
      names: namesOf(rule.attributes, rule.policy.variables),
    };
  }
}

/** Where a part of an expression stands in its file. */
export function placeOfPart({ node, source }: Pick<WrittenExpression, 'node' | 'source'>, start: number): Place {
  if (node.kind !== 'scalar') return node;
  const lineStart = source.lastIndexOf('\n', start - 1) + 1;
  return placeInside(node, source.slice(0, lineStart).split('\n').length, start - lineStart + 1);
}

/** The text of a part of an expression, on one line. */
export function textOfPart(source: string, { start, end }: Pick<CelExpression, 'start' | 'end'>): string {
  const text = source.slice(start, end).replaceAll(/\s+/g, ' ').trim();
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax - 1)}…` : text;
}

const shownCharsMax = 60;
