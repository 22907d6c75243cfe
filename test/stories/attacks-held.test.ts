/** Attacks on approvals: what was approved is what runs, once, for whom and where it was approved, or nothing runs. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { extended as x, render, type RawClient, type Reply } from '../../src/gateway/points/postgres/testing/raw-client.ts';
import { cancel, errorOf, intrude, query, type Intruder } from './attacker.ts';
import { classification, fill, schema } from './canaries.ts';
import { waitFor } from './installation.ts';
import { startLaboratory, type Laboratory, type Person } from './laboratory.ts';

let laboratory: Laboratory;
const open = new Set<RawClient>();
before(async () => {
  laboratory = await startLaboratory(schema + fill, classification);
});
after(() => laboratory.close());
beforeEach(async () => {
  await laboratory.direct(fill);
});
afterEach(() => {
  for (const raw of open) raw.close();
  open.clear();
  laboratory.push([]);
});

async function enter(user: Person = 'engineer'): Promise<Intruder> {
  const intruder = await intrude({ port: laboratory.port, user, password: laboratory.password });
  open.add(intruder.raw);
  return intruder;
}

/** Sends what will be held and gives the request it waits for. */
async function hold(raw: RawClient, ...messages: readonly Buffer[]): Promise<string> {
  const asked = laboratory.holds.asked.length;
  raw.send(...messages);
  await raw.until(({ type, body }) => type === 'N' && body.includes('waiting for approval'));
  return laboratory.holds.asked[asked]?.id ?? assert.fail('nobody was asked');
}

function totals(): Promise<number> {
  return laboratory.direct('select sum(total)::int as n from orders').then(([row]) => Number(row?.['n']));
}

const bound = (value: string): Buffer[] => [x.parse('', 'UPDATE orders SET total = $1'), x.bind('', '', [value]), x.execute(''), x.sync];

test('AP-01 the value that was approved is stored, and another value needs another approval', async () => {
  const { raw } = await enter();
  const first = await hold(raw, ...bound('1'), ...bound('1000000'));
  laboratory.holds.resolve(first, 'approved');
  assert.match(render(await raw.ready()), /C UPDATE 40/);
  await raw.until(({ type, body }) => type === 'N' && body.includes('waiting for approval'));
  assert.equal(await totals(), 40);
  const second = laboratory.holds.asked.at(-1);
  assert.deepEqual(second?.request.parameters, ['1000000']);
  laboratory.holds.resolve(second.id, 'refused');
  assert.match(errorOf(await raw.ready()), /APPROVAL_REFUSED/);
  assert.equal(await totals(), 40);
});

test('AP-01 an approval is spent by its one run; the same bytes again are held again', async () => {
  const { raw } = await enter();
  const again = query('UPDATE orders SET total = total + 1');
  laboratory.holds.resolve(await hold(raw, again), 'approved');
  await raw.ready();
  const before = await totals();
  const second = await hold(raw, again);
  laboratory.holds.resolve(second, 'approved', (grant) => ({ ...grant, grant: { ...grant.grant, operation: 'op_another' } }));
  assert.match(errorOf(await raw.ready()), /APPROVAL_REFUSED/);
  assert.equal(await totals(), before);
});

test('AP-01 of two clients with the same text only the one that was approved runs', async () => {
  const [one, other] = [await enter(), await enter()];
  const text = query('UPDATE orders SET total = total + 1');
  const [first, second] = [await hold(one.raw, text), await hold(other.raw, text)];
  const before = await totals();
  laboratory.holds.resolve(second, 'approved');
  assert.match(render(await other.raw.ready()), /C UPDATE 40/);
  assert.equal(await totals(), before + 40);
  assert.equal(one.raw.replies.length, 0);
  laboratory.holds.resolve(first, 'refused');
  assert.match(errorOf(await one.raw.ready()), /APPROVAL_REFUSED/);
  assert.equal(await totals(), before + 40);
});

test('AP-01 an approval for a session that has gone releases nothing', async () => {
  const { raw } = await enter();
  const before = await totals();
  const id = await hold(raw, query('UPDATE orders SET total = 0'));
  raw.close();
  await waitFor('the request to be withdrawn', () => laboratory.holds.withdrawn.includes(id));
  laboratory.holds.resolve(id, 'approved');
  await waitFor('the session to end', () => laboratory.sessions.count === 0);
  assert.equal(await totals(), before);
});

test('C-06 a token that is revoked while its statement is held ends the session, and the approval releases nothing', async () => {
  const { raw } = await enter();
  const before = await totals();
  const id = await hold(raw, query('UPDATE orders SET total = 0'));
  laboratory.sessions.revoke(['tok_engineer']);
  assert.match(render(await raw.end()), /S=FATAL; .*revoked/);
  assert.ok(laboratory.holds.withdrawn.includes(id));
  laboratory.holds.resolve(id, 'approved');
  assert.equal(await totals(), before);
});

test('PG-11 a held statement that its user cancelled does not run when the approval comes late', async () => {
  const { raw, key } = await enter();
  const before = await totals();
  const id = await hold(raw, query('UPDATE orders SET total = 0'));
  await cancel(laboratory.port, key);
  assert.match(errorOf(await raw.ready()), /^57014/);
  laboratory.holds.resolve(id, 'approved');
  assert.match(render(await raw.query('SELECT 1')), /D 1/);
  assert.equal(await totals(), before);
});

const rule = (effect: string): string => `apiVersion: warder/v1
kind: Policy
metadata: { name: pushed, title: A policy that came while something was held }
spec:
  owner: team:test
  tier: org
  risk: { class: high }
  review: { last: 2026-11-01, every: P90D }
  rationale: A test of policies that change while an operation waits for its approval.
  target: sql
  mode: enforce
  rules:
    - id: pushed
      effect: ${effect}
      match: { sql.tables: [public.${effect === 'deny' ? 'orders' : 'nothing'}] }
      reason: PUSHED
      message: This came later.
`;

test('C-08 a policy that comes while a statement is held decides it: what it denies does not run, though it was approved', async () => {
  const { raw } = await enter();
  const before = await totals();
  const id = await hold(raw, query('UPDATE orders SET total = 0'));
  laboratory.push([{ path: 'pushed.yaml', text: rule('deny') }]);
  laboratory.holds.resolve(id, 'approved');
  assert.match(errorOf(await raw.ready()), /PUSHED/);
  assert.equal(await totals(), before);
});

test('C-08 an approval given under another policy does not count under the present one', async () => {
  const { raw } = await enter();
  const before = await totals();
  const id = await hold(raw, query('UPDATE orders SET total = 0'));
  laboratory.push([{ path: 'pushed.yaml', text: rule('allow') }]);
  laboratory.holds.resolve(id, 'approved');
  assert.match(errorOf(await raw.ready()), /APPROVAL_WITHDRAWN/);
  assert.equal(await totals(), before);
});

test('PG-17 a held statement whose names mean something else by the time it is approved does not run', async () => {
  const { raw } = await enter();
  const id = await hold(raw, query("UPDATE later SET note = 'x'"));
  const { raw: reviewer } = await enter('reviewer');
  assert.match(render(await reviewer.query('CREATE TABLE later (note text)')), /C CREATE TABLE/);
  await laboratory.direct("insert into later values ('mine')");
  laboratory.holds.resolve(id, 'approved');
  assert.match(errorOf(await raw.ready()), /APPROVAL_WITHDRAWN/);
  assert.deepEqual(await laboratory.direct('select note from later'), [{ note: 'mine' }]);
  await laboratory.direct('drop table later');
});

test('AP-03 when the way to the reviewers is lost, what waits is refused and the session goes on', async () => {
  const { raw } = await enter();
  const before = await totals();
  await hold(raw, query('UPDATE orders SET total = 0'));
  laboratory.holds.lose();
  const replies: readonly Reply[] = await raw.ready();
  assert.match(errorOf(replies), /CONTROL_UNREACHABLE/);
  assert.match(render(await raw.query('SELECT 1')), /D 1/);
  assert.equal(await totals(), before);
});

test('PG-25 a refusal inside a transaction aborts it, as an error of the server would, and what came before is undone', async () => {
  const { raw } = await enter();
  const before = await totals();
  await raw.query('BEGIN');
  await raw.query('UPDATE orders SET total = 999 WHERE id = 1');
  const id = await hold(raw, query('UPDATE orders SET total = 0'));
  laboratory.holds.resolve(id, 'refused');
  assert.match(render(await raw.ready()), /Z E$/);
  assert.equal(errorOf(await raw.query('SELECT 1')), '25P02');
  assert.match(render(await raw.query('COMMIT')), /C ROLLBACK/);
  assert.equal(await totals(), before);
});
