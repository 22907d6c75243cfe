import { createHash } from 'node:crypto';

/** A function that a compiled policy asks its host for. Undefined: the result is undefined, as in OPA. */
export type Builtin = (args: readonly unknown[], nowMs: number) => unknown;

/**
 * Functions of Rego that a compiled module leaves to its host. A policy that needs another one is refused when it is loaded, by name:
 * nothing here reads the network, the clock or the machine; the time is the request's.
 *
 * SPEC: OPA, "Policy Reference: built-in functions", those that are "SDK-dependent" in WebAssembly.
 */
export const builtins: Readonly<Record<string, Builtin>> = {
  sprintf: ([format, values]) => (typeof format === 'string' && Array.isArray(values) ? sprintf(format, values) : undefined),
  trace: () => true,
  // Nanoseconds do not fit into JavaScript's numbers; the time of a request has milliseconds.
  'time.now_ns': (_args, nowMs) => nowMs * 1_000_000,
  'time.parse_rfc3339_ns': ([text]) => {
    const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
    return Number.isNaN(ms) ? undefined : ms * 1_000_000;
  },
  'crypto.md5': ([text]) => digest('md5', text),
  'crypto.sha1': ([text]) => digest('sha1', text),
  'crypto.sha256': ([text]) => digest('sha256', text),
  'hex.encode': ([text]) => (typeof text === 'string' ? Buffer.from(text).toString('hex') : undefined),
  'hex.decode': ([text]) => (typeof text === 'string' ? Buffer.from(text, 'hex').toString('utf8') : undefined),
  'urlquery.encode': ([text]) => (typeof text === 'string' ? encodeURIComponent(text).replaceAll('%20', '+') : undefined),
  'urlquery.decode': ([text]) => (typeof text === 'string' ? decodeQuery(text) : undefined),
  'json.is_valid': ([text]) => typeof text === 'string' && isJson(text),
};

function digest(algorithm: string, text: unknown): string | undefined {
  return typeof text === 'string' ? createHash(algorithm).update(text).digest('hex') : undefined;
}

function decodeQuery(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** SPEC: Go's fmt verbs as far as policies use them: %v %s %d %f %x %q %t %%, with width and precision. */
function sprintf(format: string, values: readonly unknown[]): string {
  let next = 0;
  return format.replaceAll(/%(-?\d*)(?:\.(\d+))?([vsdfxqtT%])/g, (_whole, width: string, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (next >= values.length) return `%!${verb}(MISSING)`;
    const text = formatted(verb, values[next++], precision === undefined ? undefined : Number(precision));
    return width.startsWith('-') ? text.padEnd(Number(width.slice(1))) : text.padStart(Number(width));
  });
}

function formatted(verb: string, value: unknown, precision: number | undefined): string {
  if (verb === 'q') return JSON.stringify(plainText(value));
  if (verb === 'x') return typeof value === 'number' ? value.toString(16) : Buffer.from(plainText(value)).toString('hex');
  if (verb === 'f' && typeof value === 'number') return value.toFixed(precision ?? 6);
  return plainText(value);
}

function plainText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
