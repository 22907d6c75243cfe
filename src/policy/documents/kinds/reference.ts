import { dateForm, durationForm } from '../time.ts';
import { choice, either, json, list, map, object, optional, required, text } from '../shape.ts';
import {
  digestForm,
  identifierForm,
  nameForm,
  obligationTypeForm,
  ownerForm,
  packForm,
  personForm,
  ruleIdForm,
  versionForm,
} from './forms.ts';
import { phases, reviewShape, targets } from './policy.ts';
import { cel } from './rule.ts';

/** The manifest: what this set of documents is called and promises. */
export const bundleSpec = object({
  version: required(text({ form: versionForm }), 'of the bundle'),
  description: optional(text({ maxChars: 2000 }), 'for people'),
  owner: optional(text({ form: ownerForm }), 'who answers for it'),
  minEngine: optional(text({ form: versionForm }), 'oldest Warder that understands it'),
  defaults: optional(map(choice('deny', 'allow'), {}), 'what happens when no rule allows, by target; default deny'),
  baseline: optional(list(text({ form: ruleIdForm })), 'rules that no override and no rollback may drop'),
  inactive: optional(list(text({ form: packForm }), 1), 'folders beside the manifest whose policies are not in force'),
  changelog: optional(
    list(
      object({
        version: required(text({ form: versionForm }), 'of the bundle'),
        date: optional(text({ form: dateForm }), 'of the release'),
        changes: required(list(text({ maxChars: 500 }), 1), 'what a reader must know'),
      }),
    ),
    'newest first',
  ),
});

/** Reference data: a list that `inData` and CEL (`data.name`) read, or a map that CEL reads. */
export const dataSetSpec = object({
  owner: required(text({ form: ownerForm }), 'who answers for it'),
  description: optional(text({ maxChars: 2000 }), 'what it is'),
  values: required(either({ list: list(json), map: map(json) }), 'the data'),
  digest: optional(text({ form: digestForm }), 'of the canonical JSON of the values; checked'),
  asOf: optional(text({ form: dateForm }), 'when it was true'),
  maxAge: optional(text({ form: durationForm }), 'older than this, reading it is an error'),
});

/** Named CEL values that policies of a target share; every policy reads them as vars.name. */
export const librarySpec = object({
  owner: required(text({ form: ownerForm }), 'who answers for it'),
  description: optional(text({ maxChars: 2000 }), 'what it is for'),
  target: required(choice(...targets), 'whose attributes it reads'),
  phase: optional(choice(...phases), 'default request'),
  variables: required(map(cel, { keys: identifierForm, min: 1 }), 'CEL values'),
});

/** What a point can see and make true. */
export const enforcementPointSpec = object({
  owner: optional(text({ form: ownerForm }), 'who answers for it'),
  description: optional(text({ maxChars: 2000 }), 'for people'),
  targets: required(list(choice(...targets), 1), 'which operations pass it'),
  phases: required(list(choice(...phases), 1), 'when it asks'),
  obligations: required(list(text({ form: obligationTypeForm })), 'obligation types and challenges it can make true'),
});

/** Somebody accepted that a rule cannot be enforced somewhere, or fails open. */
export const riskAcceptanceSpec = object({
  rule: required(text({ form: ruleIdForm }), 'which rule'),
  point: optional(text({ form: nameForm }), 'at which point; absent: a rule that fails open'),
  reason: required(text({ maxChars: 2000 }), 'why it is acceptable'),
  approvedBy: required(list(text({ form: personForm }), 1), 'who accepted it'),
  expires: required(text({ form: dateForm }), 'until when'),
  review: optional(reviewShape, 'when it is looked at again'),
});
