/** Protecting a database of one's own, without the demo: the commands of docs/how-to/protect-your-database.md, run as they stand there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { startPostgres, type RunningPostgres } from '#host';
import { checkout, finish, startInstallation, waitFor, type Finished, type Installation } from './installation.ts';

const page = join(checkout, 'docs/how-to/protect-your-database.md');
const password = 'shop-password-7f3a';
const tables = `
create table customers (id integer primary key, full_name text, contact text, phone text, born date, notes text);
insert into customers select n, 'Person ' || n, 'p' || n || '@mail.example', '+49 30 1234' || (1000 + n), date '1980-01-01' + n, 'called twice'
  from generate_series(1, 40) n;
create table orders (id integer primary key, customer_id integer references customers, total_cents bigint);
insert into orders select n, 1 + n % 40, n * 100 from generate_series(1, 100) n;`;

let folder: string;
let mine: RunningPostgres;
let installation: Installation;
/** Runs a text of the page in a shell, in the folder with the page's files. */
let shell: (text: string, environment?: Record<string, string>) => Promise<Finished>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warder-own-'));
  mine = await startPostgres({
    directory: join(folder, 'mine'),
    superuser: 'postgres',
    password: 'root-of-mine',
    settings: { fsync: 'off' },
  });
  const administer = async (database: string, sql: readonly string[]): Promise<void> => {
    const client = new pg.Client({ host: mine.host, port: mine.port, user: 'postgres', password: 'root-of-mine', database });
    await client.connect();
    for (const one of sql) await client.query(one);
    await client.end();
  };
  await administer('postgres', [`create role warder_shop login password '${password}'`, 'create database shop owner warder_shop']);
  await administer('shop', ['set role warder_shop', tables]);
  installation = await startInstallation({ demo: false, home: join(folder, 'home') });
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'warder'), `#!/bin/sh\nexec node ${checkout}/bin/warder.cjs "$@"\n`);
  await chmod(join(bin, 'warder'), 0o755);
  shell = (text, environment = {}) =>
    finish(
      spawn('bash', ['-euo', 'pipefail', '-c', text], {
        cwd: folder,
        env: {
          ...process.env,
          PATH: `${bin}:${process.env['PATH'] ?? ''}`,
          WARDER_HOME: installation.ready.home,
          XDG_CONFIG_HOME: join(folder, 'config'),
          NO_COLOR: '1',
          LC_ALL: 'C.UTF-8',
          ...environment,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
});

after(async () => {
  await installation?.destroy();
  await mine?.stop('immediate');
  await rm(folder, { recursive: true, force: true });
});

/** The blocks of the page under a heading: language and text, with the addresses of this test in place of the page's. */
async function blocks(heading: string): Promise<readonly { readonly language: string; readonly text: string }[]> {
  const text = await readFile(page, 'utf8');
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`));
  assert.ok(section, `${page} has no section "${heading}"`);
  const { host, port } = installation.ready.postgres;
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', block = '']) => ({
    language,
    text: block
      .replaceAll('/var/run/postgresql', mine.host)
      .replaceAll(/port: 5432\b/g, `port: ${mine.port}`)
      .replaceAll('host=127.0.0.1 port=7432', `host=${host} port=${port}`),
  }));
}

/** The only block of a language under a heading. */
async function block(heading: string, language: string): Promise<string> {
  const found = (await blocks(heading)).filter((one) => one.language === language);
  assert.equal(found.length, 1, `${heading}: ${found.length} ${language} blocks`);
  return found[0]?.text ?? '';
}

async function run(heading: string): Promise<Finished> {
  const done = await shell(await block(heading, 'sh'));
  assert.equal(done.status, 0, `${heading}:\n${done.stdout}\n${done.stderr}`);
  return done;
}

/** Runs psql as the page does for alice. */
const psqlAs = (name: string, statement: string): Promise<Finished> => {
  const { host, port } = installation.ready.postgres;
  return shell(
    `PGPASSWORD=$(warder token ${name}) psql -X "host=${host} port=${port} user=${name} dbname=shop sslmode=require" -At -c "$SQL"`,
    {
      SQL: statement,
    },
  );
};

test('an installation without the demo starts with nothing to connect to', async () => {
  assert.deepEqual(installation.ready.resources, []);
  assert.match((await shell('warder resources')).stdout, /No resources yet/);
});

test('a document makes the database a resource, and every gateway can reach it', async () => {
  await writeFile(join(folder, 'shop.yaml'), await block('Describe the database', 'yaml'));
  await writeFile(join(folder, 'shop.password'), `${password}\n`);
  const applied = await run('Apply it');
  assert.match(applied.stdout, /shop created\n/);
  assert.match(applied.stdout, /gateway-1 reaches shop: PostgreSQL 18\.\d+.*2 tables, 0 views/);
  assert.doesNotMatch(applied.stdout, /superuser|does not exist/);
  const again = await shell('warder apply -f shop.yaml');
  assert.match(again.stdout, /shop unchanged/);
});

test('people get accounts, and see the database through Warder', async () => {
  const { stdout } = await run('Let people in');
  assert.match(stdout, /alice created: groups engineering; roles requester/);
  assert.match(stdout, /alice {2,}engineering/);
  const kept = await shell('warder account add rita --groups dba,engineering,audit');
  assert.match(kept.stdout, /rita changed: groups dba, engineering, audit; roles requester, reviewer/);
  const { stdout: rows } = await psqlAs('alice', 'select id, contact from customers order by id limit 1');
  assert.equal(rows, '1|***@mail.example\n');
});

test('the page shows a mask and a refusal', async () => {
  const { stdout, stderr } = await shell(await block('See it work', 'sh'));
  assert.match(stdout, /\*\*\*@mail\.example/);
  assert.doesNotMatch(stdout, /p1@mail\.example/);
  assert.match(stderr, /DROP and TRUNCATE are blocked on shop/);
  assert.equal((await psqlAs('alice', 'select count(*) from orders')).stdout, '100\n');
});

test('columns that look personal are proposed by name and by value, and applying them masks them', async () => {
  const { stdout } = await run('Find more personal data');
  const proposed = await readFile(join(folder, 'proposed.yaml'), 'utf8');
  assert.match(proposed, /public\.customers\.contact: \[pii\.email\] {2}# stands already/);
  assert.match(proposed, /public\.customers\.phone: \[pii\.phone\] {2}# proposed: text, by its name/);
  assert.match(proposed, /public\.customers\.born: \[pii\.dob\] {2}# proposed: date, by its name/);
  assert.doesNotMatch(proposed, /mail\.example|\+49|total_cents|shop-password/);
  assert.match(stdout, /shop changed/);
  assert.equal((await psqlAs('alice', 'select phone from customers where id = 1')).stdout, '[phone]\n');
});

test('a changed resource ends the sessions on it, an unchanged one does not', async () => {
  const { host, port } = installation.ready.postgres;
  const token = (await shell('warder token alice')).stdout.trim();
  const client = new pg.Client({ host, port, user: 'alice', password: token, database: 'shop' });
  const lost = Promise.withResolvers<Error>();
  client.on('error', (error) => lost.resolve(error));
  await client.connect();
  await shell('warder apply -f proposed.yaml');
  assert.equal((await client.query('select 1 as one')).rows[0]?.one, 1);
  const changed = await shell(`sed 's/^  env: .*/  env: staging/' proposed.yaml | warder apply -f -`);
  assert.match(changed.stdout, /shop changed/);
  assert.match(String((await lost.promise).message), /the resource shop was changed|terminated/);
});

test('mistakes in a document are told with file and line, and change nothing', async () => {
  const good = await readFile(join(folder, 'proposed.yaml'), 'utf8');
  const mistakes: readonly (readonly [change: readonly [string | RegExp, string], message: RegExp])[] = [
    [[/^ {4}host: .*$/m, '    host: "not a host"'], /bad\.yaml:\d+: shop: upstream\.host: a host name/],
    [[/^ {4}host: .*$/m, '    host: db.example.org'], /bad\.yaml:\d+: shop: upstream\.password: give the password again/],
    [['public.customers.contact:', '"public.customers.*":'], /bad\.yaml:\d+: shop: classification.*without patterns/],
    [['mode: disable', 'mode: off'], /bad\.yaml:\d+: spec\.upstream\.tls\.mode/],
    [['kind: Resource', 'kind: Resorce'], /bad\.yaml:\d+: kind/],
  ];
  for (const [[from, to], message] of mistakes) {
    await writeFile(join(folder, 'bad.yaml'), good.replace(from, to));
    const { status, stderr } = await shell('warder apply -f bad.yaml');
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  }
});

test('a person who leaves loses the account, the tokens and the session at once', async () => {
  const { host, port } = installation.ready.postgres;
  const token = (await shell('warder token alice')).stdout.trim();
  const client = new pg.Client({ host, port, user: 'alice', password: token, database: 'shop' });
  const lost = Promise.withResolvers<Error>();
  client.on('error', (error) => lost.resolve(error));
  await client.connect();
  const { stdout } = await run('When somebody leaves');
  assert.match(stdout, /alice is removed; \d+ tokens revoked/);
  await lost.promise;
  const again = new pg.Client({ host, port, user: 'alice', password: token, database: 'shop' });
  again.on('error', () => undefined);
  await assert.rejects(again.connect(), /authentication failed/);
  assert.equal((await shell('warder token alice')).status, 6);
});

test('a removed resource cannot be connected to, and who did what stands in the ledger', async () => {
  const { stdout } = await run('Stop protecting it');
  assert.match(stdout, /shop is removed\./);
  assert.notEqual((await psqlAs('rita', 'select 1')).status, 0);
  const records = await waitFor('the records', async () => {
    const { stdout: text } = await shell('warder audit search --kind admin.resource --json');
    return text.includes('"remove"') ? text : undefined;
  });
  for (const action of ['create', 'change', 'test', 'propose labels', 'remove']) assert.ok(records.includes(`"${action}"`), action);
});

test('the password of the database stands nowhere but in the file it came from', async () => {
  const { stdout } = await shell(`grep -rl --binary-files=text -e ${password} . || true`);
  assert.equal(stdout, './shop.password\n');
  const verified = await shell('warder ledger verify');
  assert.equal(verified.status, 0, verified.stderr);
});
