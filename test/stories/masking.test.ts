import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { startInstallation, type Account, type Installation } from './installation.ts';

let installation: Installation;
before(async () => {
  installation = await startInstallation();
});
after(() => installation.destroy());

async function rows(as: Account, sql: string): Promise<string[][]> {
  const { stdout, stderr, status } = await installation.psql(as, ['-At', '-F', '\t', '-c', sql]);
  assert.equal(status, 0, stderr);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}

test('an engineer sees no e-mail, card, IBAN or national id in clear', async () => {
  for (const [email, card, iban, id] of await rows('engineer', 'SELECT email, card, iban, national_id FROM customers LIMIT 50')) {
    assert.match(email ?? '', /^\*+@/);
    assert.match(card ?? '', /^[*\s-]+\d{4}$/);
    assert.match(iban ?? '', /^[*\s]+[0-9A-Z]{4}$/);
    assert.doesNotMatch(id ?? '', /\d{3}/);
  }
});

test('SELECT * hides the same columns', async () => {
  const { stdout } = await installation.psql('engineer', ['-c', 'SELECT * FROM customers LIMIT 5']);
  assert.match(stdout, /\*\*\*@/);
  assert.doesNotMatch(stdout, /[a-z0-9._]+[a-z0-9]@[a-z]/);
});

test('the reviewer sees e-mail in clear and cards masked', async () => {
  for (const [email, card] of await rows('reviewer', 'SELECT email, card FROM customers LIMIT 20')) {
    assert.match(email ?? '', /^[^*]+@/);
    assert.match(card ?? '', /\*/);
  }
});

test('personal data inside free text is redacted', async () => {
  const found = await rows('engineer', "SELECT notes FROM customers WHERE notes LIKE '%@%' LIMIT 50");
  assert.ok(found.length > 0);
  for (const [notes] of found) assert.doesNotMatch(notes ?? '', /[a-z0-9]@[a-z]/);
});

test('counts, joins and aggregates over unclassified columns work', async () => {
  const [[count]] = (await rows('engineer', 'SELECT count(*) FROM customers')) as [[string]];
  assert.ok(Number(count) >= 10_000);
  const joined = await rows(
    'engineer',
    'SELECT c.country, count(*), sum(o.total_cents) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.country ORDER BY 2 DESC LIMIT 3',
  );
  assert.equal(joined.length, 3);
});

const laundering: readonly string[] = [
  'SELECT c FROM customers c LIMIT 3',
  'SELECT to_jsonb(c) FROM customers c LIMIT 3',
  'SELECT row_to_json(c)::text FROM customers c LIMIT 3',
  'SELECT lower(email) FROM customers LIMIT 3',
  'SELECT x FROM (SELECT email AS x FROM customers LIMIT 3) s',
  'WITH t AS (SELECT email e FROM customers LIMIT 3) SELECT e FROM t',
  "SELECT string_agg(email, ',') FROM (SELECT email FROM customers LIMIT 3) s",
  'SELECT (c).email FROM customers c LIMIT 3',
  'SELECT array_agg(email) FROM (SELECT email FROM customers LIMIT 3) s',
  'SELECT email FROM customers LIMIT 3 OFFSET 1',
  "SELECT 'x' || email FROM customers LIMIT 3",
  'SELECT email FROM customers UNION ALL SELECT email FROM staff LIMIT 3',
  'TABLE customers LIMIT 3',
  'SELECT coalesce(email, name) FROM customers LIMIT 3',
  'SELECT CASE WHEN true THEN email END FROM customers LIMIT 3',
];
for (const sql of laundering) {
  test(`no address comes out of: ${sql}`, async () => {
    const { stdout, stderr } = await installation.psql('engineer', ['-At', '-c', sql]);
    assert.doesNotMatch(stdout, /[a-z0-9._]+[a-z0-9]@[a-z]/, 'an address in clear');
    assert.doesNotMatch(stderr, /[a-z0-9._]+[a-z0-9]@[a-z]/, 'an address in an error');
  });
}

test('masks hold in prepared statements, in text and in binary format', async () => {
  const { host, port } = installation.ready.postgres;
  const client = new pg.Client({
    host,
    port,
    user: 'engineer',
    database: 'orders-demo',
    password: installation.ready.subjects.engineer.token,
  });
  await client.connect();
  try {
    for (let round = 0; round < 3; round += 1) {
      for (const binary of [false, true]) {
        // `binary` is an option of the driver's query objects that its types leave out.
        const query = {
          name: `q-${String(binary)}`,
          text: 'SELECT id, email, card, date_of_birth FROM customers WHERE id = $1',
          values: [round + 1],
          binary,
        };
        const { rows: found } = await client.query<{ id: number; email: string; card: string; date_of_birth: unknown }>(query);
        assert.equal(found.length, 1);
        assert.equal(found[0]?.id, round + 1);
        assert.match(String(found[0]?.email), /^\*+@/);
        assert.match(String(found[0]?.card), /\*/);
      }
    }
  } finally {
    await client.end();
  }
});

test('an error does not quote a value of a labelled column', async () => {
  const { stdout, stderr } = await installation.psql('engineer', [
    '-v',
    'VERBOSITY=verbose',
    '-c',
    'SELECT email::int FROM customers WHERE id = 1',
    '-c',
    'INSERT INTO customers SELECT * FROM customers WHERE id = 1',
  ]);
  assert.doesNotMatch(stdout + stderr, /[a-z0-9._]+[a-z0-9]@[a-z]/);
});
