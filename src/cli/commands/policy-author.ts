import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { realWorld } from '#host';
import { Fault } from '#model';
import type { Problem } from '#policy';
import { paint } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

interface AuthorOptions extends CommonOptions {
  readonly check?: boolean;
  readonly output?: string;
  readonly to?: string;
  readonly target?: string;
}

const dayMs = 86_400_000;

/** `warder policy fmt|new|docs|convert|schema` */
export const policyAuthor: Define = (group, _parts, exit) => {
  group
    .command('fmt')
    .description('write policy files in the one style: order of keys, indentation; comments and meaning stay')
    .argument('[path]', 'folder or file; - formats standard input', 'policies')
    .option('--check', 'change nothing; exit with 1 when a file would change')
    .action(async (path: string, options: AuthorOptions) => exit(await format(path, options)));
  group
    .command('new')
    .description('print a document to begin with')
    .argument('<kind>', 'Policy, PolicyTest, DataSet, Exception…')
    .argument('<name>', 'of the document')
    .option('--target <target>', 'of a Policy or PolicyTest: what it is about (default: sql)')
    .option('-o, --output <file>', 'write it there instead; an existing file is never changed')
    .action(create);
  group
    .command('docs')
    .description('write a Markdown page for every policy, and an index')
    .argument('[folder]', 'folder or file', 'policies')
    .option('-o, --output <folder>', 'where the pages go; without it they are printed')
    .action(async (folder: string, options: AuthorOptions) => exit(await pages(folder, options)));
  group
    .command('convert')
    .description('bring documents to another version of the schema')
    .argument('[folder]', 'folder or file', 'policies')
    .option('--to <version>', 'version of the schema', 'warder/v1')
    .action(convert);
  group
    .command('schema')
    .description('print the JSON Schema of policy documents, for editors')
    .option('--attributes', 'print what policies may speak about instead, by target, as Markdown')
    .action(async ({ attributes }: { attributes?: boolean }) => {
      const { attributePage, policySchema } = await import('#policy');
      process.stdout.write(attributes === true ? attributePage() : `${JSON.stringify(policySchema(), null, 2)}\n`);
    });
};

async function format(path: string, options: AuthorOptions): Promise<number> {
  const { formatFile } = await import('#policy');
  const single = path === '-' || !isFolder(path);
  const files = path === '-' ? [{ path: 'standard input', text: readFileSync(0, 'utf8') }] : readPolicyFiles(path);
  const changed: string[] = [];
  const problems: Problem[] = [];
  for (const file of files) {
    const formatted = formatFile(file);
    if (!formatted.ok) {
      problems.push(...formatted.problems);
      continue;
    }
    if (path === '-' && options.check !== true) process.stdout.write(formatted.text);
    if (formatted.text === file.text) continue;
    const place = single ? path : join(path, file.path);
    changed.push(place);
    if (options.check !== true && path !== '-') writeFileSync(place, formatted.text);
  }
  if (options.json === true) printJson({ changed, problems });
  else {
    await showProblems(problems, path);
    const { green, yellow } = paint(process.stderr);
    for (const place of changed)
      process.stderr.write(`${options.check === true ? yellow('✘ would change') : green('✔ changed')} ${place}\n`);
  }
  if (problems.length > 0) return new Fault('POLICY_INVALID', path).exit;
  return options.check === true && changed.length > 0 ? 1 : 0;
}

async function create(kindName: string, name: string, options: AuthorOptions): Promise<void> {
  const { kinds, targets, templateOf } = await import('#policy');
  const kind = kinds.find((known) => known.toLowerCase() === kindName.toLowerCase());
  if (kind === undefined) throw new Fault('USAGE', `there is no kind "${kindName}"; there are ${kinds.join(', ')}`);
  // Expressions read a DataSet as data.name, so its name is an identifier.
  if (kind === 'DataSet' && name.includes('-'))
    throw new Fault('USAGE', `the name of a DataSet has no "-": write ${name.replaceAll('-', '_')}`);
  if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name)) throw new Fault('USAGE', `"${name}" is not a name: lower-case letters, digits and "-"`);
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const now = realWorld.now();
  const target = targets.find((known) => known === (options.target ?? 'sql'));
  if (target === undefined) throw new Fault('USAGE', `there is no target "${String(options.target)}"; there are ${targets.join(', ')}`);
  const text = templateOf(kind, { name, today: day(now), tomorrow: day(now + dayMs), target });
  if (options.output !== undefined) writeNew(options.output, text);
  if (options.json === true) printJson({ kind, name, text, ...(options.output === undefined ? {} : { file: options.output }) });
  else process.stdout.write(options.output === undefined ? text : `${options.output}\n`);
}

function writeNew(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: 'wx' });
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot make ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function pages(folder: string, options: AuthorOptions): Promise<number> {
  const { policyPages } = await import('#policy');
  const made = policyPages(readPolicyFiles(folder));
  if (options.json === true) printJson(made);
  else {
    await showProblems(made.problems, folder);
    for (const { name, text } of made.pages) {
      if (options.output === undefined) process.stdout.write(`${text}\n`);
      else {
        mkdirSync(options.output, { recursive: true });
        writeFileSync(join(options.output, name), text);
      }
    }
    if (options.output !== undefined) process.stdout.write(`${made.pages.length} pages in ${options.output}\n`);
  }
  return made.problems.some(({ severity }) => severity === 'error') ? 1 : 0;
}

/** There is one version so far; the command is here so that pipelines need no change when there is another. */
async function convert(folder: string, options: AuthorOptions): Promise<void> {
  const { compileBundle } = await import('#policy');
  if (options.to !== 'warder/v1') throw new Fault('USAGE', `there is no schema "${String(options.to)}"; there is warder/v1`);
  const compiled = compileBundle(readPolicyFiles(folder));
  if (!compiled.ok) {
    if (options.json !== true) await showProblems(compiled.problems, folder);
    throw new Fault('POLICY_INVALID', `${folder} cannot be read`, { detail: { problems: compiled.problems } });
  }
  const documents = compiled.bundle.documents.length;
  if (options.json === true) printJson({ documents, converted: 0, to: options.to });
  else process.stdout.write(`all ${documents} documents are warder/v1 already, the only version so far\n`);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot read ${path}`, { cause });
  }
}
