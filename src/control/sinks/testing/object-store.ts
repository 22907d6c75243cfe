import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signed } from '../transports/s3.ts';
import { installed, running } from './go-program.ts';

/** An object store by other authors: it checks signatures, keeps versions and locks objects. */
export const objectStore = await installed('versitygw', 'github.com/versity/versitygw/cmd/versitygw@v1.8.0');

export const storeRegion = 'eu-test-1';
export const storeKeys = { accessKeyId: 'AKIATEST', secretAccessKey: 'a+secret/of the test=' } as const;

export interface ObjectStore {
  readonly url: URL;
  /** A signed request; everything after the address escaped as in an address. */
  call(
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; headers: Headers; body: string }>;
  /** Makes a bucket; with `lock` one whose objects can be locked. */
  bucket(name: string, options?: { lock: boolean }): Promise<void>;
  stop(): Promise<void>;
}

export async function startObjectStore(): Promise<ObjectStore> {
  const folder = mkdtempSync(join(tmpdir(), 'warder-s3-'));
  const [objects, versions, metadata] = ['objects', 'versions', 'metadata'].map((name) => join(folder, name)) as [string, string, string];
  for (const path of [objects, versions, metadata]) mkdirSync(path);
  const one = await running(
    objectStore.program ?? '',
    // Metadata beside the objects: not every file system has extended attributes.
    (address) => [
      '--port',
      address,
      '--region',
      storeRegion,
      '--quiet',
      'posix',
      '--versioning-dir',
      versions,
      '--sidecar',
      metadata,
      objects,
    ],
    { ROOT_ACCESS_KEY: storeKeys.accessKeyId, ROOT_SECRET_KEY: storeKeys.secretAccessKey },
  );
  const url = new URL(`http://127.0.0.1:${one.port}`);
  const keys = { region: storeRegion, accessKeyId: () => storeKeys.accessKeyId, secretAccessKey: () => storeKeys.secretAccessKey };

  const call: ObjectStore['call'] = async (method, path, headers = {}) => {
    const at = new URL(path, url);
    const response = await fetch(at, { method, headers: signed({ method, url: at, body: new Uint8Array(), headers }, keys, Date.now()) });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  return {
    url,
    call,
    async bucket(name, { lock } = { lock: false }) {
      const { status, body } = await call('PUT', `/${name}`, lock ? { 'x-amz-bucket-object-lock-enabled': 'true' } : {});
      if (status !== 200) throw new Error(`the bucket ${name} was not made: ${status} ${body}`);
    },
    async stop() {
      await one.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
