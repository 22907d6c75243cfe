import type { DecisionRequest } from '#model';
import { limits } from '#model';
import { and, disjunctive, join } from './formula.ts';
import type { Conjunction } from './formula.ts';
import { placeOf, witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import type { Region } from './region.ts';
import type { Model } from './solve.ts';

type Alone = Pick<Ground, 'bundle' | 'reasoning' | 'report' | 'sources' | 'now'>;

/** P105: whether the rule can never apply, whatever other rules say. Reports it and the part that makes it so. */
export function neverApplies(region: Region, ground: Alone): boolean {
  const { reasoning } = ground;
  if (region.conjunctions.some((conjunction) => reasoning.ask(conjunction).kind !== 'impossible')) return false;
  const { rule } = region;
  const boxes = disjunctive(region.box, limits.analysisConjunctionsMax) ?? [];
  const whens = region.when === undefined ? boxes : (disjunctive(and(region.box, region.when), limits.analysisConjunctionsMax) ?? []);
  const possible = (conjunctions: readonly Conjunction[]): boolean =>
    conjunctions.some((conjunction) => reasoning.ask(conjunction).kind !== 'impossible');
  const part = !possible(boxes) ? 'match' : !possible(whens) ? 'when' : 'unless';
  const why = {
    match: 'the lines of its match contradict each other',
    when: 'its condition "when" cannot be true where its match holds',
    unless: 'its exemption "unless" always holds where the rest of it does',
  }[part];
  const fails = rule.onError !== 'skip' && part !== 'match' ? `; only an evaluation error could make it ${rule.onError}` : '';
  ground.report.add({
    code: 'P105',
    severity: 'error',
    place: placeOf(rule, [part], ground),
    message: `the rule "${rule.id}" can never apply: ${why}${fails}`,
    hint: 'correct the condition, or remove the rule',
    rules: [rule.id],
    proof: nearMiss(region, ground),
  });
  return true;
}

/** A request that satisfies as much of the rule as can be satisfied together, and to which it does not apply. */
function nearMiss({ box, when, rule }: Region, { bundle, reasoning, now }: Alone): DecisionRequest | undefined {
  const [first = []] = disjunctive(and(box, when ?? and()), limits.analysisConjunctionsMax) ?? [];
  const [line = []] = disjunctive(box, limits.analysisConjunctionsMax) ?? [];
  let kept: Conjunction = [];
  let model: Model = { scalars: new Map(), lists: new Map(), open: [] };
  for (const literal of first.length > 0 ? first : line) {
    const more = join(kept, [literal]);
    const answer = reasoning.ask(more);
    if (more === undefined || answer.kind !== 'possible') continue;
    kept = more;
    ({ model } = answer);
  }
  return witnessFor(rule, [model], {
    bundle,
    now,
    goal: (decision) => !decision.matched.some((matched) => matched.rule === rule.id) && decision.reason !== 'POLICY_FAULT',
  });
}

/** P107: a condition that says nothing, because it holds wherever the rest of the rule does. */
export function checkConstant({ rule, box, when, unless, conjunctions }: Region, ground: Alone): void {
  const { reasoning, report, bundle, now } = ground;
  const split = (formula: typeof box): readonly Conjunction[] => disjunctive(formula, limits.analysisConjunctionsMax) ?? [];
  const applies = (): DecisionRequest | undefined => {
    const models = reasoning.show(conjunctions);
    return witnessFor(rule, models, { bundle, now, goal: (decision) => decision.matched.some((matched) => matched.rule === rule.id) });
  };
  if (when !== undefined && reasoning.covered(split(box), split(when))) {
    const where = reasoning.covered([[]], split(when)) ? 'is always true' : 'is always true where the match holds';
    report.add({
      code: 'P107',
      severity: 'warning',
      place: placeOf(rule, ['when'], ground),
      message: `"when" of the rule "${rule.id}" ${where}`,
      hint: 'remove it, or correct what it was meant to say',
      rules: [rule.id],
      proof: rule.mode === 'off' ? 'document' : applies(),
    });
  }
  if (unless !== undefined && reasoning.covered(split(when === undefined ? box : and(box, when)), split(unless))) {
    report.add({
      code: 'P107',
      severity: 'warning',
      place: placeOf(rule, ['unless'], ground),
      message: `"unless" of the rule "${rule.id}" exempts nothing: it is never true where the rule applies`,
      hint: 'remove it, or correct what it was meant to say',
      rules: [rule.id],
      proof: rule.mode === 'off' ? 'document' : applies(),
    });
  }
}
