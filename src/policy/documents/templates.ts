import type { Target } from '#model';
import type { Kind } from './kinds/index.ts';
import { policyTemplate, testTemplate } from './target-templates.ts';

/** What a template is filled with. Dates are `YYYY-MM-DD`. */
export interface TemplateValues {
  readonly name: string;
  readonly today: string;
  readonly tomorrow: string;
  /** What a Policy or PolicyTest is about; default sql. */
  readonly target?: Target;
}

/** A document of a kind to begin with: complete, and as careful as a document can be that knows nothing yet. */
export function templateOf(kind: Kind, values: TemplateValues): string {
  const head = `apiVersion: warder/v1\nkind: ${kind}\nmetadata:\n  name: ${values.name}\n  title: \n`.replace(
    '  title: \n',
    kind === 'Bundle' || kind === 'Policy' ? '  title: What it is for, in one line\n' : '',
  );
  return `${head}spec:\n${templates[kind](values)}`;
}

const templates: Readonly<Record<Kind, (values: TemplateValues) => string>> = {
  Bundle: ({ today }) => `  version: "0.1.0"
  owner: team:your-team
  # What no rule allows is denied.
  defaults: { sql: deny }
  # Rules that no override, no rollback and no later version may drop.
  baseline: []
  changelog:
    - version: "0.1.0"
      date: ${today}
      changes:
        - First version.
`,
  Policy: ({ today, target = 'sql' }) => policyTemplate(target, today),
  DataSet: () => `  owner: team:your-team
  description: Policies read it as data.<name>, and with inData.
  values:
    - first
    - second
`,
  Library: () => `  owner: team:your-team
  target: sql
  variables:
    # Policies read it as vars.writes.
    writes: 'sql.effects.exists(e, e.startsWith("write."))'
`,
  Exception: ({ today, tomorrow }) => `  waives:
    - policy: the-policy
      rules: [the-rule]
  scope:
    match:
      subject.id: ["user:somebody"]
  # The rule still says what it would have done.
  instead: audit
  reason: Why, and until what happens.
  ticket: OPS-1
  owner: team:your-team
  approvedBy: [user:one, user:two]
  notBefore: ${today}T00:00:00Z
  expires: ${tomorrow}T00:00:00Z
`,
  Rollout: () => `  subject:
    policy: the-policy
    rules: [the-rule]
  from: audit
  to: enforce
  key: subject.id
  salt: change-me
  step: 1
  steps:
    - { shadow: true }
    - { percent: 10 }
    - { percent: 100 }
`,
  Override: ({ today }) => `  rules: [the-policy/the-rule]
  mode: audit
  reason: What is broken, and who is on it.
  approvedBy: [user:one, user:two]
  # At most four hours.
  notBefore: ${today}T00:00:00Z
  expires: ${today}T04:00:00Z
`,
  EnforcementPoint: () => `  owner: team:your-team
  targets: [sql]
  phases: [request, response]
  obligations: [mask, redact, row_limit, notify, record, log, approval, justification]
`,
  RiskAcceptance: ({ tomorrow }) => `  rule: the-policy/the-rule
  point: the-point
  reason: Why it is acceptable there.
  approvedBy: [user:one]
  expires: ${tomorrow}
`,
  ForeignEngine: () => `  owner: team:your-team
  # Rules read its answer as facts.foreign.oldRules.result. Where it answers is configuration of the gateway.
  fact: oldRules
  engine: opa-remote
  input: hoop.v1
  deadlineMs: 1000
  breaker: { failures: 5, pauseMs: 10000 }
`,
  PolicyTest: ({ today, target = 'sql' }) => testTemplate(target, today),
};
