/** A recorded session: what the client saw, byte for byte, replayed, taken along, and verified by somebody who has nothing else. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { checkout, startInstallation, waitFor, type Installation } from './installation.ts';
import { labelRecording, newestSession } from './recorded.ts';

const run = promisify(execFile);

let installation: Installation;
let scratch: string;
let session: string;
/** What psql showed. */
let seen: string;

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'warder-recording-'));
  installation = await startInstallation();
  await labelRecording(installation, 'required');
  const { stdout } = await installation.psql('engineer', [
    ...['-P', 'pager=off', '-c', 'select id, name, email, card from customers order by id limit 3'],
    ...['-c', 'select 7 as "the number", null as nothing, E\'two\\nlines\' as text, 1.50::numeric'],
    ...['-c', 'drop table orders', '-c', "select repeat('x', 200000) is not null as long", '-c', "select 'nothing' where false"],
    ...['-c', 'update orders set status = status where id = 1', '-c', 'select'],
  ]);
  seen = stdout;
  session = await newestSession(installation);
});
after(async () => {
  await installation.destroy();
  await rm(scratch, { recursive: true, force: true });
});

const replay = (...args: string[]) => installation.warder(['replay', ...args], 'auditor');

async function keys(): Promise<string[]> {
  const { ledgers } = JSON.parse(await readFile(join(installation.ready.home, 'trust.json'), 'utf8'));
  return ledgers.flatMap(({ vkey }: { vkey: string }) => ['--key', vkey]);
}

test('the screen of the replay is what psql showed', async () => {
  const { status, stdout, stderr } = await replay(session, '--play', '--speed', '0');
  assert.equal(status, 0, stderr);
  const screen = stdout
    .split('\n')
    .filter((line) => !line.startsWith('orders-demo=> ') && !/^(ERROR|DETAIL|HINT):/.test(line))
    .join('\n');
  assert.equal(screen, seen);
  assert.match(stdout, /orders-demo=> drop table orders\nERROR: {2}warder: DROP and TRUNCATE are blocked/);
});

test('what was masked is masked in the recording, and no secret of the login is in it', async () => {
  const { stdout } = await replay(session, '--bytes');
  const bytes = Buffer.concat(
    stdout
      .trim()
      .split('\n')
      .map((line) => Buffer.from(JSON.parse(line).data, 'base64')),
  ).toString('latin1');
  assert.ok(bytes.includes('***@mail.example'));
  assert.doesNotMatch(bytes, /[a-z0-9]@mail\.example/);
  assert.ok(bytes.includes('drop table orders') && bytes.includes('x'.repeat(200_000)) === false);
  assert.ok(!bytes.includes(installation.ready.subjects.engineer.token));
  assert.ok(!bytes.includes('SCRAM'));
});

test('a replay can begin later and be searched', async () => {
  const found = await replay(session, '--search', 'CAMILLE');
  assert.equal(found.status, 0, found.stderr);
  assert.match(found.stdout, /1 line of the recording\n\+\d+\.\d{3} s {2}2 \| Camille Lef.vre .* dec_/);
  const statement = await replay(session, '--search', 'drop TABLE', '--json');
  assert.deepEqual(
    JSON.parse(statement.stdout).operations.map(({ verb }: { verb: string }) => verb),
    ['drop'],
  );
  assert.equal((await replay(session, '--search', 'not there at all')).status, 1);
  assert.equal((await replay(session, '--play', '--speed', '0', '--at', '1h')).stdout, '');
});

for (const version of ['v2', 'v3'] as const) {
  test(`asciicast ${version} is what its specification says`, async () => {
    const { stdout } = await replay(session, '--asciicast', version);
    const [head, ...events] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    if (version === 'v2') assert.deepEqual([head.version, head.width, head.height], [2, 120, 40]);
    else assert.deepEqual([head.version, head.term.cols, head.term.rows], [3, 120, 40]);
    let before = 0;
    for (const event of events) {
      assert.equal(event.length, 3);
      const [time, code, data] = event;
      assert.ok(typeof time === 'number' && time >= (version === 'v2' ? before : 0), `${time} after ${before}`);
      assert.ok(['o', 'i', 'm'].includes(code) && typeof data === 'string');
      before = time;
    }
    const marks = events.filter(([, code]) => code === 'm').map(([, , text]) => text);
    assert.equal(marks[2], '#3 deny DESTRUCTIVE_DDL drop');
    assert.equal(marks.length, 7);
  });
}

test('asciinema plays the v2 file', async (t) => {
  const cast = join(scratch, 'v2.cast');
  await writeFile(cast, (await replay(session, '--asciicast', 'v2')).stdout);
  if (
    await run('which', ['asciinema']).then(
      () => false,
      () => true,
    )
  )
    return t.skip('asciinema is not installed');
  // It wants a terminal of its own.
  const { stdout } = await run('script', ['-qfec', `asciinema cat ${cast}`, '/dev/null'], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  assert.ok(stdout.replaceAll(/\r+\n/g, '\n').includes('  1 | George Smith    | ***@mail.example'), stdout);
});

test('reading a recording is decided by the rules and recorded, allowed or not', async () => {
  const own = await installation.warder(['replay', session, '--play'], 'engineer');
  assert.equal(own.status, 1);
  assert.match(own.stderr, /NO_MATCHING_ALLOW/);
  const { stdout } = await installation.warder(['audit', 'search', '--kind', 'recording.read', '--json'], 'auditor');
  const [newest] = JSON.parse(stdout).items;
  assert.deepEqual([newest.kind, newest.verdict, newest.session], ['recording.read', 'deny', session]);
});

test('exported evidence is proven in an empty folder by both verifiers, with the keys known from elsewhere', async () => {
  const file = join(scratch, 'evidence.tar');
  const exported = await installation.warder(['export', session, '--out', file], 'auditor');
  assert.equal(exported.status, 0, exported.stderr);
  assert.equal((await installation.warder(['export', session, '--out', file], 'auditor')).status, 2, 'nothing is overwritten');
  const folder = join(scratch, 'unpacked');
  await mkdir(folder);
  await run('tar', ['xf', file, '-C', folder]);
  const trusted = await keys();
  const inside = { cwd: folder, env: { PATH: process.env['PATH'] } };
  for (const [command, args] of [
    ['python3', ['verify.py', '--evidence', '.']],
    ['python3', ['verify.py', '--evidence', file]],
    [process.execPath, ['verify.mjs']],
  ] as const) {
    const { stdout } = await run(command, [...args, ...trusted, '--json'], inside);
    const report = JSON.parse(stdout);
    assert.deepEqual([report.status, report.pinned, report.operations], ['proven', true, 7], stdout);
    assert.ok(report.chunks >= 7);
  }
  const { status, stdout } = await installation.warder(['ledger', 'verify', '--evidence', file, ...trusted]);
  assert.equal(status, 0, stdout);
  assert.match(await readFile(join(folder, 'README.md'), 'utf8'), /python3 verify\.py --evidence \./);
});

test('exported evidence is replayed without any installation, and not when it was changed', async () => {
  const file = join(scratch, 'evidence.tar');
  const elsewhere = { WARDER_HOME: join(scratch, 'nowhere') };
  const trusted = await keys();
  const offline = (...args: string[]) => installation.warder(['replay', file, ...args], undefined, elsewhere);
  for (const args of [['--play', '--speed', '0'], ['--bytes'], ['--asciicast', 'v3'], ['--search', 'camille']]) {
    const there = await offline(...args, ...trusted);
    assert.equal(there.status, 0, there.stderr);
    assert.equal(there.stdout, (await replay(session, ...args)).stdout);
  }
  const { stdout, stderr } = await offline();
  assert.match(stdout, /#3 {2}DENY {2}DESTRUCTIVE_DDL[^\n]*\n {4}drop table orders/);
  assert.match(stderr, /keys came with the file/);
  const changed = join(scratch, 'changed.tar');
  const bytes = await readFile(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(changed, bytes);
  assert.equal((await installation.warder(['replay', changed, '--play'], undefined, elsewhere)).status, 1);
});

test('a flipped bit anywhere in the evidence is noticed by both, in the archive and unpacked', { timeout: 180_000 }, async () => {
  const bytes = await readFile(join(scratch, 'evidence.tar'));
  const bad = join(scratch, 'bad.tar');
  // Every bit is tried where the verifier is tested; here are some of each part, through the commands that people use.
  const positions = Array.from({ length: 6 }, (_, k) => Math.floor(((k + 0.37) * bytes.length) / 6)).concat(130, bytes.length - 1);
  for (const position of positions) {
    const flipped = Buffer.from(bytes);
    flipped[position] = (flipped[position] ?? 0) ^ 0x10;
    await writeFile(bad, flipped);
    await assert.rejects(
      run('python3', [join(checkout, 'src/ledger/verify/verify.py'), '--evidence', bad]),
      { code: 1 },
      `byte ${position}`,
    );
    const { status, stdout } = await installation.warder(['ledger', 'verify', '--evidence', bad]);
    assert.equal(status, 1, `byte ${position}: ${stdout}`);
  }
  const folder = join(scratch, 'unpacked');
  for (const name of ['README.md', 'manifest.tlog-proof', 'verify.py', 'verifier/tree.ts', ...(await someOf(folder))]) {
    const path = join(folder, name);
    const whole = await readFile(path);
    const flipped = Buffer.from(whole);
    const at = whole.length - 2;
    flipped[at] = (flipped[at] ?? 0) ^ 0x01;
    await writeFile(path, flipped);
    // The verifier that was changed may not run at all; the other one names it.
    const [own, other] = await Promise.all([
      run('python3', [join(checkout, 'src/ledger/verify/verify.py'), '--evidence', folder]).then(
        () => 0,
        ({ code }) => code,
      ),
      installation.warder(['ledger', 'verify', '--evidence', folder]).then(({ status }) => status),
    ]);
    assert.deepEqual([own, other], [1, 1], name);
    await writeFile(path, whole);
  }
});

async function someOf(folder: string): Promise<string[]> {
  const names: string[] = [];
  for (const part of ['records/gateway-1', 'evidence/gateway-1', 'recording/gateway-1']) {
    const [first = ''] = await readdir(join(folder, part));
    names.push(`${part}/${first}`);
  }
  return names;
}

test('the commands of the page about it work as they stand there', async () => {
  const page = await readFile(join(checkout, 'docs/how-to/replay-and-export.md'), 'utf8');
  const commands = [...page.matchAll(/^warder (.+)$/gm)].map(([, line = '']) => line);
  const running = commands.filter((line) => !line.startsWith('ledger shred'));
  assert.ok(running.length >= 9 && commands.length === running.length + 1);
  for (const line of running) {
    const args = line.replace('SESSION', session).replace('evidence.tar', join(scratch, 'page.tar')).split(' ');
    const { status, stderr } = await installation.warder(args, 'auditor');
    assert.equal(status, 0, `${line}: ${stderr}`);
  }
});

test('a gateway that is killed in the middle leaves what was acknowledged, and says that the end is missing', {
  timeout: 120_000,
}, async () => {
  const talk = installation.open('engineer');
  talk.say('select 4711 as before_the_end;');
  await talk.hear('4711');
  const cut = await newestSession(installation);
  const { gateway } = (installation.ready as unknown as { processes: { gateway: number } }).processes;
  process.kill(gateway, 'SIGKILL');
  await talk.end();
  await waitFor(
    'the gateway to serve again',
    async () => (await installation.psql('engineer', ['-Atc', 'select 1'])).stdout === '1\n',
    60_000,
  );
  const { stdout, stderr } = await waitFor('the replay', async () => {
    const shown = await replay(cut, '--play', '--speed', '0');
    return shown.status === 0 ? shown : undefined;
  });
  assert.match(stdout, /select 4711 as before_the_end;\n before_the_end/);
  assert.match(stderr, /end of the recording is missing/);
  const { status, stdout: report } = await installation.warder(['ledger', 'verify']);
  assert.equal(status, 0, report);
  assert.match(report, new RegExp(`recording of session ${cut} ends with chunk \\d+, where the writer died`));
});

test('where recording is only wished for, and where it is not, sessions say so', async () => {
  await labelRecording(installation, 'best_effort');
  await installation.psql('engineer', ['-c', 'select 1']);
  assert.match((await replay(await newestSession(installation), '--play', '--speed', '0')).stdout, /select 1/);
  await labelRecording(installation, 'off');
  await installation.psql('engineer', ['-c', 'select 1']);
  const none = await replay(await newestSession(installation), '--play');
  assert.equal(none.status, 6);
  assert.match(none.stderr, /no rule asked for it/);
});

test('a session whose keys were erased is unreadable for good, and everything is still proven', { timeout: 120_000 }, async () => {
  assert.equal(await installation.stop(), 0);
  const shredded = await installation.warder(['ledger', 'shred', session, '--reason', 'request 4711']);
  assert.equal(shredded.status, 0, shredded.stderr);
  assert.equal((await installation.warder(['ledger', 'shred', session, '--reason', 'again'])).status, 6);
  const { home } = installation.ready;
  installation = await startInstallation({ home });
  const gone = await replay(session, '--play', '--speed', '0');
  assert.equal(gone.status, 6, gone.stdout);
  assert.match(gone.stderr, /was erased/);
  const { stdout } = await installation.warder(['ledger', 'verify']);
  assert.doesNotMatch(stdout, /TAMPERED/);
  const file = join(scratch, 'erased.tar');
  assert.equal((await installation.warder(['export', session, '--out', file], 'auditor')).status, 0);
  const { status, stdout: report } = await installation.warder(['ledger', 'verify', '--evidence', file]);
  assert.equal(status, 2, report);
  assert.match(report, /may have been erased/);
});
