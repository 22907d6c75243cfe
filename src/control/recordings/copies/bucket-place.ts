import { readFileSync } from 'node:fs';
import { readSecret } from '#host';
import type { RecordingBucketSettings } from '#host';
import { Fault, limits } from '#model';
import type { World } from '#model';
import { post } from '../../sinks/transports/http.ts';
import { signed } from '../../sinks/transports/s3.ts';
import type { CopyPlace } from './place.ts';

/**
 * A bucket: one object for each, by hash. Only sealed bytes go there; who runs the bucket can lose them, not read them, and what was changed is noticed.
 * SPEC: Amazon S3 API reference, PutObject, GetObject, HeadObject and DeleteObject.
 */
export function bucketPlace(settings: RecordingBucketSettings, world: World): CopyPlace {
  const { endpoint, bucket, prefix } = settings;
  const ca = settings.ca === undefined ? undefined : readFileSync(settings.ca, 'utf8');
  const keys = {
    region: settings.region,
    accessKeyId: () => readSecret(settings.accessKeyId),
    secretAccessKey: () => readSecret(settings.secretAccessKey),
  };

  /** Undefined when there is no such object. */
  async function call(method: 'GET' | 'PUT' | 'DELETE' | 'HEAD', hash: string, body: Uint8Array = nothing): Promise<Buffer | undefined> {
    const url = new URL(
      `/${[bucket, ...prefix.split('/'), hash]
        .filter((part) => part !== '')
        .map(escaped)
        .join('/')}`,
      endpoint,
    );
    const headers = signed({ method, url, body, headers: {} }, keys, world.now());
    const signal = AbortSignal.timeout(limits.anchorAnswerMs);
    const answer = await post({ url, method, headers, body, ca, signal, answerBytesMax: limits.sealedBlobBytesMax });
    if (answer.kind === 'broken') throw new Fault('INTERNAL', `${endpoint} ${answer.why}`);
    if (answer.status === 404) return undefined;
    if (answer.status < 200 || answer.status > 299) throw new Fault('INTERNAL', `${endpoint} answered ${answer.status} to ${method}`);
    return answer.bytes;
  }

  return {
    name: `${endpoint} ${bucket}/${prefix}`,
    has: async (hash) => (await call('HEAD', hash)) !== undefined,
    async keep(hash, bytes) {
      if ((await call('PUT', hash, bytes)) === undefined) throw new Fault('INTERNAL', `${endpoint} has no bucket ${bucket}`);
    },
    read: (hash) => call('GET', hash),
    async remove(hash) {
      await call('DELETE', hash);
    },
  };
}

const nothing = new Uint8Array();

/** Everything but letters, digits and `-._~`. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
