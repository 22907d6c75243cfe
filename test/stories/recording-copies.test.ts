/** The disk of a gateway is lost: what was recorded there is still replayed, taken along and verified; and what is erased is erased there too. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { checkout, startInstallation, waitFor, type Installation } from './installation.ts';
import { labelRecording, newestSession } from './recorded.ts';

const run = promisify(execFile);

let installation: Installation;
let scratch: string;
let session: string;
/** What the replay showed while the gateway was there. */
let played: string;
let vkeys: readonly string[];

const play = () => installation.warder(['replay', session, '--play', '--speed', '0'], 'auditor');
const filesIn = async (...parts: string[]): Promise<string[]> => {
  const found = await readdir(join(installation.ready.home, ...parts), { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => entry.isFile()).map(({ name }) => name);
};

/** Whether the control plane has signed everything that is in the gateway's log, with no session open there. */
async function witnessed(): Promise<boolean> {
  const log = join(installation.ready.home, 'gateway/ledger');
  const { stdout } = await installation.warder(['ledger', 'verify', log, '--json']);
  const [found] = JSON.parse(stdout).ledgers;
  const cosigned = (await readFile(join(log, 'cosigned'), 'utf8').catch(() => '')).split('\n')[1] ?? '0';
  return found.holes.openSessions === 0 && found.unsigned === 0 && Number(cosigned) >= found.size;
}

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'warder-copies-'));
  installation = await startInstallation();
  await labelRecording(installation, 'required');
  const wide = "select g, repeat('lorem ipsum ', 2000) from generate_series(1, 20) g";
  const { status, stderr } = await installation.psql('engineer', ['-Atc', wide, '-c', `select '${'long text '.repeat(600)}' is not null`]);
  assert.equal(status, 0, stderr);
  session = await newestSession(installation);
  played = (await play()).stdout;
  const { ledgers } = JSON.parse(await readFile(join(installation.ready.home, 'trust.json'), 'utf8'));
  vkeys = ledgers.flatMap(({ vkey }: { vkey: string }) => ['--key', vkey]);
  // 480 kB in chunks of 63 KiB, and a text that does not fit its record.
  await waitFor('the copies', async () => (await filesIn('control', 'recordings')).length >= 9, 30_000);
  await waitFor('the mirror to witness the session to its end', witnessed, 60_000);
});
after(async () => {
  await installation?.destroy();
  await rm(scratch, { recursive: true, force: true });
});

test('what is kept by the control plane cannot be read without its key', async () => {
  const folder = join(installation.ready.home, 'control', 'recordings');
  for (const name of await filesIn('control', 'recordings')) {
    const bytes = await readFile(join(folder, name.slice(0, 2), name));
    assert.ok(!bytes.includes('lorem') && !bytes.includes('long text'));
  }
  assert.deepEqual(await filesIn('control', 'keys', 'copies'), [`${session}.key`]);
});

test('what somebody changes on the disk of the gateway is an alarm, and the recording is whole all the same', async () => {
  const folder = join(installation.ready.home, 'gateway/ledger/recordings');
  const [name = ''] = (await readdir(folder, { recursive: true })).filter((one) => one.endsWith('.recording'));
  const whole = await readFile(join(folder, name));
  const changed = Buffer.from(whole);
  changed[1_000] = (changed[1_000] ?? 0) ^ 1;
  for (const bytes of [changed, whole.subarray(0, 70_000), undefined]) {
    if (bytes === undefined) await rm(join(folder, name));
    else await writeFile(join(folder, name), bytes);
    // Two readers at once.
    const [one, other] = await Promise.all([play(), play()]);
    assert.equal(one.status, 0, one.stderr);
    assert.deepEqual([one.stdout, other.stdout], [played, played]);
  }
  await writeFile(join(folder, name), whole);
  const alarms = await installation.warder(['audit', 'search', '--kind', 'alarm.raised', '--json'], 'auditor');
  assert.match(alarms.stdout, new RegExp(`ledger.local/gateway-1 ${session}`));
});

test('a recording is replayed, and proven by both verifiers, when the disk of its gateway is gone', { timeout: 180_000 }, async () => {
  const { home } = installation.ready;
  assert.equal(await installation.stop(), 0);
  for (const part of ['ledger', 'keys']) await rm(join(home, 'gateway', part), { recursive: true });
  installation = await startInstallation({ home });
  const { status, stdout, stderr } = await play();
  assert.equal(status, 0, stderr);
  assert.equal(stdout, played);
  assert.match((await installation.warder(['replay', session], 'auditor')).stdout, /long text long text/);
  const file = join(scratch, 'after.tar');
  const exported = await installation.warder(['export', session, '--out', file], 'auditor');
  assert.equal(exported.status, 0, exported.stderr);
  const verified = await installation.warder(['ledger', 'verify', '--evidence', file, ...vkeys]);
  assert.equal(verified.status, 0, verified.stdout);
  const python = await run('python3', [join(checkout, 'src/ledger/verify/verify.py'), '--evidence', file, ...vkeys, '--json']);
  assert.deepEqual([JSON.parse(python.stdout).status, JSON.parse(python.stdout).pinned], ['proven', true]);
});

test('a session that is erased is erased from the copies', { timeout: 120_000 }, async () => {
  const { home } = installation.ready;
  assert.equal(await installation.stop(), 0);
  const shredded = await installation.warder(['ledger', 'shred', session, '--reason', 'request 4711']);
  assert.equal(shredded.status, 0, shredded.stderr);
  assert.match(shredded.stdout, /ledger\.local\/control/);
  assert.deepEqual(await filesIn('control', 'keys', 'copies'), []);
  installation = await startInstallation({ home });
  const gone = await play();
  assert.equal(gone.status, 6, gone.stdout);
  assert.match(gone.stderr, /was erased/);
});
