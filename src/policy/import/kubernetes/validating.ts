import type { Mode } from '#model';
import type { Cursor } from '../cursor.ts';
import type { Draft } from '../draft.ts';
import { documentName } from '../name.ts';
import { groupOf } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import { draftAdmissionPolicy } from './admission-policy.ts';
import { kubernetesDialect } from './dialect.ts';
import { selectResources } from './match-resources.ts';
import { findParameters } from './params.ts';
import type { Parameters } from './params.ts';

const group = 'admissionregistration.k8s.io';

export function isValidatingPolicy(source: SourceDocument): boolean {
  return groupOf(source.apiVersion) === group && source.kind === 'ValidatingAdmissionPolicy';
}

export function isValidatingBinding(source: SourceDocument): boolean {
  return groupOf(source.apiVersion) === group && source.kind === 'ValidatingAdmissionPolicyBinding';
}

/**
 * Imports one ValidatingAdmissionPolicy with its bindings: one policy of ours per binding and parameter document.
 *
 * SPEC: admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy.
 */
export function importValidatingPolicy(draft: Draft, source: SourceDocument, sources: readonly SourceDocument[]): void {
  const spec = source.root.only('apiVersion', 'kind', 'metadata', 'spec', 'status').at('spec');
  spec.only('paramKind', 'matchConstraints', 'matchConditions', 'variables', 'validations', 'auditAnnotations', 'failurePolicy');
  const bindings = sources.filter((other) => isValidatingBinding(other) && other.root.path('spec', 'policyName').text() === source.name);
  if (bindings.length === 0) {
    source.root.hint(`no binding names the policy "${source.name}": it does nothing in its cluster, and is imported without one`);
    bind(draft, { source, sources, binding: undefined, many: false });
  }
  for (const binding of bindings) bind(draft, { source, sources, binding, many: bindings.length > 1 });
}

interface Bound {
  readonly source: SourceDocument;
  readonly sources: readonly SourceDocument[];
  readonly binding: SourceDocument | undefined;
  readonly many: boolean;
}

function bind(draft: Draft, { source, sources, binding, many }: Bound): void {
  const spec = source.root.at('spec');
  const bound = (binding ?? source).root.at(binding === undefined ? 'no-binding' : 'spec');
  bound.only('policyName', 'paramRef', 'matchResources', 'validationActions');
  const selection = selectResources(spec.at('matchConstraints'));
  const narrowed = selectResources(bound.at('matchResources'), selection);
  const mode = binding === undefined ? 'audit' : modeOf(bound.at('validationActions'));
  const found = findParameters(draft, { paramKind: spec.at('paramKind'), paramRef: bound.at('paramRef'), sources });
  const name = many && binding !== undefined ? documentName(source.name, binding.name) : documentName(source.name);
  const shared = {
    source,
    title: source.name,
    description: source.root.path('metadata', 'annotations').at('description').text(),
    mode,
    onError: onErrorOf(spec.at('failurePolicy')),
    match: selection.match,
    matchConditions: spec.at('matchConditions').items(),
    variables: spec.at('variables').items(),
    auditAnnotations: spec.at('auditAnnotations').items(),
    defaultReason: 'Invalid',
  } as const;
  const conditions = [...selection.conditions, ...narrowed.conditions];
  for (const set of found.sets) {
    draftAdmissionPolicy(draft, {
      ...shared,
      name: draft.name(set.suffix === '' ? name : documentName(name, set.suffix)),
      conditions: [...conditions, ...inNamespaces(set)],
      validations: spec.at('validations').items(),
      dialect: (variables) => kubernetesDialect({ params: set.text, variables }),
      data: set.data,
    });
  }
  if (!found.denyMissing || (found.sets.length > 0 && found.perNamespace === undefined)) return;
  const elsewhere = found.perNamespace === undefined ? [] : [`!(request.namespace in ${JSON.stringify(found.perNamespace)})`];
  draftAdmissionPolicy(draft, {
    ...shared,
    name: draft.name(documentName(name, 'parameters')),
    conditions: [...conditions, ...elsewhere],
    variables: [],
    validations: [],
    auditAnnotations: [],
    dialect: (variables) => kubernetesDialect({ variables }),
    data: {},
    extraRules: ({ applies }) => [
      {
        id: 'parameters-missing',
        effect: 'deny',
        when: applies('true'),
        onError: shared.onError,
        reason: 'PARAMETERS_MISSING',
        message: `The parameters of ${source.name} are missing, and without them it refuses every request.`,
      },
    ],
  });
}

function inNamespaces(set: Parameters): string[] {
  return set.namespaces === undefined ? [] : [`request.namespace in ${JSON.stringify(set.namespaces)}`];
}

/** Deny enforces; Audit and Warn only say what would have happened. */
export function modeOf(actions: Cursor): Mode {
  const named = actions.texts();
  for (const item of actions.items()) {
    const action = item.text() ?? '';
    if (!['Deny', 'Audit', 'Warn'].includes(action)) item.unsupported(`the action "${action}" is not known`, 'actions: Deny, Warn, Audit');
    if (action === 'Warn') item.info('Warn is recorded, and the warning is shown while the rule is in the mode audit');
  }
  return named.includes('Deny') ? 'enforce' : 'audit';
}

export function onErrorOf(failurePolicy: Cursor): 'deny' | 'skip' {
  const policy = failurePolicy.text() ?? 'Fail';
  if (policy !== 'Fail' && policy !== 'Ignore')
    failurePolicy.unsupported(`the failure policy "${policy}" is not known; it is read as Fail`);
  return policy === 'Ignore' ? 'skip' : 'deny';
}
