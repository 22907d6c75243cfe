/** Killing things: any process, all of them, and Ctrl-C. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startInstallation, waitFor, type Installation } from './installation.ts';

let home: string;
let installation: Installation;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'warder-recovery-'));
  installation = await startInstallation({ home });
});
after(async () => {
  await installation.destroy();
  await rm(home, { recursive: true, force: true });
});

/** Processes of this installation: the supervisor's descendants. */
function processes(): { pid: number; ppid: number; command: string }[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n');
  const all = lines.map((line) => {
    const [, pid, ppid, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return { pid: Number(pid), ppid: Number(ppid), command: command ?? '' };
  });
  const own = new Set([installation.up.pid]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const { pid, ppid } of all) {
      if (own.has(ppid) && !own.has(pid)) {
        own.add(pid);
        grew = true;
      }
    }
  }
  return all.filter(({ pid }) => own.has(pid));
}

async function works(): Promise<boolean> {
  const { status } = await installation.psql('engineer', ['-At', '-c', 'SELECT 1']);
  return status === 0;
}

async function digestInForce(): Promise<string> {
  const { api, subjects } = installation.ready;
  const response = await fetch(`${api}/api/v1/policy`, { headers: { authorization: `Bearer ${subjects.reviewer.token}` } });
  assert.equal(response.status, 200);
  const text = await response.text();
  return /sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? assert.fail(text);
}

for (const role of ['gateway', 'control']) {
  test(`after kill -9 of the ${role} process the supervisor starts another, and work goes on`, async () => {
    const victim = processes().find(({ command }) => new RegExp(`main\\.ts ${role}\\b`).test(command)) ?? assert.fail(`no ${role} process`);
    process.kill(victim.pid, 'SIGKILL');
    await waitFor('the victim to be gone', () => processes().every(({ pid }) => pid !== victim.pid));
    await waitFor('psql to work again', works, 60_000);
  });
}

test('after kill -9 of the demo database and the store, work goes on', async () => {
  const servers = processes().filter(({ command }) => /postgres -D|postgres.* -D /.test(command));
  assert.ok(servers.length >= 2, JSON.stringify(processes()));
  for (const { pid } of servers) process.kill(pid, 'SIGKILL');
  await waitFor('psql to work again', works, 60_000);
});

test('after kill -9 of everything, the next start recovers with all its state', async () => {
  const before = await digestInForce();
  const session = installation.open('engineer', ['-At']);
  session.say('SELECT 40 + 2;');
  await session.hear('42');
  for (const { pid } of processes()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It was gone already.
    }
  }
  await session.end();
  installation = await startInstallation({ home });
  await waitFor('psql to work again', works, 60_000);
  assert.equal(await digestInForce(), before);
  const { status, stdout } = await installation.warder(['ledger', 'verify']);
  assert.ok(status === 0, stdout);
  assert.match(stdout, /was cut off when the writer died/, 'the session that was open is accounted for');
});

test('a second start with the same home is refused and says so', async () => {
  await assert.rejects(startInstallation({ home }), /HOME_IN_USE|already runs|another/i);
});

test('Ctrl-C stops everything and leaves nothing running', async () => {
  const own = processes().map(({ pid }) => pid);
  assert.equal(await installation.stop(), 0);
  const alive = own.filter((pid) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  });
  assert.deepEqual(alive, []);
});
