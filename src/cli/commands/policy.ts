import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#model';
import type { Problem, SourceFile } from '#policy';
import type { PushedAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { checkPolicyFolder } from './policy-check.ts';
import type { CheckOptions } from './policy-check.ts';
import { policyPlan } from './policy-plan.ts';
import { policyTest } from './policy-test.ts';
import { checkTheseFiles } from './policy-check-files.ts';
import type { CheckFilesOptions } from './policy-check-files.ts';
import { policyAuthor } from './policy-author.ts';
import { policyBundle } from './policy-bundle.ts';
import { policyExplain } from './policy-explain.ts';
import { policyRollout } from './policy-rollout.ts';
import { policyEval } from './policy-eval.ts';
import { policyImport } from './policy-import.ts';

const usualFolder = 'policies';

/** `warder policy check|test|push` */
export const policy: Define = (program, parts, exit) => {
  const group = program.command('policy').description('check, test and activate policies');
  group
    .command('check')
    .description('find mistakes in policies; with -f: decide what stands in files. Without an installation')
    .argument('[folder]', 'folder or file', usualFolder)
    .option('-f, --file <files...>', 'manifests, Terraform plans (JSON) or requests to decide; folders are searched, - is standard input')
    .option('--pack <pack>', 'with -f: a shipped pack such as kubernetes/restricted, or a folder with policies')
    .option('--target <target>', 'with -f: what requests are about that do not say it')
    .option('--facts <file>', 'with -f: facts as JSON, for all objects')
    .option('--foreign <paths...>', 'with -f: first ask the engines of these ForeignPolicy documents and Cedar files about every object')
    .option('--default <verdict>', 'with -f: allow or deny what no rule speaks about')
    .option('--sarif [file]', 'write a SARIF log for code hosts to this file; with -f and no file: print it')
    .option('--fix', 'mend what has one answer only: misspelt keys, missing reason codes, rules that stand twice')
    .option(
      '--decisions <path>',
      'also say which rules never fired and which exceptions nobody used: a ledger, a home, or a file of entries',
    )
    .option('--ledger <path>', 'the same')
    .option('--days <number>', 'with --decisions: how many days of them (default: 30)')
    .option('--no-cache', 'look anew even if no file changed')
    .option('--info', 'also show what is only worth knowing, such as where denies win over allows')
    .action(
      async (
        folder: string,
        options: Omit<CheckOptions, 'sarif'> &
          Omit<Partial<CheckFilesOptions>, 'sarif'> & { readonly sarif?: string | true; readonly ledger?: string },
      ) => {
        const { file, sarif, ledger, ...others } = options;
        const rest = ledger === undefined ? others : { ...others, decisions: ledger };
        if (file !== undefined) {
          const folders = { own: folder, shipped: join(parts.root, usualFolder), version: parts.version };
          return exit(await checkTheseFiles(folders, { ...rest, file, ...(sarif === undefined ? {} : { sarif }) }));
        }
        if (sarif === true) throw new Fault('USAGE', '--sarif needs the name of a file to write');
        exit(await checkPolicyFolder(folder, sarif === undefined ? rest : { ...rest, sarif }, parts));
      },
    );
  group
    .command('push')
    .description('put policies in force on all gateways; a mistake is refused')
    .argument('[folder]', 'folder, or an archive of `policy bundle build`', usualFolder)
    .option('--candidate', 'only store them: a rollout in the policies in force may then be about them')
    .action(async (folder: string, options: PushOptions) => exit(await push(folder, options)));
  for (const define of [policyEval, policyImport, policyPlan, policyBundle, policyAuthor, policyExplain, policyRollout, policyTest])
    define(group, parts, exit);
};

/** The files of a folder, or the documents of an archive that `policy bundle build` wrote. */
async function filesToPush(path: string): Promise<readonly SourceFile[]> {
  if (!path.endsWith('.json')) return readPolicyFiles(path);
  const { archiveFiles, readArchive } = await import('#policy');
  const read = readArchive({ path, text: readFileSync(path, 'utf8') });
  if (read.ok) return archiveFiles(read.archive);
  await showProblems(read.problems, path);
  throw new Fault('POLICY_INVALID', `${path} is not a usable archive`, { detail: { problems: read.problems } });
}

interface PushOptions extends CommonOptions {
  readonly candidate?: boolean;
}

async function push(folder: string, options: PushOptions): Promise<number> {
  const files = await filesToPush(folder);
  let pushed: PushedAnswer;
  try {
    pushed = await connect(options).call<PushedAnswer>({
      method: 'POST',
      path: '/policy/bundles',
      body: { files, activate: options.candidate !== true },
    });
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.code !== 'POLICY_INVALID' || options.json === true) throw thrown;
    const problems = thrown.detail['problems'];
    // Reason: the API's problems are the policy compiler's own.
    if (Array.isArray(problems)) await showProblems(problems as Problem[], folder);
    throw thrown;
  }
  if (options.json === true) {
    printJson(pushed);
    return 0;
  }
  const { bold, dim, green, yellow } = paint(process.stdout);
  if (options.candidate === true) {
    const stored = pushed.changed ? 'is stored as a candidate' : 'was stored already';
    process.stdout.write(`${green('✔')} ${bold(`${pushed.name} ${pushed.version}`)} ${stored}\n  ${pushed.digest}\n`);
    process.stdout.write(dim(`  roll it out with a Rollout whose subject is { bundle: "${pushed.digest}" }\n`));
    return 0;
  }
  const head = pushed.changed
    ? `${green('✔')} ${bold(`${pushed.name} ${pushed.version}`)} is in force`
    : `${green('✔')} ${bold(`${pushed.name} ${pushed.version}`)} was in force already`;
  process.stdout.write(`${head}\n  ${pushed.digest}\n`);
  for (const { gateway, connected, current } of pushed.gateways) {
    const state = current ? green('has it') : yellow(connected ? 'has not confirmed it yet' : 'is away, gets it when it is back');
    process.stdout.write(`  ${gateway} ${state}\n`);
  }
  if (pushed.previous !== undefined && pushed.changed) process.stdout.write(`${dim(`  before: ${pushed.previous}`)}\n`);
  return 0;
}
