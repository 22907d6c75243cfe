import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpOf } from './http.ts';

function pathOf(url: string): unknown {
  return httpOf(`GET ${url}`).http['path'];
}

test('a URL becomes the attributes of a request', () => {
  assert.deepEqual(httpOf('get HTTPS://Shop.Internal./a/b?x=1&y'), {
    http: {
      scheme: 'https',
      host: 'shop.internal',
      port: 443,
      method: 'GET',
      path: '/a/b',
      query: 'x=1&y',
      headers: {},
      requestBytes: 0,
      bodyComplete: true,
    },
    certainty: 'parsed',
  });
});

test('what servers agree on is made equal', () => {
  for (const same of ['https://a/x/../admin', 'https://a/./admin', 'https://a/%61dmin', 'https://a/b/c/../../admin', 'https://a:443/admin'])
    assert.equal(pathOf(same), '/admin', same);
  assert.equal(pathOf('https://a'), '/');
  assert.equal(pathOf('https://a/../..'), '/');
  assert.equal(pathOf('https://a/b/.'), '/b/');
  assert.equal(pathOf('https://a/%C3%a4'), '/%C3%A4');
});

test('what servers read differently is not made equal to anything, and is not clear', () => {
  for (const path of ['/a%2fb', '/a%5Cb', '/a%00', '//a', '/a;b', '/%2e%2e/a', '/a%252e', '/a%zz', '/a\\b']) {
    const { http, certainty } = httpOf(`GET https://a${path}`);
    assert.deepEqual([http['path'], certainty], [path, 'partial'], path);
  }
});

test('the size of a body is counted in bytes, and names of headers are in lower case', () => {
  const { http } = httpOf({ method: 'POST', url: 'http://[::1]:8080/', headers: { 'Content-Type': 'text/plain' }, body: 'aé€😀' });
  assert.deepEqual(http['headers'], { 'content-type': 'text/plain' });
  assert.deepEqual([http['requestBytes'], http['host'], http['port'], http['body']], [10, '[::1]', 8080, 'aé€😀']);
});

test('a map without a URL is the attributes as they are', () => {
  const written = { scheme: 'https', host: 'A', path: '//x' };
  assert.deepEqual(httpOf(written), { http: written, certainty: undefined });
});

test('what is no request is refused', () => {
  const wrong: readonly unknown[] = [
    'https://a',
    'GET https://a b',
    'GET /path',
    'GET https://user@a/',
    'GET https://a/#x',
    'GET gopher://a/',
    'GET https://a:70000/',
    7,
    null,
    [],
    { url: 7 },
  ];
  for (const written of wrong) assert.throws(() => httpOf(written), { name: 'Error' }, JSON.stringify(written));
});
