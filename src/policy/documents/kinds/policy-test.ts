import { boolean, choice, either, integer, json, list, map, number, object, optional, required, text } from '../shape.ts';
import type { Infer } from '../shape.ts';
import { instantForm } from '../time.ts';
import { nameForm, obligationTypeForm, ruleIdForm } from './forms.ts';
import { phases, targets } from './policy.ts';

const verdict = choice('allow', 'deny', 'pending');
const ruleIds = list(text({ form: ruleIdForm }));

const expectationShape = object(
  {
    verdict: optional(
      either({ scalar: verdict, list: list(verdict, 1), map: object({ not: required(verdict, 'any other') }) }),
      'the verdict',
    ),
    reason: optional(text(), 'the reason code'),
    message: optional(text({ minChars: 0 }), 'the whole public message'),
    decisive: optional(ruleIds, 'rules that decided, at least these'),
    fired: optional(ruleIds, 'rules that applied, at least these'),
    notFired: optional(ruleIds, 'rules that did not apply'),
    requires: optional(json, 'terms that the open challenges have, each in one of them; partial'),
    obligations: optional(list(json), 'exactly these, in any order; each as far as it is written'),
    limits: optional(list(json), 'exactly these counters are charged, in any order; each as far as it is written; []: none'),
    warnings: optional(list(text()), 'warnings that contain these texts'),
    shadow: optional(json, 'the shadow verdict, partial; false: none'),
    errors: optional(list(text({ minChars: 0 })), 'evaluation errors of these rules or attribute paths; []: none'),
  },
  1,
);

const grantShape = object({
  rule: required(text({ form: ruleIdForm }), 'the rule that asked'),
  kinds: required(list(choice('approval', 'justification', 'stepUp'), 1), 'what it answers'),
  bound: optional(text(), 'default: exactly what this case asks for'),
  expired: optional(boolean, 'the grant is too old'),
  usesLeft: optional(integer({ min: 0 }), 'default 1'),
});

const reference = either({ scalar: text(), map: json });

const inputs = {
  target: optional(choice(...targets), 'default sql'),
  phase: optional(choice(...phases), 'default request'),
  point: optional(text({ form: nameForm }), 'which point asks'),
  default: optional(choice('allow', 'deny'), 'when no rule allows; default: as the bundle says'),
  subject: optional(reference, 'a fixture or a subject'),
  resource: optional(reference, 'a fixture or a resource'),
  context: optional(reference, 'a fixture or a context, on top of the default one'),
  facts: optional(reference, 'a fixture or facts'),
  catalog: optional(text(), 'a fixture: what the target knows of its tables'),
  sql: optional(text({ minChars: 0 }), 'a statement text, read by the real parser'),
  parameters: optional(list(json), 'values of $1, $2, …'),
  attributes: optional(map(json), 'roots of the target, as they are'),
  http: optional(json, '"GET https://host/path", or a map with method, url, headers and body, or the attributes as they are'),
  tool: optional(json, 'a tool call: server, name, args'),
  ssh: optional(json, 'a command over SSH, or a map with login and command'),
  object: optional(json, 'a Kubernetes object: the admission request around it is made from it'),
  oldObject: optional(json, 'the object before an update or a deletion'),
  request: optional(json, 'what is different in the admission request; with "kind": the whole of it'),
  result: optional(json, 'response phase: the columns; default: what the parser says of the statement'),
  can: optional(list(text({ form: obligationTypeForm })), 'what the point can do; default everything'),
  grants: optional(list(grantShape), 'grants the caller holds'),
  exceeded: optional(list(text({ form: nameForm }), 1), 'limits, by name, whose counters have no units left'),
};

const caseShape = object({
  name: required(text({ maxChars: 200 }), 'a sentence about behaviour'),
  tags: optional(list(text()), 'for selection'),
  ...inputs,
  expect: required(expectationShape, 'what must come out'),
});

const generatorShape = object(
  {
    subsetsOf: optional(list(json, 1), 'every subset of the list'),
    oneOf: optional(list(json, 1), 'each of the values'),
    corpus: optional(text(), 'a file beside this one, one value per line'),
  },
  1,
);

const propertyShape = object({
  name: required(text({ maxChars: 200 }), 'a sentence about behaviour'),
  ...inputs,
  forAll: required(map(generatorShape, { min: 1 }), 'attribute path → values'),
  expect: required(expectationShape, 'what must come out, whatever the values'),
});

const fixturesField = optional(
  object({
    subjects: optional(map(json), 'named subjects'),
    resources: optional(map(json), 'named resources'),
    contexts: optional(map(json), 'named contexts'),
    facts: optional(map(json), 'named facts'),
    catalogs: optional(map(map(map(list(text())))), 'catalog → table → column → labels'),
  }),
  'what cases refer to by name',
);

export const policyTestSpec = object({
  description: optional(text({ maxChars: 4000 }), 'for people'),
  policies: optional(list(text({ form: nameForm }), 1), 'only these policies take part; default all'),
  now: required(text({ form: instantForm }), 'the time of all cases'),
  fixtures: fixturesField,
  defaults: optional(object(inputs), 'what every case starts from'),
  cases: optional(list(caseShape), 'the cases'),
  properties: optional(list(propertyShape), 'laws over generated inputs'),
  coverage: optional(
    object({
      rules: optional(number({ min: 0, max: 100 }), 'rules that fired'),
      atoms: optional(number({ min: 0, max: 100 }), 'atoms that were true once and false once'),
      obligations: optional(number({ min: 0, max: 100 }), 'obligations that were given'),
      errors: optional(number({ min: 0, max: 100 }), 'stated onError paths that were taken'),
    }),
    'percentages that must be reached',
  ),
  mutation: optional(object({ minScore: required(number({ min: 0, max: 100 }), 'percentage') }), 'mutation score that must be reached'),
});

/** One case by itself, as a question: what would be decided. */
export const questionShape = object({
  name: optional(text({ maxChars: 200 }), 'a sentence about behaviour'),
  tags: optional(list(text()), 'for selection'),
  now: optional(text({ form: instantForm }), 'when; default: now'),
  fixtures: fixturesField,
  ...inputs,
  expect: optional(expectationShape, 'what must come out'),
});

export type Question = Infer<typeof questionShape>;
export type PolicyTestSpec = Infer<typeof policyTestSpec>;
export type CaseInputs = Infer<ReturnType<typeof object<typeof inputs>>>;
export type PropertySpec = Infer<typeof propertyShape>;
export type Expectation = Infer<typeof expectationShape>;
