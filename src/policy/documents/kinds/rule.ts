import { limits } from '#model';
import { durationForm } from '../time.ts';
import { atom, boolean, choice, either, integer, json, list, map, number, object, optional, required, text } from '../shape.ts';
import type { Infer } from '../shape.ts';
import { attributeForm, identifierForm, nameForm, reasonForm, ruleIdForm } from './forms.ts';
import { obligationShape } from './obligation.ts';

export const cel = text({ maxChars: limits.celSourceCharsMax });
export const modeShape = choice('enforce', 'audit', 'shadow', 'off');
const failShape = choice('deny', 'allow', 'skip', 'escalate');

/** Structured conditions: attribute path → list (any of, with globs) or a map of operators (all of). */
export const matchShape = map(
  either({
    list: list(atom, 1),
    map: object(
      {
        in: optional(list(atom, 1), 'any of, with globs'),
        notIn: optional(list(atom, 1), 'none of, with globs'),
        inData: optional(text({ form: identifierForm }), 'any value of this DataSet, with globs'),
        cidr: optional(list(text(), 1), 'inside any of these networks'),
        min: optional(number(), 'at least'),
        max: optional(number(), 'at most'),
        exists: optional(boolean, 'the attribute is there, or is not'),
      },
      1,
    ),
  }),
  { keys: attributeForm },
);

const reviewersShape = object({
  group: optional(text({ maxChars: 128 }), 'members of this group'),
  ownerOf: optional(choice('resource'), 'the owner of the resource'),
  min: optional(integer({ min: 1, max: 20 }), 'how many of them; default 1'),
});

const approvalShape = object({
  reviewers: required(list(reviewersShape, 1), 'who may approve'),
  quorum: required(integer({ min: 1, max: 20 }), 'how many approvals in all'),
  excludeRequester: optional(boolean, 'default true: nobody approves their own operation'),
  timeout: required(text({ form: durationForm }), 'how long to wait'),
  onTimeout: required(choice('deny', 'escalate'), 'what then'),
  escalateTo: optional(
    object({
      reviewers: required(list(reviewersShape, 1), 'who may approve as well from then on'),
      quorum: optional(integer({ min: 1, max: 20 }), 'how many of them; default as above'),
      timeout: optional(text({ form: durationForm }), 'how long to wait for them; default as above'),
    }),
    'whom onTimeout: escalate asks, once; nobody then: denied',
  ),
  bind: required(list(text({ form: attributeForm }), 1), 'attributes the approval is bound to'),
  grant: optional(
    object({
      uses: optional(integer({ min: 1, max: 1000 }), 'default 1'),
      ttl: optional(text({ form: durationForm }), 'how long the approval stays usable; default PT5M'),
    }),
    'what an approval is worth',
  ),
});

export const requireShape = object(
  {
    approval: optional(approvalShape, 'other people agree'),
    justification: optional(
      object({
        minLength: optional(integer({ min: 1, max: 2000 }), 'characters; default 1'),
        ticket: optional(text({ maxChars: 256 }), 'RE2 pattern of a ticket that must be named'),
      }),
      'the requester says why',
    ),
    stepUp: optional(
      object({
        acr: required(text({ maxChars: 128 }), 'authentication context to reach'),
        maxAge: optional(text({ form: durationForm }), 'how old the authentication may be; default PT5M'),
      }),
      'the requester proves again who they are',
    ),
  },
  1,
);

const limitShape = object({
  name: required(text({ form: nameForm }), 'of the counter'),
  key: required(list(text({ form: attributeForm }), 1), 'attributes that tell counters apart'),
  max: required(number({ min: 0 }), 'in one period'),
  per: required(text({ form: durationForm }), 'the period'),
  burst: optional(number({ min: 0 }), 'on top'),
  cost: optional(cel, 'CEL: what one operation costs; default 1'),
});

export const ruleShape = object({
  id: required(text({ form: nameForm }), 'unique in the policy'),
  effect: required(choice('deny', 'allow', 'require', 'transform', 'limit', 'observe'), 'what the rule does'),
  description: optional(text({ maxChars: 2000 }), 'for people'),
  match: optional(matchShape, 'structured conditions, all of them'),
  when: optional(cel, 'CEL: must be true'),
  unless: optional(cel, 'CEL: exempts when true'),
  unlessValid: optional(object({ input: required(cel, 'CEL: the value'), schema: required(json, 'JSON Schema') }), 'exempts a valid input'),
  priority: optional(integer({ min: 0, max: 1000 }), 'default 500; decides only between overrides and conflicting obligations'),
  overrides: optional(list(text({ form: ruleIdForm }), 1), 'deny rules that this allow may override'),
  waivable: optional(boolean, 'default true: an exception, or an allow that names it in overrides, may lift it'),
  mode: optional(modeShape, 'default: the mode of the policy'),
  onError: optional(failShape, 'when a condition cannot be evaluated'),
  onUnavailable: optional(failShape, 'when a fact is not available'),
  onExceed: optional(failShape, 'when a limit is exceeded'),
  onStoreError: optional(choice('deny', 'allow', 'skip'), 'when limits cannot be counted'),
  reason: optional(text({ form: reasonForm }), 'stable code'),
  message: optional(text({ maxChars: 500 }), 'public text; {attribute} for public attributes'),
  require: optional(requireShape, 'the challenge; of a limit: what onExceed: escalate asks for'),
  limits: optional(list(limitShape, 1), 'counters'),
  obligations: optional(list(obligationShape, 1), 'what must also happen'),
});

export type RuleSpec = Infer<typeof ruleShape>;
export type MatchSpec = Infer<typeof matchShape>;
export type RequireSpec = Infer<typeof requireShape>;
export type ObligationSpec = Infer<typeof obligationShape>;
