import { dyn, int, maybe, open, shown, string, stringMap } from './attributes.ts';
import type { Attribute, AttributeFields } from './attributes.ts';
import { agent, facts, now, openContext, openResource, subject } from './roots.ts';

/** Targets whose points are not built in yet: the attributes policies already speak about, and open objects elsewhere. */
function roots(own: Record<string, Attribute>, who: Attribute = subject): AttributeFields {
  return { now, subject: who, resource: openResource, context: openContext, facts, ...own };
}

const http = open('Http', {
  scheme: shown(string),
  host: shown(string),
  port: shown(int),
  method: shown(string),
  path: string,
  requestBytes: int,
});

const admissionRequest = open('AdmissionRequest', {
  operation: shown(string),
  kind: shown(string),
  group: shown(string),
  version: shown(string),
  /** With its subresource, if any: `pods`, `pods/exec`. */
  resource: shown(string),
  namespace: shown(string),
  name: maybe(shown(string)),
  namespaceLabels: stringMap,
});

/** The admission request as the API server sends it: what imported Kubernetes policies read as `request`. SPEC: admission.k8s.io/v1. */
const admissionReview = open('AdmissionReviewRequest');

const tool = open('Tool', { server: shown(string), name: shown(string), args: open('ToolArguments'), argsHash: string });

export const sshRequest = roots({ ssh: open('Ssh') });
export const httpRequest = roots({ http });
export const egressRequest = roots({ http });
export const kubernetesRequest = roots({ k8s: open('Kubernetes') });
// The objects are whatever their kind says, and null where there is none: `object` of a DELETE, `oldObject` of a CREATE.
export const admissionRequestRoots = roots({
  request: admissionRequest,
  admission: admissionReview,
  object: dyn,
  oldObject: dyn,
  namespaceObject: dyn,
});
export const toolRequest = roots({ tool }, agent);
export const llmRequest = roots({ llm: open('Llm', { model: shown(string) }) }, agent);
export const ciRequest = roots({ ci: open('Ci') });
export const warderRequest = roots({ warder: open('Warder', { action: shown(string) }) });
