import { durationForm, instantForm, periodForm } from '../time.ts';
import { boolean, choice, either, integer, list, number, object, optional, required, text } from '../shape.ts';
import { attributeForm, digestForm, nameForm, ownerForm, personForm, ruleIdForm } from './forms.ts';
import { obligationShape } from './obligation.ts';
import { cel, matchShape, modeShape, requireShape } from './rule.ts';

const waivesShape = list(
  object({
    policy: required(text({ form: nameForm }), 'which policy'),
    rules: required(list(text({ form: nameForm }), 1), 'which of its rules'),
  }),
  1,
);

/** A scoped, approved, expiring waiver of named rules. */
export const exceptionSpec = object({
  waives: required(waivesShape, 'what it lifts'),
  scope: required(
    object({ match: optional(matchShape, 'structured conditions'), when: optional(cel, 'CEL: must be true') }, 1),
    'for which operations',
  ),
  instead: optional(
    either({
      scalar: choice('waive', 'audit'),
      map: object(
        {
          require: optional(requireShape, 'ask for this instead'),
          transform: optional(list(obligationShape, 1), 'do this instead'),
        },
        1,
      ),
    }),
    'what happens instead; default waive',
  ),
  reason: required(text({ maxChars: 2000 }), 'why'),
  ticket: optional(text({ maxChars: 128 }), 'where it is tracked'),
  owner: required(text({ form: ownerForm }), 'who answers for it'),
  approvedBy: required(list(text({ form: personForm }), 1), 'who approved it'),
  notBefore: optional(text({ form: instantForm }), 'from when'),
  expires: required(text({ form: instantForm }), 'until when'),
  maxUses: optional(integer({ min: 1 }), 'how often'),
  review: optional(object({ every: required(text({ form: periodForm }), 'how often it is looked at') }), 'when it is looked at again'),
});

const stepShape = object(
  {
    shadow: optional(boolean, 'only record what would happen'),
    cohort: optional(cel, 'CEL: who is in'),
    percent: optional(number({ min: 0, max: 100 }), 'share of the keys that is in'),
    hold: optional(text({ form: durationForm }), 'shortest time at this step'),
  },
  1,
);

const gateMetrics = ['new_denies_per_1000', 'error_rate', 'p99_latency_ms', 'disagreement_with_current', 'manual'] as const;

/** How a rule moves from one mode to another. */
export const rolloutSpec = object({
  subject: required(
    object({
      policy: optional(text({ form: nameForm }), 'which policy'),
      rules: optional(list(text({ form: nameForm }), 1), 'which of its rules; default all'),
      bundle: optional(text({ form: digestForm }), 'a whole candidate bundle'),
    }),
    'what is rolled out',
  ),
  from: required(modeShape, 'the mode outside'),
  to: required(modeShape, 'the mode inside'),
  key: required(text({ form: attributeForm }), 'attribute that keeps a subject on one side'),
  salt: required(text({ maxChars: 64 }), 'makes cohorts of different rollouts independent'),
  step: optional(integer({ min: 0 }), 'the step in force, from 1; 0: not begun; default 1'),
  steps: required(list(stepShape, 1), 'in order; who is in stays in'),
  gates: optional(
    list(
      object({
        metric: required(choice(...gateMetrics), 'what'),
        max: optional(number({ min: 0 }), 'at most; not for manual'),
        atLeast: optional(integer({ min: 1 }), 'decisions that must have been made at the step; default 100'),
      }),
      1,
    ),
    'must hold before the next step; with them it is taken by itself',
  ),
  onGateFailure: optional(choice('rollback', 'hold'), 'what then; default rollback'),
});

/** Emergency kill switch: named rules are off or only audited for a short time. */
export const overrideSpec = object({
  rules: required(list(text({ form: ruleIdForm }), 1), 'which rules'),
  mode: required(choice('off', 'audit'), 'what they become'),
  reason: required(text({ maxChars: 2000 }), 'why'),
  ticket: optional(text({ maxChars: 128 }), 'the incident'),
  approvedBy: required(list(text({ form: personForm }), 2), 'two people at least'),
  notBefore: required(text({ form: instantForm }), 'from when'),
  expires: required(text({ form: instantForm }), 'until when; at most four hours later'),
});
