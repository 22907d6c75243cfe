import { int, maybe, open, shown, string, stringMap } from './attributes.ts';
import type { Attribute, AttributeFields } from './attributes.ts';
import { agent, facts, openContext, openResource, subject } from './base.ts';

/** Targets whose points are not built in yet: the attributes policies already speak about, and open objects elsewhere. */
function roots(own: Record<string, Attribute>, who: Attribute = subject): AttributeFields {
  return { subject: who, resource: openResource, context: openContext, facts, ...own };
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
  namespace: shown(string),
  name: maybe(shown(string)),
  namespaceLabels: stringMap,
});

const tool = open('Tool', { server: shown(string), name: shown(string), args: open('ToolArguments'), argsHash: string });

export const sshRequest = roots({ ssh: open('Ssh') });
export const httpRequest = roots({ http });
export const egressRequest = roots({ http });
export const kubernetesRequest = roots({ k8s: open('Kubernetes') });
export const admissionRequestRoots = roots({ request: admissionRequest, object: open('Object'), oldObject: open('OldObject') });
export const toolRequest = roots({ tool }, agent);
export const llmRequest = roots({ llm: open('Llm', { model: shown(string) }) }, agent);
export const ciRequest = roots({ ci: open('Ci') });
export const warderRequest = roots({ warder: open('Warder', { action: shown(string) }) });
