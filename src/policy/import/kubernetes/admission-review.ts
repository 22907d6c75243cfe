/**
 * The attributes of the target `k8s.admission` from an AdmissionReview, as its enforcement point sends it to the engine.
 *
 * SPEC: admission.k8s.io/v1 AdmissionRequest. `namespaceObject` is the namespace the object is in, or null; only with it are
 * `request.namespaceLabels` known, and a rule that selects namespaces by label cannot be evaluated without.
 */
export function admissionAttributes(review: unknown, namespaceObject: unknown = null): Record<string, unknown> {
  const request = record(record(review)['request']);
  const { object, oldObject, ...rest } = request;
  const kind = record(request['kind']);
  const resource = record(request['resource']);
  const subResource = text(request['subResource']);
  const labels = record(record(namespaceObject)['metadata'])['labels'];
  const name = text(request['name']);
  return {
    request: {
      operation: text(request['operation']),
      kind: text(kind['kind']),
      group: text(resource['group']),
      version: text(resource['version']),
      resource: subResource === '' ? text(resource['resource']) : `${text(resource['resource'])}/${subResource}`,
      namespace: text(request['namespace']),
      ...(name === '' ? {} : { name }),
      ...(namespaceObject === null ? {} : { namespaceLabels: record(labels) }),
    },
    // SPEC: `request` in Kubernetes' CEL is the request without its objects; these are variables of their own.
    admission: rest,
    object: object ?? null,
    oldObject: oldObject ?? null,
    namespaceObject,
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}; // Checked just now.
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
