import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readSecret } from '#host';
import type { S3AnchorSettings } from '#host';
import { Fault, limits } from '#model';
import type { World } from '#model';
import { signed } from '../../sinks/transports/s3.ts';
import { post } from '../../sinks/transports/http.ts';
import type { AnchorPlace } from './anchor.ts';

/** Sizes have at most this many digits (docs/formats/checkpoint.md). */
const digits = 15;

/**
 * A bucket with Object Lock: each checkpoint an object that nobody, in the mode COMPLIANCE not even the owner of the account, can remove or
 * change before its time. Names count down, so that the newest is the first of a listing.
 * SPEC: Amazon S3 API reference, PutObject, ListObjectsV2 and GetObject.
 */
export function s3Anchor(settings: S3AnchorSettings, world: World): AnchorPlace {
  const { endpoint, bucket, prefix } = settings;
  const ca = settings.ca === undefined ? undefined : readFileSync(settings.ca, 'utf8');
  const keys = {
    region: settings.region,
    accessKeyId: () => readSecret(settings.accessKeyId),
    secretAccessKey: () => readSecret(settings.secretAccessKey),
  };

  async function call(
    method: 'GET' | 'PUT',
    path: string,
    more: { query?: Record<string, string>; body?: string; headers?: Record<string, string> } = {},
  ): Promise<string> {
    const url = new URL(`/${[bucket, ...path.split('/')].map(escaped).join('/')}`, endpoint);
    for (const [name, value] of Object.entries(more.query ?? {})) url.searchParams.set(name, value);
    const body = Buffer.from(more.body ?? '', 'utf8');
    const headers = signed({ method, url, body, headers: more.headers ?? {} }, keys, world.now());
    const answer = await post({ url, method, headers, body, ca, signal: AbortSignal.timeout(limits.anchorAnswerMs) });
    if (answer.kind === 'broken') throw new Fault('INTERNAL', `${endpoint} ${answer.why}`);
    if (answer.status !== 200) throw new Fault('INTERNAL', `${endpoint} answered ${answer.status}${codeIn(answer.body)}`);
    return answer.body;
  }

  return {
    name: `${endpoint} ${bucket}/${prefix}`,
    everyMs: settings.everyMinutes * 60_000,
    async last(origin) {
      const list = await call('GET', '', { query: { 'list-type': '2', prefix: `${prefix}${origin}/`, 'max-keys': '1' } });
      const [, key] = /<Key>([^<]+)<\/Key>/.exec(list) ?? [];
      return key === undefined ? undefined : call('GET', unescaped(key));
    },
    async keep(note) {
      const [origin = '', size = ''] = note.split('\n');
      const name = `${String(10 ** digits - 1 - Number(size)).padStart(digits, '0')}-${size}.checkpoint`;
      const until = new Date(world.now() + settings.retainDays * 86_400_000).toISOString();
      await call('PUT', `${prefix}${origin}/${name}`, {
        body: note,
        headers: {
          'content-type': 'text/plain; charset=utf-8',
          // Asked for by S3 whenever an object is locked.
          'content-md5': createHash('md5').update(note).digest('base64'),
          'x-amz-object-lock-mode': settings.mode,
          'x-amz-object-lock-retain-until-date': until,
        },
      });
    },
  };
}

/** Everything but letters, digits and `-._~`. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Text of XML: only these five can stand in a name that we gave. */
function unescaped(text: string): string {
  const signs: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => signs[name] ?? '');
}

/** The store's own word for what went wrong, such as `AccessDenied`. */
function codeIn(body: string): string {
  const [, code] = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(body) ?? [];
  return code === undefined ? '' : ` ${code}`;
}
