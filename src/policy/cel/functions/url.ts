import { EvalError } from '../eval-error.ts';
import { utf8Decode } from '../utf8.ts';
import { CelMap, CelOpaque, type CelValue } from '../values.ts';
import { fn, type Library } from './overload.ts';

/** An absolute URL or an absolute path, in its parts as written. */
class CelUrl extends CelOpaque {
  readonly kind = 'url';
  readonly text: string;
  readonly scheme: string;
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
  readonly query: string;

  constructor(text: string, parts: { scheme: string; hostname: string; port: string; path: string; query: string }) {
    super();
    this.text = text;
    this.scheme = parts.scheme;
    this.hostname = parts.hostname;
    this.port = parts.port;
    this.path = parts.path;
    this.query = parts.query;
  }

  equals(other: CelOpaque): boolean {
    return other instanceof CelUrl && other.text === this.text;
  }

  toString(): string {
    return this.text;
  }
}

// SPEC: RFC 3986 as Kubernetes' library reads it: user info and fragment are no part of what is answered, a space in a path is escaped.
// EVASION: what parsers are known to read differently (backslashes, other white space and control characters, a second `@`, several
// ports) is refused instead of interpreted.
const form =
  /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):\/\/(?:[a-zA-Z0-9._~%!$&'()*+,;=:-]*@)?([a-zA-Z0-9._~%!$&'()*+,;=-]*|\[[0-9a-fA-F:.]+\])(?::(\d{0,5}))?(?=[/?#]|$))?((?: |[^?#\\\s])*)(?:\?((?: |[^#\\\s])*))?(?:#((?: |[^\\\s])*))?$/;
const badPercent = /%(?![0-9a-fA-F]{2})/;
const control = /\p{Cc}/u;

export function readUrl(text: string): CelUrl | undefined {
  const match = control.test(text) || badPercent.test(text) ? null : form.exec(text);
  if (match === null) return undefined;
  const [, scheme, hostname, port, path = '', query = ''] = match;
  if (scheme === undefined && !path.startsWith('/')) return undefined;
  if (scheme === undefined && path.startsWith('//')) return undefined;
  const parts = { hostname: hostname ?? '', port: port ?? '', path: path.replaceAll(' ', '%20'), query };
  return new CelUrl(text, { scheme: (scheme ?? '').toLowerCase(), ...parts });
}

function url(text: string): CelUrl {
  const parsed = readUrl(text);
  if (parsed === undefined) throw new EvalError('CONVERSION', 'not an absolute URL or path');
  return parsed;
}

function decodePart(text: string): string {
  const bytes: number[] = [];
  let out = '';
  const flush = (): void => {
    out += utf8Decode(Uint8Array.from(bytes)) ?? '\ufffd';
    bytes.length = 0;
  };
  for (const [part] of text.replaceAll('+', ' ').matchAll(/%[0-9a-fA-F]{2}|[^%]+/g)) {
    if (part.startsWith('%')) {
      bytes.push(Number.parseInt(part.slice(1), 16));
      continue;
    }
    flush();
    out += part;
  }
  flush();
  return out;
}

function queryOf(parsed: CelUrl): CelMap {
  const map = new CelMap();
  for (const pair of parsed.query === '' ? [] : parsed.query.split('&')) {
    const at = pair.indexOf('=');
    const key = decodePart(at < 0 ? pair : pair.slice(0, at));
    const values: readonly CelValue[] = (map.get(key) as readonly CelValue[] | undefined) ?? []; // Only lists are put in below.
    map.entries.set(key, [key, [...values, at < 0 ? '' : decodePart(pair.slice(at + 1))]]);
  }
  return map;
}

// SPEC: the names of Kubernetes' CEL library for URLs.
export const urlFunctions: Library = [
  fn('url(string): url', url),
  fn('isURL(string): bool', (text: string) => readUrl(text) !== undefined),
  fn('string(url): string', (parsed: CelUrl) => parsed.text),
  fn('url->getScheme(): string', (parsed: CelUrl) => parsed.scheme),
  fn('url->getHost(): string', (parsed: CelUrl) => (parsed.port === '' ? parsed.hostname : `${parsed.hostname}:${parsed.port}`)),
  fn('url->getHostname(): string', (parsed: CelUrl) => parsed.hostname.replace(/^\[|\]$/g, '')),
  fn('url->getPort(): string', (parsed: CelUrl) => parsed.port),
  fn('url->getEscapedPath(): string', (parsed: CelUrl) => parsed.path),
  fn('url->getQuery(): map<string, list<string>>', queryOf),
];
