import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { Fault } from '#model';
import { until } from '../world.ts';
import { serves } from './leftover.ts';
import { type RunningPostgres, startPostgres } from './start.ts';

const door = new URL('../index.ts', import.meta.url).href;
let folder: string;
let directory: string;
const start = (password = 'a secret'): Promise<RunningPostgres> => startPostgres({ directory, superuser: 'owner', password });

async function query(server: RunningPostgres, text: string): Promise<unknown[]> {
  const client = new Client({ host: server.host, port: server.port, user: 'owner', password: 'a secret', database: 'postgres' });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

describe('the embedded PostgreSQL', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'warder-test-'));
    chmodSync(folder, 0o711);
    directory = join(folder, 'server');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('a first start makes a UTF-8 server that only a password and a unix socket reach', async () => {
    const server = await start();
    assert.equal(server.fresh, true);
    assert.deepEqual(await query(server, "select current_setting('server_encoding') e, current_setting('listen_addresses') l"), [
      { e: 'UTF8', l: '' },
    ]);
    const stranger = new Client({ host: server.host, port: server.port, user: 'owner', password: 'wrong', database: 'postgres' });
    await assert.rejects(stranger.connect(), /password authentication failed/);
    await query(server, 'create table kept (n int); insert into kept values (7)');
    await server.stop();
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });

  test('a killed server recovers and keeps what was committed', async () => {
    const server = await start();
    assert.equal(server.fresh, false);
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
    const again = await start();
    assert.deepEqual(await query(again, 'select n from kept'), [{ n: 7 }]);
    await again.stop('immediate');
  });

  test('a server that nobody stopped is ended before another starts on its folder', async () => {
    const first = await start();
    const second = await start();
    assert.deepEqual(await first.exited, { code: 0, signal: null });
    assert.deepEqual(await query(second, 'select n from kept'), [{ n: 7 }]);
    await second.stop();
  });

  test('a pid file that names a stranger is not believed, and the stranger is left alone', async () => {
    const stranger = spawn('sleep', ['60']);
    const pidFile = join(directory, 'data', 'postmaster.pid');
    writeFileSync(pidFile, `${stranger.pid}\n${join(directory, 'data')}\n`);
    const server = await start();
    assert.equal(stranger.exitCode, null);
    await server.stop();
    stranger.kill();
  });

  test('the server ends soon after the process that started it is killed', { skip: !existsSync('/usr/bin/setpriv') }, async () => {
    const code = `const { startPostgres } = await import(${JSON.stringify(door)});
      const s = await startPostgres({ directory: ${JSON.stringify(directory)}, superuser: 'owner', password: 'a secret' });
      console.log(s.pid); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(String(line).trim());
    assert.ok(serves(pid, join(directory, 'data')));
    parent.kill('SIGKILL');
    const gone = await until(() => (serves(pid, join(directory, 'data')) ? undefined : true), { deadlineMs: 5_000 });
    assert.equal(gone, true);
  });

  test('root whose folders nobody else may pass runs it in a user namespace', {
    skip: process.getuid?.() !== 0 || spawnSync('unshare', ['-U', 'true']).status !== 0,
  }, async () => {
    chmodSync(folder, 0o700);
    const server = await start();
    assert.deepEqual(await query(server, 'select n from kept'), [{ n: 7 }]);
    await server.stop();
    chmodSync(folder, 0o711);
    const again = await start();
    assert.deepEqual(await query(again, 'select n from kept'), [{ n: 7 }], 'and the data changes hands back');
    await again.stop();
  });

  test('a lost password is a fault that names the folder and not the password', async () => {
    await assert.rejects(start('another secret'), (fault) => {
      assert.ok(fault instanceof Fault);
      assert.equal(fault.code, 'HOME_UNUSABLE');
      assert.match(fault.message, new RegExp(directory));
      assert.doesNotMatch(fault.message, /another secret/);
      return true;
    });
  });

  test('no secret reaches the command line or the log of the server', async () => {
    const server = await start();
    await query(server, "select 'very private text' from missing_table").catch(() => {});
    assert.doesNotMatch(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8'), /a secret/);
    await server.stop();
    assert.doesNotMatch(readFileSync(join(directory, 'server.log'), 'utf8'), /very private text|a secret/);
  });
});
