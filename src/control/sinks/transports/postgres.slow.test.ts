import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import type { TestServer } from '../../testing/installation.ts';
import { startTestServer } from '../../testing/installation.ts';
import { sampleFacts } from '../testing/facts.ts';
import { postgresTransport } from './postgres.ts';

let server: TestServer;
let url: string;
const never = new AbortController().signal;
const events = sampleFacts();

before(async () => {
  server = await startTestServer();
  const database = await server.database();
  assert.equal(database.kind, 'socket');
  if (database.kind !== 'socket') return;
  url = `postgresql://${database.user}:${database.password}@/${database.database}?host=${encodeURIComponent(database.host)}&port=${database.port}`;
});

after(() => server?.stop());

test('every record is one row, also when it is delivered again', async () => {
  const sink = postgresTransport({ url: () => url, table: 'audit.warder_record' });
  const refused = await sink.deliver(events, never);
  assert.deepEqual([refused.kind === 'failed' && refused.arrived], ['nothing'], 'the schema is missing');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('create schema audit');
  const odd = { ...events[0]!, key: 'k', leaf: 'odd', normalized: 'a\0b \\u0000 "quoted"' };
  assert.deepEqual(await sink.deliver([...events, odd], never), { kind: 'taken' });
  assert.deepEqual(
    await sink.deliver(
      events.map((event) => ({ ...event, duplicate: 'possible' as const })),
      never,
    ),
    { kind: 'taken' },
  );
  const { rows } = await client.query('select * from audit.warder_record order by i, leaf');
  assert.equal(rows.length, events.length + 1);
  const denied = rows.find((row) => row.verdict === 'deny');
  assert.deepEqual(
    [denied.subject, denied.on_behalf_of, denied.objects, denied.rules],
    ['agent:bot', 'user:engineer', ['public.orders'], ['access/everybody-reads']],
  );
  assert.equal(denied.event.class_uid, 6005);
  assert.equal(denied.t.toISOString(), '1970-01-01T00:00:01.003Z');
  assert.equal(rows.find((row) => row.leaf === 'odd').normalized, 'a\uFFFDb \\u0000 "quoted"');
  await client.end();
});

test('a database that is away has got nothing', async () => {
  const result = await postgresTransport({ url: () => 'postgresql://u:geheim@127.0.0.1:1/x', table: 't' }).deliver(events, never);
  assert.equal(result.kind, 'failed');
  assert.ok(result.kind === 'failed' && result.arrived === 'nothing' && !result.why.includes('geheim'));
});
