import type { Phase, Target } from '#model';
import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { compilePath } from '../match/matcher.ts';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { CompiledBundleRollout, CompiledRollout } from './compiled.ts';
import { compileExpression } from './expression.ts';
import type { Realm } from './policy.ts';
import { stagesOf } from './stages.ts';

interface Context {
  readonly realm: (target: Target, phase: Phase) => Realm;
  /** What the policies of the bundle are about. */
  readonly targets: ReadonlySet<Target>;
  readonly problems: Problem[];
}

type Rollout = Document & DocumentOf<'Rollout'>;

/** The rollout of a whole candidate bundle beside this one; at most one. Who is in is told by the attributes of each target. */
export function compileBundleRollout(documents: readonly Document[], context: Context): CompiledBundleRollout | undefined {
  const found = documents.filter(
    (document): document is Rollout => isKind(document, 'Rollout') && document.spec.subject.bundle !== undefined,
  );
  const [document, second] = found;
  if (document === undefined) return undefined;
  if (second !== undefined) {
    const message = `only one bundle is rolled out at a time, and the rollout "${document.name}" does that already`;
    context.problems.push(problemAt(specNode(second, ['subject', 'bundle']), { code: 'DUPLICATE', message }));
  }
  checkSubject(document, context.problems);
  const byTarget = new Map([...context.targets].sort().map((target) => [target, forTarget(document, target, context)]));
  return { name: document.name, candidate: document.spec.subject.bundle ?? '', byTarget };
}

function checkSubject(document: Rollout, problems: Problem[]): void {
  const { subject, from, to } = document.spec;
  const complain = (path: readonly string[], message: string, hint: string): void => {
    problems.push(problemAt(specNode(document, path), { code: 'SCHEMA', message, hint }));
  };
  if (subject.policy !== undefined || subject.rules !== undefined)
    complain(['subject'], 'a rollout is about rules of a policy or about a bundle, not both', 'write two rollouts, one after the other');
  if (to !== 'enforce') complain(['to'], `a candidate bundle decides or does not: it cannot be ${to}`, 'write to: enforce');
  if (from !== 'off' && from !== 'shadow')
    complain(
      ['from'],
      `outside of the cohort a candidate bundle is watched or not: it cannot be ${from}`,
      'write from: shadow, or from: off',
    );
}

function forTarget(document: Rollout, target: Target, { realm, problems }: Context): CompiledRollout {
  const { spec } = document;
  const { attributes, scope } = realm(target, 'request');
  if (!resolveAttribute(attributes, spec.key).found)
    problems.push(
      problemAt(specNode(document, ['key']), {
        code: 'P201',
        message: `operations of the target ${target} have no attribute "${spec.key}"`,
      }),
    );
  const cohorts = spec.steps.map(({ cohort }, n) =>
    cohort === undefined ? undefined : compileExpression(cohort, { scope, node: specNode(document, ['steps', n, 'cohort']), problems }),
  );
  return {
    name: document.name,
    inside: 'enforce',
    keyPath: spec.key,
    key: compilePath(spec.key),
    salt: spec.salt,
    step: Math.min(spec.step ?? 1, spec.steps.length),
    stages: stagesOf(spec, cohorts),
  };
}
