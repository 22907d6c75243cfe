import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields } from '../schema/index.ts';
import { disjunctive } from './formula.ts';
import type { Ground } from './ground.ts';
import { truth } from './truth.ts';
import { limits } from '#model';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'reasoning'>;

/** P105, P107, P205: rollouts that change nothing, go backwards, or choose nobody or everybody. */
export function checkRollouts(whole: Whole): void {
  const rollouts = whole.documents.filter((document): document is Rollout => isKind(document, 'Rollout'));
  for (const [i, document] of rollouts.entries()) {
    checkRollout(document, whole);
    checkSteps(document, whole);
    const twin = rollouts.slice(0, i).find(({ spec }) => spec.salt === document.spec.salt && spec.key === document.spec.key);
    if (twin === undefined) continue;
    const message = `the rollouts "${twin.name}" and "${document.name}" have one salt: whoever is first in one is first in the other`;
    const hint = 'give each its own salt, so that not the same people try everything';
    whole.report.add({
      code: 'P205',
      severity: 'warning',
      place: specNode(document, ['salt']),
      message,
      hint,
      rules: [],
      proof: 'document',
    });
  }
}

type Rollout = Document & DocumentOf<'Rollout'>;

/** Steps that add nobody, let everybody in at once, or wait for nothing. */
function checkSteps(document: Rollout, { report }: Whole): void {
  const { steps, gates = [], from } = document.spec;
  const add = (path: readonly (string | number)[], code: string, message: string, hint: string): void =>
    report.add({ code, severity: 'warning', place: specNode(document, path), message, hint, rules: [], proof: 'document' });
  for (const [i, { shadow, cohort, percent }] of steps.entries()) {
    const watches = shadow === true && (from === 'off' || i === 0);
    if (!watches && cohort === undefined && (percent ?? 0) === 0 && (shadow !== true || from === 'off'))
      add(
        ['steps', i],
        'P107',
        `step ${i + 1} of the rollout "${document.name}" changes nothing: nobody comes in`,
        'write shadow: true, a cohort or a percentage, or remove it',
      );
  }
  const held = steps.findIndex(({ hold }) => hold !== undefined);
  if (held >= 0 && gates.length === 0)
    add(
      ['steps', held, 'hold'],
      'P107',
      '"hold" has no effect without gates: nothing moves by itself',
      'add gates, such as { metric: manual }, or remove it',
    );
  const [first] = steps;
  if (gates.length > 0 && first?.percent === 100)
    add(
      ['steps', 0, 'percent'],
      'P205',
      'the first step lets everybody in: when a gate fails it has happened to all',
      'begin with shadow: true, a cohort or a small percentage',
    );
}

function checkRollout(document: Rollout, { bundle, report, reasoning }: Whole): void {
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
  checkKey(document, rule.attributes, add);
  const names = { attributes: rule.attributes, variables: rule.policy.variables, data: bundle.compiled.data };
  const compiled = rule.changes.rollouts.find((rollout) => rollout.name === name)?.stages.at(-1)?.cohorts ?? [];
  const sources = spec.steps.map(({ cohort }) => cohort);
  for (const { program } of compiled) {
    if (program.reads.length === 0 && program.ast.kind === 'literal' && program.ast.value === true)
      add(
        ['steps', sources.indexOf(program.source), 'cohort'],
        'P107',
        `everybody is in this cohort of the rollout "${name}"`,
        'say who is in; percent: 100 is for everybody',
      );
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

type Add = (path: readonly (string | number)[], code: string, message: string, hint: string) => void;

/** The key must be there, be one value, and belong to who is kept on one side. */
function checkKey({ spec }: Rollout, attributes: AttributeFields, add: Add): void {
  const found = resolveAttribute(attributes, spec.key);
  if (!found.found) return;
  if (found.type.kind === 'list' || found.type.kind === 'object' || found.type.kind === 'map')
    add(
      ['key'],
      'P107',
      `"${spec.key}" is a ${found.type.kind}, and only single values are a key: no percentage lets anybody in`,
      'choose an attribute such as subject.id',
    );
  else if (found.optional)
    add(
      ['key'],
      'P202',
      `"${spec.key}" may be absent: such operations are outside at every percentage`,
      'choose an attribute that is always there, such as subject.id',
    );
  else if (/^(sql|http|tool|ssh|llm)\./.test(spec.key))
    add(
      ['key'],
      'P205',
      `"${spec.key}" is of the operation: one person is on both sides, from operation to operation`,
      'choose an attribute such as subject.id',
    );
}
