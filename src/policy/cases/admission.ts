import { resourceOf } from '../import/cases/admission.ts';
import { admissionAttributes } from '../import/kubernetes/admission-review.ts';
import type { CaseInputs } from '../documents/kinds/policy-test.ts';
import { CaseMistake } from './case-mistake.ts';
import { withoutNulls } from './without-nulls.ts';

/**
 * The attributes of an admission: what the admission point would say of the AdmissionReview around an object. `object` alone is a CREATE in
 * its namespace; `oldObject` makes it an UPDATE, or without `object` a DELETE. `request` overrides parts of the request; with `kind` it is
 * taken as the whole request, and nothing is made up around it. `given` are attributes written out in the case; they win.
 *
 * SPEC: admission.k8s.io/v1 AdmissionReview. The API server leaves out fields that are null, and so do the objects here.
 */
export function admissionOf(inputs: CaseInputs, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const stated = record(inputs.request);
  const written = { object: withoutNulls(given['object']), oldObject: withoutNulls(given['oldObject']) };
  const subject = record(written.object ?? written.oldObject);
  if ('kind' in stated || (inputs.object === undefined && inputs.oldObject === undefined)) return {};
  const review = reviewOf(subject, stated, placed(written, namespaceOf(text(subject['kind']), record(subject['metadata']), stated)));
  const { namespaceLabels: labels, ...said } = stated;
  const { namespace } = review.request;
  const around = 'namespaceObject' in given ? given['namespaceObject'] : namespaceNamed(namespace, labels);
  const made = admissionAttributes(review, around);
  return {
    ...made,
    ...given,
    object: made['object'],
    oldObject: made['oldObject'],
    request: { ...record(made['request']), ...said },
  };
}

interface Objects {
  readonly object: unknown;
  readonly oldObject: unknown;
}

/** The objects in their namespace: the API server writes it into an object that does not say it. */
function placed({ object, oldObject }: Objects, namespace: string): Objects {
  const inside = (value: unknown): unknown => {
    const metadata = record(record(value)['metadata']);
    const said =
      value === undefined || value === null || namespace === '' || 'namespace' in metadata || record(value)['kind'] === 'Namespace';
    return said ? value : { ...record(value), metadata: { ...metadata, namespace } };
  };
  return { object: inside(object), oldObject: inside(oldObject) };
}

function reviewOf(subject: Readonly<Record<string, unknown>>, stated: Readonly<Record<string, unknown>>, written: Objects) {
  const kind = text(subject['kind']);
  const apiVersion = text(subject['apiVersion']);
  if (kind === '' || apiVersion === '') throw new CaseMistake('a Kubernetes object needs "apiVersion" and "kind"');
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  const metadata = record(subject['metadata']);
  const name = text(metadata['name']);
  const operation = text(stated['operation']) || operationOf(written);
  const [resource = '', subResource = ''] = (text(stated['resource']) || resourceOf(kind)).split('/');
  const objects = operation === 'DELETE' ? { object: null, oldObject: written.oldObject ?? written.object } : written;
  const request = {
    kind: { group, version, kind },
    resource: { group, version, resource },
    ...(subResource === '' ? {} : { subResource }),
    ...(name === '' ? {} : { name }),
    namespace: namespaceOf(kind, metadata, stated),
    operation,
    userInfo: { username: 'somebody', groups: ['system:authenticated'] },
    object: objects.object ?? null,
    oldObject: objects.oldObject ?? null,
  };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
}

function operationOf({ object, oldObject }: Objects): string {
  if (object === undefined || object === null) return 'DELETE';
  return oldObject === undefined || oldObject === null ? 'CREATE' : 'UPDATE';
}

function namespaceOf(kind: string, metadata: Readonly<Record<string, unknown>>, stated: Readonly<Record<string, unknown>>): string {
  if (typeof stated['namespace'] === 'string') return stated['namespace'];
  if (kind === 'Namespace') return text(metadata['name']);
  return clusterKinds.has(kind) ? '' : text(metadata['namespace']) || 'default';
}

/** Kinds of Kubernetes itself that live in no namespace. */
const clusterKinds: ReadonlySet<string> = new Set([
  'APIService',
  'CertificateSigningRequest',
  'ClusterRole',
  'ClusterRoleBinding',
  'CSIDriver',
  'CustomResourceDefinition',
  'IngressClass',
  'MutatingWebhookConfiguration',
  'Node',
  'PersistentVolume',
  'PriorityClass',
  'RuntimeClass',
  'StorageClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
]);

/** The namespace as it would be: with the label that every namespace carries, and what the case says of its labels. */
function namespaceNamed(name: string, labels: unknown): unknown {
  if (name === '') return null;
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name, ...record(labels) } },
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}; // Checked just now.
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
