import { createHmac } from 'node:crypto';
import type { Facts } from './facts.ts';

/** What may be personal or confidential in an event, and what a receiver needs of it when nobody says otherwise. */
export const privateFields = {
  /** Who acted, for whom, who asked, who approved. */
  people: { facts: ['subject', 'onBehalfOf', 'by', 'approvers'], by: 'keep' },
  groups: { facts: ['groups'], by: 'drop' },
  /** Address and port of the client. */
  source: { facts: ['source'], by: 'keep' },
  /** What the client says of itself. */
  client: { facts: ['client'], by: 'drop' },
  /** What somebody typed as a name who was refused: now and then that is a password. */
  claimed: { facts: ['claimed'], by: 'hash' },
  token: { facts: ['token'], by: 'drop' },
  /** Names of tables and the like. */
  objects: { facts: ['objects'], by: 'keep' },
  /** The statement without its literals. */
  text: { facts: ['normalized'], by: 'keep' },
  /** What people wrote for each other. */
  comment: { facts: ['comment'], by: 'drop' },
  /** The values that the rules looked at; the paths stay readable when they are hashed. */
  reads: { facts: ['reads'], by: 'drop' },
} as const satisfies Record<string, { facts: readonly (keyof Facts)[]; by: PrivacyRule }>;

export type PrivacyRule = 'keep' | 'hash' | 'drop';
export type PrivateField = keyof typeof privateFields;
export type PrivacyRules = Readonly<Partial<Record<PrivateField, PrivacyRule>>>;

/** Makes the function that a sink's events pass through. `key` is the installation's: who does not have it cannot try values out. */
export function privacyOf(rules: PrivacyRules, key: Uint8Array): (facts: Facts) => Facts {
  const dropped: Partial<Record<keyof Facts, undefined>> = {};
  const replaced: [keyof Facts, (text: string) => string][] = [];
  for (const [field, { facts, by }] of Object.entries(privateFields)) {
    // Reason: the entries of a record have its own keys.
    const rule = rules[field as PrivateField] ?? by;
    if (rule === 'drop') for (const fact of facts) dropped[fact] = undefined;
    if (rule === 'hash') for (const fact of facts) replaced.push([fact, (text) => keyedHash(key, field, text)]);
  }
  return (facts) => {
    // Reason: values keep their shape (a text stays a text, a list a list), and what is dropped is optional.
    const shown = { ...facts, ...dropped } as Record<keyof Facts, unknown>;
    for (const [fact, hash] of replaced) if (facts[fact] !== undefined) shown[fact] = hashed(facts[fact], hash);
    return shown as Facts;
  };
}

function hashed(value: unknown, hash: (text: string) => string): unknown {
  if (typeof value === 'string') return hash(value);
  if (Array.isArray(value)) return value.map((one) => hash(String(one)));
  if (typeof value !== 'object' || value === null) return hash(String(value));
  return Object.fromEntries(Object.entries(value).map(([path, one]) => [path, hash(String(one))]));
}

/** The same value of the same field has the same hash in every event of the installation, so that it can still be counted and joined. */
function keyedHash(key: Uint8Array, field: string, value: string): string {
  return `hmac:${createHmac('sha256', key).update(`${field}\0${value}`).digest('hex').slice(0, 32)}`;
}
