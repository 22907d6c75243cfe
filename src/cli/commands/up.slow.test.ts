import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { until } from '#host';

const stub = fileURLToPath(new URL('../../../bin/warder.cjs', import.meta.url));
const startMs = 60_000;
const recoverMs = 20_000;

interface Ready {
  readonly home: string;
  readonly api: string;
  readonly postgres: { readonly host: string; readonly port: number };
  readonly subjects: Readonly<Record<'engineer' | 'reviewer' | 'auditor', { readonly token: string }>>;
  readonly processes: Readonly<Record<'supervisor' | 'control' | 'gateway' | 'store' | 'target', number>>;
}

let folder: string;
let home: string;
let child: ChildProcess | undefined;
let ready: Ready;

async function up(): Promise<Ready> {
  const started = spawn(process.execPath, [stub, 'up', '--demo', '--home', home, '--port-base', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DATABASE_URL: undefined },
  });
  child = started;
  let errors = '';
  started.stderr.on('data', (piece) => {
    errors += String(piece);
  });
  let output = '';
  started.stdout.on('data', (piece) => {
    output += String(piece);
  });
  const line = await until(() => (output.includes('\n') ? output : started.exitCode === null ? undefined : `exit ${started.exitCode}`), {
    deadlineMs: startMs,
  });
  assert.ok(line !== undefined && line.startsWith('{"ready":true'), `${line}\n${errors}`);
  return JSON.parse(line) as Ready; // Reason: the line this very command promises.
}

/** Processes that have the home in their command line. */
function living(of = home): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(of);
      } catch {
        return false;
      }
    });
}

async function customers(token: string): Promise<unknown> {
  const client = new Client({
    ...ready.postgres,
    user: 'engineer',
    password: token,
    database: 'orders-demo',
    ssl: { rejectUnauthorized: false },
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query('select count(*)::int as n from customers')).rows[0]?.n;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}

const serves = (): Promise<unknown> => until(() => customers(ready.subjects.engineer.token), { deadlineMs: recoverMs, everyMs: 50 });
const apiAnswers = (): Promise<true | undefined> =>
  until(
    async () =>
      await fetch(`${ready.api}/api/v1/me`, { headers: { authorization: `Bearer ${ready.subjects.engineer.token}` } }).then(
        (answer) => answer.ok || undefined,
        () => undefined,
      ),
    { deadlineMs: recoverMs, everyMs: 50 },
  );

describe('warder up --demo', () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'warder-test-'));
    chmodSync(folder, 0o711);
    home = join(folder, 'home');
    ready = await up();
  });
  after(async () => {
    child?.kill('SIGKILL');
    await until(() => (living().length === 0 ? true : undefined), { deadlineMs: recoverMs });
    rmSync(folder, { recursive: true, force: true });
  });

  test('is ready when its one line says so: every account works, through the gateway', async () => {
    assert.equal(ready.home, home);
    assert.equal(await customers(ready.subjects.engineer.token), 12_000);
    assert.deepEqual(Object.keys(ready.subjects), ['engineer', 'reviewer', 'auditor']);
  });

  test('a second one with the same home is refused, and the first goes on', async () => {
    const second = spawn(process.execPath, [stub, 'up', '--home', home, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = await once(second.stdout, 'data');
    const [code] = await once(second, 'exit');
    assert.equal(JSON.parse(String(line)).error.code, 'HOME_IN_USE');
    assert.equal(code, 2);
    assert.equal(await customers(ready.subjects.engineer.token), 12_000);
  });

  test('no credential of the target is in an argument or the environment of any process', () => {
    const secrets = ['orders-demo', 'orders-demo-superuser', 'store', 'link', 'operator-token'].map((name) =>
      readFileSync(join(home, 'secrets', name), 'utf8').trim(),
    );
    for (const pid of living()) {
      const seen = readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
      for (const secret of secrets) assert.ok(!seen.includes(secret), `process ${pid}`);
    }
  });

  for (const name of ['gateway', 'control', 'target', 'store'] as const) {
    test(`kill -9 of the ${name} is mended by itself`, async () => {
      const pid = name === 'gateway' || name === 'control' ? childNamed(name) : ready.processes[name];
      process.kill(pid, 'SIGKILL');
      await until(() => (existsSync(`/proc/${pid}`) ? undefined : true), { deadlineMs: 5_000 });
      assert.equal(await apiAnswers(), true);
      assert.equal(await serves(), 12_000);
    });
  }

  test('kill -9 of the supervisor leaves nothing running, and the next start has all the state', async () => {
    const before = ready;
    process.kill(ready.processes.supervisor, 'SIGKILL');
    assert.equal(await until(() => (living().length === 0 ? true : undefined), { deadlineMs: recoverMs }), true);
    ready = await up();
    assert.deepEqual([ready.api, ready.postgres], [before.api, before.postgres]);
    assert.equal(await customers(before.subjects.engineer.token), 12_000, 'a token of the earlier start still works');
  });

  test('kill -9 of everything at once is recovered by the next start', async () => {
    for (const pid of living()) process.kill(pid, 'SIGKILL');
    ready = await up();
    assert.equal(await serves(), 12_000);
  });

  test('a signal to npm, which npm does not pass on, stops everything too', async () => {
    child?.kill('SIGINT');
    await until(() => (living().length === 0 ? true : undefined), { deadlineMs: recoverMs });
    const root = join(stub, '..', '..');
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const npm = spawn('npm', ['exec', '--offline', '--', 'warder', 'up', '--home', home, '--json'], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const [line] = await once(npm.stdout, 'data');
      assert.match(String(line), /"ready":true/);
      npm.kill(signal);
      assert.equal(await until(() => (living().length === 0 ? true : undefined), { deadlineMs: recoverMs }), true, signal);
    }
    ready = await up();
  });

  test('Ctrl-C during a first start gives it up at once and leaves nothing running', async () => {
    const other = join(folder, 'other');
    const starting = spawn(process.execPath, [stub, 'up', '--demo', '--home', other, '--port-base', '0', '--json'], {
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    await until(() => existsSync(join(other, 'demo', 'orders', 'data', 'postmaster.pid')) || undefined, { deadlineMs: startMs });
    starting.kill('SIGINT');
    const [code] = await once(starting, 'exit');
    assert.equal(code, 130);
    assert.deepEqual(living(other), []);
  });

  test('a signal stops everything in order and leaves nothing running', async () => {
    assert.ok(child?.exitCode === null, 'nothing runs that could be stopped');
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
    assert.deepEqual(living(), []);
    assert.equal(existsSync(join(home, 'run', 'endpoints.json')), false);
    for (const server of ['control/store', 'demo/orders']) {
      assert.match(
        readFileSync(join(home, server, 'server.log'), 'utf8').slice(-400),
        /database system is shut down/,
        `${server} was not shut down cleanly`,
      );
    }
  });
});

function childNamed(name: 'gateway' | 'control'): number {
  const pid = living().find((one) => readFileSync(`/proc/${one}/cmdline`, 'utf8').includes(`\0${name}\0--home\0${home}`));
  assert.ok(pid !== undefined, `no ${name} runs`);
  return pid;
}
