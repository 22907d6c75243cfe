import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { realWorld } from '#host';
import { inspectSql, loadInspectors } from '#inspect';
import { openLedger } from '#ledger';
import type { RecordDraft } from '#model';
import { factsOf, parseEntry } from './facts.ts';
import type { Facts } from './facts.ts';
import { formats } from './mapping/format.ts';
import { privacyOf } from './privacy.ts';
import type { PrivacyRules } from './privacy.ts';
import { answer, startReceiver } from './testing/receiver.ts';
import { elasticsearchTransport } from './transports/elasticsearch.ts';
import { fileTransport } from './transports/file.ts';
import { otlpTransport } from './transports/otlp.ts';
import { s3Transport } from './transports/s3.ts';
import { splunkTransport } from './transports/splunk-hec.ts';
import { webhookTransport } from './transports/webhook.ts';

const never = new AbortController().signal;
const canary = 'CaNaRy7f3';

/** Statements with the canary wherever PostgreSQL lets somebody write a value. */
const statements = [
  `select * from customers where email = '${canary}'`,
  `select E'\\x41${canary}', U&'${canary}', N'${canary}', $$${canary}$$, $tag$${canary}$tag$, B'01'`,
  `insert into notes values ('${canary}', ARRAY['${canary}'], row('${canary}'))`,
  `select 1 -- ${canary}`,
  `select /* ${canary} /* nested ${canary} */ */ 1`,
  `set application_name = '${canary}'`,
  `notify channel, '${canary}'`,
  `comment on table customers is '${canary}'`,
  `create role somebody password '${canary}'`,
  `alter system set archive_command = '${canary}'`,
  `do $$ begin raise notice '${canary}'; end $$`,
  `copy customers from program '${canary}'`,
  `create subscription s connection 'host=x password=${canary}' publication p`,
  `explain analyze select '${canary}'`,
  `prepare p as select '${canary}'`,
  `declare c cursor for select '${canary}'`,
  `create function f() returns text language sql as '${canary}'`,
  `select jsonb_path_query(x, '$.${canary}') from t`,
  `select interval '${canary}', '${canary}'::text, cast('${canary}' as text)`,
  `select '${canary}`,
];

/** Records of a session in which everything that is a value, or that people or programs say of themselves, holds the canary. */
function drafts(): readonly RecordDraft[] {
  const who = { subject: 'user:engineer', onBehalfOf: 'user:boss' };
  const opened: RecordDraft = {
    kind: 'session.opened',
    session: 'ses_a',
    who: { ...who, groups: [canary], authentication: 'scram-sha-256', token: canary, source: '127.0.0.1:5000' },
    what: { point: 'postgres', resource: 'pg:orders', client: canary },
    policy: 'sha256:1',
  };
  const decided = statements.map((text, at): RecordDraft => {
    const inspection = inspectSql(text);
    const { facts } = inspection;
    return {
      kind: 'operation.decided',
      session: 'ses_a',
      operation: `op_${at}`,
      n: at + 1,
      who,
      what: {
        target: 'sql',
        resource: 'pg:orders',
        verb: facts.verbs.join(';'),
        objects: facts.tables,
        normalized: facts.normalized,
        certainty: facts.complete ? 'parsed' : 'partial',
        unknown: facts.unknown,
      },
      evidence: { text, parameters: [canary, null] },
      decision: {
        id: `dec_${at}`,
        verdict: 'deny',
        reason: 'NO',
        rules: ['a/b'],
        matched: [],
        obligations: [],
        bundle: { name: 'b', version: '1', digest: 'sha256:1' },
        errors: [{ rule: 'a/b', part: 'when', message: canary }],
        reads: { 'sql.literals': canary, 'subject.name': [canary] },
      },
    };
  });
  const common = { session: 'ses_a', request: 'req_1', operation: 'op_1' };
  return [
    opened,
    ...decided,
    {
      kind: 'session.refused',
      session: 'ses_b',
      who: { claimed: canary, source: '127.0.0.1:1' },
      what: { point: 'postgres', resource: 'pg:orders' },
      reason: 'UNAUTHENTICATED',
    },
    {
      kind: 'approval.requested',
      ...common,
      who,
      what: { resource: 'pg:orders', rules: ['a/b'], bound: ['c'] },
      evidence: { text: canary, parameters: [canary] },
      expiresAt: 9,
    },
    {
      kind: 'approval.granted',
      ...common,
      grant: 'gnt_1',
      approvers: ['user:reviewer'],
      requester: 'user:engineer',
      bound: ['c'],
      comment: canary,
      expiresAt: 9,
    },
    { kind: 'approval.refused', ...common, by: 'user:reviewer', comment: canary },
  ];
}

async function recorded(folder: string): Promise<readonly Facts[]> {
  const place = {
    directory: join(folder, 'ledger'),
    keys: join(folder, 'keys'),
    origin: 'ledger.test/canary',
    world: realWorld,
    build: 'warder 0',
  };
  const ledger = await openLedger({ ...place, inline: true, reserveBytes: 0, onFatal: (fault) => assert.fail(fault) });
  for (const draft of drafts()) await ledger.append(draft);
  const lines = await ledger.read(0, 100);
  await ledger.close();
  const entries = lines.map(parseEntry);
  const opened = entries.find(({ kind }) => kind === 'session.opened');
  return lines.map((line, at) => factsOf({ origin: place.origin, line, entry: entries[at] ?? {}, opened, duplicate: true }));
}

/** Everything that leaves through any transport that writes what it is told to somewhere we can look. */
async function sent(events: readonly Facts[], rules: PrivacyRules, folder: string): Promise<string> {
  const shown = events.map(privacyOf(rules, new Uint8Array(32).fill(3)));
  const receiver = await startReceiver(answer(200, { code: 0, errors: false, items: events.map(() => ({ create: { status: 201 } })) }));
  const { url } = receiver;
  const keys = { accessKeyId: () => 'k', secretAccessKey: () => 's' };
  const output = join(folder, `${Object.values(rules).join('-')}.log`);
  for (const format of formats) {
    const transports = [
      webhookTransport({ url, secret: () => 'a secret of sixteen bytes', format }, realWorld),
      splunkTransport({ url, token: () => 't', sourcetype: 'warder', acknowledge: false, format }, realWorld),
      elasticsearchTransport({ url, index: 'i', format }),
      otlpTransport({ url }, realWorld),
      s3Transport({ endpoint: url, region: 'r', bucket: 'b', prefix: '', ...keys, format }, realWorld),
      fileTransport({ path: output, format, rotateBytes: 1e9 }, realWorld),
    ];
    for (const transport of transports) assert.deepEqual(await transport.deliver(shown, never), { kind: 'taken' });
  }
  await receiver.stop();
  return (
    receiver.received.map(({ path, headers, body }) => `${path} ${JSON.stringify(headers)} ${body.toString('utf8')}`).join('\n') +
    readFileSync(output, 'utf8')
  );
}

test('no value of a statement, and nothing that somebody said of himself, leaves by default through any sink in any format', async () => {
  await loadInspectors();
  const folder = mkdtempSync(join(tmpdir(), 'warder-canary-'));
  try {
    const events = await recorded(folder);
    assert.ok(events.length > statements.length + 4);
    const text = await sent(events, {}, folder);
    assert.ok(text.includes('select * from customers where email = $1'), 'the shape of a statement is told');
    const at = text.toLowerCase().indexOf(canary.toLowerCase());
    assert.equal(at, -1, text.slice(Math.max(0, at - 200), at + 60));
    const everything: PrivacyRules = {
      people: 'hash',
      groups: 'hash',
      source: 'hash',
      client: 'hash',
      token: 'hash',
      objects: 'hash',
      text: 'drop',
      comment: 'hash',
      reads: 'hash',
    };
    const hashed = await sent(events, everything, folder);
    for (const secret of [canary, 'user:engineer', 'user:reviewer', '127.0.0.1', 'customers'])
      assert.ok(!hashed.slice(hashed.indexOf('\n')).replaceAll('"host":"127.0.0.1', '').includes(secret), secret);
    const told = await sent(events, { reads: 'keep', client: 'keep' }, folder);
    assert.ok(told.includes(canary), 'who asks for the values gets them: the search above would have found them');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
