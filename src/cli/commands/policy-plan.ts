import { realWorld } from '#host';
import { Fault } from '#model';
import type { SourceFile } from '#policy';
import { readRevision } from '../git-files.ts';
import { ledgerEntries } from '../ledger-entries.ts';
import { planMarkdown, planText } from '../plan-text.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import { progressBar, withTurns } from '../progress.ts';
import type { CommonOptions, Define } from '../program.ts';

interface PlanOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
  readonly records?: string;
  readonly markdown?: boolean;
  readonly exitCode?: boolean;
}

const changedExit = 10;

/** `warder policy plan BASE..HEAD [DIR]` */
export const policyPlan: Define = (group, _parts, exit) => {
  group
    .command('plan')
    .description('show which requests a change of policies decides otherwise, and replay recorded decisions')
    .argument('[revisions]', 'git revisions BASE..HEAD; BASE alone: compared with the files as they are')
    .argument('[folder]', 'folder with the policies', 'policies')
    .option('--from <folder>', 'compare this folder instead of revisions …')
    .option('--to <folder>', '… with this one')
    .option('--records <path>', 'also replay the decisions of this ledger, home, or file of entries')
    .option('--markdown', 'print a comment for a pull request')
    .option('--exit-code', `exit with ${changedExit} when something is decided otherwise`)
    .action(async (revisions: string | undefined, folder: string, options: PlanOptions) => exit(await plan(revisions, folder, options)));
};

async function plan(revisions: string | undefined, folder: string, options: PlanOptions): Promise<number> {
  const { planChange } = await import('#policy');
  const sides = sidesOf(revisions, folder, options);
  const records = options.records === undefined ? {} : { records: ledgerEntries(options.records) };
  const files = { before: sides.before.files, after: sides.after.files, ...records };
  const result = await withTurns('comparing policies', (told) =>
    planChange(
      {
        ...files,
        progress: (what, done, of) =>
          told(() => (of === undefined ? `${what}: ${done}` : `${what} ${progressBar(done, of)} ${done} of ${of}`)),
      },
      realWorld.now(),
    ),
  );
  if (!result.ok) {
    const { name } = sides[result.side];
    if (options.json !== true) await showProblems(result.problems, name);
    throw new Fault('POLICY_INVALID', `the policies ${result.side} the change (${name}) do not compile`, {
      detail: { problems: result.problems },
    });
  }
  const { plan: found, backtest } = result;
  if (options.json === true) printJson({ plan: found, ...(backtest === undefined ? {} : { backtest }) });
  else process.stdout.write(`${(options.markdown === true ? planMarkdown : planText)(found, backtest)}\n`);
  const changed = found.classes.length > 0 || (backtest?.changed.length ?? 0) > 0;
  return options.exitCode === true && changed ? changedExit : 0;
}

interface NamedFiles {
  readonly name: string;
  readonly files: readonly SourceFile[];
}

function sidesOf(revisions: string | undefined, folder: string, { from, to }: PlanOptions): { before: NamedFiles; after: NamedFiles } {
  // Tests take part: their cases are requests that people thought worth trying.
  const inFolder = (path: string): NamedFiles => ({ name: path, files: readPolicyFiles(path) });
  if (from !== undefined && to !== undefined && revisions === undefined) return { before: inFolder(from), after: inFolder(to) };
  if (revisions === undefined || from !== undefined || to !== undefined)
    throw new Fault('USAGE', 'policy plan needs revisions BASE..HEAD, or both --from and --to');
  const [base = '', head] = revisions.split(/\.{2,3}/);
  const at = (revision: string): NamedFiles => ({ name: `${revision}:${folder}`, files: readRevision(revision, folder) });
  return { before: at(base), after: head === undefined || head === '' ? inFolder(folder) : at(head) };
}
