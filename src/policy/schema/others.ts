import { bool, dyn, int, maybe, open, shown, string, stringMap, strings } from './attributes.ts';
import type { Attribute, AttributeFields } from './attributes.ts';
import { agent, facts, now, openContext, openResource, subject } from './roots.ts';

/** Targets other than SQL: the attributes policies speak about, and open objects elsewhere. */
function roots(own: Record<string, Attribute>, who: Attribute = subject): AttributeFields {
  return { now, subject: who, resource: openResource, context: openContext, facts, ...own };
}

/** One thing done over SSH. SPEC: RFC 4254 (channels and their requests); SFTP: draft-ietf-secsh-filexfer-02. */
const ssh = open('Ssh', {
  /** `shell`, `exec`, `subsystem`, `sftp`, `forward.local`, `forward.remote`, `forward.agent`, `forward.x11` or `env`. */
  action: shown(string),
  /** The account on the host. */
  login: shown(string),
  /** The raw session is being recorded. */
  recorded: shown(bool),
  /**
   * Of an exec: the text as sent, the programs it starts as far as they can be told, and whether that is all it does: all of its programs
   * are known, and the shell itself writes no file.
   */
  command: maybe(string),
  programs: maybe(shown(strings)),
  complete: maybe(shown(bool)),
  /** Trees that the command would remove or change as a whole: `/`, `/etc`, `~`; `?` where it cannot be told. */
  sweeps: maybe(shown(strings)),
  /** Of SFTP: what is done (`open`, `write`, `remove`, `rename`…), whether it changes anything, and the resolved path. */
  operation: maybe(shown(string)),
  write: maybe(bool),
  path: maybe(string),
  /** Home directory of the account. */
  home: maybe(string),
  /** Of an `env`: the name of the variable. */
  variable: maybe(shown(string)),
  /** Of a forward: where it leads. */
  host: maybe(shown(string)),
  port: maybe(shown(int)),
});

const http = open('Http', {
  scheme: shown(string),
  host: shown(string),
  port: shown(int),
  method: shown(string),
  /** Normalised: dot segments and escapes of ordinary characters are gone. */
  path: string,
  query: maybe(string),
  /** Names in lower case. */
  headers: maybe(stringMap),
  requestBytes: int,
  /** The whole body was seen; a rule on a truncated body could be avoided. */
  bodyComplete: maybe(bool),
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

const tool = open('Tool', {
  server: shown(string),
  name: shown(string),
  args: open('ToolArguments'),
  argsHash: string,
  /** What the registry, never the server, says the tool does: `read`, `write`, `destructive`, `egress` or `admin`. */
  tier: maybe(shown(string)),
  /** Of the pinned definition: `pending`, `approved`, `drifted` or `retired`. */
  state: maybe(shown(string)),
  /** What detectors found in the arguments: `secret`, `email`… */
  findings: maybe(shown(strings)),
});

/** A request to a model. */
const llm = open('Llm', {
  provider: maybe(shown(string)),
  model: shown(string),
  region: maybe(shown(string)),
  /** `chat`, `responses`, `messages`, `embeddings`… */
  api: maybe(shown(string)),
  /** Tools the provider would run itself: they pass no tool gateway. */
  hostedTools: maybe(shown(strings)),
  maxTokens: maybe(shown(int)),
  /** What detectors found in the text that would be sent. */
  findings: maybe(shown(strings)),
});

/** One planned change of infrastructure. SPEC: Terraform's JSON output format, `resource_changes`. */
const change = open('Ci', {
  tool: maybe(shown(string)),
  address: maybe(shown(string)),
  type: maybe(shown(string)),
  provider: maybe(shown(string)),
  /** `create`, `update`, `delete`, `read` or `no-op`; a replacement is two of them. */
  actions: maybe(shown(strings)),
  before: dyn,
  after: dyn,
  /** The attributes that are known only after the change, as true. */
  unknown: dyn,
});

/** An act of administration of Warder itself. */
const administration = open('Warder', {
  /** `policy.push`, `request.answer`, `token.mint`, `session.terminate`, `resource.change`, `evidence.read`, `recording.read`, `recording.export`… */
  action: shown(string),
  /** Roles of who acts. */
  roles: maybe(shown(strings)),
  /** What is acted on was made or asked for by the same person. */
  own: maybe(bool),
  /** Of a token: for whom, with which roles, for how long. */
  holder: maybe(shown(string)),
  grantedRoles: maybe(shown(strings)),
  lifetimeMs: maybe(int),
  /** Of a push: what the difference to the bundle in force does, as far as it can be told. */
  effects: maybe(shown(strings)),
  /** Of a push: the tests beside the policies were run on exactly these files and passed. */
  tested: maybe(bool),
});

export const sshRequest = roots({ ssh });
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
export const llmRequest = roots({ llm }, agent);
export const ciRequest = roots({ ci: change });
export const warderRequest = roots({ warder: administration });
