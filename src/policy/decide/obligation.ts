import type { Obligation } from '#model';
import type { Hit } from '../compile/candidate.ts';
import type { CompiledObligation, View } from '../compile/compiled.ts';
import { compileTemplate } from '../compile/template.ts';
import type { Place } from '../problem.ts';
import type { Evaluation } from './condition.ts';
import type { Owed } from './merge.ts';

/** The obligations a rule contributes to this request; undefined when one of them cannot be computed. */
export function owedBy(hit: Hit, evaluation: Evaluation): readonly Owed[] | undefined {
  const owed: Owed[] = [];
  const { id, priority } = hit.rule;
  for (const compiled of hit.obligations) {
    const obligations = instances(compiled, hit, evaluation);
    if (obligations === undefined) return undefined;
    for (const obligation of obligations) owed.push({ obligation, priority, rule: id });
  }
  return owed;
}

function instances({ spec, templates, forEach }: CompiledObligation, hit: Hit, evaluation: Evaluation): readonly Obligation[] | undefined {
  // What a person writes and what a point gets differ only in `mutate`, whose loop and templates end here.
  if (!templates || spec.type !== 'mutate') return [spec];
  const { patch } = spec;
  const mutate = (view: View): Obligation => ({ type: 'mutate', patch: fill(patch, view) as typeof patch }); // Filling keeps the shape.
  if (forEach === undefined) return [mutate(evaluation.view)];
  const answer = evaluation.value(forEach.list);
  if (!answer.ok || !Array.isArray(answer.value)) {
    const message = answer.ok ? `the loop is not over a list` : answer.message;
    const path = answer.ok ? undefined : answer.path;
    evaluation.errors.push({ rule: hit.rule.id, part: 'obligations', ...(path === undefined ? {} : { path }), message });
    return undefined;
  }
  return answer.value.map((element) => mutate({ ...evaluation.view, [forEach.name]: element }));
}

/** Fills the templates of all strings inside a value. */
function fill(value: unknown, view: View): unknown {
  if (typeof value === 'string') {
    return value.includes('{')
      ? compileTemplate(value, { place: nowhere, attributes: {}, problems: [], publicOnly: false }).fill(view)
      : value;
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, view));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member, view)]));
}

/** Problems of templates were reported when the bundle was compiled. */
const nowhere: Place = { file: { path: '', text: '' }, line: 1, column: 1 };
