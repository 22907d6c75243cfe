import type { CedarRecord, CedarValue } from './module.ts';

/** A value that cannot be put to Cedar without becoming another one. Caught at the door: then there is no answer. */
export class NotCedar extends Error {}

/** Keys that Cedar reads as something else than a member of a record. */
const escapes = ['__entity', '__extn', '__expr'];

/**
 * A record for Cedar. What is null or missing is left out, as Cedar says it: `has` is false. Fractions are decimals where these hold them
 * and text otherwise, so that a comparison with a number fails instead of being false. Throws NotCedar.
 */
export function cedarRecord(value: Readonly<Record<string, unknown>>): CedarRecord {
  // EVASION: whoever writes the operation could name an entity of their choice, and be taken for its owner.
  if (escapes.some((key) => Object.hasOwn(value, key))) throw new NotCedar(`a member is called ${escapes.join(' or ')}`);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === null || inner === undefined ? [] : [[key, cedarValue(inner)]])),
  );
}

function cedarValue(value: unknown): CedarValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return cedarNumber(value);
  // A set without one of its members is another set, and "contains" would not notice.
  if (Array.isArray(value)) return value.map(cedarValue);
  if (typeof value === 'object' && value !== null) return cedarRecord(value as Record<string, unknown>); // An object that is no list.
  throw new NotCedar(`a member of a list is ${value === null ? 'null' : typeof value}`);
}

function cedarNumber(value: number | bigint): CedarValue {
  const plain = Number(value);
  if (Number.isSafeInteger(plain)) return plain;
  const text = String(value);
  // SPEC: a decimal has one to four digits behind the point and at most fifteen before it.
  return /^-?\d{1,15}\.\d{1,4}$/.test(text) && Math.abs(plain) < decimalMax ? { __extn: { fn: 'decimal', arg: text } } : text;
}

const decimalMax = 900_000_000_000_000;
