import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { disjunctive } from './formula.ts';
import type { Ground } from './ground.ts';
import { truth } from './truth.ts';
import { limits } from '#model';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'reasoning'>;

/** P105, P107: rollouts that change nothing, go backwards, or choose nobody. */
export function checkRollouts(whole: Whole): void {
  for (const document of whole.documents) if (isKind(document, 'Rollout')) checkRollout(document, whole);
}

function checkRollout(document: Document & DocumentOf<'Rollout'>, { bundle, report, reasoning }: Whole): void {
  const { spec, name } = document;
  const { policy = '', rules } = spec.subject;
  const concerned = bundle.compiled.rules.filter((rule) => rule.changes.rollouts.some((rollout) => rollout.name === name));
  const ids = rules?.map((id) => `${policy}/${id}`) ?? concerned.map(({ id }) => id);
  const add = (path: readonly (string | number)[], code: string, message: string, hint: string): void =>
    report.add({ code, severity: 'warning', place: specNode(document, path), message, hint, rules: ids, proof: 'document' });
  if (spec.from === spec.to)
    add(
      ['to'],
      'P107',
      `the rollout "${name}" goes from ${spec.from} to ${spec.to}: it changes nothing`,
      'name the mode it should lead to',
    );
  let reached = 0;
  for (const [i, { percent }] of spec.steps.entries()) {
    if (percent === undefined) continue;
    if (percent < reached)
      add(
        ['steps', i, 'percent'],
        'P107',
        `the step with ${percent} % of the rollout "${name}" takes nobody out: who was in with ${reached} % stays in`,
        'order the steps by what they add',
      );
    reached = Math.max(reached, percent);
  }
  if (reached < 100 && spec.steps.every(({ cohort }) => cohort === undefined) && spec.steps.some(({ percent }) => percent !== undefined))
    add(
      ['steps'],
      'P107',
      `the rollout "${name}" ends at ${reached} %: the rest stays ${spec.from} for good`,
      'add a last step with percent: 100',
    );
  const [rule] = concerned;
  if (rule === undefined) return;
  const names = { attributes: rule.attributes, variables: rule.policy.variables, data: bundle.compiled.data };
  const compiled = rule.changes.rollouts.find((rollout) => rollout.name === name)?.stages.at(-1)?.cohorts ?? [];
  const sources = spec.steps.map(({ cohort }) => cohort);
  for (const { program } of compiled) {
    const conjunctions = disjunctive(truth(program.ast, true, names), limits.analysisConjunctionsMax);
    if (conjunctions === undefined || conjunctions.some((conjunction) => reasoning.ask(conjunction).kind !== 'impossible')) continue;
    add(
      ['steps', sources.indexOf(program.source), 'cohort'],
      'P105',
      `nobody can be in this cohort of the rollout "${name}"`,
      'correct the condition',
    );
  }
}
