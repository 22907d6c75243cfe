import { dateForm, periodForm } from '../time.ts';
import { choice, list, map, object, optional, required, text } from '../shape.ts';
import type { Infer } from '../shape.ts';
import { attributeForm, identifierForm, nameForm, ownerForm, packForm, personForm } from './forms.ts';
import { cel, matchShape, modeShape, ruleShape } from './rule.ts';

/** Tiers from the strongest to the weakest. */
export const tiers = ['system', 'baseline', 'org', 'product', 'team'] as const;
export type Tier = (typeof tiers)[number];
export const targets = ['sql', 'ssh', 'http', 'k8s.api', 'k8s.admission', 'tool', 'llm', 'egress', 'ci', 'warder'] as const;
export const phases = ['request', 'response', 'list', 'background'] as const;
const riskClasses = ['low', 'medium', 'high', 'critical'] as const;
export type RiskClass = (typeof riskClasses)[number];

export const reviewShape = object({
  last: required(text({ form: dateForm }), 'when people last read it'),
  every: required(text({ form: periodForm }), 'how often they must'),
  by: optional(text({ form: personForm }), 'who did'),
});

export const policySpec = object({
  owner: required(text({ form: ownerForm }), 'who answers for it'),
  tier: required(choice(...tiers), 'whose rule it is'),
  risk: required(
    object({
      class: required(choice(...riskClasses), 'how bad it would be without'),
      categories: optional(list(text({ maxChars: 64 })), 'for reports'),
    }),
    'what it protects from',
  ),
  review: required(reviewShape, 'when it is looked at again'),
  expires: optional(text({ form: dateForm }), 'when it should be gone'),
  controls: optional(list(text({ maxChars: 64 })), 'controls it implements, e.g. SOC2:CC8.1'),
  rationale: optional(text({ maxChars: 4000 }), 'why it exists'),
  runbook: optional(text({ maxChars: 512 }), 'what to do when it fires'),
  target: required(choice(...targets), 'which operations'),
  phase: optional(choice(...phases), 'default request'),
  points: optional(list(text({ form: nameForm }), 1), 'only these enforcement points'),
  mode: optional(modeShape, 'default enforce'),
  match: optional(matchShape, 'structured conditions of all rules'),
  variables: optional(map(cel, { keys: identifierForm }), 'CEL values that rules read as vars.name'),
  requires: optional(
    object({
      facts: optional(list(text({ form: attributeForm }), 1), 'facts that must be there'),
      data: optional(list(text({ form: identifierForm }), 1), 'DataSets it reads'),
      packs: optional(list(text({ form: packForm }), 1), 'packs that are in force with it'),
    }),
    'what it needs',
  ),
  rules: required(list(ruleShape, 1), 'the rules'),
});

export type PolicySpec = Infer<typeof policySpec>;
