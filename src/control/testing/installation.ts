import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '#host';
import type { ControlConfig, ControlReady, Running, RunningPostgres } from '#host';
import { canonicalJson } from '#model';
import type { Log } from '../log.ts';
import { runControl } from '../run-control.ts';
import type { Surroundings } from '../run-control.ts';
import type { Loose } from './loose.ts';

/** A database server for the tests of one file. */
export interface TestServer {
  readonly postgres: RunningPostgres;
  readonly folder: string;
  /** Ends the server at once, as a power cut would, and starts it again on the same data. */
  restart(): Promise<void>;
  /** A fresh database. */
  database(): Promise<ControlConfig['database']>;
  stop(): Promise<void>;
}

const account = { user: 'warder', password: 'test' };

export async function startTestServer(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'warder-control-'));
  const start = (): Promise<RunningPostgres> =>
    startPostgres({
      directory: join(folder, 'pg'),
      superuser: account.user,
      password: account.password,
      // Ending the server loses nothing that the kernel has; only a power cut would.
      settings: { fsync: 'off' },
    });
  let postgres = await start();
  let databases = 0;
  return {
    get postgres() {
      return postgres;
    },
    folder,
    async restart() {
      await postgres.stop('immediate');
      postgres = await start();
    },
    async database() {
      databases += 1;
      const name = `control_${databases}`;
      const client = new pg.Client({ host: postgres.host, port: postgres.port, ...account, database: 'postgres' });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return { kind: 'socket', host: postgres.host, port: postgres.port, ...account, database: name };
    },
    async stop() {
      await postgres.stop('immediate');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const testBundle = {
  path: 'access.yaml',
  text: `apiVersion: warder/v1
kind: Bundle
metadata: { name: test }
spec: { version: 1.0.0 }
---
apiVersion: warder/v1
kind: Policy
metadata: { name: access, title: Who may read }
spec:
  owner: team:platform
  risk: { class: low }
  review: { last: 2026-11-01, every: P90D }
  tier: org
  target: sql
  rules:
    - id: everybody-reads
      effect: allow
      reason: READ
      message: Reading is allowed.
      match:
        sql.verbs: [select]
---
apiVersion: warder/v1
kind: Policy
metadata: { name: evidence, title: Who may read texts }
spec:
  owner: team:platform
  risk: { class: low }
  review: { last: 2026-11-01, every: P90D }
  tier: org
  target: warder
  rules:
    - id: by-role
      effect: allow
      reason: ROLE
      match: { warder.action: [evidence.read], warder.roles: [auditor, administrator] }
    - id: own
      effect: allow
      reason: OWN_SESSION
      match: { warder.action: [evidence.read], warder.own: [true] }
`,
};

export const testResource: ControlConfig['resources'][number] = {
  resource: { type: 'database', id: 'pg:orders', name: 'orders', engine: 'postgres', env: 'prod', owner: 'team:shop', labels: {} },
  upstream: { host: '/nowhere', port: 5432, database: 'orders', user: 'app', password: 'upstream-secret', tls: { mode: 'disable' } },
  classification: { 'public.customers.email': ['pii.email'] },
};

/** Collects what is logged, so that a failing test shows it and no test prints it. */
export function collectingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const add = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) =>
    void lines.push(`${level} ${message} ${canonicalJson(fields)}`);
  return { lines, info: add('info'), warn: add('warn'), error: add('error') };
}

export interface TestControl extends Running<ControlReady> {
  readonly config: ControlConfig;
  readonly log: ReturnType<typeof collectingLog>;
  /** Calls the API; the token is one of `tokenOf`, or none. */
  call(method: string, path: string, options?: { token?: string; body?: unknown }): Promise<{ status: number; type: string; body: Loose }>;
  operatorToken(): string;
  tokenOf(name: string): Promise<string>;
}

/** Makes the configuration of a new installation with its own folder and database. */
export async function testConfig(server: TestServer, changes: Partial<ControlConfig> = {}): Promise<ControlConfig> {
  const home = mkdtempSync(join(server.folder, 'home-'));
  const policies = join(home, 'policies');
  mkdirSync(policies);
  writeFileSync(join(policies, testBundle.path), testBundle.text);
  return {
    home,
    api: { host: '127.0.0.1', port: 0 },
    database: await server.database(),
    linkSocket: join(home, 'link.sock'),
    linkSecretFile: join(home, 'link.secret'),
    ledger: join(home, 'ledger'),
    keys: join(home, 'keys'),
    policies,
    operatorTokenFile: join(home, 'operator.token'),
    demo: true,
    resources: [testResource],
    ...changes,
  };
}

export async function startTestControl(config: ControlConfig, surroundings: Surroundings = {}): Promise<TestControl> {
  const log = collectingLog();
  const running = await runControl(config, { log, ...surroundings });
  const base = `http://127.0.0.1:${running.ready.api.port}/api/v1`;
  const call: TestControl['call'] = async (method, path, { token, body } = {}) => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, type: response.headers.get('content-type') ?? '', body: text === '' ? undefined : JSON.parse(text) };
  };
  const operatorToken = (): string => readFileSync(config.operatorTokenFile, 'utf8').trim();
  return {
    ...running,
    config,
    log,
    call,
    operatorToken,
    async tokenOf(name) {
      const { body } = await call('POST', '/tokens', { token: operatorToken(), body: { subject: name } });
      return body.token;
    },
  };
}
