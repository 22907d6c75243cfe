import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ApprovalGranted, OperationDecided, RecordDraft } from '#model';
import { cosignerOf } from '../cosigner.ts';
import { decided, sessionClosed, sessionOpened, settled } from '../testing/drafts.ts';
import { hasPython, secondVerifier, unpack } from '../testing/second-verifier.ts';
import { Bench, setting } from '../testing/story.ts';
import { nodeCrypto, parsePolicy, proveRecord, verifyLedgers, verifyProof, type Report } from './index.ts';

const { bundle } = decided('s', 1).decision;
const activated: RecordDraft = { kind: 'policy.activated', bundle, by: 'user:operator', documents: 3 };
const about = { session: 's', request: 'req_1', operation: 'op_s_1' };
const granted: ApprovalGranted = {
  kind: 'approval.granted',
  ...about,
  grant: 'gnt_1',
  approvers: ['user:bob'],
  requester: 'user:engineer',
  bound: ['b1'],
  expiresAt: 1_800_000_000_000,
};
const requested: RecordDraft = {
  kind: 'approval.requested',
  ...about,
  who: { subject: 'user:engineer' },
  what: { resource: 'pg:orders', rules: ['a/b'], bound: ['b1'] },
  evidence: { text: 'delete', parameters: [] },
  expiresAt: 1_800_000_000_000,
};

function log(origin: string, ...drafts: readonly RecordDraft[]): Bench {
  const bench = new Bench(undefined, { setting: { origin }, seed: origin.length });
  bench.commit(...drafts);
  bench.log.close();
  return bench;
}

/** A gateway that released one operation for this grant. */
function gateway(approval: OperationDecided['approval'], again: readonly OperationDecided[] = []): Bench {
  const first: OperationDecided = { ...decided('s', 1), ...(approval === undefined ? {} : { approval }) };
  return log(
    'ledger.test/gateway',
    sessionOpened('s'),
    first,
    settled('s', 1, 2),
    ...again.flatMap((one, k) => [one, settled('s', k + 2, 4 + 2 * k)]),
    sessionClosed('s', 1 + again.length),
  );
}

async function together(...benches: readonly Bench[]): Promise<{ reports: Report[]; wrong: string[] }> {
  const reports = await verifyLedgers(
    benches.map(({ disk }) => disk.source(setting.directory)),
    { crypto: nodeCrypto },
  );
  const second = byPython(benches, []);
  if (second !== undefined) assert.deepEqual(second, reports.map(told), 'the second verifier says the same');
  const findings = reports.flatMap(({ findings: some }) => some.filter(({ severity }) => severity !== 'note'));
  return { reports, wrong: findings.map(({ severity, what, index }) => `${severity} ${what} ${index ?? ''}`) };
}

let scratch = '';
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'warder-together-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

/** What both verifiers must say the same: verdict, and which entries are wrong or missing. */
function told({ status, findings }: Pick<Report, 'status' | 'findings'>): unknown {
  const some = findings.filter(({ severity }) => severity !== 'note');
  return { status, findings: some.map(({ severity, what, index }) => `${severity} ${what} ${index ?? ''}`).sort() };
}

/** The reports of the second verifier, when it can run here. */
function byPython(benches: readonly Bench[], more: readonly string[]): unknown[] | undefined {
  if (!hasPython) return undefined;
  const folders = benches.map(({ disk }, k) => {
    rmSync(join(scratch, String(k)), { recursive: true, force: true });
    return unpack(disk, join(scratch, String(k)));
  });
  const { stdout, stderr } = spawnSync('python3', [secondVerifier, '--json', ...more, ...folders], { encoding: 'utf8' });
  assert.equal(stderr, '');
  // Reason: our own report.
  return stdout
    .trim()
    .split('\n')
    .map((line) => told(JSON.parse(line) as Report));
}

const pointer = { grant: 'gnt_1', request: 'req_1', record: 'ledger.test/control#3' };
const control = (...drafts: readonly RecordDraft[]): Bench => log('ledger.test/control', ...drafts);

test('logs of one installation that agree are proven, together and alone', async () => {
  assert.deepEqual((await together(gateway(pointer), control(activated, requested, granted))).wrong, []);
  assert.deepEqual((await together(gateway(pointer))).wrong, [], 'alone it says nothing about the other');
  assert.deepEqual((await together(gateway(undefined), control())).wrong, [], 'a control log without a bundle governs nothing');
});

test('a bundle that decided and was never in force is named', async () => {
  const other: RecordDraft = { ...activated, bundle: { ...bundle, digest: `sha256:${'cd'.repeat(32)}` } } as RecordDraft;
  assert.deepEqual((await together(gateway(undefined), control(other))).wrong, ['tampered policy 2']);
});

test('a grant that was never given, or for another operation, or for fewer releases, is named', async () => {
  const never = await together(gateway(pointer), control(activated));
  assert.deepEqual(never.wrong, ['tampered approval 2']);
  const pointed = await together(gateway({ ...pointer, record: 'ledger.test/control#2' }), control(activated, requested, granted));
  assert.deepEqual(pointed.wrong, [], 'a grant is found by its name when the pointer leads elsewhere');
  const foreign = control(activated, { ...requested, operation: 'op_x_9' } as RecordDraft, { ...granted, operation: 'op_x_9' });
  assert.deepEqual((await together(gateway(pointer), foreign)).wrong, ['tampered approval 2']);
  // Another gateway releases the same operation with the same grant: each log alone is in order.
  const second = log(
    'ledger.test/gateway-two',
    sessionOpened('s'),
    { ...decided('s', 1), approval: pointer },
    settled('s', 1, 2),
    sessionClosed('s', 1),
  );
  assert.deepEqual((await together(gateway(pointer), second)).wrong, []);
  assert.deepEqual((await together(gateway(pointer), second, control(activated, requested, granted))).wrong, ['tampered approval 2']);
});

test('what a control log cannot know any more is a hole, not tampering', async () => {
  const next = new Bench(undefined, { setting: { origin: 'ledger.test/control', continuing: { continues: 'x', reason: 'y' } }, seed: 3 });
  next.commit({ ...activated, bundle: { ...bundle, digest: `sha256:${'ef'.repeat(32)}` } } as RecordDraft);
  next.log.close();
  assert.deepEqual((await together(gateway(pointer), next)).wrong, ['hole policy 2', 'hole approval 2']);
});

const witnesses = ['w1', 'w2', 'w3'].map((name, k) => cosignerOf(`witness.test/${name}`, Buffer.alloc(32, k + 1)));
const lines = witnesses.map(({ vkey }, k) => `witness W${k + 1} ${vkey}`);
const logKey = gateway(undefined).log.signing.vkey;

test('a policy says how many witnesses are enough, and a log with fewer is not proven', async () => {
  const bench = gateway(undefined);
  const note = bench.disk.read(`${setting.directory}/checkpoint`)?.toString() ?? '';
  const text = note.slice(0, note.indexOf('\n\n') + 1);
  const textOf = (...more: readonly string[]): string => [`log ${bench.log.signing.vkey}`, ...lines, ...more].join('\n');
  const policyOf = (text: string) => {
    const parsed = parsePolicy(text, nodeCrypto);
    assert.ok(!('problem' in parsed), JSON.stringify(parsed));
    return parsed;
  };
  const texts = {
    none: textOf('quorum none'),
    two: textOf('group G 2 W1 W2 W3', 'quorum G'),
    nested: textOf('group A any W1 W2', 'group B all A W3', 'quorum B'),
    one: textOf('quorum W2'),
  };
  const enough = async (signers: readonly number[]): Promise<string[]> => {
    bench.disk.put(
      `${setting.directory}/cosigned`,
      Buffer.from(note + signers.map((k) => witnesses[k]?.cosign(text, 1_700_000_000) ?? '').join('')),
    );
    const source = bench.disk.source(setting.directory);
    const proof = (await proveRecord(source, 2, { crypto: nodeCrypto, trust: [{ vkey: bench.log.signing.vkey }] })) ?? '';
    const reached: string[] = [];
    for (const [name, policy] of Object.entries(texts).map(([one, of]) => [one, policyOf(of)] as const)) {
      const [report] = await verifyLedgers([source], { crypto: nodeCrypto, policy });
      const proven = (await verifyProof(proof, { crypto: nodeCrypto, trust: [], policy })).status;
      assert.equal(report?.status, proven === 'proven' ? 'proven' : 'incomplete', `${name}: the log and a proof of it`);
      assert.equal(report?.pinned, true);
      writeFileSync(join(scratch, 'policy'), texts[name as keyof typeof texts]);
      // Starting it takes a while.
      const second = signers.length < 2 ? undefined : byPython([bench], ['--policy', join(scratch, 'policy')]);
      if (second !== undefined && report !== undefined) assert.deepEqual(second, [told(report)], name);
      if (proven === 'proven') reached.push(name);
    }
    return reached;
  };
  assert.deepEqual(await enough([]), ['none']);
  assert.deepEqual(await enough([1]), ['none', 'one']);
  assert.deepEqual(await enough([0, 1]), ['none', 'two', 'one']);
  assert.deepEqual(await enough([0, 2]), ['none', 'two', 'nested']);
});

test('a policy that is not one is refused with its line', () => {
  const [w1 = '', w2 = ''] = lines;
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /no quorum/],
    ['quorum W1', /line 1 names W1, which is not defined before/],
    [`${w1}\nquorum W1\nquorum none`, /line 3 is a second quorum/],
    [`${w1}\n${w1.replace('W1', 'W9')}\nquorum none`, /line 2 has the key of another line/],
    [`${w1}\n${w2.replace('W2', 'W1')}\nquorum none`, /line 2 gives the name W1 a second time/],
    [w1.replace('W1', 'none'), /line 1 gives the name none/],
    [`log ${witnesses[0]?.vkey}`, /line 1 has no Ed25519 key of a log/],
    [`witness X ${logKey}`, /line 1 has no Ed25519 key of a witness/],
    [`${w1}\n${w2}\ngroup G 3 W1 W2`, /line 3 wants 3 of 2/],
    [`${w1}\ngroup G 0 W1`, /line 2 wants 0 of 1/],
    [`${w1}\n${w2}\ngroup G any W1\ngroup H all W1 W2`, /line 4 names W1, which is in a group already/],
    [`${w1}\ngroup G any G W1`, /line 2 names G/],
    ['sigsum yes', /line 1 begins with "sigsum"/],
    ['quorum none\r', /control characters/],
  ];
  for (const [k, [text, message]] of wrong.entries()) {
    const parsed = parsePolicy(text, nodeCrypto);
    assert.ok('problem' in parsed, text);
    assert.match(parsed.problem, message);
    writeFileSync(join(scratch, 'wrong'), text);
    if (hasPython && k % 3 === 0)
      assert.equal(spawnSync('python3', [secondVerifier, '--policy', join(scratch, 'wrong'), scratch]).status, 3, text);
  }
  const good = parsePolicy(`# who\n\n \t${w1.replaceAll(' ', '\t ')} https://w1.example/\t\nquorum\tW1\n`, nodeCrypto);
  assert.ok('quorum' in good && good.witnesses.length === 1);
});
