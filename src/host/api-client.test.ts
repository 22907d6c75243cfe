import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { downloadApi } from './api-client.ts';

/** What a download gives of an API that answers like this. */
async function downloaded(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    assert.equal(request.headers.authorization, 'Bearer secret');
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Reason: it listens on a port.
  const { port } = server.address() as AddressInfo;
  try {
    const pieces: Uint8Array[] = [];
    for await (const piece of downloadApi({ base: `http://127.0.0.1:${port}`, token: 'secret' }, '/file')) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a download is what was sent', async () => {
  assert.equal(await downloaded((response) => response.end('x'.repeat(200_000))), 'x'.repeat(200_000));
});

test('a download that breaks off is no file', async () => {
  const broken = downloaded((response) => {
    response.write('the beginning', () => response.destroy());
  });
  await assert.rejects(broken, { code: 'CONTROL_UNREACHABLE', message: /broke off/ });
});

test('a refused download says why', async () => {
  const problem = JSON.stringify({ code: 'DENIED', detail: 'not for you' });
  const refused = downloaded((response) => response.writeHead(403, { 'content-type': 'application/problem+json' }).end(problem));
  await assert.rejects(refused, { code: 'DENIED', message: /not for you/ });
});

test('where nobody answers there is no download', async () => {
  const pieces = downloadApi({ base: 'http://127.0.0.1:1', token: 'secret' }, '/file');
  await assert.rejects(pieces.next(), { code: 'CONTROL_UNREACHABLE' });
});
