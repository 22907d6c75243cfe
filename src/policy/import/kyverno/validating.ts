import type { Cursor } from '../cursor.ts';
import type { Draft } from '../draft.ts';
import { draftAdmissionPolicy } from '../kubernetes/admission-policy.ts';
import type { AdmissionPolicy } from '../kubernetes/admission-policy.ts';
import { selectResources } from '../kubernetes/match-resources.ts';
import { modeOf, onErrorOf } from '../kubernetes/validating.ts';
import { documentName } from '../name.ts';
import type { SourceDocument } from '../source.ts';
import { generatedFor, insideTemplate } from './autogen.ts';
import { kyvernoDialect } from './dialect.ts';
import { exceptionsOf, writeExceptions } from './exception.ts';

export const validatingFields = [
  'matchConstraints',
  'validations',
  'failurePolicy',
  'auditAnnotations',
  'matchConditions',
  'variables',
  'autogen',
  'validationActions',
  'webhookConfiguration',
  'evaluation',
] as const;

/**
 * Imports a ValidatingPolicy or NamespacedValidatingPolicy.
 *
 * SPEC: policies.kyverno.io ValidatingPolicySpec: a ValidatingAdmissionPolicy with its binding in one document.
 */
export function importKyvernoValidating(draft: Draft, source: SourceDocument, sources: readonly SourceDocument[]): void {
  const spec = source.root.only('apiVersion', 'kind', 'metadata', 'spec', 'status').at('spec');
  spec.only(...validatingFields);
  if (!evaluatedAtAdmission(spec)) return;
  const facts = new Set<string>();
  const exempted = exceptionsOf(draft, source, sources);
  const shared = sharedOf(draft, source, exempted.whole);
  const dialect = (variables: ReadonlyMap<string, string>) =>
    kyvernoDialect({ variables, exceptions: exempted.values, facts, findings: draft.findings, place: source.root.place });
  const policy = {
    ...shared,
    validations: spec.at('validations').items(),
    auditAnnotations: spec.at('auditAnnotations').items(),
    facts,
    dialect,
  };
  for (const one of withCopies(draft, spec, policy)) draftAdmissionPolicy(draft, one);
  writeExceptions(draft, source, exempted);
}

/** A policy and its copies for the controllers of pods, if it has any. */
export function withCopies(draft: Draft, spec: Cursor, policy: AdmissionPolicy): readonly AdmissionPolicy[] {
  const copies = generatedFor(spec, policy.match).map(({ suffix, match, template }): AdmissionPolicy => {
    const name = draft.name(documentName(policy.name, suffix));
    const dialect = (variables: ReadonlyMap<string, string>) => insideTemplate(policy.dialect(variables), template);
    return { ...policy, name, title: `${policy.title} (${suffix})`, match, dialect };
  });
  return [policy, ...copies];
}

/** What all CEL policies of Kyverno have in common. */
export function sharedOf(
  draft: Draft,
  source: SourceDocument,
  exempted: readonly string[],
): Omit<AdmissionPolicy, 'validations' | 'auditAnnotations' | 'dialect' | 'facts'> {
  const spec = source.root.at('spec');
  const annotations = source.root.path('metadata', 'annotations');
  const selection = selectResources(spec.at('matchConstraints'));
  const actions = spec.at('validationActions');
  const namespaced = source.kind.startsWith('Namespaced')
    ? { 'request.namespace': [source.namespace === '' ? 'default' : source.namespace] }
    : {};
  return {
    source,
    name: draft.name(documentName(source.name)),
    title: annotations.at('policies.kyverno.io/title').text() ?? source.name,
    description: annotations.at('policies.kyverno.io/description').text(),
    mode: actions.exists ? modeOf(actions) : 'enforce',
    onError: onErrorOf(spec.at('failurePolicy')),
    match: { ...selection.match, ...namespaced },
    conditions: [...selection.conditions, ...exempted.map((condition) => `!(${condition})`)],
    matchConditions: spec.at('matchConditions').items(),
    variables: spec.at('variables').items(),
    data: {},
    defaultReason: source.name,
  };
}

/** Whether the policy speaks about admission at all; everything else about its evaluation is named. */
export function evaluatedAtAdmission(spec: Cursor): boolean {
  const evaluation = spec.at('evaluation').only('mode', 'admission', 'background', 'mutateExisting');
  const mode = evaluation.at('mode').text() ?? 'Kubernetes';
  if (mode !== 'Kubernetes') {
    evaluation
      .at('mode')
      .unsupported(`the evaluation mode ${mode} judges other payloads than admission requests; the policy is not imported`);
    return false;
  }
  if (evaluation.path('admission', 'enabled').boolean() === false) {
    evaluation.at('admission').unsupported('the policy is only for background scans, which are not made here; it is not imported');
    return false;
  }
  if (evaluation.path('background', 'enabled').boolean() === true)
    evaluation.at('background').info('objects that exist already are not scanned');
  if (evaluation.path('mutateExisting', 'enabled').boolean() === true) {
    evaluation.at('mutateExisting').unsupported('objects that exist already are not changed; only requests are');
  }
  if (spec.path('webhookConfiguration').exists) spec.at('webhookConfiguration').info('the admission point has its own deadline');
  return true;
}

/** Of policies that are not copied for the controllers of pods. */
export function noteAutogen(spec: Cursor): void {
  if (spec.path('autogen', 'podControllers', 'controllers').items().length === 0) return;
  spec
    .at('autogen')
    .unsupported(
      'rules for the controllers of pods are not generated: the pods themselves are looked at when their controller makes them',
      'name the controllers in matchConstraints where the controller itself should be looked at',
    );
}
