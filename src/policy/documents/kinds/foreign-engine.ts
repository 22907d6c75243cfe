import { limits } from '#model';
import { choice, either, integer, json, map, object, optional, required, text } from '../shape.ts';
import { factNameForm, nameForm, ownerForm } from './forms.ts';
import { cel } from './rule.ts';

/** Engines that evaluate policies in their own language; the same as those of `EngineTerms` in the model. */
export const foreignEngines = ['rego-wasm', 'opa-remote', 'cedar'] as const;

/**
 * An engine of other policies that a gateway asks before it decides, with everything it needs but secrets and addresses: these are
 * configuration of the gateway. Written by the import.
 */
export const foreignEngineSpec = object({
  owner: required(text({ form: ownerForm }), 'who answers for it'),
  description: optional(text({ maxChars: 2000 }), 'what it is'),
  fact: required(text({ form: factNameForm }), 'rules read its answer as facts.foreign.<fact>.result'),
  engine: required(choice(...foreignEngines), 'which engine'),
  entrypoint: optional(text({ maxChars: 256 }), 'of compiled Rego: the rule that is asked, e.g. data.sql.authz'),
  wasm: optional(text(), 'of compiled Rego: the module, base64'),
  data: optional(map(json), 'of compiled Rego: its data'),
  policies: optional(map(text(), { keys: nameForm, min: 1 }), 'of Cedar: the policies by their ids'),
  input: required(either({ scalar: text({ maxChars: 64 }), map: map(cel) }), 'how the request is put: a projection, or CEL by member'),
  deadlineMs: optional(integer({ min: 1, max: limits.foreignDeadlineMsMax }), 'who takes longer gives no answer; default 250'),
  breaker: optional(
    object({
      failures: required(integer({ min: 1, max: 1000 }), 'in a row'),
      pauseMs: required(integer({ min: 1, max: limits.foreignPauseMsMax }), 'so long nobody asks then'),
    }),
    'when it is left alone',
  ),
});
