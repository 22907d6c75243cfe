import { Option } from 'commander';
import { Fault } from '#model';
import { realWorld } from '#host';
import type { ImportedSource, ImportFinding, ImportOptions, ImportResult } from '#policy/import';
import { compiledRego } from '../foreign-facts.ts';
import { readImportFiles, staleImports, writeImport } from '../import-files.ts';
import type { Written } from '../import-files.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

interface Options extends CommonOptions, Pick<ImportOptions, 'target'> {
  readonly out: string;
  readonly owner: string;
  readonly tier: NonNullable<ImportOptions['tier']>;
  readonly risk: NonNullable<ImportOptions['risk']>;
  readonly mode: NonNullable<ImportOptions['mode']>;
  readonly strict?: boolean;
  readonly force?: boolean;
}

// Each list is checked against the type it stands for: a word that the type does not know is an error here.
const tiers = ['system', 'baseline', 'org', 'product', 'team'] as const satisfies readonly Options['tier'][];
const risks = ['low', 'medium', 'high', 'critical'] as const satisfies readonly Options['risk'][];
const targets = [
  'sql',
  'ssh',
  'http',
  'k8s.api',
  'k8s.admission',
  'tool',
  'llm',
  'egress',
  'ci',
] as const satisfies readonly Options['target'][];

/** `warder policy import`: policies of other systems become documents here; the originals stay what people change. */
export const policyImport: Define = (group, _parts, exit) => {
  group
    .command('import')
    .description(
      'import policies of Kubernetes, Kyverno, Gatekeeper, hoop, Cedar and compiled Rego, with first cases and all that has no effect here',
    )
    .argument('<paths...>', 'files and folders to import')
    .option('--out <folder>', 'where the documents are written', 'policies/imported')
    .option('--owner <owner>', 'who answers for them, such as team:platform', 'team:platform')
    .addOption(new Option('--tier <tier>', 'whose rules they are').choices(tiers).default('org'))
    .addOption(new Option('--risk <class>', 'how grave they are, where the source does not say').choices(risks).default('medium'))
    .addOption(
      new Option('--mode <mode>', 'shadow only records; source takes over what the files say')
        .choices(['shadow', 'source'])
        .default('shadow'),
    )
    .addOption(new Option('--target <target>', 'what Cedar policies decide about').choices(targets).default('sql'))
    .option('--strict', 'when something has no effect here: write nothing and exit with 1')
    .option('--force', 'overwrite what an earlier import wrote')
    .action(async (paths: string[], options: Options) => exit(await importFrom(paths, options)));
};

async function importFrom(paths: readonly string[], options: Options): Promise<number> {
  // One sentence instead of a finding at every document.
  if (!/^(team|user|group):[a-zA-Z0-9._-]+$/.test(options.owner))
    throw new Fault('USAGE', `"${options.owner}" is no owner; write team:NAME, user:NAME or group:NAME`);
  const files = readImportFiles(paths, options.out);
  const { importPolicies } = await import('#policy/import');
  const { owner, tier, risk, mode, target = 'sql' } = options;
  const result = importPolicies(files, {
    ...{ owner, tier, risk, mode, target },
    today: new Date(realWorld.now()).toISOString().slice(0, 10),
    // The documents are relative to the folder they are written into.
    folder: '',
    compiledRego,
    // Several megabytes that only Cedar policies need.
    ...(files.some(({ path }) => path.endsWith('.cedar')) ? { cedar: await import('@cedar-policy/cedar-wasm/nodejs') } : {}),
  });
  const unsupported = result.findings.filter(({ severity }) => severity === 'unsupported').length;
  const refused = options.strict === true && unsupported > 0;
  const outcome = refused
    ? { written: [], unchanged: [] }
    : writeImport([...result.documents, ...result.cases], options.out, { force: options.force === true });
  const stale = refused ? [] : staleImports(options.out, { read: files, made: outcome });
  if (options.json === true) {
    const { findings, sources, engines } = result;
    printJson({ ok: !refused, out: options.out, ...outcome, stale, findings, sources, engines });
  } else {
    show(result, outcome, { out: options.out, refused, unsupported, stale });
  }
  return refused ? 1 : 0;
}

interface Shown {
  readonly out: string;
  readonly refused: boolean;
  readonly unsupported: number;
  readonly stale: readonly string[];
}

/** Findings on standard error, where an editor finds them; what was made of what on standard output. */
function show(result: ImportResult, { written, unchanged }: Written, { out, refused, unsupported, stale }: Shown): void {
  for (const finding of result.findings) showFinding(finding);
  const { bold, dim, green, red, yellow } = paint(process.stdout);
  for (const source of result.sources) showSource(source);
  for (const engine of result.engines) process.stdout.write(`${yellow('!')} ${bold(engine.policy)} ${whoAnswers(engine)}\n`);
  for (const path of stale)
    process.stdout.write(`${yellow('!')} ${bold(path)} is of an earlier import, and no file says it any more: delete it and its cases\n`);
  const counted = `${result.documents.length} documents and ${result.cases.length} files of cases`;
  const open =
    unsupported === 0
      ? 'everything has an effect here'
      : `${unsupported} ${unsupported === 1 ? 'thing has' : 'things have'} no effect here`;
  if (refused) {
    process.stdout.write(`${red('✘')} ${open}, so nothing is written\n`);
    return;
  }
  const same = unchanged.length === 0 ? '' : dim(` (${unchanged.length} unchanged)`);
  process.stdout.write(`${unsupported === 0 ? green('✔') : yellow('!')} ${counted} in ${bold(out)}${same}; ${open}\n`);
  if (written.length + unchanged.length > 0) process.stdout.write(dim(`  warder policy check ${out}\n  warder policy test ${out}\n`));
}

/** What must be there so that the policy gets its answers; without them it refuses. */
function whoAnswers({ engine, fact }: ImportResult['engines'][number]): string {
  const asked = `reads facts.foreign.${fact}, without which it refuses; gateways ask`;
  if (engine === 'opa-remote') return `${asked} the OPA that their facts.yaml names under opa.${fact}`;
  return `${asked} ${engine === 'cedar' ? 'Cedar' : 'the compiled Rego'} that comes along as a ForeignEngine`;
}

function showFinding({ severity, construct, path, line, column, message, suggestion }: ImportFinding): void {
  const { bold, cyan, dim, red, yellow } = paint(process.stderr);
  const colour = { unsupported: red, hint: yellow, info: cyan }[severity];
  process.stderr.write(`${path}:${line}:${column}: ${colour(severity)} ${bold(visible(construct))}: ${visible(message)}\n`);
  if (suggestion !== undefined) process.stderr.write(dim(`    ${visible(suggestion)}\n`));
}

function showSource({ path, line, kind, name, digest, documents }: ImportedSource): void {
  const { bold, dim, green, red } = paint(process.stdout);
  const made = documents.length === 0 ? red('nothing') : documents.join(', ');
  process.stdout.write(`${documents.length === 0 ? red('✘') : green('✔')} ${path}:${line} ${visible(`${kind} ${name}`)} → ${bold(made)}\n`);
  process.stdout.write(dim(`    ${digest}\n`));
}
