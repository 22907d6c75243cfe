import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileBundle } from '../bundle.ts';
import { document, policy } from '../scenario.ts';
import { recordFindings } from './fired.ts';

const now = Date.parse('2026-11-20T00:00:00Z');
const dayMs = 86_400_000;
const exception = document(
  'Exception',
  'e',
  `waives: [{ policy: p, rules: [used] }]
  scope: { match: { resource.env: [dev] } }
  reason: because
  owner: team:x
  approvedBy: [user:a, user:b]
  notBefore: 2026-09-01T00:00:00Z
  expires: 2026-12-31T00:00:00Z`,
);
const rules = policy(
  'p',
  `  rules:
    - { id: used, effect: deny, reason: USED, match: { resource.env: [dev] } }
    - { id: quiet, effect: deny, reason: QUIET, match: { resource.env: [prod] } }
    - { id: off, effect: deny, mode: off, reason: "OFF", match: { resource.env: [test] } }
`,
);
const other = policy('q', '  rules: [{ id: other, effect: deny, reason: OTHER, match: { ssh.action: [shell] } }]').replace(
  'target: sql',
  'target: ssh',
);
const files = [rules, other, exception].map((text, i) => ({ path: `${i}.yaml`, text }));
const compiled = compileBundle(files);
assert.ok(compiled.ok);
const { bundle } = compiled;

function decided(daysAgo: number, rule: string, by?: string): string {
  return JSON.stringify({
    i: 0,
    t: now - daysAgo * dayMs,
    kind: 'operation.decided',
    session: 's',
    who: { subject: 'user:eve' },
    what: { target: 'sql', resource: 'pg:orders', verb: 'select', objects: [], normalized: '', certainty: 'parsed' },
    decision: {
      verdict: 'deny',
      reason: 'USED',
      rules: [rule],
      matched: [{ rule, effect: 'deny', mode: 'enforce', ...(by === undefined ? {} : { by }) }],
      bundle: bundle.ref,
      reads: {},
    },
  });
}

async function told(lines: readonly string[], days = 30): Promise<string[]> {
  const { findings } = await recordFindings(bundle, lines, { files, now, days });
  return findings.map(({ code, severity, rules: about, proof }) => `${code} ${severity} ${about.join()} ${proof}`);
}

test('a rule that no recorded decision names is told, and only for targets of which there are decisions', async () => {
  assert.deepEqual(await told([decided(30, 'p/used'), decided(1, 'p/used', 'exception:e')]), ['P107 warning p/quiet records']);
});

test('what fired before the window counts as never', async () => {
  const lines = [decided(29, 'p/quiet'), decided(5, 'p/used', 'exception:e')];
  assert.deepEqual(await told(lines, 7), ['P107 warning p/quiet records']);
});

test('an exception that nobody used for thirty days is told', async () => {
  assert.deepEqual(await told([decided(30, 'p/used'), decided(2, 'p/quiet')]), ['P401 warning p/used records']);
});

test('records that do not reach back far enough make the conclusions mild, and say so', async () => {
  const found = await recordFindings(bundle, [decided(2, 'p/used')], { files, now, days: 30 });
  assert.deepEqual(
    found.findings.map(({ code, severity }) => `${code} ${severity}`),
    ['ANALYSIS_CUT info', 'P107 info'],
  );
  assert.match(found.findings[0]?.message ?? '', /reach back 2 days of the 30/);
});

test('without any decision nothing is said about rules', async () => {
  const { findings, decisions } = await recordFindings(bundle, ['not json', '{"kind":"operation.settled"}'], { files, now, days: 30 });
  assert.equal(decisions, 0);
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['ANALYSIS_CUT'],
  );
});
