import type { Phase, Target } from '#model';
import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { problemAt, didYouMean } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { Matcher } from '../match/matcher.ts';
import { celField, requestSchema } from '../schema/index.ts';
import type { AttributeFields } from '../schema/index.ts';
import type { CompiledData, CompiledPolicy, CompiledRule } from './compiled.ts';
import { dataAttribute } from './data.ts';
import type { Scope } from './expression.ts';
import { compileRule } from './rule.ts';
import { compileVariables, refuseTwice } from './variables.ts';

/** What policies of one target and phase share: attributes, and the variables of the libraries. */
export interface Realm {
  readonly attributes: AttributeFields;
  readonly scope: Scope;
  readonly pool: Map<string, Matcher>;
}

/** Realms are made once per target and phase: ten thousand policies share a handful. */
export function realmMaker(
  documents: readonly Document[],
  data: CompiledData,
  problems: Problem[],
): (target: Target, phase: Phase) => Realm {
  const made = new Map<string, Realm>();
  return (target, phase) => {
    const key = `${target} ${phase}`;
    const known = made.get(key);
    if (known !== undefined) return known;
    const attributes = { ...requestSchema(target, phase), data: dataAttribute(data) };
    const variables = Object.fromEntries(Object.entries(attributes).map(([name, attribute]) => [name, celField(attribute)]));
    const sources = documents.flatMap((document) => {
      if (!isKind(document, 'Library') || document.spec.target !== target || (document.spec.phase ?? 'request') !== phase) return [];
      return Object.entries(document.spec.variables).map(([name, source]) => ({
        name,
        source,
        node: specNode(document, ['variables', name]),
      }));
    });
    const names = new Set<string>();
    for (const { name, node } of sources) {
      if (names.has(name)) problems.push(problemAt(node, { code: 'DUPLICATE', message: `two libraries define vars.${name}` }));
      names.add(name);
    }
    const realm = {
      attributes,
      scope: { variables, computed: compileVariables(sources, { variables, computed: [] }, problems) },
      pool: new Map<string, Matcher>(),
    };
    made.set(key, realm);
    return realm;
  };
}

export function compilePolicy(
  document: DocumentOf<'Policy'>,
  context: { readonly realm: Realm; readonly data: CompiledData; readonly problems: Problem[] },
): CompiledRule[] {
  const { spec } = document;
  const { realm, data, problems } = context;
  const node = (path: readonly (string | number)[]) => specNode(document, path);
  const own = Object.entries(spec.variables ?? {}).map(([name, source]) => ({ name, source, node: node(['variables', name]) }));
  const fresh = refuseTwice(own, realm.scope.computed, problems);
  const computed = fresh.length === 0 ? realm.scope.computed : compileVariables(fresh, realm.scope, problems);
  const scope = { ...realm.scope, computed };
  const policy: CompiledPolicy = {
    name: document.name,
    tier: spec.tier,
    risk: spec.risk.class,
    target: spec.target,
    phase: spec.phase ?? 'request',
    points: spec.points && new Set(spec.points),
    facts: spec.requires?.facts ?? [],
    variables: computed,
  };
  for (const [i, name] of (spec.requires?.data ?? []).entries()) {
    if (data.sets.has(name)) continue;
    problems.push(
      problemAt(node(['requires', 'data', i]), {
        code: 'REFERENCE',
        message: `there is no DataSet "${name}"`,
        hint: didYouMean(name, data.sets.keys()),
        missing: { kind: 'DataSet', name },
      }),
    );
  }
  const seen = new Set<string>();
  return spec.rules.map((rule, position) => {
    if (seen.has(rule.id))
      problems.push(problemAt(node(['rules', position, 'id']), { code: 'DUPLICATE', message: `two rules have the id "${rule.id}"` }));
    seen.add(rule.id);
    return compileRule(rule, { document, position, policy, attributes: realm.attributes, pool: realm.pool, data, scope, problems });
  });
}
