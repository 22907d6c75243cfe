/** The ledger as a stranger sees it: a copy of the folder, and somebody who changed one thing in it. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startInstallation, type Installation } from './installation.ts';

let installation: Installation;
let scratch: string;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'warder-evidence-'));
  installation = await startInstallation();
  for (let i = 0; i < 3; i += 1)
    await installation.psql('engineer', ['-c', 'SELECT 1', '-c', 'SELECT email FROM customers LIMIT 1', '-c', 'DROP TABLE orders']);
});
after(async () => {
  await installation.destroy();
  await rm(scratch, { recursive: true, force: true });
});

async function copy(): Promise<string> {
  const target = await mkdtemp(join(scratch, 'copy-'));
  for (const part of ['gateway', 'control']) {
    await cp(join(installation.ready.home, part, 'ledger'), join(target, part, 'ledger'), { recursive: true });
  }
  await cp(join(installation.ready.home, 'trust.json'), join(target, 'trust.json'));
  return target;
}

function verify(folder: string): ReturnType<Installation['warder']> {
  return installation.warder(['ledger', 'verify', folder]);
}

test('the log of a running installation is proven', async () => {
  const { status, stdout, stderr } = await installation.warder(['ledger', 'verify']);
  assert.equal(status, 0, stdout + stderr);
});

test('a stopped installation is proven offline, and so is a copy of its folder', async () => {
  assert.equal(await installation.stop(), 0);
  const own = await installation.warder(['ledger', 'verify', '--json']);
  assert.equal(own.status, 0, own.stdout + own.stderr);
  const { status, stdout } = await verify(await copy());
  assert.equal(status, 0, stdout);
});

async function files(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    const { size } = await stat(path);
    if ((await stat(path)).isFile() && size > 0 && !path.endsWith('reserve') && !path.endsWith('lock') && !name.startsWith('keys'))
      found.push(path);
  }
  return found.sort();
}

test('one flipped bit in any file of the log is found', async () => {
  const clean = await copy();
  const relative = (await files(join(clean, 'gateway', 'ledger'))).map((path) => path.slice(clean.length));
  for (const path of relative) {
    const tampered = await copy();
    const bytes = await readFile(join(tampered, path));
    const at = Math.floor(bytes.length / 3);
    bytes[at] = (bytes[at] ?? 0) ^ 0x04;
    await writeFile(join(tampered, path), bytes);
    const { status, stdout, stderr } = await verify(tampered);
    assert.equal(status, 1, `${path}: ${stdout}${stderr}`);
  }
});

test('an edited word in a record is found, with its index', async () => {
  const tampered = await copy();
  const bundles = (await files(join(tampered, 'gateway', 'ledger'))).filter((path) => path.includes('/tile/entries/'));
  const path = bundles.at(-1) ?? assert.fail('no entry bundle');
  const text = await readFile(path, 'latin1');
  const at = text.indexOf('user:engineer');
  assert.ok(at > 0);
  await writeFile(path, text.slice(0, at) + 'user:engineeR' + text.slice(at + 13), 'latin1');
  const { status, stdout, stderr } = await verify(tampered);
  assert.equal(status, 1);
  assert.match(stdout + stderr, /index \d+/);
});

/** Entries of a bundle: each two bytes of length and so many bytes. SPEC: C2SP tlog-tiles, entry bundles. */
function split(bundle: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  for (let at = 0; at < bundle.length; ) {
    const end = at + 2 + bundle.readUInt16BE(at);
    entries.push(bundle.subarray(at, end));
    at = end;
  }
  return entries;
}

const rearranged: readonly (readonly [name: string, firstWrong: number, change: (entries: Buffer[]) => void])[] = [
  ['a deleted record', 3, (entries) => void entries.splice(3, 1)],
  ["two records in each other's place", 3, (entries) => entries.splice(3, 2, ...entries.slice(3, 5).reverse())],
  ['a record that stands there twice', 4, (entries) => entries.splice(3, 0, ...entries.slice(3, 4))],
];
for (const [name, firstWrong, change] of rearranged) {
  test(`${name} is found, with its index`, async () => {
    const tampered = await copy();
    const bundles = (await files(join(tampered, 'gateway', 'ledger'))).filter((one) => one.includes('/tile/entries/'));
    // Narrower bundles of earlier checkpoints may lie beside the newest one.
    const sizes = await Promise.all(bundles.map(async (path) => ({ path, size: (await stat(path)).size })));
    const { path } = sizes.reduce((widest, one) => (one.size > widest.size ? one : widest));
    const entries = split(await readFile(path));
    assert.ok(entries.length > 6, `${entries.length} entries`);
    change(entries);
    await writeFile(path, Buffer.concat(entries));
    const { status, stdout, stderr } = await verify(tampered);
    assert.equal(status, 1, stdout + stderr);
    assert.match(stdout, new RegExp(`index ${firstWrong}\\b`));
  });
}

test('a log of which files are missing is found', async () => {
  const tampered = await copy();
  const ledger = join(tampered, 'gateway', 'ledger');
  for (const path of await files(ledger)) if (path.includes('/wal/') || path.includes('/tile/')) await rm(path);
  const { status, stdout, stderr } = await verify(tampered);
  assert.notEqual(status, 0, stdout + stderr);
});
