import type { Decision, DecisionRequest, Target } from '#model';
import type { Bundle } from '../bundle.ts';
import { decide } from '../decide/decide.ts';
import { viewOf } from '../decide/decide-by.ts';
import { inReadingOrder, problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { CaseMistake } from './case-mistake.ts';
import { readObjects } from './objects.ts';
import type { FoundObject } from './objects.ts';
import { requestOf, withDefault } from './request.ts';
import { changeOf } from './terraform.ts';
import { readQuestion } from './what-if.ts';

/** What a bundle says of one object of a file. */
export interface CheckedObject {
  readonly path: string;
  /** From 1: where the object begins. */
  readonly line: number;
  readonly name: string;
  readonly target: Target;
  readonly verdict: Decision['verdict'];
  readonly reason: string;
  /** Why it is not allowed: one for each rule that refuses or asks for more. */
  readonly findings: readonly CheckFinding[];
  /** What rules that are not enforced yet would say. */
  readonly warnings: readonly string[];
}

export interface CheckFinding {
  /** `policy/rule`; empty where no rule decided. */
  readonly rule: string;
  readonly reason: string;
  readonly message: string;
}

export interface CheckReport {
  /** Everything could be read and is allowed. */
  readonly ok: boolean;
  readonly objects: readonly CheckedObject[];
  /** What could not be read. */
  readonly problems: readonly Problem[];
}

export interface CheckOptions {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly now: number;
  /** Of the requests in files that do not say it themselves. */
  readonly target?: Target;
  /** Facts that producers would have found out; the same for all objects. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Asks for more facts about one request, such as what other engines say. */
  readonly ask?: (request: DecisionRequest) => Promise<Readonly<Record<string, unknown>>>;
  /** When no rule allows; default: as the bundle says, but see `answering`. */
  readonly byDefault?: 'allow' | 'deny';
}

/**
 * Decides every object in files: Kubernetes objects as if they were created, changes of a Terraform plan, and requests as a PolicyTest
 * writes them. The SQL of such requests goes through the real parser.
 */
export async function checkFiles(bundle: Bundle, files: readonly SourceFile[], options: CheckOptions): Promise<CheckReport> {
  const objects: CheckedObject[] = [];
  const problems: Problem[] = [];
  for (const file of files) {
    const found = readObjects(file);
    problems.push(...found.problems);
    for (const object of found.objects) {
      const asked = await questionOf(object, { bundle, file, options });
      if ('problems' in asked) problems.push(...asked.problems);
      else objects.push(checked(object, await withAnswers(asked, options)));
    }
  }
  const ok = problems.length === 0 && objects.every(({ verdict }) => verdict === 'allow');
  return { ok, objects, problems: inReadingOrder(problems) };
}

interface Asked {
  readonly bundle: Bundle;
  readonly request: DecisionRequest;
}

async function withAnswers({ bundle, request }: Asked, { ask }: CheckOptions): Promise<Asked> {
  if (ask === undefined) return { bundle, request };
  return { bundle, request: { ...request, facts: { ...request.facts, ...(await ask(request)) } } };
}

interface Around {
  readonly bundle: Bundle;
  readonly file: SourceFile;
  readonly options: CheckOptions;
}

async function questionOf(
  object: FoundObject,
  { bundle, file, options }: Around,
): Promise<Asked | { readonly problems: readonly Problem[] }> {
  const { now, facts } = options;
  const place = { file, line: object.line, column: 1 };
  const others = { subject: { id: 'user:author' }, ...(facts === undefined ? {} : { facts }) };
  try {
    if (object.kind === 'question') {
      const target = options.target ?? object.value['target'] ?? 'sql';
      const text = JSON.stringify({ ...(facts === undefined ? {} : { facts }), ...object.value, target });
      const question = await readQuestion({ path: file.path, text }, bundle, now);
      if (question.ok) return { bundle: answering(question.bundle, question.request.target, options), request: question.request };
      return { problems: question.problems.map(({ code, message, hint }) => problemAt(place, { code, message, hint })) };
    }
    const target: Target = object.kind === 'kubernetes' ? 'k8s.admission' : 'ci';
    const inputs =
      object.kind === 'kubernetes'
        ? { ...others, target, resource: { id: 'cluster:any' }, object: object.value }
        : { ...others, target, resource: { id: 'plan:any' }, attributes: { ci: changeOf(object.value) } };
    const test = { now: '1970-01-01T00:00:00Z' };
    const asked = answering(bundle, target, options);
    return { bundle: asked, request: requestOf(inputs, { test, bundle: asked, catalogs: new Map() }, now) };
  } catch (error) {
    if (!(error instanceof CaseMistake)) throw error;
    return { problems: [problemAt(place, { code: 'UNREADABLE', message: error.message })] };
  }
}

/**
 * The bundle with the default that a check has. Somebody else (the API server, the pipeline) has already decided who may do it at all; so
 * where no rule of the bundle ever allows anything for these targets, what no rule refuses is fine.
 */
function answering(bundle: Bundle, target: Target, { byDefault }: CheckOptions): Bundle {
  if (byDefault !== undefined) return withDefault(bundle, byDefault);
  const { rules } = bundle.compiled;
  const onlyRefuses =
    (target === 'k8s.admission' || target === 'ci') && !rules.some((rule) => rule.effect === 'allow' && rule.policy.target === target);
  return onlyRefuses
    ? { ...bundle, compiled: { ...bundle.compiled, allowedByDefault: new Set([...bundle.compiled.allowedByDefault, target]) } }
    : bundle;
}

function checked(object: FoundObject, { bundle, request }: Asked): CheckedObject {
  const decision = decide(bundle, request);
  const { path, line, name } = object;
  const { verdict, reason, warnings } = decision;
  const findings = verdict === 'allow' ? [] : findingsOf(decision, { bundle, request });
  return { path, line, name, target: request.target, verdict, reason, findings, warnings };
}

function findingsOf(decision: Decision, { bundle, request }: Asked): CheckFinding[] {
  const view = viewOf(bundle.compiled, request);
  const found = decision.decisive.flatMap((id): CheckFinding[] => {
    const rule = bundle.compiled.rules.find((candidate) => candidate.id === id);
    if (rule === undefined) return [];
    const failed = decision.errors.find((error) => error.rule === id && error.part !== 'unless');
    if (failed !== undefined)
      return [{ rule: id, reason: 'EVALUATION_ERROR', message: `${failed.path ?? failed.part}: ${failed.message}` }];
    return [{ rule: id, reason: rule.reason ?? decision.reason, message: rule.message?.fill(view) ?? decision.message }];
  });
  return found.length > 0 ? found : [{ rule: '', reason: decision.reason, message: decision.message }];
}
