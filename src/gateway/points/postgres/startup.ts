import { Fault } from '#model';
import { Body } from './body.ts';

/** The first packet of a connection, or of what comes after TLS was agreed. SPEC: PostgreSQL 18 documentation, §54.2 and §54.7. */
export type FirstPacket =
  | { readonly kind: 'ssl' }
  | { readonly kind: 'gss' }
  | { readonly kind: 'cancel'; readonly pid: number; readonly secret: Buffer }
  | Startup;

export interface Startup {
  readonly kind: 'startup';
  readonly user: string;
  readonly database: string;
  /** What the client calls itself; untrusted. */
  readonly application: string;
  /** Settings that are passed on to the target. */
  readonly settings: Readonly<Record<string, string>>;
  /** A minor version other than 0, or `_pq_.` options: answered with NegotiateProtocolVersion. */
  readonly negotiate: { readonly options: readonly string[] } | undefined;
}

const requestCodes: Readonly<Record<number, 'ssl' | 'gss' | 'cancel'>> = { 80_877_103: 'ssl', 80_877_104: 'gss', 80_877_102: 'cancel' };

/** Decodes a whole first packet (length included). Throws a Fault for anything that is not one. */
export function decodeFirstPacket(bytes: Buffer): FirstPacket {
  const body = new Body(bytes, 4, bytes.length);
  const code = body.uint32();
  const kind = requestCodes[code];
  if (kind === 'cancel') {
    const pid = body.int32();
    const secret = body.bytes(body.rest);
    if (secret.length < 4 || secret.length > 256) throw new Fault('PROTOCOL_VIOLATION', 'a cancel request has no valid key');
    return { kind, pid, secret };
  }
  if (kind !== undefined) {
    body.done();
    return { kind };
  }
  if (code >>> 16 !== 3)
    throw new Fault('PROTOCOL_UNSUPPORTED', `protocol version ${code >>> 16}.${code & 0xffff} is not spoken here; use 3.0`);
  return decodeStartup(body, code & 0xffff);
}

function decodeStartup(body: Body, minor: number): Startup {
  const given = new Map<string, string>();
  const unknown: string[] = [];
  for (let name = body.cstring(); name !== ''; name = body.cstring()) {
    const value = body.cstring();
    if (name.startsWith('_pq_.')) {
      unknown.push(name);
      continue;
    }
    const key = name.toLowerCase();
    // EVASION: of two values one layer may read the first and another the last.
    if (given.has(key)) throw new Fault('PROTOCOL_VIOLATION', `the startup parameter "${key}" was given twice`);
    given.set(key, value);
  }
  body.done();
  const user = given.get('user') ?? '';
  if (user === '') throw new Fault('PROTOCOL_VIOLATION', 'no user name was given');
  const { application, settings } = checkParameters(given);
  return {
    kind: 'startup',
    user,
    database: given.get('database') || user,
    application,
    settings,
    negotiate: minor > 0 || unknown.length > 0 ? { options: unknown } : undefined,
  };
}

/** Settings that change how values are shown or how long things may take, but not what a statement means or who runs it. */
const harmless = new Set([
  'application_name',
  'bytea_output',
  'client_min_messages',
  'datestyle',
  'extra_float_digits',
  'geqo',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'jit',
  'lock_timeout',
  'statement_timeout',
  'timezone',
  'transaction_timeout',
  'work_mem',
]);

/** Names of UTF-8, and what clients without a locale say; everything is UTF-8 on both sides of Warder. */
const encodings = new Set(['utf8', 'utf-8', 'unicode', 'sql_ascii', 'sqlascii', 'auto', '']);

function checkParameters(given: ReadonlyMap<string, string>): { application: string; settings: Record<string, string> } {
  const settings: Record<string, string> = {};
  for (const [name, value] of given) {
    if (name === 'user' || name === 'database') continue;
    if (name === 'options') {
      for (const [option, optionValue] of parseOptions(value)) acceptSetting(settings, option, optionValue);
    } else if (name === 'replication') {
      if (!['', 'false', 'off', 'no', '0'].includes(value.toLowerCase())) {
        throw new Fault('PROTOCOL_UNSUPPORTED', 'replication connections are refused by Warder');
      }
    } else {
      acceptSetting(settings, name, value);
    }
  }
  const application = settings['application_name'] ?? '';
  delete settings['application_name'];
  return { application, settings };
}

function acceptSetting(settings: Record<string, string>, name: string, value: string): void {
  if (name === 'client_encoding') {
    if (!encodings.has(value.replaceAll("'", '').toLowerCase())) {
      throw new Fault('PROTOCOL_UNSUPPORTED', `client_encoding "${value}" is refused by Warder; use UTF8`);
    }
    return;
  }
  if (name === 'standard_conforming_strings' && value === 'on') return;
  if (!harmless.has(name)) throw new Fault('PROTOCOL_UNSUPPORTED', `the startup parameter "${name}" is refused by Warder; leave it out`);
  settings[name] = value;
}

/**
 * The settings in the `options` startup parameter: only `-c name=value`, `-cname=value` and `--name=value`; a backslash escapes the next
 * character. Anything else is a server switch and refused.
 */
function parseOptions(options: string): readonly (readonly [name: string, value: string])[] {
  const words = splitWords(options);
  const settings: (readonly [string, string])[] = [];
  for (let i = 0; i < words.length; i += 1) {
    let word = words[i] ?? '';
    if (word === '-c') {
      i += 1;
      word = words[i] ?? '';
    } else if (word.startsWith('-c')) {
      word = word.slice(2);
    } else if (word.startsWith('--')) {
      word = word.slice(2);
    } else {
      throw new Fault('PROTOCOL_UNSUPPORTED', `the option "${word}" is refused by Warder; only -c name=value is taken`);
    }
    const equals = word.indexOf('=');
    if (equals < 1) throw new Fault('PROTOCOL_UNSUPPORTED', `the option "${word}" does not have the form name=value`);
    settings.push([word.slice(0, equals).toLowerCase().replaceAll('-', '_'), word.slice(equals + 1)]);
  }
  return settings;
}

function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < text.length; i += 1) {
    const character = text.charAt(i);
    if (character === '\\' && i + 1 < text.length) {
      i += 1;
      word = (word ?? '') + text.charAt(i);
    } else if (' \t\n\r\v\f'.includes(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
