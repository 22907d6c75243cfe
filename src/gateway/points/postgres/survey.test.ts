import assert from 'node:assert/strict';
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { realWorld, startPostgres, type RunningPostgres } from '#host';
import type { Classification, ResourceConfig, ResourceProbe, Upstream, UpstreamTls } from '#model';
import { test as probe } from './probe.ts';
import { propose } from './propose.ts';
import { testAuthority, type TestAuthority, type TestCertificate } from './testing/certificate.ts';

let folder: string;
let server: RunningPostgres;
let authority: TestAuthority;

const owner = { user: 'shop', password: 'shop-password' };
const localhost = [{ type: 'dns' as const, value: 'localhost' }];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warder-survey-'));
  server = await startPostgres({
    directory: join(folder, 'pg'),
    port: await freePort(),
    superuser: 'postgres',
    password: 'root-password',
    settings: { fsync: 'off', listen_addresses: '127.0.0.1' },
  });
  authority = await testAuthority('our own');
  await asRoot("create role shop login password 'shop-password'", 'create database shop owner shop');
  await presents(await authority.issue(localhost));
});
after(async () => {
  await server?.stop('immediate');
  rmSync(folder, { recursive: true, force: true });
});

/** Another process could take it before the server does; then the test fails, it does not lie. */
async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

async function run(account: { user: string; password: string; database: string }, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ host: server.host, port: server.port, ...account });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
const asRoot = (...statements: string[]): Promise<void> =>
  run({ user: 'postgres', password: 'root-password', database: 'postgres' }, statements);
const asOwner = (...statements: string[]): Promise<void> => run({ ...owner, database: 'shop' }, statements);

/** The server shows this certificate to whoever connects from now on. */
async function presents({ key, cert }: TestCertificate): Promise<void> {
  const data = join(folder, 'pg', 'data');
  const { uid, gid } = statSync(data);
  for (const [name, text] of [
    ['test.key', key],
    ['test.crt', cert],
  ] as const) {
    writeFileSync(join(data, name), text, { mode: 0o600 });
    chownSync(join(data, name), uid, gid);
  }
  await asRoot("alter system set ssl_key_file = 'test.key'", "alter system set ssl_cert_file = 'test.crt'", 'alter system set ssl = on');
  await asRoot('select pg_reload_conf()');
}

function config(upstream: Partial<Upstream>, classification: Classification = {}): ResourceConfig {
  return {
    resource: { type: 'database', id: 'pg:shop', name: 'shop', engine: 'postgres', env: 'prod', owner: 'team:shop', labels: {} },
    upstream: { host: server.host, port: server.port, database: 'shop', ...owner, tls: { mode: 'disable' }, ...upstream },
    classification,
  };
}

const overTls = (tls: UpstreamTls, host = 'localhost'): Promise<ResourceProbe> => probe(config({ host, tls }), realWorld);

/** Until the server has taken its new certificate. */
async function eventually(wanted: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await wanted()); tries += 1) assert.ok(tries < 500, 'waited in vain');
}

describe('trying a resource', () => {
  test('a unix socket and an unencrypted connection say so', async () => {
    const found = await probe(config({}), realWorld);
    assert.ok(found.kind === 'reached', JSON.stringify(found));
    assert.match(found.serverVersion, /^\d+\./);
    assert.equal(found.tls, undefined);
    assert.equal(found.superuser, false);
    const plain = await overTls({ mode: 'disable' });
    assert.ok(plain.kind === 'reached' && plain.tls === undefined);
  });

  test('require encrypts, and says that it did not check the certificate', async () => {
    const found = await overTls({ mode: 'require' });
    assert.ok(found.kind === 'reached', JSON.stringify(found));
    assert.deepEqual({ ...found.tls, cipher: '' }, { protocol: 'TLSv1.3', cipher: '', verified: false });
  });

  test("verify-full accepts the authority's certificate for the right name only", async () => {
    const found = await overTls({ mode: 'verify-full', ca: authority.ca });
    assert.ok(found.kind === 'reached', JSON.stringify(found));
    assert.equal(found.tls?.verified, true);

    const address = await overTls({ mode: 'verify-full', ca: authority.ca }, '127.0.0.1');
    assert.deepEqual(address, {
      kind: 'failed',
      code: 'UPSTREAM_UNREACHABLE',
      message: 'the target database cannot be reached',
      why: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    const stranger = await testAuthority('our own');
    for (const tls of [{ mode: 'verify-full', ca: stranger.ca }, { mode: 'verify-full' }] as const) {
      const refused = await overTls(tls);
      assert.ok(refused.kind === 'failed' && /CERT|SIGNATURE/.test(refused.why ?? ''), JSON.stringify(refused));
    }
  });

  test('an expired certificate is refused by verify-full, and one for the address is taken', async () => {
    const tls = { mode: 'verify-full', ca: authority.ca } as const;
    await presents(await authority.issue(localhost, { expired: true }));
    await eventually(async () => {
      const found = await overTls(tls);
      return found.kind === 'failed' && found.why === 'CERT_HAS_EXPIRED';
    });
    await presents(await authority.issue([{ type: 'ip', value: '127.0.0.1' }]));
    await eventually(async () => {
      const found = await overTls(tls, '127.0.0.1');
      return found.kind === 'reached' && found.tls?.verified === true;
    });
  });

  test('a target without TLS is refused when the resource asks for it', async () => {
    await asRoot('alter system set ssl = off');
    await asRoot('select pg_reload_conf()');
    await eventually(async () => {
      const found = await overTls({ mode: 'require' });
      return found.kind === 'failed' && found.code === 'UPSTREAM_REFUSED';
    });
  });

  test('a wrong password or database gives the code of the target, and nothing of the account', async () => {
    const wrong = await probe(config({ password: 'wrong-password' }), realWorld);
    assert.equal(wrong.kind === 'failed' && wrong.why, '28P01');
    const nowhere = await probe(config({ database: 'nowhere' }), realWorld);
    assert.equal(nowhere.kind === 'failed' && nowhere.why, '3D000');
    assert.doesNotMatch(JSON.stringify([wrong, nowhere]), /shop|password"|wrong-password/);
    const away = await probe(config({ host: '127.0.0.1', port: 1 }), realWorld);
    assert.equal(away.kind === 'failed' && away.why, 'ECONNREFUSED');
  });

  test('it counts tables and views and names classified columns that do not exist', async () => {
    await asOwner('create table counted (id int, email text)', 'create view seen as select id from counted');
    const found = await probe(config({}, { 'public.counted.email': ['pii.email'], 'public.counted.mail': ['pii.email'] }), realWorld);
    assert.ok(found.kind === 'reached');
    assert.equal(found.tables, 1);
    assert.equal(found.views, 1);
    assert.deepEqual(found.missing, ['public.counted.mail']);
    await asOwner('drop view seen', 'drop table counted');
  });

  test('a superuser is named as such', async () => {
    const found = await probe(config({ user: 'postgres', password: 'root-password' }), realWorld);
    assert.ok(found.kind === 'reached' && found.superuser);
  });
});

describe('proposing labels', () => {
  test('looks at names, types and values, and gives no value away', async () => {
    await asOwner(
      'create table people (id int, contact text, "Phone Number" varchar(40), phone_verified boolean, born date, note text, secret_word text)',
      `insert into people select n, 'p' || n || '@mail.example', '+49 30 12345' || (100 + n), true, date '1980-01-01', 'call me at p@mail.example please', 'xyzzy'
         from generate_series(1, 20) n`,
      'create schema "Odd ""one"""',
      'create table "Odd ""one"""."drop table people; --" ("e-mail" text)',
      'create table empty (iban text, amount numeric)',
    );
    const found = await propose(config({}), realWorld);
    assert.equal(found.cut, false);
    assert.deepEqual(found.looked, { tables: 3, columns: 10 });
    assert.deepEqual(
      found.columns.map(({ column, labels, because, sampled, freeText }) => [column, labels, because, sampled, freeText]),
      [
        ['Odd "one".drop table people; --.e-mail', ['pii.email'], ['name'], 0, false],
        ['public.empty.iban', ['pii.iban'], ['name'], 0, false],
        ['public.people.contact', ['pii.email'], ['values'], 20, false],
        ['public.people.Phone Number', ['pii.phone'], ['name', 'values'], 20, false],
        ['public.people.born', ['pii.dob'], ['name'], 0, false],
        ['public.people.note', [], [], 20, true],
      ],
    );
    assert.doesNotMatch(JSON.stringify(found), /mail\.example|xyzzy|\+49/);
  });

  test('a table that may not be read is judged by its names, and the next one is read all the same', async () => {
    await asOwner('create table hidden (email text)');
    await run({ user: 'postgres', password: 'root-password', database: 'shop' }, [
      'alter table hidden owner to postgres',
      'revoke all on hidden from shop',
    ]);
    const found = await propose(config({}), realWorld);
    const of = (column: string) => found.columns.find((one) => one.column === column);
    assert.deepEqual(of('public.hidden.email')?.because, ['name']);
    assert.equal(of('public.people.contact')?.sampled, 20);
  });

  test('a target that is away is a fault', async () => {
    await assert.rejects(propose(config({ host: '127.0.0.1', port: 1 }), realWorld), { code: 'UPSTREAM_UNREACHABLE' });
  });
});
