import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startInstallation, waitFor, type Account, type Installation, type Talk } from './installation.ts';

interface Request {
  readonly id: string;
  readonly status: string;
  readonly requester: string;
  readonly resource: string;
  readonly text: string;
  readonly expiresAt: number | string;
}

let installation: Installation;
before(async () => {
  installation = await startInstallation();
});
after(() => installation.destroy());

async function requests(as: Account = 'reviewer'): Promise<Request[]> {
  const { status, stdout, stderr } = await installation.warder(['requests', '--json'], as);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Request[];
}

/** Starts a statement that is held, and returns its request id. */
async function hold(talk: Talk, sql: string): Promise<string> {
  talk.say(sql);
  const notice = await talk.hear(/req_[0-9a-z]{26}/);
  return /req_[0-9a-z]{26}/.exec(notice)?.[0] ?? assert.fail('no request id');
}

async function count(): Promise<number> {
  const { stdout } = await installation.psql('engineer', ['-At', '-c', 'SELECT count(*) FROM payments']);
  return Number(stdout.trim());
}

test('an unbounded delete waits, shows who asks for what, and runs once when a reviewer approves', async () => {
  const talk = installation.open('engineer', ['-At']);
  const before = await count();
  const id = await hold(talk, 'UPDATE payments SET method = method;');
  const waiting = (await requests()).find((request) => request.id === id);
  assert.equal(waiting?.text, 'UPDATE payments SET method = method;');
  assert.equal(waiting.requester, 'engineer');
  assert.equal(waiting.resource, 'orders-demo');
  assert.ok(waiting.expiresAt);
  const approved = await installation.warder(['approve', id], 'reviewer');
  assert.equal(approved.status, 0, approved.stderr);
  await talk.hear(`UPDATE ${before}`);

  // The same text again is a new operation and needs a new approval.
  const second = await hold(talk, 'UPDATE payments SET method = method;');
  assert.notEqual(second, id);
  // The same click once more says what became of it, and releases neither that statement again nor the one that waits now.
  const late = await installation.warder(['approve', id], 'reviewer');
  assert.equal(late.status, 7);
  assert.match(late.stderr, /was approved by user:reviewer at .*, and has run/);
  assert.equal((await requests()).find((request) => request.id === second)?.status, 'waiting');
  const refused = await installation.warder(['refuse', second, '--comment', 'not today'], 'reviewer');
  assert.equal(refused.status, 0, refused.stderr);
  await talk.hear(/not today/);
  talk.say("SELECT 'still here';");
  await talk.hear('still here');
  await talk.end();
  assert.equal(await count(), before);
});

test('an always-true WHERE is an unbounded write', async () => {
  const talk = installation.open('engineer', ['-At']);
  const id = await hold(talk, 'DELETE FROM orders WHERE 1 = 1 OR id < 0;');
  await installation.warder(['refuse', id], 'reviewer');
  await talk.hear('ERROR');
  await talk.end();
});

test('the requester cannot approve its own request, nor can the auditor', async () => {
  const talk = installation.open('reviewer', ['-At']);
  const id = await hold(talk, 'DELETE FROM payments;');
  const own = await installation.warder(['approve', id], 'reviewer');
  assert.notEqual(own.status, 0);
  assert.match(own.stderr, /own/);
  const auditor = await installation.warder(['approve', id], 'auditor');
  assert.notEqual(auditor.status, 0);
  const engineer = await installation.warder(['approve', id], 'engineer');
  assert.notEqual(engineer.status, 0);
  talk.process.kill('SIGINT');
  await talk.hear('ERROR');
  await talk.end();
});

test('Ctrl-C withdraws the request and the session goes on', async () => {
  // psql leaves at Ctrl-C unless it sits at a terminal.
  const talk = installation.open('engineer', ['-At', '-v', 'VERBOSITY=verbose'], { terminal: true });
  const id = await hold(talk, 'DELETE FROM orders;');
  talk.say('\x03');
  await talk.hear('57014');
  talk.say("SELECT 'still here';");
  await talk.hear('still here');
  await waitFor('the request to be withdrawn', async () =>
    (await requests()).every((request) => request.id !== id || request.status !== 'waiting'),
  );
  const late = await installation.warder(['approve', id], 'reviewer');
  assert.equal(late.status, 7);
  assert.match(late.stderr, /was withdrawn at .*: the requester cancelled or went away/);
  talk.say('\\q');
  await talk.end();
});

test('a client that goes away withdraws its request', async () => {
  const talk = installation.open('engineer', ['-At']);
  const id = await hold(talk, 'DELETE FROM orders;');
  talk.process.kill('SIGKILL');
  await waitFor('the request to be withdrawn', async () =>
    (await requests()).every((request) => request.id !== id || request.status !== 'waiting'),
  );
});

test('two reviewers who click at once release one execution', async () => {
  const talk = installation.open('engineer', ['-At']);
  const id = await hold(talk, 'UPDATE staff SET department = department;');
  const answers = await Promise.all([installation.warder(['approve', id], 'reviewer'), installation.warder(['refuse', id], 'reviewer')]);
  assert.equal(answers.filter(({ status }) => status === 0).length, 1);
  await talk.hear(/UPDATE \d+|ERROR/);
  await talk.end();
});
