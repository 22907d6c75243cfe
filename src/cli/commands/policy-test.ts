import { watch, writeFileSync } from 'node:fs';
import { Fault } from '#model';
import type { CaseReport } from '#policy/cases';
import { junitXml } from '../junit.ts';
import { paint } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import { progressBar, withTurns } from '../progress.ts';
import type { CommonOptions, Define } from '../program.ts';
import { resultFolder } from '../result-folder.ts';

interface TestOptions extends CommonOptions {
  readonly watch?: boolean;
  readonly junit?: string;
  readonly cache?: boolean;
}

/** Editors write a file in several steps. */
const settleMs = 100;

/** `warder policy test` */
export const policyTest: Define = (group, { root }, exit) => {
  group
    .command('test')
    .description('run the tests beside the policies, without an installation')
    .argument('[folder]', 'folder or file', 'policies')
    .option('--watch', 'run again whenever a file changes, until interrupted')
    .option('--junit <file>', 'also write the results for a build server')
    .option('--no-cache', 'run also what is known from before')
    .action(async (folder: string, options: TestOptions) => {
      const status = await run(folder, { ...options, root });
      if (options.watch !== true) return exit(status);
      await again(folder, { ...options, root });
    });
};

async function run(folder: string, options: TestOptions & { readonly root: string }): Promise<number> {
  const { runCases } = await import('#policy/cases');
  const store = options.cache === false ? undefined : resultFolder(options.root);
  const report = await withTurns('running policy tests', (told) =>
    runCases(readPolicyFiles(folder, { all: true }), store, ({ test, done, of }) =>
      told(() => (of === 0 ? `running ${test}` : `running ${test}: ${progressBar(done, of)} ${done} of ${of} mutants`)),
    ),
  );
  if (options.junit !== undefined) writeJunit(options.junit, report);
  if (options.json === true) showJson(report);
  else await show(report, folder);
  return report.ok ? 0 : 1;
}

function showJson(report: CaseReport): void {
  const results = report.results.map(({ test: name, name: described, path, line, ok, failures }) => ({
    test: name,
    name: described,
    path,
    line,
    ok,
    failures,
  }));
  printJson({ ok: report.ok, problems: report.problems, results, tests: report.tests });
}

async function show(report: CaseReport, folder: string): Promise<void> {
  const { percent } = await import('#policy/cases');
  const { bold, dim, green, red } = paint(process.stdout);
  await showProblems(report.problems, folder);
  const failed = report.results.filter((result) => !result.ok);
  for (const result of failed) {
    process.stdout.write(`${red('✘')} ${bold(result.test)} ${result.name}  ${dim(`${result.path}:${result.line}`)}\n`);
    for (const failure of result.failures) process.stdout.write(`    ${failure}\n`);
  }
  for (const one of report.tests) {
    const { rules, atoms } = one.coverage;
    const score = one.mutation === undefined ? '' : `, mutation score ${rounded(percent(one.mutation))} %`;
    process.stdout.write(
      `${dim(`  ${one.test}: rules ${rounded(percent(rules))} %, conditions ${rounded(percent(atoms))} % covered${score}`)}\n`,
    );
  }
  const passed = report.results.length - failed.length;
  process.stdout.write(`${report.ok ? green('✔') : red('✘')} ${passed} of ${report.results.length} cases pass\n`);
}

/** One decimal at most, and never up to a whole that was not reached. */
function rounded(value: number): string {
  return String(Math.floor(value * 10) / 10);
}

function writeJunit(path: string, report: CaseReport): void {
  try {
    writeFileSync(path, junitXml(report));
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Runs again on every change; a mistake in a file is shown and waits for its correction. */
async function again(folder: string, options: TestOptions & { readonly root: string }): Promise<never> {
  const { dim, red } = paint(process.stdout);
  let waiting: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const once = async (): Promise<void> => {
    try {
      process.stdout.write(dim('\n— changed —\n'));
      await run(folder, options);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      process.stdout.write(`${red('✘')} ${thrown.message}\n`);
    }
  };
  for await (const _change of changesIn(folder)) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      running = running.then(once);
    }, settleMs);
  }
  throw new Fault('CONFIG_INVALID', `cannot watch ${folder} any longer`);
}

async function* changesIn(folder: string): AsyncGenerator<void> {
  let told = Promise.withResolvers<void>();
  const watcher = watch(folder, { recursive: true }, () => told.resolve());
  watcher.on('error', (cause) => told.reject(new Fault('CONFIG_INVALID', `cannot watch ${folder}: ${cause.message}`, { cause })));
  try {
    for (;;) {
      await told.promise;
      told = Promise.withResolvers();
      yield;
    }
  } finally {
    watcher.close();
  }
}
