/** Logging in, the command line, and changing a rule while people work. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { checkout, startInstallation, waitFor, type Installation } from './installation.ts';

let installation: Installation;
before(async () => {
  installation = await startInstallation();
});
after(() => installation.destroy());

async function json<T>(args: readonly string[], as?: 'engineer' | 'reviewer' | 'auditor'): Promise<T> {
  const { status, stdout, stderr } = await installation.warder([...args, '--json'], as);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as T;
}

test('a wrong token is refused', async () => {
  const { status, stderr } = await installation.psql('engineer', ['-c', 'SELECT 1'], { password: 'wdr_wrong' });
  assert.equal(status, 2);
  assert.match(stderr, /authentication failed/);
});

test('an unknown name is refused in the same words', async () => {
  const { stderr } = await installation.psql('engineer', ['-c', 'SELECT 1'], { user: 'nobody', password: 'wdr_wrong' });
  assert.match(stderr, /authentication failed/);
});

test('one subject cannot log in with the token of another', async () => {
  const { status } = await installation.psql('engineer', ['-c', 'SELECT 1'], { password: installation.ready.subjects.reviewer.token });
  assert.equal(status, 2);
});

test('a token that has expired is refused, and the session that was opened with it ends', async () => {
  const minted = await installation.warder(['token', 'engineer', '--for', '4s']);
  const password = minted.stdout.trim();
  const client = new pg.Client({ ...installation.ready.postgres, user: 'engineer', password, database: 'orders-demo' });
  const ended = Promise.withResolvers<Error>();
  client.on('error', (error) => ended.resolve(error));
  await client.connect();
  assert.equal((await client.query('SELECT 1 AS one')).rows[0]?.one, 1);
  assert.match((await ended.promise).message, /the token of this session expired/);
  const late = await installation.psql('engineer', ['-c', 'SELECT 1'], { password });
  assert.equal(late.status, 2);
  assert.match(late.stderr, /authentication failed/);
  const command = await installation.warder(['sessions'], undefined, { WARDER_TOKEN: password });
  assert.equal(command.status, 4);
  assert.match(command.stderr, /expired/);
});

test('warder psql needs no token of its user, and leaves none behind', async () => {
  const live = async (): Promise<string[]> => {
    const tokens = await json<{ id: string; status: string }[]>(['tokens']);
    return tokens.filter(({ status }) => status === 'live').map(({ id }) => id);
  };
  const before = await live();
  const { status, stdout } = await installation.warder(['psql', '--as', 'engineer', 'orders-demo', '-At', '-c', "SELECT 'hello'"]);
  assert.equal(status, 0);
  assert.equal(stdout, 'hello\n');
  assert.deepEqual(await live(), before);
});

test('an unknown database is named as such only after the login', async () => {
  const { stderr } = await installation.psql('engineer', ['-c', 'SELECT 1'], { database: 'nowhere' });
  assert.match(stderr, /nowhere/);
});

test('the connection can be encrypted', async () => {
  const { stdout, stderr } = await installation.psql('engineer', ['-At', '-c', '\\conninfo'], { parameters: 'sslmode=require' });
  assert.match(stdout + stderr, /SSL connection/);
});

test('a client that insists on channel binding or on the certificate is served, one that trusts another certificate is not', async () => {
  const connect = (parameters: string): Promise<{ status: number | null; stdout: string }> =>
    installation.psql('engineer', ['-At', '-c', 'SELECT 1'], { parameters });
  assert.equal((await connect('sslmode=require channel_binding=require')).stdout, '1\n');
  const certificate = join(installation.ready.home, 'gateway', 'tls', 'cert.pem');
  assert.equal((await connect(`sslmode=verify-full sslrootcert=${certificate}`)).stdout, '1\n');
  assert.equal((await connect('sslmode=verify-full sslrootcert=/etc/ssl/certs/ca-certificates.crt')).status, 2);
});

test("psql's own commands work", async () => {
  for (const command of ['\\dt', '\\d orders', '\\d+ customers', '\\dn', '\\du', '\\df', '\\dv']) {
    const { status, stdout, stderr } = await installation.psql('engineer', ['-c', command]);
    assert.equal(stderr, '', `${command}: ${stderr}`);
    assert.equal(status, 0);
    assert.ok(stdout.length > 0);
  }
});

test('sessions, replay and explain tell what happened, by which rule', async () => {
  await installation.psql('engineer', ['-c', 'SELECT id, email FROM customers LIMIT 3', '-c', 'TRUNCATE orders']);
  interface Session {
    readonly id: string;
    readonly subject: string;
  }
  interface Step {
    readonly n: number;
    readonly text?: string;
    readonly verdict: string;
    readonly decision: string;
    readonly rules: readonly string[];
    readonly outcome?: { readonly rows: number; readonly masked: Readonly<Record<string, number>> };
  }
  const timeline = await waitFor('the session to be indexed', async () => {
    for (const session of await json<Session[]>(['sessions'], 'auditor')) {
      const { operations } = await json<{ operations: Step[] }>(['replay', session.id], 'auditor');
      if (operations.some((step) => step.text === 'TRUNCATE orders') && operations[0]?.outcome) return operations;
    }
    return undefined;
  });
  const [select, truncate] = timeline;
  assert.equal(select?.text, 'SELECT id, email FROM customers LIMIT 3');
  assert.equal(select.verdict, 'allow');
  assert.equal(select.outcome?.rows, 3);
  assert.equal(select.outcome.masked['pii.email'], 3);
  assert.equal(truncate?.verdict, 'deny');

  interface Explanation {
    readonly verdict: string;
    readonly matched: readonly { readonly rule: string }[];
    readonly reads: Readonly<Record<string, unknown>>;
    readonly bundle: { readonly digest: string };
  }
  const why = await json<Explanation>(['explain', truncate.decision], 'auditor');
  assert.equal(why.verdict, 'deny');
  assert.ok(why.matched.some(({ rule }) => rule === truncate.rules[0]));
  assert.deepEqual(why.reads['sql.effects'], ['truncate']);
  assert.match(why.bundle.digest, /^sha256:[0-9a-f]{64}$/);

  const foreign = await installation.warder(['explain', 'dec_00000000000000000000000000'], 'auditor');
  assert.equal(foreign.status, 6);
});

test('a changed rule decides the next statement of an open session, and the record names the new digest', async () => {
  const policies = await mkdtemp(join(tmpdir(), 'warder-policies-'));
  try {
    await cp(join(checkout, 'policies'), policies, { recursive: true });
    const talk = installation.open('engineer', ['-At']);
    talk.say('SELECT count(*) FROM staff;');
    await talk.hear(/^\d+$/m);
    const extra = join(policies, 'databases', 'no-staff.yaml');
    await writeFile(extra, rule());
    const pushed = await json<{ digest: string }>(['policy', 'push', policies], 'reviewer');
    assert.match(pushed.digest, /^sha256:[0-9a-f]{64}$/);
    talk.say('SELECT count(*) FROM staff;');
    const refusal = await talk.hear(/dec_[0-9a-z]{26}/);
    assert.match(refusal, /Staff data is off limits today/);
    const decision = /dec_[0-9a-z]{26}/.exec(refusal)?.[0] ?? '';
    const why = await waitFor('the decision to be indexed', async () => {
      const { status, stdout } = await installation.warder(['explain', decision, '--json'], 'auditor');
      return status === 0 ? (JSON.parse(stdout) as { bundle: { digest: string } }) : undefined;
    });
    assert.equal(why.bundle.digest, pushed.digest);

    await writeFile(extra, rule().replace('effect: deny', 'effect: forbid'));
    const mistake = await installation.warder(['policy', 'push', policies], 'reviewer');
    assert.equal(mistake.status, 1);
    assert.match(mistake.stderr, /no-staff\.yaml:\d+:\d+/);
    assert.match(mistake.stderr, /forbid/);
    talk.say('SELECT count(*) FROM staff;');
    await talk.hear(/Staff data is off limits today/);

    const notAllowed = await installation.warder(['policy', 'push'], 'engineer');
    assert.equal(notAllowed.status, 5);
    await rm(extra);
    await json(['policy', 'push', policies], 'reviewer');
    talk.say('SELECT count(*) FROM staff;');
    await talk.hear(/^\d+$/m);
    await talk.end();
  } finally {
    await rm(policies, { recursive: true, force: true });
  }
});

function rule(): string {
  return `apiVersion: warder/v1
kind: Policy
metadata: { name: no-staff, title: Staff data is closed }
spec:
  owner: team:people
  tier: org
  risk: { class: high }
  review: { last: 2026-11-01, every: P90D }
  target: sql
  mode: enforce
  rules:
    - id: closed
      effect: deny
      match: { sql.tables: [public.staff] }
      reason: STAFF_CLOSED
      message: Staff data is off limits today.
`;
}

test('no token stands in clear anywhere in the home, but in the files made for it', async () => {
  const { engineer } = installation.ready.subjects;
  const { execFileSync } = await import('node:child_process');
  const found = execFileSync(
    'sh',
    ['-c', 'grep -rl --binary-files=text -e "$1" "$2" || true', 'sh', engineer.token, installation.ready.home],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(found, '');
});
