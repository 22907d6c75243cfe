/** Thrown where a text is left to the reader that knows the whole language. */
export const doubtful = Symbol('not plain');

/** A key with its colon: a word, or a quoted text without escapes. Longer ones are not implicit keys of YAML. */
export const keyForm = /([A-Za-z_][\w./-]{0,200}|"[^"\\\n]{0,200}"|'[^'\n]{0,200}'):(?=[ \n])/y;

/** A quoted scalar on one line; of the escapes of double quotes, those that JSON has too. */
export const quotedForm = /"(?:[^"\\\n]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|'(?:[^'\n]|'')*'/y;

/** The text of a key that `keyForm` found. */
export function keyText(raw: string): string {
  const first = raw[0];
  if (first === '"' || first === "'") {
    if (raw === '"<<"' || raw === "'<<'") throw doubtful;
    return raw.slice(1, -1);
  }
  if (words.has(raw)) throw doubtful;
  return raw;
}

/** The text of a scalar that `quotedForm` found. */
export function quotedText(raw: string): string {
  if (raw.startsWith("'")) return raw.slice(1, -1).replaceAll("''", "'");
  if (!raw.includes('\\')) return raw.slice(1, -1);
  const value: unknown = JSON.parse(raw);
  if (typeof value !== 'string' || !value.isWellFormed()) throw doubtful;
  return value;
}

/**
 * The value of a plain scalar on one line.
 *
 * SPEC: YAML 1.2.2 §10.3.2 (tag resolution of the core schema); what resolves to other numbers than these is doubtful.
 */
export function plainValue(raw: string): string | number | boolean | null {
  if (!firstForm.test(raw) || raw.includes(': ') || raw.endsWith(':')) throw doubtful;
  const word = words.get(raw);
  if (word !== undefined) return word;
  if (!numeric.test(raw)) return raw;
  const value = Number(raw);
  if (!decimal.test(raw) || !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) throw doubtful;
  return value;
}

/** What a plain scalar begins with here: nothing that begins another kind of node. */
const firstForm = /^(?:[A-Za-z0-9_/$(+\\^]|[.-][\w/*.-])/;
const words: ReadonlyMap<string, boolean | null> = new Map([
  ...['null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
]);
const numeric = /^[-+]?(?:\.?[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?|0[oxX][0-9a-fA-F]+|\.(?:inf|nan))$/i;
const decimal = /^(?:0|-?[1-9][0-9]{0,15}|-?(?:0|[1-9][0-9]{0,15})\.[0-9]{1,15})$/;

/** SPEC: YAML 1.2.2 §8.1.2. */
export function literalText(lines: readonly string[]): string {
  return lines.join('\n');
}

/** SPEC: YAML 1.2.2 §8.1.3; empty and more indented lines have rules of their own. */
export function foldedText(lines: readonly string[]): string {
  if (lines.some((line) => line === '' || line.startsWith(' '))) throw doubtful;
  return lines.join(' ');
}
