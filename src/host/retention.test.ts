import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deliveredBelow, writeDelivered } from './delivered.ts';
import { parseRetention, readRetention, retentionJudge } from './retention.ts';

const folder = mkdtempSync(join(tmpdir(), 'warder-retention-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const day = 24 * 60 * 60 * 1000;
const now = 1_000 * day;
const parse = (text: string): ReturnType<typeof parseRetention> => parseRetention('retention.yaml', text);

test('the rules of the guide are rules', () => {
  const guide = readFileSync(new URL('../../docs/how-to/retention.md', import.meta.url), 'utf8');
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];
  const rules = parse(yaml ?? '');
  assert.equal(rules.keep, 400 * day);
  assert.ok(rules.classes.length > 0 && rules.holds.length > 0);
});

test('what is older than the rules keep it goes, its class may keep it longer, and a hold keeps it for ever', () => {
  const rules = parse(`
keep: 100d
classes:
  - { kinds: [approval.*, admin.token], keep: 1y }
  - { resources: ['pg:payroll'], keep: 2y }
holds:
  - { sessions: [ses_held], reason: case 1 }
  - { subjects: ['user:x'], resources: ['pg:orders'], reason: case 2 }
  - { from: 1970-01-11, to: 1970-01-12, reason: case 3 }
`);
  const stays = (age: number, record: Record<string, unknown>): unknown => retentionJudge(rules, now)({ t: now - age * day, ...record });
  const operation = (subject: string, resource: string) => ({
    kind: 'operation.decided',
    session: 's',
    who: { subject },
    what: { resource },
  });
  assert.equal(stays(99, { kind: 'log.heartbeat' }), 'young');
  assert.equal(stays(101, { kind: 'log.heartbeat' }), undefined);
  assert.equal(stays(101, { kind: 'approval.granted', requester: 'user:y' }), 'class');
  assert.equal(stays(366, { kind: 'approval.granted' }), undefined);
  assert.equal(stays(101, { kind: 'admin.session' }), undefined);
  assert.equal(stays(700, operation('user:y', 'pg:payroll')), 'class');
  assert.equal(stays(731, operation('user:y', 'pg:payroll')), undefined);
  assert.equal(stays(900, operation('user:x', 'pg:orders')), 'hold');
  assert.equal(stays(900, operation('user:x', 'pg:other')), undefined, 'all that a hold names must fit');
  assert.equal(stays(900, { kind: 'session.closed', session: 'ses_held' }), 'hold');
  assert.equal(stays(989.5, { kind: 'log.heartbeat' }), 'hold');
  assert.equal(stays(-1, { kind: 'log.heartbeat' }), 'young', 'a clock that was wrong makes nothing old');
  assert.equal(retentionJudge(rules, now)({ kind: 'log.heartbeat' }), 'young', 'what has no time stays');
});

test('an outcome stays as long as the operation of its session that says whose it is', () => {
  const judge = retentionJudge(parse('keep: 1d\nholds: [{ subjects: [user:x], reason: r }]'), now);
  const t = now - 9 * day;
  assert.equal(judge({ t, kind: 'session.opened', session: 's', who: { subject: 'agent:a', onBehalfOf: 'user:x' }, what: {} }), 'hold');
  assert.equal(judge({ t, kind: 'operation.settled', session: 's' }), 'hold');
  assert.equal(judge({ t, kind: 'operation.settled', session: 'other' }), undefined);
  assert.equal(judge({ t, kind: 'session.closed', session: 's' }), 'hold');
});

test('a mistake in the rules is said, and without a file nothing goes', () => {
  assert.equal(readRetention(join(folder, 'none.yaml')), undefined);
  for (const [text, message] of [
    ['keep: 400', /keep: /],
    ['keep: 0d', /number of days/],
    ['{}', /keep: /],
    ['keep: 1d\nclasses: [{ keep: 2d }]', /classes\.0: name kinds/],
    ['keep: 1d\nholds: [{ reason: x }]', /holds\.0: say what is held/],
    ['keep: 1d\nholds: [{ sessions: [a] }]', /holds\.0\.reason/],
    ['keep: 1d\nhold: []', /hold/],
    ['keep: [', /not YAML/],
  ] as const)
    assert.throws(
      () => parse(text),
      (error: { code?: string; message?: string }) => error.code === 'CONFIG_INVALID' && message.test(error.message ?? ''),
      text,
    );
});

test('nothing may go before the mirror and the slowest sink have it, nor when nobody ever said', () => {
  const path = join(folder, 'delivered.json');
  const sinksFile = join(folder, 'sinks.yaml');
  const log = { origin: 'l/a', vkey: 'k', sinksFile };
  assert.equal(deliveredBelow(path, log).below, 0);
  writeDelivered(path, { at: 1, ledgers: { 'l/a': { vkey: 'k', mirrored: 900, sinks: { fast: 900, slow: 300 } } } });
  assert.deepEqual(deliveredBelow(path, log), { below: 300, waitsFor: 'the sink slow' });
  assert.equal(deliveredBelow(path, { ...log, vkey: 'another' }).below, 0);
  assert.equal(deliveredBelow(path, { ...log, origin: 'l/b' }).below, 0);
  writeDelivered(path, { at: 1, ledgers: { 'l/a': { vkey: 'k', mirrored: 900, sinks: {} } } });
  assert.deepEqual(deliveredBelow(path, log), { below: 900, waitsFor: 'the mirror' });
  writeFileSync(sinksFile, 'sinks: [{ name: added, type: file, path: /x }]');
  assert.deepEqual(deliveredBelow(path, log), { below: 0, waitsFor: 'the sink added, which is new' });
  writeFileSync(sinksFile, 'sinks: [');
  assert.throws(() => deliveredBelow(path, log), { code: 'CONFIG_INVALID' });
  rmSync(sinksFile);
  writeFileSync(path, '{"ledgers":{"l/a":{"vkey":"k","mirrored":900,"sinks":{"odd":"x"}}}}');
  assert.equal(deliveredBelow(path, log).below, 0, 'what is not as it was written counts as missing');
});
