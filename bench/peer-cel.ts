import { celEnv, parse, plan } from '@bufbuild/cel';
import type { DecisionRequest } from '#model';
import type { Bundle } from '#policy';
import { peer } from './peer-install.ts';
import { purposeCondition, type BenchRule } from './peer-rules.ts';

type Program = (bindings: Readonly<Record<string, unknown>>) => unknown;

/** The conditions of the rules as programs of another CEL library, by the id of the rule. */
export type Programs = ReadonlyMap<string, Program>;

function conditions(rules: readonly BenchRule[]): { id: string; source: string }[] {
  return rules
    .filter(({ kind }) => kind === 'purpose')
    .map((rule) => ({ id: `policy-${Math.floor(rule.n / 10)}/r${rule.n % 10}`, source: purposeCondition(rule) }));
}

export function bufbuildPrograms(rules: readonly BenchRule[]): Programs {
  const environment = celEnv();
  // Plain data is what it takes; its types say so only for declared variables.
  return new Map(conditions(rules).map(({ id, source }) => [id, plan(environment, parse(source)) as Program]));
}

/** Undefined where the library could not be installed. */
export async function celJsPrograms(rules: readonly BenchRule[]): Promise<Programs | undefined> {
  const library = await peer<{ parse: (source: string) => Program }>('@marcbachmann/cel-js');
  return library && new Map(conditions(rules).map(({ id, source }) => [id, library.parse(source)]));
}

/**
 * One decision when another CEL library evaluates the conditions: our index and our matches, its programs, and nothing of what a decision is
 * beyond allow or deny: no explanation, no obligations, no modes.
 */
export function celDecide({ compiled }: Bundle, request: DecisionRequest, programs: Programs): boolean {
  const { subject, resource, context, attributes } = request;
  const view = { ...attributes, subject, resource, context };
  let allowed = false;
  let denied = false;
  for (const { rule, matchers } of compiled.index.candidates(request.target, request.phase, view)) {
    if (!matchers.every((matcher) => matcher.accepts(matcher.read(view)))) continue;
    const program = programs.get(rule.id);
    if (program !== undefined && program(view) !== true) continue;
    if (rule.effect === 'allow') allowed = true;
    else denied = true;
  }
  return allowed && !denied;
}
