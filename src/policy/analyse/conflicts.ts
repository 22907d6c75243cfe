import type { Decision } from '#model';
import type { CompiledRule } from '../compile/compiled.ts';
import { mergeObligations } from '../decide/merge.ts';
import type { Owed } from '../decide/merge.ts';
import { at, placeOf, witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import type { Region } from './region.ts';

/** P103: rules that meet and ask for contradicting changes with equal priority: every operation they meet in is refused. */
export function checkConflicts(region: Region, ground: Ground): void {
  const { rule } = region;
  if (!mayConflict(rule)) return;
  const own = owedBy(rule);
  if (mergeObligations(own).conflict.length > 0) reportConflict(region, region, ground);
  for (const other of ground.neighbours.of(region, (candidate) => candidate.rule.ordinal > rule.ordinal && mayConflict(candidate.rule))) {
    const { conflict } = mergeObligations([...own, ...owedBy(other.rule)]);
    if (conflict.includes(rule.id) && conflict.includes(other.rule.id)) reportConflict(region, other, ground);
  }
}

/** Only a change of the operation or its route can contradict another; everything else has a join. */
function mayConflict({ mode, obligations }: CompiledRule): boolean {
  return mode !== 'off' && obligations.some(({ spec }) => spec.type === 'mutate' || spec.type === 'route');
}

/** As they stand in the file; templates are compared by their text, and the witness shows whether they really differ. */
function owedBy(rule: CompiledRule): readonly Owed[] {
  return rule.obligations.flatMap(({ spec }): readonly Owed[] => {
    if (spec.type === 'route') return [{ obligation: spec, priority: rule.priority, rule: rule.id }];
    if (spec.type !== 'mutate') return [];
    return [{ obligation: { type: 'mutate', patch: spec.patch }, priority: rule.priority, rule: rule.id }];
  });
}

function reportConflict(one: Region, other: Region, ground: Ground): void {
  const models = ground.reasoning.together(one.conjunctions, other.conjunctions);
  if (models === undefined || models.length === 0) return;
  const [later, earlier] =
    other.rule.place.line >= one.rule.place.line || one.rule.place.file !== other.rule.place.file
      ? [other.rule, one.rule]
      : [one.rule, other.rule];
  const { bundle, now } = ground;
  const ids = [...new Set([later.id, earlier.id])];
  const goal = ({ reason, decisive }: Decision): boolean => reason === 'OBLIGATION_CONFLICT' && ids.every((id) => decisive.includes(id));
  const whom = one === other ? 'with themselves' : `with those of "${earlier.id}" (${at(earlier)})`;
  ground.report.add({
    code: 'P103',
    severity: 'error',
    place: placeOf(later, ['obligations'], ground),
    message: `the obligations of "${later.id}" conflict ${whom} at equal priority: operations to which both apply are refused`,
    hint: 'give one of the rules a higher priority, or make the changes agree',
    rules: ids,
    proof: witnessFor(one.rule, models, { goal, bundle, now }),
  });
}
