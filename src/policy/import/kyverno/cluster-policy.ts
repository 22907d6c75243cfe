import type { Mode } from '#model';
import type { Cursor } from '../cursor.ts';
import type { Draft, RuleDraft } from '../draft.ts';
import { draftAdmissionPolicy } from '../kubernetes/admission-policy.ts';
import { kubernetesDialect } from '../kubernetes/dialect.ts';
import { onErrorOf } from '../kubernetes/validating.ts';
import { plainMessage } from '../message.ts';
import { documentName, reasonCode } from '../name.ts';
import type { SourceDocument } from '../source.ts';
import { patternCel, Unsayable } from './pattern.ts';
import { filterCel, matchCel } from './resource-filter.ts';

/**
 * Imports what a ClusterPolicy or Policy of Kyverno says without JMESPath: `validate` with `cel`, `pattern` or `anyPattern`. Every rule has
 * its own match, so each becomes a policy. Everything else is named.
 *
 * SPEC: kyverno.io/v1 ClusterPolicy.
 */
export function importClusterPolicy(draft: Draft, source: SourceDocument): void {
  const spec = source.root.only('apiVersion', 'kind', 'metadata', 'spec', 'status').at('spec');
  spec.only(
    'rules',
    'validationFailureAction',
    'failurePolicy',
    'background',
    'admission',
    'webhookConfiguration',
    'webhookTimeoutSeconds',
    'emitWarning',
    'applyRules',
  );
  source.root
    .at('apiVersion')
    .hint('policies of kyverno.io/v1 are deprecated by their own project', 'rewrite it as a ValidatingPolicy of policies.kyverno.io');
  if (spec.at('applyRules').text() === 'One') spec.at('applyRules').unsupported('all rules apply here, not only the first that matches');
  if (spec.at('admission').boolean() === false) {
    spec.at('admission').unsupported('the policy is only for background scans, which are not made here; it is not imported');
    return;
  }
  spec.noted(['background', 'emitWarning'], 'objects that exist already are not scanned, and warnings come with the mode audit');
  spec.noted(['webhookConfiguration', 'webhookTimeoutSeconds'], 'the admission point has its own deadline');
  const rules = spec.at('rules').items();
  for (const rule of rules) importRule(draft, { source, rule, many: rules.length > 1 });
}

const ruleFields = [
  'name',
  'match',
  'exclude',
  'preconditions',
  'celPreconditions',
  'context',
  'validate',
  'mutate',
  'generate',
  'verifyImages',
  'skipBackgroundRequests',
  'imageExtractors',
] as const;
const validateFields = [
  'message',
  'failureAction',
  'failureActionOverrides',
  'cel',
  'pattern',
  'anyPattern',
  'allowExistingViolations',
] as const;

function importRule(draft: Draft, { source, rule, many }: { source: SourceDocument; rule: Cursor; many: boolean }): void {
  rule.only(...ruleFields);
  if (!sayable(rule)) return;
  const validate = rule.at('validate').only(...validateFields, 'deny', 'foreach', 'podSecurity', 'manifests', 'assert');
  rule.noted(['skipBackgroundRequests'], 'requests of background scans do not come here');
  validate.noted(['allowExistingViolations'], 'an object that was wrong before is refused like any other');
  try {
    const selected = matchCel(rule.at('match'));
    const excluded = exclusions(rule.at('exclude'));
    const pattern = patternRule(validate, source);
    const cel = validate.at('cel').only('expressions', 'variables', 'auditAnnotations', 'generate');
    const annotations = source.root.path('metadata', 'annotations');
    const namespaced = source.kind === 'Policy' ? { 'request.namespace': [source.namespace === '' ? 'default' : source.namespace] } : {};
    draftAdmissionPolicy(draft, {
      source,
      name: draft.name(many ? documentName(source.name, rule.at('name').text() ?? rule.name) : documentName(source.name)),
      title: annotations.at('policies.kyverno.io/title').text() ?? source.name,
      description: annotations.at('policies.kyverno.io/description').text(),
      mode: modeOf(validate, source.root.at('spec')),
      onError: onErrorOf(source.root.path('spec', 'failurePolicy')),
      match: { ...selected.match, ...namespaced },
      conditions: [...(selected.condition === undefined ? [] : [selected.condition]), ...excluded],
      matchConditions: rule.at('celPreconditions').items(),
      variables: cel.at('variables').items(),
      validations: cel.at('expressions').items(),
      auditAnnotations: cel.at('auditAnnotations').items(),
      dialect: (variables) => kubernetesDialect({ variables }),
      data: {},
      defaultReason: source.name,
      extraRules: ({ applies }) => (pattern === undefined ? [] : [{ ...pattern, when: applies(pattern.when ?? 'true') }]),
    });
  } catch (error) {
    // The construct has been named where it stands.
    if (!(error instanceof Unsayable)) throw error;
  }
}

/** The rule for `pattern` or `anyPattern`: an object that fits none of them is refused. */
function patternRule(validate: Cursor, source: SourceDocument): RuleDraft | undefined {
  const patterns = validate.at('pattern').exists ? [validate.at('pattern')] : validate.at('anyPattern').items();
  if (patterns.length === 0) return undefined;
  const fits = patterns.map((pattern) => patternCel(pattern, 'object'));
  return {
    id: 'pattern',
    effect: 'deny',
    when: `!(${fits.join(' || ')})`,
    onError: onErrorOf(source.root.path('spec', 'failurePolicy')),
    reason: reasonCode(source.name),
    message: messageOf(validate, validate.at('message').text()),
  };
}

/** A rule is imported as a whole or not at all: without a precondition it would refuse what it should not look at. */
function sayable(rule: Cursor): boolean {
  let sound = true;
  for (const [key, why] of Object.entries(reasons)) {
    const found = rule.at(key);
    if (!found.exists) continue;
    found.unsupported(`${why}; the rule is not imported`, suggestions[key]);
    sound = false;
  }
  const validate = rule.at('validate');
  for (const key of ['deny', 'foreach', 'podSecurity', 'manifests', 'assert'] as const) {
    if (!validate.at(key).exists) continue;
    validate
      .at(key)
      .unsupported(
        `validate.${key} is not imported`,
        key === 'podSecurity' ? 'use Pod Security Admission, or write the checks as CEL' : 'write the rule as a ValidatingPolicy with CEL',
      );
    sound = false;
  }
  return sound && validate.exists;
}

const reasons: Readonly<Record<string, string>> = {
  preconditions: 'preconditions are JMESPath, which is not evaluated here',
  context: 'context entries fetch data (ConfigMaps, API calls, variables) while the rule is judged',
  mutate: 'mutate rules with strategic merge or JSON patches over JMESPath are not imported',
  generate: 'generate rules change the cluster besides the request',
  verifyImages: 'verifyImages of kyverno.io/v1 is not imported',
  imageExtractors: 'imageExtractors belong to verifyImages',
};
const suggestions: Readonly<Record<string, string>> = {
  preconditions: 'write them as celPreconditions, or the rule as a ValidatingPolicy',
  context: 'let a producer fetch the data before, and read it as a fact',
  mutate: 'write it as a MutatingPolicy of policies.kyverno.io',
  generate: 'keep it in Kyverno',
  verifyImages: 'write it as an ImageValidatingPolicy of policies.kyverno.io',
};

function exclusions(exclude: Cursor): string[] {
  if (!exclude.exists) return [];
  const any = exclude.at('any').items();
  const all = exclude.at('all').items();
  if (any.length > 0) return any.map((filter) => `!(${filterCel(filter)})`);
  return [`!(${(all.length > 0 ? all : [exclude]).map(filterCel).join(' && ')})`];
}

function modeOf(validate: Cursor, spec: Cursor): Mode {
  const own = validate.at('failureAction').exists ? validate.at('failureAction') : spec.at('validationFailureAction');
  if (validate.at('failureActionOverrides').exists)
    validate
      .at('failureActionOverrides')
      .unsupported('other actions for single namespaces are not imported', 'use a Rollout with a cohort');
  return (own.text() ?? 'Audit').toLowerCase() === 'enforce' ? 'enforce' : 'audit';
}

function messageOf(validate: Cursor, message: string | undefined): string {
  if (message === undefined) return 'The object does not have the form this policy asks for.';
  if (!message.includes('{{')) return plainMessage(message);
  validate.at('message').hint('JMESPath in messages is left out');
  return plainMessage(message.replaceAll(/\{\{[^}]*\}\}/g, '…'));
}
