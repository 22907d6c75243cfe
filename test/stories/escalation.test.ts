import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startInstallation, type Installation, type Talk } from './installation.ts';

const policy = `apiVersion: warder/v1
kind: Policy
metadata: { name: escalating, title: What asks further }
spec:
  owner: team:platform
  tier: org
  risk: { class: high }
  review: { last: 2026-11-20, every: P10Y }
  target: sql
  rules:
    - id: staff-asks-night-watch
      effect: require
      match: { sql.tables: [public.staff] }
      require:
        approval:
          reviewers: [{ group: night-watch }]
          quorum: 1
          timeout: PT1S
          onTimeout: escalate
          escalateTo: { reviewers: [{ group: dba }], timeout: PT5M }
          bind: [sql.fingerprint]
    - id: nobody-answers
      effect: require
      match: { sql.tables: [public.customers] }
      require:
        approval:
          reviewers: [{ group: night-watch }]
          quorum: 1
          timeout: PT1S
          onTimeout: escalate
          escalateTo: { reviewers: [{ group: night-watch }], timeout: PT1S }
          bind: [sql.fingerprint]
    - id: few-payments
      effect: limit
      match: { sql.tables: [public.payments] }
      limits: [{ name: payments, key: [subject.id], max: 2, per: PT1H }]
      onExceed: escalate
      reason: MANY_PAYMENTS
      message: You have looked at the payments often enough; somebody must agree to more.
      require: { approval: { reviewers: [{ group: dba }], quorum: 1, timeout: PT5M, onTimeout: deny, bind: [sql.fingerprint] } }
`;

let installation: Installation;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warder-escalation-'));
  installation = await startInstallation();
  const policies = join(folder, 'policies');
  await cp('policies', policies, { recursive: true });
  await writeFile(join(policies, 'escalating.yaml'), policy);
  const { status, stderr } = await installation.warder(['policy', 'push', policies], 'reviewer');
  assert.equal(status, 0, stderr);
});

after(async () => {
  await installation.destroy();
  await rm(folder, { recursive: true, force: true });
});

async function requestIn(talk: Talk, pattern: RegExp): Promise<string> {
  const heard = await talk.hear(pattern);
  return /req_[0-9a-z]{26}/.exec(heard)?.[0] ?? assert.fail('no request id');
}

test('a request that nobody answers asks the next group, tells the one who waits, and goes on when they approve', async () => {
  const talk = installation.open('engineer', ['-At']);
  talk.say("SELECT 'counted ' || count(*) FROM staff;");
  const id = await requestIn(talk, /req_[0-9a-z]{26}.*night-watch|night-watch.*req_[0-9a-z]{26}/s);
  // Not theirs to answer before.
  await talk.hear(/a reviewer \(dba\)/);
  const shown = await installation.warder(['requests'], 'reviewer');
  assert.match(shown.stdout, /0 of 1, by night-watch[\s\S]*or 0 of 1, by dba, since \d{4}-/);
  const approved = await installation.warder(['approve', id], 'reviewer');
  assert.equal(approved.status, 0, approved.stderr);
  await talk.hear(/counted \d+/);
  await talk.end();
});

test('a request that the next group does not answer either is denied', async () => {
  const { status, stderr } = await installation.psql('engineer', ['-At', '-c', 'SELECT count(*) FROM customers']);
  assert.equal(status, 1);
  assert.match(stderr, /nobody answered the request req_/);
});

test('what exceeds a limit waits for people, and their approval lets this one statement pass', async () => {
  const talk = installation.open('engineer', ['-At']);
  const ask = "SELECT 'paid ' || count(*) FROM payments;";
  for (let i = 0; i < 2; i += 1) {
    talk.say(ask);
    await talk.hear(/paid \d+/);
  }
  talk.say(ask);
  const id = await requestIn(talk, /req_[0-9a-z]{26}/);
  const approved = await installation.warder(['approve', id], 'reviewer');
  assert.equal(approved.status, 0, approved.stderr);
  await talk.hear(/paid \d+/);
  talk.say(ask);
  const second = await requestIn(talk, /req_[0-9a-z]{26}/);
  assert.notEqual(second, id);
  const refused = await installation.warder(['refuse', second], 'reviewer');
  assert.equal(refused.status, 0, refused.stderr);
  await talk.hear(/ERROR/);
  await talk.end();
});

test('the ledgers tell of all that, and verify by both verifiers', async () => {
  const { status, stdout, stderr } = await installation.warder(['ledger', 'verify']);
  assert.equal(status, 0, stdout + stderr);
  const { home } = installation.ready;
  const ledgers = ['gateway', 'control'].map((part) => join(home, part, 'ledger'));
  const python = await promisify(execFile)('python3', [join('src', 'ledger', 'verify', 'verify.py'), ...ledgers]);
  assert.match(python.stdout, /gateway-1 +PROVEN[\s\S]*control +PROVEN/);
});
