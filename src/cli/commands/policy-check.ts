import { renameSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { realWorld } from '#host';
import { Fault } from '#model';
import type { CheckResult, Finding, Fixed, Problem, SourceFile } from '#policy';
import { ledgerEntries } from '../ledger-entries.ts';
import { paint } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import { Progress, progressBar } from '../progress.ts';
import type { Program } from '../context.ts';
import { keptCheck } from '../kept-check.ts';
import type { ShownCheck } from '../kept-check.ts';
import type { CommonOptions } from '../program.ts';

export interface CheckOptions extends CommonOptions {
  /** Where to write a SARIF log. */
  readonly sarif?: string;
  readonly fix?: boolean;
  /** Ledger, home or file of entries whose decisions say which rules fire. */
  readonly decisions?: string;
  /** How many days of them. */
  readonly days?: string;
  /** False: look anew even if nothing changed. */
  readonly cache?: boolean;
  /** Show what is only worth knowing, too. */
  readonly info?: boolean;
}

/**
 * `warder policy check [FOLDER]`: all mistakes of all files at once, those that keep them from compiling and those that an analysis of the
 * rules finds. Resolves with the exit status: 0 no error, 1 errors. Throws CONFIG_INVALID where the files cannot be read.
 */
export async function checkPolicyFolder(
  folder: string,
  options: CheckOptions,
  { root, version }: Pick<Program, 'root' | 'version'>,
): Promise<number> {
  const before = readPolicyFiles(folder);
  const { result, fixed } = await checked(before, folder, { ...options, root });
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

interface Checked {
  readonly result: ShownCheck;
  readonly fixed: readonly Fixed[];
}

async function checked(before: readonly SourceFile[], folder: string, options: CheckOptions & { readonly root: string }): Promise<Checked> {
  // What mends files, or asks the records, looks anew.
  const plain = options.fix !== true && options.decisions === undefined && options.cache !== false;
  const kept = plain ? keptCheck(options.root, before, realWorld.now()) : undefined;
  if (kept?.found !== undefined) return { result: kept.found, fixed: [] };
  let files = before;
  let result = await examine(before);
  let fixed: readonly Fixed[] = [];
  if (options.fix === true) {
    ({ result, fixed, files } = await mend(before, result));
    for (const file of files) if (!before.includes(file)) replaceFile(placeOf(folder, file.path), file.text);
  }
  if (options.decisions !== undefined) result = await withRecords(result, files, { from: options.decisions, days: daysOf(options.days) });
  kept?.keep(result);
  return { result, fixed };
}

const daysUsual = 30;
const daysMax = 3_650;

function daysOf(text: string | undefined): number {
  const days = text === undefined ? daysUsual : Number(text);
  if (!Number.isInteger(days) || days < 1 || days > daysMax) throw new Fault('USAGE', `--days needs a number from 1 to ${daysMax}`);
  return days;
}

/** What recorded decisions say about the rules, beside what was found in the files. */
async function withRecords(
  { bundle, problems, ...rest }: CheckResult,
  files: readonly SourceFile[],
  { from, days }: { readonly from: string; readonly days: number },
): Promise<CheckResult> {
  if (bundle === undefined) return { ...rest, problems };
  const { recordFindings } = await import('#policy');
  const progress = new Progress();
  progress.step(`reading the decisions in ${from}`);
  try {
    const { findings } = await recordFindings(bundle, counted(ledgerEntries(from), progress), { files, now: realWorld.now(), days });
    return { ...rest, bundle, problems: [...problems, ...findings] };
  } finally {
    progress.end();
  }
}

const countedEvery = 10_000;

async function* counted(lines: AsyncIterable<string>, progress: Progress): AsyncGenerator<string> {
  let count = 0;
  for await (const line of lines) {
    count += 1;
    if (count % countedEvery === 0) progress.step(`reading recorded decisions: ${count} entries`);
    yield line;
  }
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
      const { done, rules } = step.value;
      progress.step(rules === 0 ? 'reading policies' : `analysing ${progressBar(done, rules)} ${done} of ${rules} rules`);
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
  { ok, bundle, problems }: ShownCheck,
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
  const other = effects === '' && Object.keys(attributes).length > 0 ? `: ${shortened(JSON.stringify(attributes))}` : '';
  const shown = `shown by ${String(subject.id)} (${groups}) on ${String(resource['id' as keyof typeof resource])}${effects}${other}; the whole request with --json`;
  return { ...problem, hint: problem.hint === undefined ? shown : `${problem.hint}\n    ${shown}` };
}

const shownCharsMax = 160;

function shortened(text: string): string {
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax - 1)}…` : text;
}
