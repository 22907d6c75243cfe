import type { Draft, PolicyDraft } from '../draft.ts';
import { groupOf } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import { admissionInputs } from './admission.ts';
import { bundleFor, decideCase } from './case.ts';
import type { CaseDraft } from './case.ts';

/** Objects that are tried on one policy; more would only be more of the same. */
const samplesMax = 20;

/**
 * Cases that record what an imported policy does today: with the objects that were among the files, and with one it is not about.
 * Whoever reads them decides whether that is right.
 */
export function recordedCases(draft: Draft, sources: readonly SourceDocument[]): CaseDraft[] {
  const samples = sources.filter(isSample).filter((source) => !draft.imported.has(source));
  return draft.policies.flatMap((policy) => {
    if (policy.target !== 'k8s.admission') return [];
    const bundle = bundleFor(policy, draft);
    if (bundle === undefined) return [];
    const notFired = policy.rules.map((rule) => `${policy.name}/${rule.id}`);
    const outside = outsideOf(policy);
    const cases: CaseDraft[] =
      outside === undefined
        ? []
        : [{ policy, name: 'another kind of object is not looked at', inputs: outside, expect: { verdict: 'allow', notFired } }];
    // Without the facts a policy needs it refuses everything, and there is nothing to learn from that.
    if (policy.facts !== undefined && policy.facts.length > 0) return cases;
    for (const sample of samples) {
      if (cases.length > samplesMax) break;
      const inputs = admissionInputs(sample);
      const { matched, errors } = decideCase(bundle, policy, { inputs, today: draft.options.today });
      const applied = matched.map((rule) => rule.rule);
      if (applied.length === 0 && !mayConcern(policy, inputs)) continue;
      const fired = notFired.filter((rule) => applied.includes(rule));
      const expect = {
        ...(fired.length === 0 ? {} : { fired }),
        notFired: notFired.filter((rule) => !applied.includes(rule)),
        errors: [...new Set(errors.map((error) => error.rule))],
      };
      cases.push({ policy, name: `${sample.kind} ${sample.name} of ${sample.file.path}`, inputs, expect });
    }
    return cases;
  });
}

const foreignGroups = [
  'constraints.gatekeeper.sh',
  'templates.gatekeeper.sh',
  'test.gatekeeper.sh',
  'admissionregistration.k8s.io',
  'policies.kyverno.io',
  'kyverno.io',
  'cli.kyverno.io',
  'chainsaw.kyverno.io',
  'warder',
  'kustomize.config.k8s.io',
];

/** An object of a cluster that is no policy: something a policy could be asked about. */
export function isSample(source: SourceDocument): boolean {
  return (
    source.kind !== '' &&
    source.apiVersion !== '' &&
    source.kind !== 'AdmissionReview' &&
    !foreignGroups.includes(groupOf(source.apiVersion))
  );
}

function mayConcern({ match }: PolicyDraft, { request }: CaseDraft['inputs']): boolean {
  const { kind, resource } = request as { kind: string; resource: string }; // Made by `admissionInputs`.
  const lines = [match?.['request.kind'], match?.['request.resource']];
  return lines.some((line) => Array.isArray(line) && (line.includes(kind) || line.includes(resource)));
}

/** A request that the policy's match keeps away; undefined where it looks at everything. */
function outsideOf({ match }: PolicyDraft): CaseDraft['inputs'] | undefined {
  const kinds = match?.['request.kind'];
  const resources = match?.['request.resource'];
  if (!keepsLeasesAway(kinds) && !keepsLeasesAway(resources)) return undefined;
  const metadata = { name: 'example', namespace: 'default' };
  const object = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
  const resource = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' };
  const admission = { operation: 'CREATE', kind: { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease' }, resource, ...metadata };
  const request = { operation: 'CREATE', kind: 'Lease', ...resource, ...metadata, namespaceLabels: {} };
  return { request, object, attributes: { admission, oldObject: null, namespaceObject: null } };
}

function keepsLeasesAway(line: unknown): boolean {
  return Array.isArray(line) && !line.some((value) => String(value).includes('*') || value === 'leases' || value === 'Lease');
}
