import { renameSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { realWorld } from '#host';
import { Fault } from '#model';
import type { CheckResult, Finding, Fixed, Problem, SourceFile } from '#policy';
import { paint } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import { Progress } from '../progress.ts';
import type { CommonOptions } from '../program.ts';

export interface CheckOptions extends CommonOptions {
  /** Where to write a SARIF log. */
  readonly sarif?: string;
  readonly fix?: boolean;
  /** Show what is only worth knowing, too. */
  readonly info?: boolean;
}

/**
 * `warder policy check [FOLDER]`: all mistakes of all files at once, those that keep them from compiling and those that an analysis of the
 * rules finds. Resolves with the exit status: 0 no error, 1 errors. Throws CONFIG_INVALID where the files cannot be read.
 */
export async function checkPolicyFolder(folder: string, options: CheckOptions, version: string): Promise<number> {
  const before = readPolicyFiles(folder);
  let result = await examine(before);
  let fixed: readonly Fixed[] = [];
  if (options.fix === true) {
    const mended = await mend(before, result);
    ({ result, fixed } = mended);
    for (const file of mended.files) if (!before.includes(file)) replaceFile(placeOf(folder, file.path), file.text);
  }
  if (options.sarif !== undefined) await writeSarif(options.sarif, result.problems, { folder, version });
  if (options.json === true) {
    const { ok, bundle, problems } = result;
    printJson({
      ok,
      ...(bundle === undefined ? {} : { ref: bundle.ref, rules: bundle.rules }),
      problems,
      ...(options.fix === true ? { fixed } : {}),
    });
  } else await show(result, { folder, fixed, info: options.info === true });
  return result.ok ? 0 : new Fault('POLICY_INVALID', folder).exit;
}

/** How long the analysis may run before the line that shows progress gets its turn. */
const turnMs = 50;

async function examine(files: readonly SourceFile[]): Promise<CheckResult> {
  const { checkPolicies } = await import('#policy');
  const progress = new Progress();
  progress.step('reading policies');
  try {
    const steps = checkPolicies(files, realWorld.now());
    let turn = realWorld.monotonicNs();
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (realWorld.monotonicNs() - turn < BigInt(turnMs) * 1_000_000n) continue;
      progress.step(`analysing ${step.value.rules} rules, ${step.value.done} done`);
      await breathe();
      turn = realWorld.monotonicNs();
    }
  } finally {
    progress.end();
  }
}

/** One edit may bring to light what another one mends; a handful of rounds is enough for any file people write. */
const roundsMax = 5;

async function mend(
  files: readonly SourceFile[],
  first: CheckResult,
): Promise<{ readonly files: readonly SourceFile[]; readonly result: CheckResult; readonly fixed: readonly Fixed[] }> {
  const { fixFiles } = await import('#policy');
  let state = { files, result: first, fixed: [] as readonly Fixed[] };
  for (let round = 0; round < roundsMax; round += 1) {
    const { files: mended, fixed } = fixFiles(state.files, state.result.problems);
    if (fixed.length === 0) break;
    const result = await examine(mended);
    // An edit that brings new errors was no mending.
    if (errorsOf(result) > errorsOf(state.result)) break;
    state = { files: mended, result, fixed: [...state.fixed, ...fixed] };
  }
  return state;
}

function errorsOf({ problems }: CheckResult): number {
  return problems.filter(({ severity }) => severity === 'error').length;
}

function placeOf(folder: string, path: string): string {
  return folder === path ? path : join(folder, path);
}

/** The old content or the new one, never half of it. */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: statSync(path).mode });
  renameSync(temporary, path);
}

async function writeSarif(
  file: string,
  problems: readonly Problem[],
  { folder, version }: { folder: string; version: string },
): Promise<void> {
  const { sarifLog } = await import('#policy');
  const log = sarifLog(problems, {
    version,
    folder: problems.some(({ path }) => path === folder) ? '' : relative('.', folder).split(sep).join('/'),
  });
  try {
    writeFileSync(file, `${JSON.stringify(log, undefined, 2)}\n`);
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot write ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function show(
  { ok, bundle, problems }: CheckResult,
  options: { folder: string; fixed: readonly Fixed[]; info: boolean },
): Promise<void> {
  const { folder, fixed, info } = options;
  const { dim, green, red } = paint(process.stdout);
  await showProblems(problems.filter(({ severity }) => info || severity !== 'info').map(withWitness), folder);
  for (const { path, line, what } of fixed) process.stdout.write(`${green('✔')} mended ${placeOf(folder, path)}:${line}: ${what}\n`);
  const counts = (['error', 'warning', 'info'] as const).map((severity) => ({
    severity,
    count: problems.filter((problem) => problem.severity === severity).length,
  }));
  const told = counts
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${severity}${count === 1 || severity === 'info' ? '' : 's'}`);
  const summary = told.length === 0 ? '' : `, ${told.join(', ')}`;
  process.stdout.write(
    ok && bundle !== undefined
      ? `${green('✔')} ${bundle.rules} rules, ${bundle.ref.digest}${summary}\n`
      : `${red('✘')} ${told.join(', ')}\n`,
  );
  if (!info && counts.some(({ severity, count }) => severity === 'info' && count > 0))
    process.stdout.write(`${dim('  --info shows what is only worth knowing')}\n`);
  const fixable = fixed.length === 0 && problems.some(({ fix }) => fix !== undefined);
  if (fixable) process.stdout.write(`${dim('  --fix mends what has one answer only')}\n`);
}

/** The request that shows a finding, in short: whoever wants all of it asks for --json. */
function withWitness(problem: Problem | Finding): Problem {
  if (!('witness' in problem) || problem.witness === undefined) return problem;
  const { subject, resource, attributes } = problem.witness;
  const groups = subject.groups.length === 0 ? 'no group' : subject.groups.join(', ');
  const sql = attributes['sql'];
  const effects =
    typeof sql === 'object' && sql !== null && 'effects' in sql && Array.isArray(sql.effects)
      ? `, effects ${sql.effects.join(', ') || 'none'}`
      : '';
  const shown = `shown by ${String(subject.id)} (${groups}) on ${String(resource['id' as keyof typeof resource])}${effects}; the whole request with --json`;
  return { ...problem, hint: problem.hint === undefined ? shown : `${problem.hint}\n    ${shown}` };
}
