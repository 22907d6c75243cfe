import type { Draft } from '../draft.ts';
import { documentName } from '../name.ts';
import { groupOf } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import { draftAdmissionPolicy } from './admission-policy.ts';
import { kubernetesDialect } from './dialect.ts';
import { selectResources } from './match-resources.ts';
import { mutationRules } from './mutation-rules.ts';
import { findParameters } from './params.ts';
import { onErrorOf } from './validating.ts';

const group = 'admissionregistration.k8s.io';

export function isMutatingPolicy(source: SourceDocument): boolean {
  return groupOf(source.apiVersion) === group && source.kind === 'MutatingAdmissionPolicy';
}

export function isMutatingBinding(source: SourceDocument): boolean {
  return groupOf(source.apiVersion) === group && source.kind === 'MutatingAdmissionPolicyBinding';
}

/**
 * Imports one MutatingAdmissionPolicy with its bindings: transform rules whose obligations are patches.
 *
 * SPEC: admissionregistration.k8s.io MutatingAdmissionPolicy.
 */
export function importMutatingPolicy(draft: Draft, source: SourceDocument, sources: readonly SourceDocument[]): void {
  const spec = source.root.only('apiVersion', 'kind', 'metadata', 'spec', 'status').at('spec');
  spec.only('paramKind', 'matchConstraints', 'matchConditions', 'variables', 'mutations', 'failurePolicy', 'reinvocationPolicy');
  if (spec.at('reinvocationPolicy').text() === 'IfNeeded')
    spec.at('reinvocationPolicy').info('obligations are merged, not applied one after the other; nothing is invoked twice');
  const bindings = sources.filter((other) => isMutatingBinding(other) && other.root.path('spec', 'policyName').text() === source.name);
  if (bindings.length === 0)
    source.root.hint(`no binding names the policy "${source.name}": it does nothing in its cluster, and is imported without one`);
  for (const binding of bindings.length === 0 ? [undefined] : bindings) {
    const bound = (binding ?? source).root
      .at(binding === undefined ? 'no-binding' : 'spec')
      .only('policyName', 'paramRef', 'matchResources');
    const selection = selectResources(spec.at('matchConstraints'));
    const narrowed = selectResources(bound.at('matchResources'), selection);
    const found = findParameters(draft, { paramKind: spec.at('paramKind'), paramRef: bound.at('paramRef'), sources });
    const onError = onErrorOf(spec.at('failurePolicy'));
    const name = bindings.length > 1 && binding !== undefined ? documentName(source.name, binding.name) : documentName(source.name);
    for (const set of found.sets) {
      const inNamespaces = set.namespaces === undefined ? [] : [`request.namespace in ${JSON.stringify(set.namespaces)}`];
      draftAdmissionPolicy(draft, {
        source,
        name: draft.name(set.suffix === '' ? name : documentName(name, set.suffix)),
        title: source.name,
        mode: binding === undefined ? 'audit' : 'enforce',
        onError,
        match: selection.match,
        conditions: [...selection.conditions, ...narrowed.conditions, ...inNamespaces],
        matchConditions: spec.at('matchConditions').items(),
        variables: spec.at('variables').items(),
        validations: [],
        auditAnnotations: [],
        dialect: (variables) => kubernetesDialect({ params: set.text, variables }),
        data: set.data,
        defaultReason: 'Invalid',
        extraRules: (tools) => mutationRules(spec.at('mutations').items(), tools, onError),
      });
    }
  }
}
