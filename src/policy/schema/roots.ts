import type { Attribute } from './attributes.ts';
import { bool, closed, maybe, open, shown, string, strings } from './attributes.ts';

/** When the operation is decided: the only clock a policy knows. */
export const now: Attribute = { type: { kind: 'timestamp' } };

const onBehalfOf = closed('Principal', { id: string, verified: bool });

export const subject = closed('Subject', {
  type: shown(string),
  id: shown(string),
  name: shown(string),
  groups: strings,
  onBehalfOf: maybe(onBehalfOf),
});

/** Tool and model calls are made by agents: who they act for is always said; where it is not, reading it is an evaluation error. */
export const agent = closed('Agent', { type: shown(string), id: shown(string), name: shown(string), groups: strings, onBehalfOf });

/** What is known about the circumstances. `certainty` is always there; what a person or a client may say is optional. */
export const context = closed('Context', {
  certainty: shown(string),
  source: maybe(string),
  client: maybe(string),
  application: maybe(string),
  session: maybe(string),
  authentication: maybe(string),
  database: maybe(string),
  purpose: maybe(shown(string)),
  incident: maybe(shown(string)),
  ticket: maybe(shown(string)),
  dataClass: maybe(shown(string)),
});

export const openContext = open('Context', { certainty: shown(string) });
export const openResource = shown(open('Resource', { type: string, id: string }));
/** Facts come from producers that are configured, not built in; their names are checked at run time. */
export const facts = open('Facts');
