/** The conformance kit, run against every point of the standard build, and the sabotaged twins that show it has teeth. */
import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import type { Permit } from '#ledger';
import { Fault } from '#model';
import { realWorld, startPostgres, type RunningPostgres } from '#host';
import {
  laws,
  replaceMethods,
  watch,
  type Answer,
  type Login,
  type PointUnderTest,
  type Sabotage,
  type TestClient,
} from './conformance.ts';
import { points } from './index.ts';

const superuser = { user: 'owner', password: 'a secret of the target' };
const secret = 'ada@example.com';
let folder: string;
let server: RunningPostgres;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warder-kit-'));
  await chmod(folder, 0o711);
  server = await startPostgres({ directory: folder, superuser: superuser.user, password: superuser.password });
  await direct(`CREATE TABLE people (id int PRIMARY KEY, email text); INSERT INTO people VALUES (1, '${secret}');
    CREATE TABLE effects (n serial PRIMARY KEY, marker text);`);
});
after(async () => {
  await server.stop('immediate');
  await rm(folder, { recursive: true, force: true });
});

async function direct(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ host: server.host, port: server.port, database: 'postgres', ...superuser });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

const policy = `apiVersion: warder/v1
kind: Policy
metadata: { name: kit, title: Rules of the conformance kit }
spec:
  owner: team:kit
  tier: org
  risk: { class: medium }
  review: { last: 2026-11-01, every: P90D }
  target: sql
  mode: enforce
  rules:
    - id: people-may-work
      effect: allow
      match: { sql.verbs: [select, insert, update], subject.groups: [engineering] }
    - id: no-drop
      effect: deny
      match: { sql.effects: ["drop.*"] }
      reason: NO_DROP
      message: Nothing is dropped here.
    - id: record-some
      effect: transform
      match: { sql.functions: [lower] }
      obligations:
        - { type: record, recording: required }
    - id: route-elsewhere
      effect: transform
      match: { sql.effects: [wait] }
      obligations:
        - { type: route, key: replica, to: "replica:1" }
    - id: unbounded
      effect: require
      match: { sql.verbs: [update] }
      reason: APPROVAL_REQUIRED
      message: A reviewer must agree.
      require:
        approval:
          reviewers: [{ group: dba, min: 1 }]
          quorum: 1
          excludeRequester: true
          timeout: PT10M
          onTimeout: deny
          bind: [subject.id]
          grant: { uses: 1, ttl: PT5M }
`;
const masks = `apiVersion: warder/v1
kind: Policy
metadata: { name: kit-masks, title: Masks of the conformance kit }
spec:
  owner: team:kit
  tier: org
  risk: { class: medium }
  review: { last: 2026-11-01, every: P90D }
  target: sql
  phase: response
  mode: enforce
  rules:
    - id: mask
      effect: transform
      obligations:
        - { type: mask, select: { columns: { labels: ["pii.*"] } }, with: { strategy: redact } }
`;

function verifiers(login: Login, expiresAt: number): ReturnType<PointUnderTest['verifiers']> {
  const salt = Buffer.from('0123456789abcdef');
  const salted = pbkdf2Sync(login.password, salt, 4096, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  return {
    salt: salt.toString('base64'),
    iterations: 4096,
    verifiers: [
      {
        token: 'tok_test',
        storedKey: createHash('sha256').update(clientKey).digest('base64'),
        serverKey: createHmac('sha256', salted).update('Server Key').digest('base64'),
        expiresAt,
      },
    ],
  };
}

async function connectPg(address: { readonly host: string; readonly port: number }, login: Login, prepared: boolean): Promise<TestClient> {
  const client = new pg.Client({ ...address, user: login.name, password: login.password, database: 'kit' });
  client.on('error', () => undefined);
  await client.connect();
  return {
    run: async (text): Promise<Answer> => {
      try {
        // One statement alone goes through Parse, Bind and Execute when the client is asked to prepare.
        const extended = prepared && !text.includes(';');
        // `queryMode` is an option of the driver that its types leave out.
        const query = { text, ...(extended ? { values: [], queryMode: 'extended' } : {}) } as pg.QueryConfig;
        const result: pg.QueryResult | pg.QueryResult[] = await client.query(query);
        return { kind: 'result', text: JSON.stringify([result].flat().map(({ rows }) => rows)) };
      } catch (thrown) {
        const { code = '', message, detail = '' } = thrown as { code?: string; message: string; detail?: string };
        return { kind: 'refusal', code, message, detail };
      }
    },
    cancel: () => {
      // The driver keeps the key it got but does not offer a cancel of its own.
      const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
      const packet = Buffer.alloc(16);
      packet.writeInt32BE(16, 0);
      packet.writeInt32BE(80877102, 4);
      packet.writeInt32BE(processID, 8);
      packet.writeInt32BE(secretKey, 12);
      connect(address.port, address.host).end(packet);
    },
    close: () => client.end(),
  };
}

function postgresUnderTest(prepared: boolean): PointUnderTest {
  const point = points.find(({ name }) => name === 'postgres') ?? assert.fail('there is no postgres point');
  return {
    point,
    policies: [
      { path: 'kit.yaml', text: policy },
      { path: 'masks.yaml', text: masks },
    ],
    startTarget: () =>
      Promise.resolve({
        config: {
          resource: { type: 'database', id: 'pg:kit', name: 'kit', engine: 'postgres', env: 'test', owner: 'team:kit', labels: {} },
          upstream: { host: server.host, port: server.port, database: 'postgres', ...superuser, tls: { mode: 'disable' } },
          classification: { 'public.people.email': ['pii.email'] },
        },
        dial: () => connect(join(server.host, `.s.PGSQL.${server.port}`)),
        stop: () => Promise.resolve(),
      }),
    connect: (address, login) => connectPg(address, login, prepared),
    verifiers,
    samples: {
      masked: (marker) => `SELECT email FROM people /* ${marker} */`,
      effect: (marker) => `INSERT INTO effects (marker) VALUES ('${marker}')`,
      effects: async () => Number((await direct('SELECT count(*) AS n FROM effects'))[0]?.['n']),
      denied: (marker) => `DROP TABLE effects /* ${marker} */`,
      batch: (marker) => `INSERT INTO effects (marker) VALUES ('${marker}'); DROP TABLE effects`,
      opaque: (marker) => `DO $$ BEGIN PERFORM '${marker}'; END $$`,
      held: (marker) => `WITH one AS (INSERT INTO effects (marker) VALUES ('${marker}') RETURNING n) UPDATE people SET id = id`,
      recorded: (marker) => `SELECT lower('${marker}') AS shown, email FROM people`,
      unenforceable: (marker) => `SELECT pg_sleep(0) /* ${marker} */`,
      secret,
    },
  };
}

for (const prepared of [false, true]) {
  const protocol = prepared ? 'extended protocol' : 'simple protocol';
  for (const [name, law] of Object.entries(laws)) {
    test(`postgres, ${protocol}: ${name}`, async () => {
      const watched = await watch(postgresUnderTest(prepared), { world: realWorld });
      try {
        assert.deepEqual(await law(watched), []);
      } finally {
        await watched.close();
      }
    });
  }
}

/** Law → a planted bug that must turn it red. */
const twins: Readonly<Record<string, Sabotage>> = {
  'a denial is recorded before it is shown, and nothing of it goes upstream': {
    ledger: (ledger) =>
      replaceMethods(ledger, {
        append: (draft) => {
          setTimeout(() => void ledger.append(draft).catch(() => undefined), 100);
          return Promise.resolve({ origin: ledger.origin, index: 0, leaf: '' });
        },
      }),
  },
  'a response passes the guard of its permit': {
    pipeline: (pipeline) => ({
      ...pipeline,
      guard: (_admitted, columns) => ({
        kind: 'guard',
        transparent: true,
        cells: columns.map(() => undefined),
        rowsMax: Infinity,
        masked: {},
        rules: [],
      }),
    }),
  },
  'a refusal says the public message and the decision id, and the session goes on': {
    pipeline: (pipeline) => ({
      ...pipeline,
      admit: async (...batch) => {
        const admission = await pipeline.admit(...batch);
        return admission.kind === 'refused' ? { kind: 'refused', refusal: { ...admission.refusal, decisionId: '' } } : admission;
      },
    }),
  },
};
const recordingLaw = 'in a recorded session nothing goes upstream before the recording has it, and what is shown is in it, masked';
/** Planted bugs that must turn the law about recordings red. */
const recordingTwins: Readonly<Record<string, Sabotage>> = {
  'input is called durable before it is': {
    ledger: (ledger) =>
      replaceMethods(ledger, {
        keepChunk: (draft, content) => {
          setTimeout(() => void ledger.keepChunk(draft, content).catch(() => undefined), 100);
          return Promise.resolve({ origin: ledger.origin, index: 0, leaf: '' });
        },
      }),
  },
  'the point forgets the recording': {
    pipeline: (pipeline) => ({
      ...pipeline,
      admit: async (...batch) => {
        const admission = await pipeline.admit(...batch);
        return admission.kind === 'released' ? { kind: 'released', admitted: admission.admitted } : admission;
      },
    }),
  },
  'output goes past the recording': {
    pipeline: (pipeline) => ({
      ...pipeline,
      admit: async (...batch) => {
        const admission = await pipeline.admit(...batch);
        if (admission.kind !== 'released' || !admission.recording) return admission;
        const { recording } = admission;
        let write: (pieces: readonly Uint8Array[]) => void = () => undefined;
        const leaky: typeof recording = {
          connect: (outlet) => {
            write = outlet.write;
            recording.connect(outlet);
          },
          input: (pieces) => recording.input(pieces),
          output: (pieces) => write(pieces),
          finish: () => recording.finish(),
        };
        return { ...admission, recording: leaky };
      },
    }),
  },
};
for (const [name, sabotage] of Object.entries(recordingTwins)) {
  test(`sabotaged, the law about recordings turns red: ${name}`, async () => {
    const watched = await watch(postgresUnderTest(false), { world: realWorld, sabotage });
    try {
      assert.notDeepEqual(await laws[recordingLaw]?.(watched), []);
    } finally {
      await watched.close();
    }
  });
}

for (const [name, sabotage] of Object.entries(twins)) {
  test(`sabotaged, this law turns red: ${name}`, async () => {
    const watched = await watch(postgresUnderTest(false), { world: realWorld, sabotage });
    try {
      assert.notDeepEqual(await laws[name]?.(watched), []);
    } finally {
      await watched.close();
    }
  });
}

test('a permit that was spent releases nothing more', async () => {
  let first: Permit | undefined;
  const watched = await watch(postgresUnderTest(false), {
    world: realWorld,
    sabotage: {
      pipeline: (pipeline) => ({
        ...pipeline,
        admit: async (live, operations, waiting) => {
          const admission = await pipeline.admit(live, operations, waiting);
          if (admission.kind !== 'released') return admission;
          // The bug: every operation comes with the permit of the first one.
          return {
            kind: 'released',
            admitted: admission.admitted.map((one) => {
              first ??= one.permit;
              return { ...one, permit: first };
            }),
          };
        },
      }),
    },
  });
  try {
    const client = await watched.client();
    await watched.run(client, watched.under.samples.effect('mark_first'), 'mark_first');
    const before = await watched.under.samples.effects();
    await watched.run(client, watched.under.samples.effect('mark_second'), 'mark_second');
    assert.equal(await watched.under.samples.effects(), before);
    assert.ok(!watched.events.some(({ what, marker }) => what === 'upstream' && marker === 'mark_second'));
    await client.close().catch(() => undefined);
  } finally {
    await watched.close();
  }
});

/** A ledger whose disk takes so many chunks of recordings and no more. */
function chunksUpTo(most: number): Sabotage {
  let taken = 0;
  return {
    ledger: (ledger) =>
      replaceMethods(ledger, {
        keepChunk: (draft, content) => {
          taken += 1;
          if (taken > most) return Promise.reject(new Fault('LEDGER_FULL', 'the disk of the ledger is full'));
          return ledger.keepChunk(draft, content);
        },
      }),
  };
}

test('what must be recorded and cannot be is refused, nothing of it goes upstream, and the session goes on', async () => {
  const watched = await watch(postgresUnderTest(false), { world: realWorld, sabotage: chunksUpTo(0) });
  try {
    const client = await watched.client();
    const refused = await watched.run(client, watched.under.samples.recorded('mark_first'), 'mark_first');
    assert.ok(refused.kind === 'refusal' && refused.code === '57P03', JSON.stringify(refused));
    assert.match(refused.message, /must be recorded, and its recording broke off \(LEDGER_FULL\)/);
    assert.ok(!watched.events.some(({ what, marker }) => what === 'upstream' && marker === 'mark_first'));
    assert.equal((await watched.run(client, watched.under.samples.effect('mark_second'), 'mark_second')).kind, 'result');
    await client.close();
  } finally {
    await watched.close();
  }
});

test('a required recording that breaks off ends the session before anything more of it runs', async () => {
  const watched = await watch(postgresUnderTest(false), { world: realWorld, sabotage: chunksUpTo(2) });
  try {
    const client = await watched.client();
    assert.equal((await watched.run(client, watched.under.samples.recorded('mark_first'), 'mark_first')).kind, 'result');
    const answers = [];
    for (const marker of ['mark_second', 'mark_third'])
      answers.push(await watched.run(client, watched.under.samples.recorded(marker), marker));
    const last = answers.at(-1);
    assert.equal(last?.kind, 'refusal', JSON.stringify(answers));
    assert.ok(!watched.events.some(({ what, marker }) => what === 'upstream' && marker === 'mark_third'));
    await client.close().catch(() => undefined);
    const kinds = (await watched.ledger.read(0, 100)).map((line) => JSON.parse(line) as { kind: string; status?: string; reason?: string });
    const ended = kinds.find(({ kind }) => kind === 'recording.closed');
    assert.deepEqual([ended?.status, ended?.reason], ['failed', 'LEDGER_FULL']);
  } finally {
    await watched.close();
  }
});
