import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, limits } from '#model';
import type { DecisionRequest, Target } from '#model';
import { realWorld } from '#host';
import type { Problem, SourceFile } from '#policy';
import type { CheckReport, CheckedObject } from '#policy/cases';
import { paint, visible } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions } from '../program.ts';

export interface CheckFilesOptions extends CommonOptions {
  readonly file: readonly string[];
  /** A shipped pack such as `kubernetes/restricted`, or a folder with policies. */
  readonly pack?: string;
  readonly target?: string;
  readonly facts?: string;
  /** Files that describe other engines, which are asked about every object. */
  readonly foreign?: readonly string[];
  readonly default?: string;
  /** A file for a SARIF log; true: standard output. */
  readonly sarif?: string | true;
}

/** Where policies are looked for: the folder that was named, and the ones that come with this version of Warder. */
export interface PolicyFolders {
  readonly version: string;
  readonly own: string;
  readonly shipped: string;
}

/**
 * `warder policy check -f FILE…`: decides what stands in files. Resolves with the exit status: 0 all of it is allowed, 1 something is not,
 * 2 something could not be read.
 */
export async function checkTheseFiles(folders: PolicyFolders, options: CheckFilesOptions): Promise<number> {
  const { compileBundle } = await import('#policy');
  const { checkFiles } = await import('#policy/cases');
  const { files, folder, packs } = policiesFor(folders, options.pack);
  const compiled = compileBundle(files, packs === undefined ? {} : { packs });
  if (!compiled.ok) {
    if (options.json !== true) await showProblems(compiled.problems, folder);
    const reason = compiled.problems.find((problem) => problem.severity === 'error')?.message ?? 'they do not compile';
    throw new Fault('CONFIG_INVALID', `cannot check with the policies in ${folder}: ${reason}`, {
      detail: { problems: compiled.problems },
    });
  }
  const now = realWorld.now();
  const engines = await enginesOf(options, now);
  const report = await checkFiles(compiled.bundle, options.file.flatMap(readAll), {
    now,
    ...(engines === undefined ? {} : { ask: engines.ask }),
    ...(options.target === undefined ? {} : { target: targetNamed(options.target) }),
    ...(options.facts === undefined ? {} : { facts: readFacts(options.facts) }),
    ...(options.default === undefined ? {} : { byDefault: defaultNamed(options.default) }),
  });
  await engines?.close();
  if (options.sarif !== undefined) await giveSarif(report, { to: options.sarif, version: folders.version });
  if (options.json === true) printJson(report);
  else if (options.sarif !== true) await show(report);
  if (report.problems.length > 0) return new Fault('CONFIG_INVALID', '').exit;
  return report.ok ? 0 : new Fault('DENIED', '').exit;
}

interface Engines {
  readonly ask: (request: DecisionRequest) => Promise<Readonly<Record<string, unknown>>>;
  readonly close: () => Promise<void>;
}

/** The engines to be asked about every object; who does not answer is named once. */
async function enginesOf(options: CheckFilesOptions, nowMs: number): Promise<Engines | undefined> {
  const { foreign: paths = [] } = options;
  if (paths.length === 0) return undefined;
  const { openForeign } = await import('../foreign-facts.ts');
  const target = options.target === undefined ? 'k8s.admission' : targetNamed(options.target);
  const engines = await openForeign(paths, { nowMs, target });
  const named = new Set<string>();
  const { yellow } = paint(process.stderr);
  return {
    ask: async (request) => {
      const { foreign, silent } = await engines.ask(request);
      for (const { fact, why } of silent) {
        if (!named.has(`${fact} ${why}`)) process.stderr.write(`${yellow('!')} facts.foreign.${fact}: ${visible(why)}\n`);
        named.add(`${fact} ${why}`);
      }
      return { foreign };
    },
    close: () => engines.close(),
  };
}

/** A pack is a folder with policies, or the name of a shipped one, with what that one requires. */
function policiesFor(
  { own, shipped }: PolicyFolders,
  pack: string | undefined,
): { files: readonly SourceFile[]; folder: string; packs?: readonly string[] } {
  if (pack === undefined) {
    const folder = existsSync(own) ? own : shipped;
    return { files: readPolicyFiles(folder), folder };
  }
  if (existsSync(join(shipped, pack))) return { files: readPolicyFiles(shipped), folder: shipped, packs: [pack] };
  if (existsSync(pack)) return { files: readPolicyFiles(pack), folder: pack };
  throw new Fault('USAGE', `there is no pack and no folder "${pack}"`);
}

/** A file, every YAML and JSON file below a folder, or standard input. */
function readAll(path: string): SourceFile[] {
  try {
    if (path === '-') return [{ path: 'standard input', text: readFileSync(0, 'utf8') }];
    if (!statSync(path).isDirectory()) return [readOne(path)];
    const entries = readdirSync(path, { recursive: true, withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile() && /\.(ya?ml|json)$/i.test(entry.name));
    return names
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map(readOne);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('CONFIG_INVALID', `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function readOne(path: string): SourceFile {
  if (statSync(path).size > limits.bundleBytesMax)
    throw new Fault('CONFIG_INVALID', `${path} is larger than ${limits.bundleBytesMax} bytes`);
  return { path, text: readFileSync(path, 'utf8') };
}

function readFacts(path: string): Readonly<Record<string, unknown>> {
  try {
    const facts: unknown = JSON.parse(readFileSync(path, 'utf8'));
    // Checked in the same breath.
    if (typeof facts === 'object' && facts !== null && !Array.isArray(facts)) return facts as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  throw new Fault('CONFIG_INVALID', `${path} must hold one JSON object: fact → value`);
}

const targets: readonly Target[] = ['sql', 'ssh', 'http', 'k8s.api', 'k8s.admission', 'tool', 'llm', 'egress', 'ci', 'warder'];

function targetNamed(name: string): Target {
  const target = targets.find((candidate) => candidate === name);
  if (target === undefined) throw new Fault('USAGE', `there is no target "${name}"; targets are ${targets.join(', ')}`);
  return target;
}

function defaultNamed(name: string): 'allow' | 'deny' {
  if (name === 'allow' || name === 'deny') return name;
  throw new Fault('USAGE', '--default is allow or deny');
}

/** Findings under the id of their rule, on the line where their object begins. */
async function giveSarif({ objects, problems }: CheckReport, { to, version }: { to: string | true; version: string }): Promise<void> {
  const { sarifLog } = await import('#policy');
  const found = objects.flatMap(({ findings, name, path, line }) =>
    findings.map(({ rule, reason, message }): Problem => {
      return { code: rule === '' ? reason : rule, severity: 'error', message: `${name}: ${message}`, path, line, column: 1 };
    }),
  );
  const log = sarifLog([...problems, ...found], { version });
  if (to === true) return printJson(log);
  try {
    writeFileSync(to, `${JSON.stringify(log, undefined, 2)}\n`);
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot write ${to}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function show({ objects, problems }: CheckReport): Promise<void> {
  const { bold, dim, green, red, yellow } = paint(process.stdout);
  for (const object of objects) {
    if (object.verdict !== 'allow') process.stdout.write(`${red('✘')} ${bold(visible(object.name))}  ${dim(place(object))}\n`);
    else if (object.warnings.length > 0) process.stdout.write(`${yellow('!')} ${bold(visible(object.name))}  ${dim(place(object))}\n`);
    for (const { rule, reason, message } of object.findings) {
      process.stdout.write(`    ${red(reason)} ${visible(message)}${rule === '' ? '' : `  ${dim(rule)}`}\n`);
    }
    for (const warning of object.warnings) process.stdout.write(`    ${yellow('warning')} ${visible(warning)}\n`);
  }
  for (const problem of problems) await showProblems([problem], problem.path);
  const refused = objects.filter((object) => object.verdict !== 'allow').length;
  const mark = refused + problems.length === 0 ? green('✔') : red('✘');
  const unread = problems.length === 0 ? '' : `, ${problems.length} not readable`;
  process.stdout.write(
    `${mark} ${objects.length} object${objects.length === 1 ? '' : 's'}: ${objects.length - refused} allowed, ${refused} not${unread}\n`,
  );
}

function place({ path, line }: CheckedObject): string {
  return `${path}:${line}`;
}
