import type { Target } from '#model';

/** What a first rule of a target says, and the case that shows it. */
export interface TargetTemplate {
  /** Lines of the policy's match. */
  readonly match: string;
  readonly id: string;
  /** Lines of the rule's match. */
  readonly rule: string;
  readonly reason: string;
  readonly message: string;
  readonly resource: string;
  /** Input of a case to which the rule applies. */
  readonly input: string;
}

export const targetTemplates: Readonly<Record<Target, TargetTemplate>> = {
  sql: {
    match: 'resource.env: [prod]',
    id: 'deny-drop',
    rule: 'sql.effects: ["drop.*"]',
    reason: 'DROP_BLOCKED',
    message: 'Dropping is blocked on {resource.name}.',
    resource: '{ type: database, id: "pg:orders-prod", engine: postgres, env: prod }',
    input: 'sql: "DROP TABLE orders"',
  },
  ssh: {
    match: 'resource.env: [prod]',
    id: 'deny-forwarding',
    rule: 'ssh.action: [forward.local, forward.remote]',
    reason: 'FORWARDING_BLOCKED',
    message: 'Tunnels through {resource.id} are blocked.',
    resource: '{ type: host, id: "host:shop-1", env: prod }',
    input: 'attributes: { ssh: { action: forward.local, login: eve, recorded: false } }',
  },
  http: {
    match: 'http.host: [internal.example.com]',
    id: 'deny-deletion',
    rule: 'http.method: [DELETE]',
    reason: 'DELETION_BLOCKED',
    message: 'Nothing is deleted on {http.host} from here.',
    resource: '{ type: service, id: "service:internal" }',
    input: 'http: "DELETE https://internal.example.com/orders/7"',
  },
  egress: {
    match: 'http.scheme: [http]',
    id: 'deny-plain-text',
    rule: 'http.port: [80]',
    reason: 'PLAIN_TEXT_BLOCKED',
    message: 'Use https to reach {http.host}.',
    resource: '{ type: host, id: "host:elsewhere" }',
    input: 'http: "GET http://example.com/"',
  },
  'k8s.api': {
    match: 'subject.type: [user]',
    id: 'deny-contractors',
    rule: 'subject.groups: [contractors]',
    reason: 'CONTRACTORS_BLOCKED',
    message: 'Contractors do not reach the cluster.',
    resource: '{ type: cluster, id: "k8s:shop" }',
    input: 'subject: { id: "user:con", groups: [contractors] }',
  },
  'k8s.admission': {
    match: 'request.operation: [CREATE, UPDATE]',
    id: 'deny-host-network',
    rule: 'object.spec.hostNetwork: [true]',
    reason: 'HOST_NETWORK_BLOCKED',
    message: 'Pods do not share the network of their node.',
    resource: '{ type: cluster, id: "k8s:shop" }',
    input:
      'object: { apiVersion: v1, kind: Pod, metadata: { name: web }, spec: { hostNetwork: true, containers: [{ name: web, image: nginx }] } }',
  },
  tool: {
    match: 'tool.server: [payments]',
    id: 'deny-refunds',
    rule: 'tool.name: [create_refund]',
    reason: 'REFUND_BLOCKED',
    message: 'Agents do not pay money back.',
    resource: '{ type: tool-server, id: "tools:payments" }',
    input: 'tool: { server: payments, name: create_refund, arguments: { amount: 10 } }',
  },
  llm: {
    match: 'subject.type: [user, agent, service]',
    id: 'deny-secrets',
    rule: 'llm.findings: [secret]',
    reason: 'SECRET_IN_PROMPT',
    message: 'The text holds a secret and was not sent.',
    resource: '{ type: model-provider, id: "llm:provider" }',
    input: 'attributes: { llm: { model: small, findings: [secret] } }',
  },
  ci: {
    match: 'resource.env: [prod]',
    id: 'deny-deletion',
    rule: 'ci.actions: [delete]',
    reason: 'DELETION_BLOCKED',
    message: 'A plan for {resource.id} must not delete anything.',
    resource: '{ type: repository, id: "repo:infra", env: prod }',
    input: 'attributes: { ci: { tool: terraform, address: a.b, actions: [delete] } }',
  },
  warder: {
    match: 'subject.type: [user]',
    id: 'deny-untested',
    rule: 'warder.action: [policy.push], warder.tested: [false]',
    reason: 'UNTESTED_POLICY',
    message: 'Run the tests of the policies first.',
    resource: '{ type: installation, id: "warder" }',
    input: 'attributes: { warder: { action: policy.push, tested: false } }',
  },
};

/** The policy of a target to begin with. */
export function policyTemplate(target: Target, today: string): string {
  const { match, id, rule, reason, message } = targetTemplates[target];
  return `  owner: team:your-team
  tier: org
  risk: { class: medium }
  review: { last: ${today}, every: P90D }
  rationale: Why it exists.
  target: ${target}
  # Records what would happen; change it to enforce when the plan and the records look right.
  mode: shadow
  match:
    ${match}
  rules:
    - id: ${id}
      effect: deny
      match: { ${rule} }
      reason: ${reason}
      message: "${message}"
`;
}

/** The tests of a target to begin with. */
export function testTemplate(target: Target, today: string): string {
  const { resource, input, reason } = targetTemplates[target];
  return `  now: ${today}T10:00:00Z
  fixtures:
    subjects:
      eng: { type: user, id: "user:eve", groups: [engineering] }
    resources:
      prod: ${resource}
  # Everything passes that no rule refuses, so that the rule under test is seen.
  defaults: { target: ${target}, default: allow, subject: eng, resource: prod }
  cases:
    - name: what should happen, as a sentence
      ${input}
      # While the policy is in shadow mode: what it would have done. Enforced: { verdict: deny, reason: ${reason} }.
      expect: { shadow: { verdict: deny } }
`;
}
