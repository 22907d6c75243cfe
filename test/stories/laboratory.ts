/**
 * A gateway in this process for attacks: the real point, pipeline, ledger and policy pack in front of a real PostgreSQL, whose every
 * labelled cell is a canary. Cheaper than an installation; the control plane's end of approvals is played by the test.
 */
import { createHash, createHmac, generateKeyPairSync, pbkdf2Sync, sign } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { realWorld, startPostgres, type RunningPostgres } from '#host';
import { loadInspectors } from '#inspect';
import { openLedger, type Ledger } from '#ledger';
import type { Classification, ResourceConfig, Subject } from '#model';
import { compileBundle, formatProblem, type SourceFile } from '#policy';
import { BundleInForce } from '../../src/gateway/bundle.ts';
import { Holds } from '../../src/gateway/hold.ts';
import { Counters } from '../../src/gateway/limits.ts';
import { createPipeline } from '../../src/gateway/pipeline.ts';
import { points } from '../../src/gateway/points/index.ts';
import { testCertificate } from '../../src/gateway/points/postgres/testing/certificate.ts';
import { LiveSessions } from '../../src/gateway/sessions.ts';
import { testHoldLink, type TestHoldLink } from '../../src/gateway/testing/hold-link.ts';

export const people = {
  engineer: { type: 'user', id: 'user:engineer', name: 'engineer', groups: ['engineering'], roles: [] },
  reviewer: { type: 'user', id: 'user:reviewer', name: 'reviewer', groups: ['dba'], roles: [] },
  auditor: { type: 'user', id: 'user:auditor', name: 'auditor', groups: ['audit'], roles: [] },
} as const satisfies Readonly<Record<string, Subject>>;
export type Person = keyof typeof people;

export interface Laboratory {
  readonly port: number;
  readonly password: string;
  readonly holds: TestHoldLink;
  readonly sessions: LiveSessions;
  readonly ledger: Ledger;
  readonly logged: readonly string[];
  /** Asks the target without Warder, as the owner of its tables. */
  direct(sql: string): Promise<Record<string, unknown>[]>;
  /** Puts another policy in force, with these documents added to the pack. */
  push(extra: readonly SourceFile[]): void;
  close(): Promise<void>;
}

const password = 'wdr_a-token-of-the-laboratory';
const salt = Buffer.from('0123456789abcdef');
const dayMs = 86_400_000;
const owner = { user: 'warder_app', password: 'a secret of the target' };

/** Starts everything and runs `schema` at the target as the owner of its tables. */
export async function startLaboratory(schema: string, classification: Classification): Promise<Laboratory> {
  await loadInspectors();
  // What can fail comes before anything that would have to be stopped.
  const bundle = new BundleInForce(realWorld);
  const push = (extra: readonly SourceFile[]): void => activate(bundle, [...pack(), ...extra]);
  push([]);
  bundle.linked(true);
  const folder = await mkdtemp(join(tmpdir(), 'warder-laboratory-'));
  chmodSync(folder, 0o711);
  const server = await startPostgres({
    directory: join(folder, 'target'),
    superuser: 'root',
    password: 'a secret of the superuser',
    settings: { fsync: 'off', max_prepared_transactions: '5' },
  });
  await prepareTarget(server, schema);
  const ledger = await openLedger({
    directory: join(folder, 'ledger'),
    keys: join(folder, 'keys'),
    origin: 'ledger.test/laboratory',
    world: realWorld,
    build: 'test',
    inline: true,
    onFatal: (fault) => {
      throw fault;
    },
  });
  const logged: string[] = [];
  const note = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  const log = { info: note, warn: note, error: note };
  const holds = testHoldLink(() => realWorld.now());
  const sessions = new LiveSessions({ world: realWorld, log, ledger, bundle });
  const config: ResourceConfig = {
    resource: {
      type: 'database',
      id: 'pg:orders-demo',
      name: 'orders-demo',
      engine: 'postgres',
      env: 'prod',
      owner: 'team:shop',
      labels: {},
    },
    upstream: { host: server.host, port: server.port, database: 'shop', ...owner, tls: { mode: 'disable' } },
    classification,
  };
  const [point] = points;
  if (!point) throw new Error('there is no point');
  const listener = await point.listen(
    {
      world: realWorld,
      log,
      identity: { verifiers: (name) => Promise.resolve(verifiers(name)) },
      resources: { find: (name) => (name === config.resource.name ? config : undefined) },
      sessions,
      pipeline: createPipeline({
        world: realWorld,
        log,
        bundle,
        ledger,
        holds: new Holds(realWorld, holds),
        counters: new Counters(realWorld),
        maskingKey: new Uint8Array(32),
      }),
      tls: await testCertificate(),
    },
    { host: '127.0.0.1', port: 0 },
  );
  return {
    port: listener.port,
    password,
    holds,
    sessions,
    ledger,
    logged,
    push,
    direct: (sql) => ask(server, { ...owner, database: 'shop' }, sql),
    close: async () => {
      await listener.close(0);
      await ledger.close();
      await server.stop('immediate');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function prepareTarget(server: RunningPostgres, schema: string): Promise<void> {
  const root = { user: 'root', password: 'a secret of the superuser', database: 'postgres' };
  await ask(server, root, `create role ${owner.user} login password '${owner.password}'`);
  await ask(server, root, `create database shop owner ${owner.user}`);
  await ask(server, { ...owner, database: 'shop' }, schema);
}

async function ask(
  server: RunningPostgres,
  account: { user: string; password: string; database: string },
  sql: string,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ host: server.host, port: server.port, ...account });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The policies for databases that ship, without their tests. */
function pack(): readonly SourceFile[] {
  const root = join(import.meta.dirname, '../../policies');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => /^(databases\/.*|points\/postgres)\.yaml$/.test(path) && !path.endsWith('.policytest.yaml'))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

function activate(bundle: BundleInForce, files: readonly SourceFile[]): void {
  const compiled = compileBundle(files);
  if (!compiled.ok) throw new Error(compiled.problems.map(formatProblem).join('\n'));
  const { ref } = compiled.bundle;
  const keys = generateKeyPairSync('ed25519');
  const signature = sign(null, Buffer.from(ref.digest), keys.privateKey).toString('base64');
  bundle.activate({ ref, files, activatedAt: 0, signature }, keys.publicKey);
}

function verifiers(name: string) {
  const known = { salt: salt.toString('base64'), iterations: 4096 };
  const subject = Object.values(people).find((person) => person.name === name);
  if (!subject) return { ...known, verifiers: [] };
  const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  return {
    ...known,
    subject,
    verifiers: [
      {
        token: `tok_${name}`,
        storedKey: createHash('sha256').update(clientKey).digest('base64'),
        serverKey: createHmac('sha256', salted).update('Server Key').digest('base64'),
        expiresAt: realWorld.now() + dayMs,
      },
    ],
  };
}
