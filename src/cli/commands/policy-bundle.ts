import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Fault } from '#model';
import type { Archive } from '#policy';
import { keyId, open, readKey, seal } from '../envelope.ts';
import { commitOf } from '../git-files.ts';
import { paint, visible } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

interface BundleOptions extends CommonOptions {
  readonly output?: string;
  readonly key?: string;
  readonly keys?: readonly string[];
  readonly previous?: string;
  readonly signature?: string;
}

/** `warder policy bundle build|sign|verify|inspect` */
export const policyBundle: Define = (policy) => {
  const group = policy.command('bundle').description('pack policies into one file, sign it, verify it');
  group
    .command('build')
    .description('write the archive of a folder: the same documents always give the same bytes')
    .argument('[folder]', 'folder with the policies', 'policies')
    .requiredOption('-o, --output <file>', 'archive to write; the statement about it goes beside, as <file>.statement.json')
    .option('--previous <file>', 'archive that it replaces: its baseline must be kept')
    .action(build);
  group
    .command('sign')
    .description('sign the statement about an archive; writes <file>.dsse.json')
    .argument('<file>', 'archive that `build` wrote')
    .requiredOption('--key <file>', 'private Ed25519 key, PEM (openssl genpkey -algorithm ed25519)')
    .action(signFile);
  group
    .command('verify')
    .description('check an archive: its form, its policies, its baseline, and who signed it')
    .argument('<file>', 'archive')
    .option('--keys <files...>', 'public Ed25519 keys, PEM: one of them must have signed')
    .option('--signature <file>', 'envelope (default: <file>.dsse.json)')
    .option('--previous <file>', 'archive that it replaces: its baseline must be kept')
    .action(verifyFile);
  group
    .command('inspect')
    .description('say what is in an archive, and what its statement claims')
    .argument('<file>', 'archive')
    .action(inspect);
};

async function build(folder: string, options: BundleOptions): Promise<void> {
  const { buildArchive, statementOf } = await import('#policy');
  const built = buildArchive(readPolicyFiles(folder));
  if (!built.ok) {
    if (options.json !== true) await showProblems(built.problems, folder);
    throw new Fault('POLICY_INVALID', `${folder} cannot be packed`, { detail: { problems: built.problems } });
  }
  const { archive } = built;
  await checkSuccession(archive, options.previous);
  const output = options.output ?? '';
  const statement = statementOf(archive, basename(output), commitOf(folder) ?? {});
  write(output, archive.text);
  write(`${output}.statement.json`, `${JSON.stringify(statement, null, 2)}\n`);
  if (options.json === true) return printJson({ file: output, sha256: archive.sha256, bundle: archive.bundle.ref, statement });
  const { green, dim, yellow } = paint(process.stdout);
  process.stdout.write(
    `${green('✔')} ${archive.bundle.ref.name} ${archive.bundle.ref.version}: ${archive.bundle.rules} rules\n  ${output}\n${dim(`  sha256 ${archive.sha256}\n  policy ${archive.bundle.ref.digest}`)}\n`,
  );
  if (statement.predicate.source.dirty === true)
    process.stdout.write(`${yellow('  the folder differs from its commit; the statement says so')}\n`);
}

async function signFile(file: string, options: BundleOptions): Promise<void> {
  const { statementDifferences } = await import('#policy');
  const archive = await readArchiveFile(file, options);
  const statement: unknown = parse(read(`${file}.statement.json`), `${file}.statement.json`);
  const differences = statementDifferences(statement, archive);
  if (differences.length > 0) throw new Fault('POLICY_INVALID', `${file}.statement.json is not about ${file}: ${differences.join('; ')}`);
  const key = readKey(options.key ?? '', 'private');
  const output = `${file}.dsse.json`;
  write(output, `${JSON.stringify(seal(statement, key))}\n`);
  if (options.json === true) return printJson({ file: output, key: keyId(key) });
  process.stdout.write(`${paint(process.stdout).green('✔')} ${output}\n  signed with ${keyId(key)}\n`);
}

async function verifyFile(file: string, options: BundleOptions): Promise<void> {
  const { statementDifferences } = await import('#policy');
  const archive = await readArchiveFile(file, options);
  await checkSuccession(archive, options.previous);
  const keys = (options.keys ?? []).map((path) => readKey(path, 'public'));
  let by: readonly string[] = [];
  if (keys.length > 0) {
    const opened = open(read(options.signature ?? `${file}.dsse.json`), keys);
    const differences = statementDifferences(opened.statement, archive);
    if (differences.length > 0) throw new Fault('POLICY_INVALID', `the signed statement is not about ${file}: ${differences.join('; ')}`);
    if (opened.by.length === 0) throw new Fault('POLICY_INVALID', `${file} is not signed by any of the ${keys.length} keys`);
    ({ by } = opened);
  }
  if (options.json === true) return printJson({ ok: true, sha256: archive.sha256, bundle: archive.bundle.ref, signedBy: by });
  const { green, yellow } = paint(process.stdout);
  const signed = by.length > 0 ? `signed by ${by.join(', ')}` : yellow('signatures were not checked: name the keys you trust with --keys');
  process.stdout.write(
    `${green('✔')} ${archive.bundle.ref.name} ${archive.bundle.ref.version}, ${archive.bundle.ref.digest}\n  ${signed}\n`,
  );
}

async function inspect(file: string, options: BundleOptions): Promise<void> {
  const archive = await readArchiveFile(file, options);
  const { bundle, changes } = archive;
  const statement = tryRead(`${file}.dsse.json`);
  // Without keys nothing is proven; the claims are shown as claims.
  const claimed = statement === undefined ? undefined : open(statement, []).statement;
  if (options.json === true) {
    return printJson({
      sha256: archive.sha256,
      bundle: bundle.ref,
      rules: bundle.rules,
      baseline: bundle.baseline,
      changes,
      documents: bundle.documents.map(({ kind, name, title }) => ({ kind, name, title })),
      claimed,
    });
  }
  const { bold, dim } = paint(process.stdout);
  const lines = [
    `${bold(`${bundle.ref.name} ${bundle.ref.version}`)}  ${bundle.rules} rules`,
    dim(`policy ${bundle.ref.digest}`),
    dim(`file   sha256 ${archive.sha256}`),
  ];
  for (const change of changes) lines.push(`  · ${visible(change)}`);
  for (const { kind, name, title } of bundle.documents)
    lines.push(`  ${kind.padEnd(16)} ${name}${title === undefined ? '' : dim(`  ${visible(title)}`)}`);
  for (const id of bundle.baseline) lines.push(`  ${'keeps'.padEnd(16)} ${id}`);
  if (claimed !== undefined) lines.push(dim('the envelope beside it claims, unproven:'), visible(JSON.stringify(claimed, null, 2), true));
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function readArchiveFile(path: string, options: CommonOptions): Promise<Archive> {
  const { readArchive } = await import('#policy');
  const result = readArchive({ path, text: read(path) });
  if (result.ok) return result.archive;
  if (options.json !== true) await showProblems(result.problems, path);
  throw new Fault('POLICY_INVALID', `${path} is not a usable archive`, { detail: { problems: result.problems } });
}

async function checkSuccession(archive: Archive, previous: string | undefined): Promise<void> {
  if (previous === undefined) return;
  const { droppedBaseline } = await import('#policy');
  const before = await readArchiveFile(previous, {});
  const dropped = droppedBaseline(before.bundle, archive.bundle);
  if (dropped.length > 0)
    throw new Fault('POLICY_INVALID', `the bundle drops what ${before.bundle.ref.version} promised to keep: ${dropped.join(', ')}`);
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault('INVALID_INPUT', `${path} is not JSON`, { cause });
  }
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  const text = tryRead(path);
  if (text === undefined) throw new Fault('CONFIG_INVALID', `cannot read ${path}`);
  return text;
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
