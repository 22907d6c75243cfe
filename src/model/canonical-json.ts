/** A JSON value, as read from outside after parsing. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Canonical JSON of a value: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript writes them.
 * `undefined` members are left out; anything that JSON cannot carry throws a `TypeError`.
 *
 * SPEC: RFC 8785 (JSON Canonicalization Scheme); ECMAScript's own number and string forms are the ones it asks for.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('canonical JSON cannot carry a lone surrogate');
    return JSON.stringify(value);
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`canonical JSON cannot carry ${value}`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return canonicalArray(value);
  if (typeof value === 'object') return canonicalObject(value as Readonly<Record<string, unknown>>); // Reason: any object is read by key.
  throw new TypeError(`canonical JSON cannot carry a ${typeof value}`);
}

// Both build the text piece by piece: this is the largest cost of writing a record, and intermediate arrays doubled it.
function canonicalArray(values: readonly unknown[]): string {
  let text = '[';
  for (let i = 0; i < values.length; i += 1) text += (i > 0 ? ',' : '') + canonicalJson(values[i]);
  return `${text}]`;
}

function canonicalObject(value: Readonly<Record<string, unknown>>): string {
  let text = '{';
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member === undefined) continue;
    if (text.length > 1) text += ',';
    text += `${canonicalJson(key)}:${canonicalJson(member)}`;
  }
  return `${text}}`;
}
