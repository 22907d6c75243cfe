import { specNode } from '../documents/document.ts';
import type { DocumentOf } from '../documents/document.ts';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';

/** Gates that could not be measured, or would be ignored, are refused: a gate that nobody watches is worse than none. */
export function checkGates(document: DocumentOf<'Rollout'>, problems: Problem[]): void {
  const { spec } = document;
  const complain = (path: readonly (string | number)[], message: string, hint: string): void => {
    problems.push(problemAt(specNode(document, path), { code: 'SCHEMA', message, hint }));
  };
  if (spec.onGateFailure !== undefined && spec.gates === undefined)
    complain(['onGateFailure'], '"onGateFailure" has no effect without "gates"', 'add gates, or remove it');
  const seen = new Set<string>();
  for (const [i, { metric, max, atLeast }] of (spec.gates ?? []).entries()) {
    if (seen.has(metric)) complain(['gates', i, 'metric'], `two gates measure ${metric}`, 'keep the stricter one');
    seen.add(metric);
    if (metric === 'manual' && (max !== undefined || atLeast !== undefined))
      complain(['gates', i], 'the gate manual measures nothing: a person says so', 'write { metric: manual }');
    if (metric !== 'manual' && max === undefined)
      complain(['gates', i], `the gate ${metric} needs "max"`, `write { metric: ${metric}, max: … }`);
    if ((metric === 'error_rate' || metric === 'disagreement_with_current') && max !== undefined && max > 1)
      complain(['gates', i, 'max'], `${metric} is a share of decisions: it is never larger than 1`, 'write 0.01 for one in a hundred');
    if (metric === 'new_denies_per_1000' && max !== undefined && max > 1000)
      complain(['gates', i, 'max'], 'there are never more than 1000 denies among 1000 decisions', 'write how many of them may be new');
    const watched = spec.from !== 'off' || spec.steps.some(({ shadow }) => shadow === true);
    if (metric === 'disagreement_with_current' && !watched)
      complain(
        ['gates', i, 'metric'],
        'nothing measures disagreement_with_current here: outside of the cohort the rules are off',
        'write from: shadow, or a first step with shadow: true',
      );
  }
  if ((spec.gates ?? []).length > 0 && spec.from === spec.to)
    complain(['gates'], `gates cannot see a difference: the rules are ${spec.to} on both sides`, 'name the mode it should lead to');
}
