import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesGolden } from '../../testing/golden.ts';
import type { Loose } from '../../testing/loose.ts';
import type { Facts } from '../facts.ts';
import { privacyOf, privateFields } from '../privacy.ts';
import { sampleFacts } from '../testing/facts.ts';
import { kinds } from '../../../ledger/verify/grammar.ts';
import { cefOf } from './cef.ts';
import { formatted, formats } from './format.ts';
import { leefOf } from './leef.ts';
import { classOf } from './ocsf-class.ts';
import { addressOf } from './ocsf-objects.ts';
import { ocsfOf } from './ocsf.ts';
import { syslogOf } from './syslog.ts';

const shown = privacyOf({}, new Uint8Array(32));

for (const format of formats) {
  test(`the events in the format ${format} are the checked-in ones`, () => {
    const lines = sampleFacts().map((facts) => formatted(shown(facts), format));
    assert.ok(lines.every((line) => !/[\r\n]/.test(line)));
    matchesGolden(new URL(`./${format}.golden.txt`, import.meta.url), `${lines.join('\n')}\n`);
  });
}

/**
 * Positions, times, numbers, and words of Warder's own or of the policies. A fact that is new comes here only after somebody has thought
 * about what may stand in it.
 */
const harmless = [
  ...['key', 'origin', 'i', 't', 'kind', 'leaf', 'duplicate', 'build', 'session', 'operation', 'n', 'authentication', 'point', 'target'],
  ...['resource', 'verb', 'certainty', 'decision', 'verdict', 'reason', 'rules', 'obligations', 'shadow', 'failed', 'bundle', 'commit'],
  ...[
    'status',
    'rows',
    'rowsChanged',
    'rowsWithheld',
    'masked',
    'code',
    'durationMs',
    'bytesUp',
    'bytesDown',
    'request',
    'action',
    'object',
    'alarm',
    'message',
  ],
];

/** SPEC: OCSF 1.8.0: what each class requires, beside what every event does. */
const required: Readonly<Record<number, readonly string[]>> = {
  0: [],
  1008: ['log_name'],
  2004: ['finding_info'],
  3002: ['user', 'service'],
  3004: ['entity'],
  3005: ['user', 'privileges'],
  6002: ['app'],
  6005: ['actor', 'src_endpoint', 'database'],
};

/** The event as a receiver reads it. */
const sent = (facts: Facts): Loose => JSON.parse(JSON.stringify(ocsfOf(facts)));

test('every event has what OCSF requires of its class', () => {
  for (const facts of sampleFacts()) {
    const event = sent(shown(facts));
    const wanted = required[event.class_uid];
    assert.ok(wanted, `${facts.kind} has class ${event.class_uid}`);
    for (const name of [...wanted, 'activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid']) {
      assert.ok(name in event, `${facts.kind}: ${name}`);
    }
    assert.equal(event.type_uid, event.class_uid * 100 + event.activity_id);
    assert.equal(event.category_uid, Math.floor(event.class_uid / 1000));
    assert.equal(event.metadata.uid, facts.key);
    assert.equal('action_id' in event, event.metadata.profiles.includes('security_control'));
    if ('query_info' in event) assert.ok(event.query_info.query_string.length > 0);
  }
});

test('every kind of record that a ledger can hold has a class of its own in OCSF', () => {
  const [sample] = sampleFacts();
  for (const kind of Object.keys(kinds)) assert.notEqual(classOf({ ...(sample as Facts), kind }).uid, 0, kind);
});

test('every fact is either subject to a privacy rule or known to name nobody and to hold no value', () => {
  const hidden = Object.values(privateFields).flatMap(({ facts }) => [...facts]) as string[];
  const all = new Set(
    [...sampleFacts(), ...sampleFacts().map((facts) => ({ ...facts, failed: true, shadow: 'deny', code: '42501' }))].flatMap(Object.keys),
  );
  assert.deepEqual([...all].filter((fact) => !hidden.includes(fact)).sort(), [...harmless].sort());
});

test('an outcome says what its decision was about, and who did it whence', () => {
  const settled = sent(shown(sampleFacts()[2] as Facts));
  assert.equal(settled.database.uid, 'pg:orders');
  assert.equal(settled.src_endpoint.ip, '127.0.0.1');
  assert.deepEqual([settled.action_id, settled.disposition_id, settled.activity_id], [4, 11, 4], 'masked: modified, corrected');
  assert.equal(settled.unmapped.duplicate, 'possible');
});

test('without a word about privacy a receiver gets no groups, clients, comments, tokens or values, and no name of somebody refused', () => {
  const raw = sampleFacts();
  const all = JSON.stringify(raw);
  const text = JSON.stringify(raw.map(shown));
  for (const secret of ['hunter2', 'fine', 'psql', 'sql.verbs']) {
    assert.ok(all.includes(secret), secret);
    assert.ok(!text.includes(secret), secret);
  }
  assert.match(text, /"claimed":"hmac:[0-9a-f]{32}"/);
});

test('a hashed value is the same in every event, differs by field and key, and keeps lists and maps', () => {
  const rules = { people: 'hash', reads: 'hash', source: 'drop' } as const;
  const hide = privacyOf(rules, new Uint8Array(32));
  const [first, second] = sampleFacts().map(hide);
  assert.equal(first?.subject, second?.subject);
  assert.match(first?.subject ?? '', /^hmac:/);
  assert.notEqual(first?.subject, privacyOf(rules, new Uint8Array(32).fill(1))(sampleFacts()[0] as Facts).subject);
  assert.equal(first?.source, undefined);
  assert.match(second?.reads?.['sql.verbs'] ?? '', /^hmac:/);
  const event = sent(first as Facts);
  assert.deepEqual(event.src_endpoint, { name: 'withheld' });
});

test('whatever text a record holds, it cannot break out of its field or its line', () => {
  const [base] = sampleFacts();
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('a|b', 'x=y', '\\', '"]', '\n', '\t', ''), (text, trap) => {
      const facts = { ...(base as Facts), subject: `${text}${trap}`, normalized: `${trap}${text}`, reason: trap + text };
      const cef = cefOf(facts);
      assert.ok(!/[\r\n]/.test(cef));
      assert.equal(cef.replaceAll(/\\[\\|]/g, '').split('|').length >= 8, true);
      const leef = leefOf(facts);
      assert.ok(!/[\r\n]/.test(leef));
      assert.equal(leef.split('\t').filter((part) => part.startsWith('usrName=')).length, 1);
      const data = /^<\d{1,3}>1 \S+ \S+ warder - \S+ \[warder@32473 (.*?[^\\])\] /s.exec(syslogOf({ ...facts, key: text + trap }, 'x'));
      assert.ok(data);
    }),
  );
});

test('addresses are read with and without port', () => {
  assert.deepEqual(addressOf('127.0.0.1:5432'), { ip: '127.0.0.1', port: 5432 });
  assert.deepEqual(addressOf('[::1]:5432'), { ip: '::1', port: 5432 });
  assert.deepEqual(addressOf('10.0.0.1'), { ip: '10.0.0.1' });
  assert.equal(addressOf('hmac:0123'), undefined);
  assert.equal(addressOf('a-socket'), undefined);
});
