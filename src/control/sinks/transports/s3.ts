import { createHash, createHmac } from 'node:crypto';
import type { World } from '#model';
import type { Format } from '../mapping/format.ts';
import { formatted } from '../mapping/format.ts';
import { taken } from '../sink.ts';
import type { Transport } from '../sink.ts';
import { deliveryOf } from './http-delivery.ts';
import { post } from './http.ts';

export interface S3Options {
  /** `https://s3.eu-central-1.amazonaws.com` or the address of a compatible store; the bucket stands in the path. */
  readonly endpoint: URL;
  readonly region: string;
  readonly bucket: string;
  /** Beginning of every object's name, e.g. `warder/`. */
  readonly prefix: string;
  readonly accessKeyId: () => string;
  readonly secretAccessKey: () => string;
  readonly ca?: string | undefined;
  readonly format: Format;
}

/**
 * One object of lines for each batch, in a folder for each ledger and day. A batch that is repeated with the same records has the same
 * name and replaces itself.
 */
export function s3Transport(options: S3Options, world: World): Transport {
  return {
    async deliver(events, signal) {
      const [first] = events;
      const last = events.at(-1);
      if (first === undefined || last === undefined) return taken;
      const day = new Date(first.t).toISOString().slice(0, 10);
      const [from, to] = [first.i, last.i].map((i) => String(i).padStart(12, '0'));
      const name = `${options.prefix}${first.origin}/${day}/${from}-${to}-${first.leaf.slice(0, 16)}.jsonl`;
      const path = `/${[options.bucket, ...name.split('/')].map(escaped).join('/')}`;
      const url = new URL(path, options.endpoint);
      const body = Buffer.from(events.map((event) => `${formatted(event, options.format)}\n`).join(''), 'utf8');
      const headers = signed({ method: 'PUT', url, body, headers: { 'content-type': 'application/x-ndjson' } }, options, world.now());
      return deliveryOf(await post({ url, method: 'PUT', headers, body, ca: options.ca, signal }));
    },
    close: async () => undefined,
  };
}

export interface ToSign {
  readonly method: string;
  readonly url: URL;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The headers of a request with its signature. The path must be escaped as S3 does it, once.
 *
 * SPEC: AWS Signature Version 4, single chunk, payload signed.
 */
export function signed(
  { method, url, body, headers }: ToSign,
  { region, accessKeyId, secretAccessKey }: Pick<S3Options, 'region' | 'accessKeyId' | 'secretAccessKey'>,
  now: number,
): Record<string, string> {
  const stamp = new Date(now).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const day = stamp.slice(0, 8);
  const payload = createHash('sha256').update(body).digest('hex');
  const all: Record<string, string> = { ...headers, host: url.host, 'x-amz-content-sha256': payload, 'x-amz-date': stamp };
  const names = Object.keys(all).sort();
  const query = [...url.searchParams].map(([key, value]) => `${escaped(key)}=${escaped(value)}`).sort();
  const canonical = [
    method,
    url.pathname,
    query.join('&'),
    ...names.map((name) => `${name}:${(all[name] ?? '').trim().replaceAll(/ +/g, ' ')}`),
    '',
    names.join(';'),
    payload,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', stamp, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<Uint8Array | string>(hmac, `AWS4${secretAccessKey()}`);
  const signature = hmac(key, text).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId()}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { ...all, authorization };
}

function hmac(key: Uint8Array | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Everything but letters, digits and `-._~`. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
