import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../decide/decide.ts';
import { allowAll, bundleOf, noon, policy } from '../scenario.ts';
import { planChange } from './plan.ts';
import type { Plan } from './plan.ts';

async function planOf(before: readonly string[], after: readonly string[]): Promise<Plan> {
  const files = (texts: readonly string[]) => texts.map((text, i) => ({ path: `${i}.yaml`, text }));
  const result = await planChange({ before: files(before), after: files(after) }, noon);
  assert.ok(result.ok, JSON.stringify(result));
  return result.plan;
}

const guard = (rules: string) => policy('guard', `  rules: [${rules}]`);
const approveDelete = (more = '') =>
  guard(
    `{ id: ask, effect: require, reason: ASK, match: { sql.verbs: [delete], resource.id: ["pg:*-prod"], subject.type: [service] }${more}, require: { approval: { reviewers: [{ group: dba }], quorum: 1, timeout: PT5M, onTimeout: deny, bind: [subject.id] } } }`,
  );

test('prose and owners change nothing', async () => {
  const plan = await planOf(
    [allowAll, approveDelete()],
    [allowAll.replace('team:x', 'team:y'), approveDelete(', description: Now with words')],
  );
  assert.deepEqual([plan.classes, plan.compared, plan.rules.changed], [[], [], []]);
});

test('a new rule changes exactly the class of requests it speaks about, with a witness that shows it', async () => {
  const plan = await planOf([allowAll], [allowAll, approveDelete()]);
  assert.deepEqual(plan.rules.added, ['guard/ask']);
  const [only, ...others] = plan.classes;
  assert.equal(others.length, 0);
  assert.ok(only);
  assert.equal(only.change, 'allow ⇒ pending');
  assert.equal(only.direction, 'stricter');
  assert.deepEqual(only.where['subject.type'], ['service']);
  assert.deepEqual(only.where['resource.id'], ['pg:*-prod']);
  assert.ok(
    only.where['statement']?.every((text) => /DELETE|gone/i.test(text)),
    String(only.where['statement']),
  );
  assert.equal(decide(bundleOf(allowAll), only.witness).verdict, 'allow');
  assert.equal(decide(bundleOf(allowAll, approveDelete()), only.witness).verdict, 'pending');
});

test('a condition in CEL is cut at the values it compares with', async () => {
  const before = guard(
    "{ id: r, effect: deny, reason: NO_SUCH, when: \"subject.groups.exists(g, g in ['a', 'b']) && sql.tables.exists(t, t == 'public.pay')\" }",
  );
  const after = guard(
    "{ id: r, effect: deny, reason: NO_SUCH, when: \"'a' in subject.groups && sql.tables.exists(t, t == 'public.pay')\" }",
  );
  const plan = await planOf([allowAll, before], [allowAll, after]);
  const [only] = plan.classes;
  assert.equal(plan.classes.length, 1);
  assert.equal(only?.direction, 'looser');
  assert.deepEqual(only?.where['subject.groups'], ['b']);
  assert.ok(only?.where['statement']?.every((text) => text.includes('pay')));
});

test('other obligations and other terms of an approval are changes too', async () => {
  const masks = (strategy: string) =>
    policy(
      'mask',
      `  phase: response\n  rules: [{ id: m, effect: transform, obligations: [{ type: mask, select: { columns: { labels: [pii.email] } }, with: { strategy: ${strategy} } }] }]`,
    );
  const masked = await planOf([allowAll, masks('drop')], [allowAll, masks('none')]);
  assert.equal(masked.classes[0]?.direction, 'looser');
  assert.equal(masked.classes[0]?.change, 'allow ⇒ allow + mask pii.email (none) − mask pii.email (drop)');
  assert.deepEqual(masked.classes[0]?.from.rules, ['mask/m']);
  const asked = await planOf([allowAll, approveDelete()], [allowAll, approveDelete().replace('quorum: 1', 'quorum: 2')]);
  assert.equal(asked.classes[0]?.change, 'pending ⇒ pending, 1 ⇒ 2 approvals');
  assert.equal(asked.classes[0]?.direction, 'stricter');
});

test('a change of a DataSet, an exception and a default is seen through the rules it bears on', async () => {
  const set = (values: string) =>
    `apiVersion: warder/v1\nkind: DataSet\nmetadata: { name: hosts }\nspec:\n  owner: team:x\n  values: ${values}\n`;
  const uses = guard('{ id: r, effect: deny, reason: NO_SUCH, match: { resource.env: { inData: hosts } } }');
  const data = await planOf([allowAll, uses, set('[prod]')], [allowAll, uses, set('[prod, test]')]);
  assert.deepEqual(data.classes[0]?.where['resource.env'], ['test']);
  const deny = guard('{ id: r, effect: deny, reason: NO_SUCH }');
  const exception =
    'apiVersion: warder/v1\nkind: Exception\nmetadata: { name: e }\nspec:\n  waives: [{ policy: guard, rules: [r] }]\n  scope: { match: { subject.id: [user:eve] } }\n  reason: x\n  ticket: T-1\n  owner: team:x\n  approvedBy: [user:a, user:b]\n  expires: 2099-01-01T00:00:00Z\n';
  const waived = await planOf([allowAll, deny], [allowAll, deny, exception]);
  assert.equal(waived.classes[0]?.direction, 'looser');
  assert.deepEqual(waived.classes[0]?.where['subject.id'], ['user:eve']);
  const manifest = (byDefault: string) =>
    `apiVersion: warder/v1\nkind: Bundle\nmetadata: { name: b }\nspec:\n  version: "1.0.0"\n  defaults: { sql: ${byDefault} }\n`;
  const opened = await planOf([manifest('deny'), deny], [manifest('allow'), deny]);
  assert.equal(opened.classes.length, 0);
  assert.deepEqual(opened.rules.defaults, ['sql']);
});

test('what could not be tried is said', async () => {
  const plan = await planOf(
    [allowAll],
    [allowAll, guard('{ id: r, effect: deny, reason: NO_SUCH, when: \'subject.name.matches("^[[:lower:]]+$")\' }')],
  );
  assert.ok(plan.cut.some((what) => what.includes('subject.name')));
});

const other = (target: string, rule: string): string => policy('p', `  rules: [${rule}]`).replace('target: sql', `target: ${target}`);

test('patterns are tried with texts that tell them apart', async () => {
  const paths = (glob: string) => other('http', `{ id: a, effect: allow, match: { http.path: ["${glob}"] } }`);
  const narrower = await planOf([paths('/v1/**')], [paths('/v1/*')]);
  assert.deepEqual(narrower.classes[0]?.where['http.path'], ['/v1/x/x']);
  const matches = (pattern: string) => other('http', `{ id: a, effect: allow, when: 'http.path.matches("${pattern}")' }`);
  const wider = await planOf([matches('^/api/[a-z]+$')], [matches('^/api/[a-z0-9]+$')]);
  assert.deepEqual(wider.classes[0]?.where['http.path'], ['/api/0']);
  const networks = (cidr: string) => policy('p', `  rules: [{ id: a, effect: allow, match: { context.source: { cidr: ["${cidr}"] } } }]`);
  const inside = await planOf([networks('10.0.0.0/8')], [networks('10.0.0.0/16')]);
  assert.ok(inside.classes[0]?.where['context.source']?.includes('10.255.255.255'));
});

test('hours and days that a changed rule asks for are tried on both sides of their bounds', async () => {
  const hours = (last: number) =>
    policy(
      'p',
      `  rules: [{ id: a, effect: allow, when: 'now.getDayOfWeek() in [1, 2] && now.getHours() >= 8 && now.getHours() < ${last}' }]`,
    );
  const plan = await planOf([hours(18)], [hours(20)]);
  const [found] = plan.classes;
  assert.equal(found?.direction, 'looser');
  const shown = new Date(found?.witness.now ?? 0);
  assert.ok([18, 19].includes(shown.getUTCHours()) && [1, 2].includes(shown.getUTCDay()), shown.toISOString());
});

test('a schema is tried at its bounds, and a keyword that is not looked into is said', async () => {
  const schema = (more: string) =>
    other(
      'tool',
      `{ id: d, effect: deny, reason: NO_SUCH, unlessValid: { input: tool.args, schema: { type: object, ${more} } } }, { id: a, effect: allow }`,
    );
  const bound = (max: number) => schema(`required: [amount], properties: { amount: { type: number, maximum: ${max} } }`);
  const plan = await planOf([bound(100)], [bound(1000)]);
  assert.ok(plan.classes[0]?.where['tool.args.amount']?.includes('101'));
  const odd = await planOf([bound(100)], [schema('minProperties: 3')]);
  assert.ok(odd.cut.some((what) => what.includes('minProperties')));
});

test('a limit that lets more through is looser', async () => {
  const limit = (max: number) =>
    policy('p', `  rules: [{ id: l, effect: limit, reason: SLOW_DOWN, limits: [{ name: q, key: [subject.id], max: ${max}, per: PT1M }] }]`);
  const plan = await planOf([allowAll, limit(10)], [allowAll, limit(100)]);
  assert.equal(plan.classes[0]?.direction, 'looser');
  assert.match(plan.classes[0]?.change ?? '', /limit q 10 a minute ⇒ 100 a minute/);
});
