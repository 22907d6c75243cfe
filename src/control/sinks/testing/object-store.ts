import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { type Packages, testPackages } from '../../../../test/packages.ts';
import { signed } from '../transports/s3.ts';

/** What the sinks are tried against. */
export function receiverPackages(): Packages {
  return testPackages(join(import.meta.dirname, 'receivers'));
}

/** The one account of the store. */
export const storeKeys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' } as const;
export const storeRegion = 'eu-test-1';

/**
 * An object store by other authors: s3rver keeps the objects, and as it does not look at signatures, Amazon's own code does so in front of it.
 * It knows no Object Lock.
 */
export interface ObjectStore {
  readonly url: URL;
  /** A signed request; everything after the address escaped as in an address. */
  call(method: string, path: string): Promise<{ readonly status: number; readonly headers: Headers; readonly body: string }>;
  stop(): Promise<void>;
}

/**
 * @param receivers the folder of `receiverPackages`
 * @param buckets made at the start
 */
export async function startObjectStore(receivers: string, buckets: readonly string[]): Promise<ObjectStore> {
  const folder = mkdtempSync(join(tmpdir(), 'warder-s3-'));
  const program = join(receivers, 'node_modules/s3rver/bin/s3rver.js');
  const args = ['-d', folder, '-a', '127.0.0.1', '-p', '0', ...buckets.flatMap((name) => ['--configure-bucket', name])];
  // It makes the tokens of its listings with a cipher that OpenSSL 3 calls legacy.
  const child = spawn(process.execPath, ['--openssl-legacy-provider', program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise<string>((found, failed) => {
    lines.on('line', (line) => {
      const said = /listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (said !== undefined) found(said);
    });
    lines.once('close', () => failed(new Error('the object store did not start')));
  });
  const door = doorkeeper(receivers, new URL(`http://127.0.0.1:${port}`));
  await once(door.listen(0, '127.0.0.1'), 'listening');
  // Reason: it listens on a port.
  const url = new URL(`http://127.0.0.1:${(door.address() as AddressInfo).port}`);
  const keys = { region: storeRegion, accessKeyId: () => storeKeys.accessKeyId, secretAccessKey: () => storeKeys.secretAccessKey };
  return {
    url,
    async call(method, path) {
      const at = new URL(path, url);
      const headers = signed({ method, url: at, body: new Uint8Array(), headers: {} }, keys, Date.now());
      const response = await fetch(at, { method, headers });
      return { status: response.status, headers: response.headers, body: await response.text() };
    },
    async stop() {
      door.close();
      door.closeAllConnections();
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Lets through what is signed as Amazon's code signs it. */
function doorkeeper(receivers: string, store: URL): Server {
  const signatureOf = amazonSigner(receivers);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    if (request.headers.authorization !== (await signatureOf(request, body))) {
      response.writeHead(403, { 'content-type': 'application/xml' });
      response.end('<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code></Error>');
      return;
    }
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request.headers;
    const method = request.method ?? 'GET';
    const kept = await fetch(new URL(store.origin + (request.url ?? '/')), {
      method,
      headers: headers as Record<string, string>, // Those that may come several times are not used here.
      ...(body.length === 0 ? {} : { body }),
    });
    const { 'content-length': _known, 'transfer-encoding': _how, connection: _open, ...told } = Object.fromEntries(kept.headers);
    response.writeHead(kept.status, told);
    response.end(new Uint8Array(await kept.arrayBuffer()));
  };
  return createServer((request, response) => void answer(request, response));
}

/** What is used of `@smithy/signature-v4`. */
interface Signer {
  sign(request: object, options: { signingDate: Date; signableHeaders: Set<string> }): Promise<{ headers: Record<string, string> }>;
}

function amazonSigner(receivers: string): (request: IncomingMessage, body: Uint8Array) => Promise<string | undefined> {
  const load = createRequire(join(receivers, 'package.json'));
  const { SignatureV4 } = load('@smithy/signature-v4') as { SignatureV4: new (options: object) => Signer }; // As its documentation says.
  const { Sha256 } = load('@aws-crypto/sha256-js') as { Sha256: unknown };
  const signer = new SignatureV4({
    service: 's3',
    region: storeRegion,
    credentials: storeKeys,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  return async ({ method, url = '/', headers }, body) => {
    const names = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
    const [, ...date] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(headers['x-amz-date'])) ?? [];
    const [year = 0, month = 0, day = 0, ...time] = date.map(Number);
    if (!names.includes('host') || date.length === 0) return undefined;
    const at = new URL(url, 'http://localhost');
    const { headers: signedHeaders } = await signer.sign(
      {
        method,
        protocol: 'http:',
        hostname: 'localhost',
        path: url.split('?')[0],
        query: Object.fromEntries(at.searchParams),
        headers: Object.fromEntries(names.map((name) => [name, String(headers[name])])),
        body,
      },
      { signingDate: new Date(Date.UTC(year, month - 1, day, ...time)), signableHeaders: new Set(names) },
    );
    return signedHeaders['authorization'];
  };
}
