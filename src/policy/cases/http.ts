import type { Certainty } from '#model';
import { CaseMistake } from './case-mistake.ts';

/** What a policy sees of an HTTP operation, and how sure one can be of it. */
interface HttpReading {
  readonly http: Readonly<Record<string, unknown>>;
  readonly certainty: Certainty | undefined;
}

/**
 * The attributes of an HTTP operation: from `"GET https://host/path"`, from a map with `url`, or from the attributes themselves (a map
 * without `url`), which are taken as they are.
 *
 * SPEC: RFC 3986 §6.2.2 for what is made equal: case of scheme and host, default ports, escapes of unreserved characters, dot segments.
 * EVASION: a path that servers are known to read differently (`%2f`, `%5c`, `%00`, `//`, `;`, `\`, dots behind an escape) is not made
 * equal to anything; it is `partial`, and no rule that does not say so allows it.
 */
export function httpOf(written: unknown): HttpReading {
  if (typeof written === 'string') {
    const [method = '', url, ...rest] = written.split(' ');
    if (url === undefined || rest.length > 0) throw new CaseMistake('"http" must be "METHOD URL" or a map');
    return fromUrl(method, url, {});
  }
  if (typeof written !== 'object' || written === null || Array.isArray(written))
    throw new CaseMistake('"http" must be "METHOD URL" or a map');
  const { url, method = 'GET', ...rest } = written as Record<string, unknown>; // A map, checked just now.
  if (url === undefined) return { http: written as Record<string, unknown>, certainty: undefined }; // As above.
  if (typeof url !== 'string' || typeof method !== 'string') throw new CaseMistake('"url" and "method" must be strings');
  return fromUrl(method, url, rest);
}

const form = /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?(\/[^?#\s]*)?(?:\?([^#\s]*))?$/i;
const ports: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443 };
const portMax = 65_535;

function fromUrl(method: string, url: string, more: Readonly<Record<string, unknown>>): HttpReading {
  const match = form.exec(url);
  if (match === null) throw new CaseMistake(`"${url}" is not an absolute URL without user, fragment and white space`);
  const [, scheme = '', host = '', stated, path = '/', query = ''] = match;
  const port = stated === undefined ? ports[scheme.toLowerCase()] : Number(stated);
  if (port === undefined || port > portMax) throw new CaseMistake(`the port of "${url}" is not known`);
  const { headers, body, ...rest } = more;
  const clear = isClear(path);
  return {
    http: {
      scheme: scheme.toLowerCase(),
      host: host.toLowerCase().replace(/\.$/, ''),
      port,
      method: method.toUpperCase(),
      path: clear ? withoutDots(decoded(path)) : path,
      query,
      headers: lowerNames(headers),
      requestBytes: sizeOf(body),
      bodyComplete: true,
      ...(body === undefined ? {} : { body }),
      ...rest,
    },
    certainty: clear ? 'parsed' : 'partial',
  };
}

/** Whether every server reads the path alike. */
function isClear(path: string): boolean {
  return !/%(?:2f|5c|00|2e|25)|\/\/|[;\\]|%(?![0-9a-f]{2})/i.test(path);
}

function decoded(path: string): string {
  return path.replaceAll(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
  });
}

function withoutDots(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [i, segment] of segments.entries()) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if ((segment === '..' || segment === '.') && i === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}

function lowerNames(headers: unknown): Readonly<Record<string, unknown>> {
  if (typeof headers !== 'object' || headers === null) return {};
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function sizeOf(body: unknown): number {
  if (body === undefined) return 0;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  // Bytes of UTF-8, without a platform to encode with.
  return [...text].reduce((sum, character) => sum + bytesOf(character.codePointAt(0) ?? 0), 0);
}

function bytesOf(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x1_0000 ? 3 : 4;
}
