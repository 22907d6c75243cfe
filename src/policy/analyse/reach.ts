import { limits } from '#model';
import type { Decision, DecisionRequest } from '#model';
import { join } from './formula.ts';
import { placeOf, witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import { scalarLiteral } from './literal.ts';
import type { Region } from './region.ts';
import { range } from './scalar.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeType } from '../schema/index.ts';

/**
 * P105: rules whose time is over. P107, P105: rules that apply to none of the requests that were tried, because each of them fails or
 * because none fits; without a proof, so neither is an error.
 */
export function checkReach(region: Region, ground: Ground): void {
  const { rule, conjunctions } = region;
  if (ground.now > 0 && checkOver(region, ground)) return;
  if (rule.mode === 'off' || !isSearchable(region) || ground.report.hasError(rule.id)) return;
  const { bundle, now, reasoning, report } = ground;
  let failed: { readonly request: DecisionRequest; readonly why: string } | undefined;
  let tried = 0;
  let failures = 0;
  const goal = ({ matched, errors, reason }: Decision, request: DecisionRequest): boolean => {
    if (reason === 'POLICY_FAULT') return false;
    const error = errors.find(
      (one) => one.rule === rule.id && (one.part === 'when' || one.part === 'unlessValid' || one.part === 'variables'),
    );
    tried += 1;
    if (error !== undefined) {
      failures += 1;
      failed ??= { request, why: error.message };
    }
    return error === undefined && matched.some((one) => one.rule === rule.id);
  };
  if (witnessFor(rule, reasoning.show(conjunctions.slice(0, limits.analysisConjunctionsMax)), { goal, bundle, now }) !== undefined) return;
  const place = placeOf(rule, [rule.when === undefined ? 'unlessValid' : 'when'], ground);
  if (failed !== undefined && failures === tried) {
    report.add({
      code: 'P107',
      severity: 'warning',
      place,
      message: `the condition of the rule "${rule.id}" failed on every request that was tried: ${failed.why}`,
      hint:
        rule.onError === 'skip'
          ? 'as it is, the rule never applies'
          : `as it is, the rule does not decide, its "onError" (${rule.onError}) does`,
      rules: [rule.id],
      proof: failed.request,
    });
    return;
  }
  if (ground.tested(rule.id, rule.policy.name)) return;
  report.add({
    code: 'P105',
    severity: 'info',
    place,
    message: `the rule "${rule.id}" may never apply`,
    hint: 'its tests say whether it does',
    rules: [rule.id],
    proof: undefined,
  });
}

/** Whether a search means anything: something is not understood, and all that it reads has a type to make values of. */
function isSearchable({ rule, conjunctions }: Region): boolean {
  const open = conjunctions.flatMap((conjunction) => conjunction.filter((literal) => literal.kind === 'opaque'));
  return open.length > 0 && open.every(({ reads }) => reads.every((path) => isTyped(path, rule)));
}

function isTyped(path: string, { attributes }: Region['rule']): boolean {
  if (path === 'now' || path.startsWith('data.')) return true;
  const found = resolveAttribute(attributes, path);
  return found.found && isPlain(found.type);
}

function isPlain(type: AttributeType): boolean {
  if (type.kind === 'list') return isPlain(type.element);
  if (type.kind === 'object') return !type.open && Object.values(type.fields).every((field) => isPlain(field.type));
  return type.kind !== 'dyn' && type.kind !== 'map';
}

/** Whether the rule could only apply at times that have passed. */
function checkOver({ rule, conjunctions }: Region, { now, reasoning, report, bundle, sources }: Ground): boolean {
  const later = scalarLiteral({ path: 'now', domain: 'int', optional: false }, { test: range('>=', now), negated: false });
  if (!conjunctions.some((conjunction) => conjunction.some((literal) => literal.kind === 'scalar' && literal.path === 'now'))) return false;
  if (conjunctions.some((conjunction) => reasoning.ask(join(conjunction, [later])).kind !== 'impossible')) return false;
  const goal = ({ matched }: Decision): boolean => matched.some((one) => one.rule === rule.id);
  report.add({
    code: 'P105',
    severity: 'warning',
    place: placeOf(rule, ['when'], { sources }),
    message: `the rule "${rule.id}" does not apply any more: its time is over`,
    hint: 'remove it, or give it another time',
    rules: [rule.id],
    proof: witnessFor(rule, reasoning.show(conjunctions), { goal, bundle, now }),
  });
  return true;
}
