/** Evidence that is kept elsewhere too: the mirror and the witnesses of a real installation, and somebody who changes files behind its back. */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkout, startInstallation, waitFor, type Installation } from './installation.ts';

let scratch: string;
let home: string;
let installation: Installation;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'warder-elsewhere-'));
  home = join(scratch, 'home');
  await mkdir(home);
  await writeFile(join(home, 'ledger.yaml'), `anchor: { file: ${join(scratch, 'far-away', 'anchor')} }\n`);
  installation = await startInstallation({ home, args: ['--policies', await policies()] });
});
after(async () => {
  await installation.destroy();
  await rm(scratch, { recursive: true, force: true });
});

/** The shipped policies, and a rule that wants the record of some reads witnessed first. */
async function policies(): Promise<string> {
  const folder = join(scratch, 'policies');
  await cp(join(checkout, 'policies'), folder, { recursive: true });
  await writeFile(
    join(folder, 'elsewhere.yaml'),
    `apiVersion: warder/v1
kind: Policy
metadata: { name: elsewhere, title: Reads of staff are witnessed first }
spec:
  owner: team:platform
  risk: { class: low }
  review: { last: 2026-11-01, every: P90D }
  tier: team
  target: sql
  rules:
    - id: staff-is-witnessed
      effect: observe
      reason: WITNESSED
      message: The record is kept elsewhere first.
      when: '"public.staff" in sql.tables'
      obligations: [{ type: record, evidence: witnessed }]
`,
  );
  return folder;
}

const select = (table: string): Promise<{ status: number | null; stdout: string; stderr: string }> =>
  installation.psql('engineer', ['-At', '-c', `SELECT count(*) FROM ${table}`]);

async function entriesOf(part: string): Promise<string> {
  const folder = join(home, part, 'ledger', 'wal');
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'latin1')));
  return texts.join('');
}

test('each ledger is signed by the other side, and verification says so', async () => {
  await select('orders');
  for (const [part, witness] of [
    ['gateway', 'ledger.local/control/mirror'],
    ['control', 'ledger.local/gateway-1/witness'],
  ] as const) {
    await waitFor(`a witness of the ${part}`, async () =>
      (await readFile(join(home, part, 'ledger', 'cosigned'), 'utf8').catch(() => '')).includes(witness),
    );
  }
  const { status, stdout, stderr } = await installation.warder(['ledger', 'verify']);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /witnessed by ledger\.local\/control\/mirror/);
  assert.match(stdout, /witnessed by ledger\.local\/gateway-1\/witness/);
  assert.ok((await entriesOf('control')).includes('"kind":"log.witnessed"'));
});

test('one record is proven to a stranger with nothing but keys', async () => {
  const file = join(scratch, 'one.tlog-proof');
  const trust = JSON.parse(await readFile(join(home, 'trust.json'), 'utf8'));
  const keys = [...trust.ledgers, ...trust.witnesses].map(({ vkey }: { vkey: string }) => vkey);
  await waitFor('a witnessed proof', async () => {
    const made = await installation.warder(['ledger', 'prove', '1', '--out', file]);
    assert.equal(made.status, 0, made.stderr);
    const checked = await installation.warder(['ledger', 'verify', '--proof', file, '--key', ...keys, '--json']);
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
    return Object.keys(JSON.parse(checked.stdout).witnesses).includes('ledger.local/control/mirror');
  });
  const stranger = await installation.warder(['ledger', 'verify', '--proof', file, '--key', 'ledger.local/gateway-1+00000000+AQ==']);
  assert.equal(stranger.status, 1);
});

test('a rule that wants a witness is obeyed: released when it signed, refused when it cannot be reached', async () => {
  const { status, stderr } = await select('staff');
  assert.equal(status, 0, stderr);
  // Logged in before the control plane stands still.
  const session = installation.open('engineer', ['-At']);
  session.say('SELECT 40 + 2;');
  await session.hear('42');
  const control = await controlProcess();
  process.kill(control, 'SIGSTOP');
  try {
    session.say('SELECT count(*) FROM staff;');
    await session.hear(/was not witnessed within/);
    session.say('SELECT 40 + 3;');
    await session.hear('43');
  } finally {
    process.kill(control, 'SIGCONT');
    await session.end();
  }
  await waitFor('the witness to be back', async () => (await select('staff')).status === 0);
});

async function controlProcess(): Promise<number> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(`\0control\0`) && command.includes(`\0${home}\0`)) return Number(pid);
  }
  throw new Error('no control process');
}

test('every checkpoint of the control plane is anchored, and the log contains them all', async () => {
  const anchor = join(scratch, 'far-away', 'anchor');
  const { status, stdout, stderr } = await installation.warder(['ledger', 'verify', '--since', anchor]);
  assert.equal(status, 0, stdout + stderr);
  assert.ok((await readFile(anchor, 'utf8')).split('\n').length > 2);
});

test('an old copy of a ledger is refused at the start with status 78, and the new one goes on', async () => {
  assert.equal(await installation.stop(), 0);
  const old = join(scratch, 'old');
  await cp(join(home, 'gateway'), old, { recursive: true });
  installation = await startInstallation({ home });
  await select('orders');
  await waitFor('the mirror', async () => (await installation.warder(['sessions', '--json'])).status === 0);
  assert.equal(await installation.stop(), 0);
  const good = join(scratch, 'good');
  await cp(join(home, 'gateway'), good, { recursive: true });
  // Keys and all: nothing on this machine remembers.
  await rm(join(home, 'gateway'), { recursive: true });
  await cp(old, join(home, 'gateway'), { recursive: true });
  await assert.rejects(
    startInstallation({ home }),
    /ended with 78[^]*LEDGER_ROLLBACK|LEDGER_ROLLBACK[^]*ended with 78|ended with 78[^]*mirror has/,
  );
  await rm(join(home, 'gateway'), { recursive: true });
  await cp(good, join(home, 'gateway'), { recursive: true });
  installation = await startInstallation({ home });
  const { status, stdout, stderr } = await installation.warder(['ledger', 'verify']);
  assert.equal(status, 0, stdout + stderr);
});

test('a record that is changed under a running gateway raises an alarm within ten seconds', async () => {
  // The gateway has looked at what was sealed before it started.
  await waitFor(
    'a second witness',
    async () => (await readFile(join(home, 'gateway', 'ledger', 'cosigned'), 'utf8').catch(() => '')).length > 0,
  );
  const folder = join(home, 'gateway', 'ledger', 'tile', 'entries');
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\d{3}(\.p\/\d+)?$/.test(name)).sort();
  const path = join(folder, names.at(-1) ?? assert.fail('nothing is sealed'));
  const bytes = await readFile(path, 'latin1');
  const at = bytes.indexOf('"kind"');
  await writeFile(path, `${bytes.slice(0, at)}"kinD"${bytes.slice(at + 6)}`, 'latin1');
  const started = performance.now();
  await waitFor('the alarm', async () => (await entriesOf('gateway')).includes('"alarm":"ledger.tampered"'), 10_000);
  await waitFor('the alarm of the control plane', async () => (await entriesOf('control')).includes('"alarm":"ledger.tampered"'), 10_000);
  assert.ok(performance.now() - started < 10_000);
  const log = await readFile(join(home, 'log', 'gateway.log'), 'utf8');
  assert.match(log, /the ledger was changed on disk/);
});
