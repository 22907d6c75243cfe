import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startInstallation, type Installation } from './installation.ts';

let installation: Installation;
before(async () => {
  installation = await startInstallation();
});
after(() => installation.destroy());

const decisionId = /dec_[0-9a-z]{26}/;

/** Runs statements in one psql session with verbose errors; the last one proves that the session goes on. */
async function sessionOf(...statements: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const args = ['-At', '-v', 'VERBOSITY=verbose', ...statements.flatMap((statement) => ['-c', statement]), '-c', "SELECT 'still here'"];
  const { stdout, stderr } = await installation.psql('engineer', args);
  return { stdout, stderr };
}

async function counted(table: string): Promise<number> {
  const { stdout } = await installation.psql('engineer', ['-At', '-c', `SELECT count(*) FROM ${table}`]);
  return Number(stdout.trim());
}

const refused: readonly (readonly [string, string])[] = [
  ['DROP TABLE', 'DROP TABLE orders'],
  ['TRUNCATE', 'TRUNCATE orders'],
  ['a drop behind a select', 'SELECT 1; DROP TABLE orders'],
  ['a CTE that deletes', 'WITH gone AS (DELETE FROM payments RETURNING 1) SELECT count(*) FROM gone'],
  ['a CTE that deletes one row', 'WITH gone AS (DELETE FROM payments WHERE id = 1 RETURNING 1) SELECT count(*) FROM gone'],
  ['a DO block', "DO $$ BEGIN EXECUTE 'DROP TABLE orders'; END $$"],
  ['a drop behind comments', 'SELECT 1 /* ; */; /* x */ drop /**/ table "orders"'],
  ['a drop of a column', 'ALTER TABLE orders DROP COLUMN status'],
  ['a role change', 'SET ROLE postgres'],
  ['COPY out', 'COPY customers TO STDOUT'],
  ['COPY from a program', "COPY orders FROM PROGRAM 'id'"],
  ['a file read', "SELECT pg_read_file('/etc/passwd')"],
  ['statistics that hold values', "SELECT most_common_vals FROM pg_stats WHERE tablename = 'customers'"],
  ['a prepared drop', 'PREPARE p AS SELECT 1; EXECUTE p'],
  ['text that is not SQL', 'SELEC 1'],
];

for (const [name, statement] of refused) {
  test(`${name} is refused with a reason and a decision id, and the session goes on`, async () => {
    const { stdout, stderr } = await sessionOf(statement);
    assert.match(stderr, /ERROR: {2}42501:/);
    assert.match(stderr, decisionId);
    assert.equal(stdout.trim().split('\n').at(-1), 'still here');
  });
}

test('nothing of a refused batch reaches the target', async () => {
  const before = await counted('payments');
  await sessionOf('DELETE FROM payments WHERE id = 1; DROP TABLE orders');
  assert.equal(await counted('payments'), before);
  assert.ok((await counted('orders')) >= 100_000);
});

test('a refusal inside a transaction aborts it like any other error', async () => {
  const before = await counted('payments');
  const talk = installation.open('engineer', ['-At', '-v', 'VERBOSITY=verbose']);
  talk.say('BEGIN;');
  talk.say('DELETE FROM payments WHERE id = 2;');
  await talk.hear('DELETE 1');
  talk.say('DROP TABLE orders;');
  await talk.hear('42501');
  talk.say('SELECT 1;');
  await talk.hear('25P02');
  talk.say('COMMIT;');
  await talk.hear('ROLLBACK');
  await talk.end();
  assert.equal(await counted('payments'), before);
});
