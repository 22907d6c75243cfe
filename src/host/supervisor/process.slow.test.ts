import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Fault, type World } from '#model';
import { realWorld, until } from '../world.ts';
import { Backoff } from './backoff.ts';
import type { FixtureConfig, FixtureReady } from './testing/fixture.ts';
import { endOrphans } from './orphans.ts';
import { SupervisedProcess } from './process.ts';

const entry = fileURLToPath(new URL('testing/fixture.ts', import.meta.url));
/** Waits are wanted, not waited for. */
const hasty: World = { ...realWorld, after: (_delayMs, callback) => realWorld.after(1, callback) };

let folder: string;
let deaths: string[];
let lost: Fault[];
let live: SupervisedProcess<FixtureReady> | undefined;

function supervise(behaviour: FixtureConfig['behaviour']): SupervisedProcess<FixtureReady> {
  live = new SupervisedProcess<FixtureReady>({
    name: 'control',
    entry,
    args: ['--home', folder],
    config: (): FixtureConfig => ({ behaviour, diary: join(folder, 'diary') }),
    logFile: join(folder, 'log'),
    world: hasty,
    onDeath: (how) => deaths.push(how),
    onLost: (fault) => lost.push(fault),
  });
  return live;
}

const diary = (): string[] => readFileSync(join(folder, 'diary'), 'utf8').trim().split('\n');
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('a supervised process', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'warder-test-'));
    deaths = [];
    lost = [];
  });
  afterEach(async () => {
    await live?.stop(1_000);
    rmSync(folder, { recursive: true, force: true });
  });

  test('is told its configuration, says when it serves, and stops in order', async () => {
    const one = supervise('serve');
    const ready = await one.start();
    assert.equal(ready.pid, one.pid);
    await one.stop(5_000);
    assert.deepEqual(diary(), ['started', 'stopping', 'stopped']);
    assert.equal(isAlive(ready.pid), false);
  });

  test('gets no token of ours through the environment', async (t) => {
    process.env['WARDER_TOKEN'] = 'wdr_secret';
    t.after(() => delete process.env['WARDER_TOKEN']);
    assert.equal((await supervise('serve').start()).token, undefined);
  });

  test('is started again after kill -9', async () => {
    const one = supervise('serve');
    const { pid } = await one.start();
    process.kill(pid, 'SIGKILL');
    const next = await until(() => (one.pid !== undefined && one.pid !== pid && diary().length === 2 ? one.pid : undefined), {
      deadlineMs: 5_000,
    });
    assert.ok(next !== undefined);
    assert.equal(deaths.length, 1);
    assert.match(deaths[0] ?? '', /SIGKILL/);
  });

  test('that fails for good at its start is not tried again, and its own fault is shown', async () => {
    await assert.rejects(
      supervise('hopeless').start(),
      (fault) => fault instanceof Fault && fault.code === 'LEDGER_CORRUPT' && /the ledger is corrupt/.test(fault.message),
    );
    assert.deepEqual(diary(), ['started']);
  });

  test('that never serves is given up after a few crashes', async () => {
    await assert.rejects(supervise('crash').start(), /control does not start/);
    assert.deepEqual(diary(), ['started', 'started', 'started']);
  });

  test('that must end itself after it served is started again', async () => {
    await supervise('fatal-later').start();
    const again = await until(() => (diary().length >= 2 ? true : undefined), { deadlineMs: 5_000 });
    assert.equal(again, true);
    assert.match(deaths[0] ?? '', /the disk is gone/);
  });

  test('that hangs when it should stop is killed', async () => {
    const one = supervise('hang-on-stop');
    const { pid } = await one.start();
    await one.stop(100);
    assert.equal(isAlive(pid), false);
  });

  test('stops by itself when its supervisor is killed', async () => {
    const code = `
      const { SupervisedProcess } = await import(${JSON.stringify(new URL('process.ts', import.meta.url).href)});
      const { realWorld } = await import(${JSON.stringify(new URL('../world.ts', import.meta.url).href)});
      const one = new SupervisedProcess({ name: 'control', entry: ${JSON.stringify(entry)}, args: ['--home', ${JSON.stringify(folder)}],
        config: () => ({ behaviour: 'serve', diary: ${JSON.stringify(join(folder, 'diary'))} }), logFile: ${JSON.stringify(join(folder, 'log'))},
        world: realWorld, onDeath: () => {}, onLost: () => {} });
      const { pid } = await one.start(); console.log(pid); setInterval(() => {}, 1000);`;
    const { spawn } = await import('node:child_process');
    const supervisor = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(supervisor.stdout, 'data');
    const pid = Number(String(line).trim());
    supervisor.kill('SIGKILL');
    assert.equal(await until(() => (isAlive(pid) ? undefined : true), { deadlineMs: 5_000 }), true);
    assert.deepEqual(diary(), ['started', 'stopping', 'stopped']);
  });

  test('of a killed supervisor is ended before the next start, one of another home is left alone', async (t) => {
    const others = ['--home', `${folder}-other`];
    const start = async (args: readonly string[]): Promise<ChildProcess> => {
      const child = fork(entry, ['gateway', ...args], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], detached: true });
      child.send({ kind: 'start', config: { behaviour: 'serve', diary: join(folder, 'diary') } });
      await once(child, 'message');
      t.after(() => child.kill('SIGKILL'));
      return child;
    };
    const [ours, theirs] = await Promise.all([start(['--home', folder]), start(others)]);
    await endOrphans(entry, ['control', 'gateway'], ['--home', folder]);
    // Ended already, but as our own child it stays in the process table until its end is seen here.
    if (ours.exitCode === null && ours.signalCode === null) await once(ours, 'exit');
    assert.equal(theirs.exitCode ?? theirs.signalCode, null);
    assert.equal(isAlive(theirs.pid ?? -1), true);
  });
});

test('the wait between restarts doubles up to half a minute, and is short again after a healthy while', () => {
  let now = 0n;
  const backoff = new Backoff({ ...realWorld, monotonicNs: () => now, after: () => ({ cancel: () => {} }) });
  const next = (): number => backoff.schedule(() => {});
  assert.deepEqual([next(), next(), next(), next(), next(), next(), next()], [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  backoff.serving();
  now += 59_000_000_000n;
  assert.equal(next(), 30_000);
  backoff.serving();
  now += 61_000_000_000n;
  assert.equal(next(), 1_000);
});
