import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSecret, realWorld } from '#host';
import { readSinks } from './configuration.ts';
import { privateFields } from './privacy.ts';
import { targetOf, transportOf } from './transport.ts';

const folder = mkdtempSync(join(tmpdir(), 'warder-sinks-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const guide = readFileSync(new URL('../../../docs/how-to/sinks.md', import.meta.url), 'utf8');

test('the sinks of the guide can be configured as they stand there', async () => {
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];
  const file = join(folder, 'sinks.yaml');
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, '');
  writeFileSync(file, (yaml ?? '').replaceAll('/etc/warder/logs-ca.pem', ca));
  const sinks = readSinks(file);
  assert.deepEqual(
    sinks.map((one) => one.type),
    ['file', 'syslog', 'webhook', 'splunk-hec', 'elasticsearch', 'otlp', 'postgres', 's3', 'kafka'],
  );
  for (const sink of sinks) {
    assert.ok(targetOf(sink).length > 5);
    assert.ok(!targetOf(sink).includes('geheim'));
    await transportOf(sink, realWorld).close();
  }
  for (const [field, { by }] of Object.entries(privateFields)) {
    assert.match(guide, new RegExp(`\\| .*\`${field}\`.*\\| ${by} \\|`), field);
  }
});

test('two sinks of one kind are fine as long as they write to different places', () => {
  const file = join(folder, 'two.yaml');
  const two = (...bodies: string[]): string => `sinks:\n${bodies.map((body, at) => `  - { name: s${at}, ${body} }\n`).join('')}`;
  const keys = 'accessKeyId: env:A, secretAccessKey: env:B';
  for (const [first, second] of [
    ['type: file, path: /x', 'type: file, path: /x'],
    [`type: s3, endpoint: "https://e", region: r, bucket: b, ${keys}`, `type: s3, endpoint: "https://e", region: q, bucket: b, ${keys}`],
    ['type: postgres, url: env:U', 'type: postgres, url: env:U, privacy: { people: hash }'],
    ['type: elasticsearch, url: "https://e", index: i', 'type: elasticsearch, url: "https://e", index: i, kinds: [session.*]'],
  ] as const) {
    writeFileSync(file, two(first, second));
    assert.throws(() => readSinks(file), /two\.yaml:3: sinks\.1: it would write to the same place as s0/);
  }
  writeFileSync(
    file,
    two(
      'type: file, path: /x',
      'type: file, path: /y',
      'type: webhook, url: "https://h", secret: env:S',
      'type: webhook, url: "https://h", secret: env:S',
    ),
  );
  assert.equal(readSinks(file).length, 4);
});

test('a password is not sent in clear to a broker', () => {
  const file = join(folder, 'kafka.yaml');
  const kafka = (rest: string): string => `sinks:\n  - { name: k, type: kafka, brokers: ["b:9092"], topic: t, ${rest} }\n`;
  const plain = 'sasl: { mechanism: PLAIN, username: u, password: env:P }';
  writeFileSync(file, kafka(plain));
  assert.throws(() => readSinks(file), /kafka\.yaml:2: .*PLAIN shows the password/);
  writeFileSync(file, kafka(`tls: {}, ${plain}`));
  assert.equal(readSinks(file).length, 1);
});

test('without a file there are no sinks', () => {
  assert.deepEqual(readSinks(join(folder, 'nothing.yaml')), []);
  writeFileSync(join(folder, 'empty.yaml'), '# nothing yet\n');
  assert.deepEqual(readSinks(join(folder, 'empty.yaml')), []);
});

test('a secret is read by reference, and what is missing is named without what is there', () => {
  const file = join(folder, 'secret');
  writeFileSync(file, ' geheim\n');
  assert.equal(readSecret(`file:${file}`), 'geheim');
  process.env['WARDER_TEST_SECRET'] = 'auch';
  assert.equal(readSecret('env:WARDER_TEST_SECRET'), 'auch');
  for (const reference of ['env:WARDER_TEST_NOTHING', `file:${folder}/none`, 'geheim', 'env:../x', 'file:relative']) {
    assert.throws(
      () => readSecret(reference),
      (error: Error) => !error.message.includes('geheim'),
    );
  }
});
