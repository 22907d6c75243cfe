import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Fault } from '#model';
import type { DecisionRequest } from '#model';
import { realWorld } from '#host';
import { paint, visible } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { compileOrShow, showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

interface EvalOptions extends CommonOptions {
  readonly request?: string;
  readonly explain?: boolean;
  readonly jsonl?: string | true;
  /** Files that describe other engines, which are asked before the decision. */
  readonly foreign?: readonly string[];
}

/** `warder policy eval`: what if. */
export const policyEval: Define = (group, _parts, exit) => {
  group
    .command('eval')
    .description('decide a request against policies, or evaluate CEL expressions line by line; without an installation')
    .argument('[folder]', 'folder or file with policies', 'policies')
    .option('--request <file>', 'a request, or a case as a PolicyTest writes it; - is standard input')
    .option(
      '--foreign <paths...>',
      'ask the engines of these ForeignPolicy documents and Cedar files first; their answers are facts.foreign',
    )
    .option('--explain', 'say for every rule why it applies or does not')
    .option('--jsonl [file]', 'evaluate lines {"expr", "bindings", "container"}; from standard input without a file')
    .action(async (folder: string, options: EvalOptions) => {
      if (options.jsonl !== undefined) return exit(await evaluateLines(options.jsonl));
      if (options.request === undefined) throw new Fault('USAGE', 'policy eval needs --request FILE or --jsonl');
      exit(await ask(folder, options.request, options));
    });
};

/** One answer for every line; no line stops the run. */
async function evaluateLines(source: string | true): Promise<number> {
  const { evaluateLine } = await import('#policy/cel');
  const input = source === true || source === '-' ? process.stdin : createReadStream(source);
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.trim() === '') continue;
      if (!process.stdout.write(`${JSON.stringify(evaluateLine(line))}\n`)) await once(process.stdout, 'drain');
    }
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot read ${String(source)}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  return 0;
}

async function ask(folder: string, from: string, options: EvalOptions): Promise<number> {
  const [{ decide, explain, formatExplanation }, { missed, readQuestion }] = await Promise.all([
    import('#policy'),
    import('#policy/cases'),
  ]);
  const bundle = await compileOrShow(readPolicyFiles(folder), folder, options);
  const file = { path: from === '-' ? 'standard input' : from, text: readText(from) };
  const question = await readQuestion(file, bundle, realWorld.now());
  if (!question.ok) {
    if (options.json !== true) await showProblems(question.problems, file.path);
    throw new Fault('INVALID_INPUT', 'the request cannot be read', { detail: { problems: question.problems } });
  }
  const asked = { ...question, request: await withForeign(question.request, options) };
  const failures = missed(asked);
  const explanation = options.explain === true ? explain(asked.bundle, asked.request) : undefined;
  const decision = explanation?.decision ?? decide(asked.bundle, asked.request);
  if (options.json === true) {
    printJson(
      JSON.parse(
        JSON.stringify(
          { decision, ...(explanation === undefined ? {} : { rules: explanation.rules, others: explanation.others }), failures },
          exactly,
        ),
      ),
    );
  } else if (explanation === undefined) {
    process.stdout.write(`${decisionText(decision)}\n`);
  } else {
    process.stdout.write(`${visible(formatExplanation(explanation), true)}\n`);
  }
  const { red } = paint(process.stderr);
  for (const failure of failures) process.stderr.write(`${red('✘')} ${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}

/** The request with what other engines say about it; who says nothing is named, and the policy that asks says what that means. */
async function withForeign(request: DecisionRequest, { foreign: paths = [] }: EvalOptions): Promise<DecisionRequest> {
  if (paths.length === 0) return request;
  const { openForeign } = await import('../foreign-facts.ts');
  const engines = await openForeign(paths, { nowMs: request.now, target: request.target });
  try {
    const { foreign, silent } = await engines.ask(request);
    const { yellow } = paint(process.stderr);
    for (const { fact, why } of silent) process.stderr.write(`${yellow('!')} facts.foreign.${fact}: ${visible(why)}\n`);
    return { ...request, facts: { ...request.facts, foreign } };
  } finally {
    await engines.close();
  }
}

/** CEL's whole numbers as text where JSON has none. */
function exactly(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

type Decision = ReturnType<typeof import('#policy').decide>;

function decisionText(decision: Decision): string {
  const { bold, dim, green, red, yellow } = paint(process.stdout);
  const colour = { allow: green, deny: red, pending: yellow }[decision.verdict];
  const lines = [`${colour(decision.verdict.toUpperCase())}  ${decision.reason}`];
  if (decision.message !== '') lines.push(`  ${visible(decision.message)}`);
  for (const rule of decision.decisive) lines.push(`  ${bold('by')} ${rule}`);
  for (const obligation of decision.obligations) lines.push(`  ${bold('with')} ${JSON.stringify(obligation)}`);
  for (const { rule, approval, justification, stepUp } of decision.requirements) {
    const asked = [
      approval && `${approval.quorum} approvals`,
      justification && 'a justification',
      stepUp && `authentication ${stepUp.acr}`,
    ];
    lines.push(`  ${bold('asks for')} ${asked.filter(Boolean).join(', ')}  ${dim(rule)}`);
  }
  if (decision.shadow !== undefined)
    lines.push(`  ${bold('with rules in audit or shadow mode')} ${decision.shadow.verdict} by ${decision.shadow.rules.join(', ')}`);
  for (const warning of decision.warnings) lines.push(`  ${yellow('warning')} ${visible(warning)}`);
  for (const { rule, message } of decision.errors) lines.push(`  ${red('error')} ${rule}: ${visible(message)}`);
  return lines.join('\n');
}

function readText(from: string): string {
  try {
    return readFileSync(from === '-' ? 0 : from, 'utf8');
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot read ${from}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
