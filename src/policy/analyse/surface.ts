import type { Phase, Target } from '#model';
import type { CompiledRule } from '../compile/compiled.ts';
import { isKind, specNode } from '../documents/document.ts';
import type { Place } from '../problem.ts';
import { requestSchema, resolveAttribute } from '../schema/index.ts';
import { among, holds } from './scalar.ts';
import type { Scalar } from './scalar.ts';
import type { Conjunction } from './formula.ts';
import { listLiteral, scalarLiteral } from './literal.ts';
import type { Ground } from './ground.ts';
import type { Region } from './region.ts';
import { requestOf } from './request.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'now' | 'reasoning'>;

/** What operations of a target do, in the words of the attribute that says it: the surface a set of policies should speak about. */
const actions: Partial<Record<Target, { readonly path: string; readonly values: readonly string[] }>> = {
  sql: {
    path: 'sql.effects',
    values: [
      'read',
      'write.insert',
      'write.update',
      'write.delete',
      'write.merge',
      'truncate',
      'create.table',
      'alter.table',
      'drop.table',
      'privilege.grant',
      'session.set',
      'session.role',
      'transaction',
      'copy.in',
      'copy.out',
      'copy.program',
      'code.do',
      'code.call',
      'read.file',
    ],
  },
  http: { path: 'http.method', values: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] },
  'k8s.admission': { path: 'request.operation', values: ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] },
};

/** P303: a target that a point guards and no policy speaks about. */
export function checkTargets({ documents, bundle, report }: Whole): void {
  const spoken = new Set(bundle.compiled.rules.filter(({ mode }) => mode !== 'off').map(({ policy }) => policy.target));
  for (const document of documents) {
    if (!isKind(document, 'EnforcementPoint')) continue;
    for (const [i, target] of document.spec.targets.entries()) {
      if (spoken.has(target)) continue;
      const outcome = bundle.compiled.allowedByDefault.has(target) ? 'allowed' : 'denied with NO_MATCHING_ALLOW';
      report.add({
        code: 'P303',
        severity: 'warning',
        place: specNode(document, ['targets', i]),
        message: `no policy is about the target "${target}" of the point "${document.name}": all its operations are ${outcome}`,
        hint: 'write a policy for it, or remove the target from the point',
        rules: [],
        proof: 'document',
      });
    }
  }
}

/** P303: actions of a target to which no rule of its policies can apply. */
export function checkActions(target: Target, phase: Phase, regions: readonly Region[], ground: Whole): void {
  const surface = actions[target];
  const [first] = regions;
  if (surface === undefined || phase !== 'request' || first === undefined) return;
  const uncovered = surface.values.filter((action) => !regions.some((region) => speaksOf(region, surface.path, { action, ground })));
  const [example] = uncovered;
  if (example === undefined) return;
  const { bundle, now, report } = ground;
  const allowed = bundle.compiled.allowedByDefault.has(target);
  const model = {
    scalars: new Map<string, Scalar>(isList(target, surface.path) ? [] : [[surface.path, example]]),
    lists: new Map(isList(target, surface.path) ? [[surface.path, { elements: [example], absent: false }]] : []),
    open: [],
  };
  report.add({
    code: 'P303',
    // What nobody thought of and is refused can wait; what nobody thought of and passes cannot.
    severity: allowed ? 'warning' : 'info',
    place: startOf(first.rule),
    message: `no rule for the target "${target}" can apply to ${uncovered.join(', ')} (${surface.path}): ${allowed ? 'they are allowed' : 'they are denied with NO_MATCHING_ALLOW'}`,
    hint: allowed
      ? 'deny what must not happen, or say with an allow rule that it may'
      : 'allow what people need, or refuse it with a reason they understand',
    rules: [],
    proof: requestOf(model, { attributes: first.rule.attributes, policy: first.rule.policy, now }),
  });
}

function isList(target: Target, path: string): boolean {
  const found = resolveAttribute(requestSchema(target, 'request'), path);
  return found.found && found.type.kind === 'list';
}

function startOf(rule: CompiledRule): Place {
  return { file: rule.place.file, line: 1, column: 1 };
}

/** Whether the rule can apply to an operation that does this and nothing else. */
function speaksOf({ rule, conjunctions }: Region, path: string, { action, ground }: { action: string; ground: Whole }): boolean {
  if (rule.mode === 'off') return false;
  const only = among([action]);
  return conjunctions.some((conjunction) => {
    const about = conjunction.filter((literal) => literal.kind !== 'opaque' && literal.path === path);
    const [site] = about;
    if (site === undefined || site.kind === 'opaque') return true;
    // A list that is exactly [action]: it has the action and nothing else.
    const exactly: Conjunction =
      site.kind === 'list'
        ? [listLiteral(site, [{ test: only, negated: false }]), listLiteral(site, [{ test: only, negated: true }], true)]
        : [scalarLiteral(site, { test: only, negated: false })];
    if (
      site.kind === 'scalar' &&
      about.some((literal) => literal.kind === 'scalar' && holds(literal.term.test, action) === literal.term.negated)
    )
      return false;
    return ground.reasoning.ask([...about, ...exactly]).kind !== 'impossible';
  });
}
