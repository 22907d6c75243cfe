import type { SourceDocument } from '../source.ts';
import { groupOf } from '../source.ts';
import { admissionAttributes } from '../kubernetes/admission-review.ts';

/** The inputs of a case: the CREATE of an object, or the request of an AdmissionReview. */
export function admissionInputs(source: SourceDocument): Readonly<Record<string, unknown>> {
  const plain = source.root.plain();
  const review = source.kind === 'AdmissionReview' ? plain : { request: createOf(source, plain) };
  const namespace = source.namespace === '' ? 'default' : source.namespace;
  const around = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { 'kubernetes.io/metadata.name': namespace } },
  };
  const { request, object, ...attributes } = admissionAttributes(review, around);
  return { request, object, attributes };
}

function createOf(source: SourceDocument, object: unknown) {
  const group = groupOf(source.apiVersion);
  const version = source.apiVersion.replace(/^.*\//, '');
  return {
    kind: { group, version, kind: source.kind },
    resource: { group, version, resource: resourceOf(source.kind) },
    name: source.name,
    namespace:
      source.kind === 'Namespace'
        ? source.name
        : clusterKinds.has(source.kind)
          ? ''
          : source.namespace === ''
            ? 'default'
            : source.namespace,
    operation: 'CREATE',
    userInfo: { username: 'somebody', groups: ['system:authenticated'] },
    object: inNamespace(object, source),
  };
}

/** The API server writes the namespace into an object that does not say it. */
function inNamespace(object: unknown, { kind, namespace }: SourceDocument): unknown {
  if (namespace !== '' || kind === 'Namespace' || clusterKinds.has(kind) || typeof object !== 'object' || object === null) return object;
  const { metadata } = object as { readonly metadata?: Readonly<Record<string, unknown>> }; // A Kubernetes object.
  return { ...object, metadata: { ...metadata, namespace: 'default' } };
}

const clusterKinds: ReadonlySet<string> = new Set([
  'Node',
  'PersistentVolume',
  'ClusterRole',
  'ClusterRoleBinding',
  'StorageClass',
  'IngressClass',
  'CustomResourceDefinition',
  'PriorityClass',
]);

/** The plural that the API calls a kind by. Right for the kinds of Kubernetes itself; a policy on another kind gets no case that lies. */
export function resourceOf(kind: string): string {
  const lower = kind.toLowerCase();
  if (lower === 'endpoints') return lower;
  if (/(?:s|x|ch|sh)$/.test(lower)) return `${lower}es`;
  return /[^aeiou]y$/.test(lower) ? `${lower.slice(0, -1)}ies` : `${lower}s`;
}
