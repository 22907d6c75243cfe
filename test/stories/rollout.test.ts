import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startInstallation, waitFor, type Installation } from './installation.ts';

const documents = (gates: string): string => `apiVersion: warder/v1
kind: Policy
metadata: { name: staff-is-private, title: Staff is private }
spec:
  owner: team:people
  tier: org
  risk: { class: high }
  review: { last: 2026-11-20, every: P10Y }
  target: sql
  rules:
    - { id: deny-staff, effect: deny, reason: STAFF_PRIVATE, match: { sql.tables: [public.staff] } }
---
apiVersion: warder/v1
kind: Rollout
metadata: { name: staff-to-enforce }
spec:
  subject: { policy: staff-is-private }
  from: audit
  to: enforce
  key: subject.id
  salt: story
  steps: [{ shadow: true }, { percent: 100 }]
  gates: ${gates}
`;

interface Rollout {
  readonly step: number;
  readonly status: string;
  readonly reason: string;
  readonly measured?: { readonly decisions: number };
}

let installation: Installation;
let policies: string;

before(async () => {
  policies = await mkdtemp(join(tmpdir(), 'warder-rollout-'));
  await cp('policies', policies, { recursive: true });
  installation = await startInstallation();
});

after(async () => {
  await installation.destroy();
  await rm(policies, { recursive: true, force: true });
});

async function push(gates: string): Promise<void> {
  await writeFile(join(policies, 'rollout.yaml'), documents(gates));
  const { status, stderr } = await installation.warder(['policy', 'push', policies], 'reviewer');
  assert.equal(status, 0, stderr);
}

async function state(): Promise<Rollout> {
  const { status, stdout, stderr } = await installation.warder(['policy', 'rollout', 'staff-to-enforce', '--json'], 'engineer');
  assert.equal(status, 0, stderr);
  const [found] = JSON.parse(stdout) as Rollout[];
  return found ?? assert.fail('no such rollout');
}

async function ask(sql: string, times: number): Promise<string> {
  const { stderr } = await installation.psql('engineer', ['-At', ...Array.from({ length: times }, () => ['-c', sql]).flat()]);
  return stderr;
}

test('a rollout whose gates pass enforces its rule by itself, first for nobody and then for everybody', async () => {
  await push('[{ metric: new_denies_per_1000, max: 1000, atLeast: 3 }, { metric: p99_latency_ms, max: 10000, atLeast: 3 }]');
  await waitFor('the rollout to begin', async () => (await state()).measured !== undefined);
  assert.equal(await ask('SELECT count(*) FROM staff', 3), '');
  await waitFor('the next step', async () => (await state()).step === 2);
  assert.match(await ask('SELECT count(*) FROM staff', 1), /STAFF_PRIVATE/);
});

test('a rollout whose gate fails takes its rule back by itself and says why', async () => {
  await push('[{ metric: new_denies_per_1000, max: 1, atLeast: 3 }]');
  await waitFor('the rollout to begin anew', async () => (await state()).step === 1 && (await state()).measured?.decisions === 0);
  assert.equal(await ask('SELECT count(*) FROM staff', 4), '');
  await waitFor('the rollback', async () => (await state()).status === 'rolled_back');
  const { step, reason } = await state();
  assert.equal(step, 0);
  assert.match(reason, /new_denies_per_1000 is 1000, at most 1/);
  const { stdout } = await installation.warder(['policy', 'rollout'], 'engineer');
  assert.match(stdout, /staff-to-enforce {2}audit → enforce {2}step 0 of 2 {2}rolled back/);
});

test('a whole bundle is rolled out beside the one in force: watched first, then it decides for those who are in', async () => {
  await rm(join(policies, 'rollout.yaml'));
  const next = await mkdtemp(join(tmpdir(), 'warder-candidate-'));
  try {
    await cp('policies', next, { recursive: true });
    const [strict = ''] = documents('').split('---');
    await writeFile(join(next, 'strict.yaml'), strict);
    const stored = await installation.warder(['policy', 'push', next, '--candidate', '--json'], 'reviewer');
    assert.equal(stored.status, 0, stored.stderr);
    const { digest } = JSON.parse(stored.stdout) as { digest: string };
    const rollout = (step: number): string => `apiVersion: warder/v1
kind: Rollout
metadata: { name: next-bundle }
spec:
  subject: { bundle: "${digest}" }
  from: shadow
  to: enforce
  key: subject.id
  salt: story
  step: ${step}
  steps: [{ shadow: true }, { cohort: 'subject.id == "user:engineer"' }]
`;
    const activate = async (step: number): Promise<void> => {
      await writeFile(join(policies, 'next.yaml'), rollout(step));
      const { status, stderr } = await installation.warder(['policy', 'push', policies], 'reviewer');
      assert.equal(status, 0, stderr);
    };
    await activate(1);
    assert.equal(await ask('SELECT count(*) FROM staff', 1), '');
    await activate(2);
    assert.match(await ask('SELECT count(*) FROM staff', 1), /STAFF_PRIVATE/);
    const { stderr } = await installation.psql('reviewer', ['-At', '-c', 'SELECT count(*) FROM staff']);
    assert.equal(stderr, '');
    await writeFile(join(policies, 'next.yaml'), rollout(1).replace(/sha256:[0-9a-f]{64}/, `sha256:${'0'.repeat(64)}`));
    const unknown = await installation.warder(['policy', 'push', policies], 'reviewer');
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /was not stored here[\s\S]*policy push --candidate/);
  } finally {
    await rm(next, { recursive: true, force: true });
  }
});

test('the ledgers verify with all that, by both verifiers', async () => {
  const { status, stdout, stderr } = await installation.warder(['ledger', 'verify']);
  assert.equal(status, 0, stdout + stderr);
  const { home } = installation.ready;
  const ledgers = ['gateway', 'control'].map((part) => join(home, part, 'ledger'));
  const python = await promisify(execFile)('python3', [join('src', 'ledger', 'verify', 'verify.py'), ...ledgers]);
  assert.match(python.stdout, /gateway-1 +PROVEN[\s\S]*control +PROVEN/);
});
