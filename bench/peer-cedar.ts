import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { DecisionRequest } from '#model';
import type { BenchRule } from './peer-rules.ts';

/** The rules in Cedar; it has no globs over set elements, so dropping is named in full. */
function policyText({ n, resource, group, kind }: BenchRule): string {
  const scope = `(principal in Group::"${group}", action == Action::"execute", resource == Database::"${resource}")`;
  if (kind === 'destructive') return `forbid ${scope} when { context.effects.containsAny(["drop.table", "truncate"]) };`;
  if (kind === 'purpose') return `forbid ${scope} when { context.verbs.contains("verb-${n}") };`;
  return `permit ${scope} when { context.verbs.containsAny(["select", "update"]) };`;
}

/** Parses the rules once, as the official WASM build offers it, and gives the decision for a request. */
export function cedarDecider(rules: readonly BenchRule[]): (request: DecisionRequest) => boolean {
  const id = `rules-${rules.length}`;
  const parsed = cedar.preparsePolicySet(id, { staticPolicies: rules.map(policyText).join('\n') });
  if (parsed.type !== 'success') throw new Error(parsed.errors[0]?.message);
  return ({ subject, resource, attributes }) => {
    const { verbs, effects } = attributes['sql'] as { verbs: string[]; effects: string[] }; // As the benchmark made it.
    const groups = (subject.groups as string[]).map((group) => ({ type: 'Group', id: group }));
    const answer = cedar.statefulIsAuthorized({
      principal: { type: 'User', id: subject.id },
      action: { type: 'Action', id: 'execute' },
      resource: { type: 'Database', id: String(resource.id) },
      context: { verbs, effects },
      preparsedPolicySetId: id,
      entities: [{ uid: { type: 'User', id: subject.id }, attrs: {}, parents: groups }],
    });
    if (answer.type !== 'success') throw new Error(answer.errors[0]?.message);
    return answer.response.decision === 'allow';
  };
}
