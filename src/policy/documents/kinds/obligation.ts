import { maskStrategies } from '#model';
import { durationForm } from '../time.ts';
import { choice, integer, json, list, object, optional, required, tagged, text } from '../shape.ts';
import { identifierForm } from './forms.ts';

const detectors = choice('email', 'credit_card', 'iban', 'phone', 'ssn', 'secret');
const patch = object({
  op: required(choice('add', 'replace', 'remove'), 'what to do, as in JSON Patch'),
  path: required(text({ maxChars: 512 }), 'JSON pointer; may hold {templates}'),
  value: optional(json, 'the new value; strings may hold {templates}'),
});

/** What must also happen. The nouns are in `model/obligation.ts`; here is how a person writes them. */
export const obligationShape = tagged('type', {
  mask: object({
    select: required(
      object({
        columns: required(
          object({
            labels: required(list(text({ maxChars: 128 }), 1), 'label globs such as pii.*'),
            lineage: optional(choice('unknown'), 'only columns whose origin cannot be told'),
          }),
          'which result columns',
        ),
      }),
      'what to mask',
    ),
    with: required(
      object({
        strategy: required(choice(...maskStrategies), 'how strict'),
        keep: optional(choice('domain', 'last4', 'first1', 'year'), 'for partial: what stays readable'),
        text: optional(text({ minChars: 0, maxChars: 64 }), 'for redact: the text put in place'),
      }),
      'how to mask',
    ),
  }),
  redact: object({
    select: required(
      object({ text: required(object({ detectors: required(list(detectors, 1), 'what to look for') }), 'free text') }),
      'what to redact',
    ),
  }),
  row_limit: object({ max: required(integer({ min: 0 }), 'rows') }),
  notify: object({
    to: required(text({ maxChars: 128 }), 'whom, e.g. channel:#db-guardrails'),
    topic: required(text({ maxChars: 120 }), 'what about'),
  }),
  quarantine: object({
    scope: required(list(choice('session', 'subject', 'resource'), 1), 'what to quarantine'),
    ttl: required(text({ form: durationForm }), 'for how long'),
  }),
  record: object({
    evidence: optional(choice('buffered', 'local', 'mirrored', 'witnessed'), 'how durable before the operation is released'),
    recording: optional(choice('required', 'best_effort', 'off'), 'of the raw session'),
  }),
  log: object({ level: required(choice('debug', 'info', 'warning', 'alert'), 'severity in the operator log') }),
  mutate: object({
    patch: required(patch, 'what to change'),
    forEach: optional(
      object({
        var: required(text({ form: identifierForm }), 'name of the element in the templates'),
        in: required(text(), 'CEL: the list'),
      }),
      'one patch for each element of a list',
    ),
  }),
  route: object({ key: required(text({ maxChars: 64 }), 'what is routed'), to: required(text({ maxChars: 256 }), 'where to') }),
});
