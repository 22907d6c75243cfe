import type { Decision } from '#model';
import type { CompiledException, CompiledRule } from '../compile/compiled.ts';
import { isKind, specNode } from '../documents/document.ts';
import type { DocumentOf } from '../documents/document.ts';
import type { Place } from '../problem.ts';
import { witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import { onlyParsed } from '../compile/rule.ts';
import { regionOf } from './region.ts';
import type { Region } from './region.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'reasoning' | 'now'>;

/** P401, P106: exceptions that waive nothing, everything, or what another one waives already. */
export function checkExceptions(regions: ReadonlyMap<string, Region>, whole: Whole): void {
  const byName = new Map(
    whole.documents.flatMap((document) => (isKind(document, 'Exception') ? [[document.name, document] as const] : [])),
  );
  for (const rule of whole.bundle.compiled.rules) {
    const { exceptions } = rule.changes;
    const scopes = exceptions.map((exception) => scopeOf(rule, exception, whole));
    for (const [i, exception] of exceptions.entries()) {
      const document = byName.get(exception.name);
      const scope = scopes[i];
      if (document === undefined || scope === undefined) continue;
      const place = specNode(document, ['scope']);
      if (checkScope({ rule, exception, scope, place }, regions.get(rule.id), whole)) continue;
      const wider = exceptions.findIndex(
        (other, k) => other.name !== exception.name && isWithin(exception, other, { own: scope, others: scopes[k], i, k }, whole),
      );
      if (wider >= 0) reportSecond({ rule, exception, place }, exceptions[wider], whole);
    }
    if (exceptions.length > 0 && rule.mode !== 'enforce') reportIdle(rule, byName, whole);
    if (rule.effect === 'allow')
      for (const { name, instead } of exceptions) if (instead === 'waive') reportTaken(rule, byName.get(name), whole);
  }
}

interface Scoped {
  readonly rule: CompiledRule;
  readonly exception: CompiledException;
  readonly place: Place;
}

/** Where the exception applies, as if it were a rule. */
function scopeOf(rule: CompiledRule, { matchers, when }: CompiledException, { bundle }: Whole): Region {
  return regionOf(
    { ...rule, effect: 'observe', matchers, dataMatchers: [], when, unless: undefined, unlessValid: undefined },
    bundle.compiled,
  );
}

/** Whether something was found about the scope by itself. */
function checkScope({ rule, exception, scope, place }: Scoped & { scope: Region }, region: Region | undefined, whole: Whole): boolean {
  const { report, reasoning, bundle, now } = whole;
  const { name } = exception;
  const shared = { code: 'P401', place, rules: [rule.id] };
  const inForce = new Date(now).getTime() >= exception.until ? exception.until - 1 : Math.max(now, exception.from);
  if (!scope.conjunctions.some((conjunction) => reasoning.ask(conjunction).kind !== 'impossible')) {
    report.add({
      ...shared,
      severity: 'error',
      message: `the exception "${name}" can never apply: its scope contradicts itself`,
      hint: 'correct the scope, or remove the exception',
      proof: 'document',
    });
    return true;
  }
  if (region === undefined) return false;
  const meetings = reasoning.together(scope.conjunctions, region.conjunctions);
  if (meetings?.length === 0) {
    const goal = ({ matched }: Decision): boolean => matched.some((one) => one.rule === rule.id && one.by === undefined);
    report.add({
      ...shared,
      severity: 'error',
      message: `the exception "${name}" waives nothing: no operation is in its scope that the rule "${rule.id}" is about`,
      hint: 'correct the scope, or remove the exception',
      proof: witnessFor(rule, reasoning.show(region.conjunctions), { goal, bundle, now: inForce }),
    });
    return true;
  }
  // That an exception is only for what was understood is implicit, and does not narrow what its author wrote.
  const written = exception.matchers.filter((matcher) => matcher !== onlyParsed);
  if (!reasoning.covered(region.conjunctions, scopeOf(rule, { ...exception, matchers: written }, whole).conjunctions)) return false;
  const goal = ({ matched }: Decision): boolean => matched.some((one) => one.by === `exception:${name}`);
  report.add({
    ...shared,
    severity: 'warning',
    message: `the exception "${name}" switches the rule "${rule.id}" off: everything the rule is about is in its scope`,
    hint: 'narrow the scope to whom and what it is for; a rule that nobody needs is removed',
    proof: rule.mode === 'enforce' ? witnessFor(rule, meetings ?? [], { goal, bundle, now: inForce }) : 'document',
  });
  return true;
}

interface Pair {
  readonly own: Region;
  readonly others: Region | undefined;
  readonly i: number;
  readonly k: number;
}

/** Whether another exception of the same rule waives all that this one does, for all of its time. */
function isWithin(exception: CompiledException, other: CompiledException, { own, others, i, k }: Pair, { reasoning }: Whole): boolean {
  if (others === undefined || exception.instead !== 'waive' || other.instead !== 'waive') return false;
  if (other.from > exception.from || other.until < exception.until) return false;
  if (!reasoning.covered(own.conjunctions, others.conjunctions)) return false;
  const mutual =
    other.from === exception.from && other.until === exception.until && reasoning.covered(others.conjunctions, own.conjunctions);
  return !mutual || k < i;
}

function reportSecond({ rule, exception, place }: Scoped, other: CompiledException | undefined, { report }: Whole): void {
  report.add({
    code: 'P106',
    severity: 'warning',
    place,
    message: `the exception "${exception.name}" adds nothing to "${other?.name ?? ''}" for the rule "${rule.id}"`,
    hint: 'remove one of them',
    rules: [rule.id],
    proof: 'document',
  });
}

/** Waiving an allow takes away what it lets through, which is hardly what an exception is for. */
function reportTaken(rule: CompiledRule, document: DocumentOf<'Exception'> | undefined, { report }: Whole): void {
  if (document === undefined) return;
  report.add({
    code: 'P401',
    severity: 'warning',
    place: specNode(document, ['waives']),
    message: `the exception "${document.name}" waives the allow "${rule.id}": what is in its scope is refused, not let through`,
    hint: 'waive what refuses; to refuse more, write a deny',
    rules: [rule.id],
    proof: 'document',
  });
}

function reportIdle(rule: CompiledRule, documents: ReadonlyMap<string, DocumentOf<'Exception'>>, { report }: Whole): void {
  for (const { name } of rule.changes.exceptions) {
    const document = documents.get(name);
    if (document === undefined || rule.changes.rollouts.length > 0) continue;
    report.add({
      code: 'P401',
      severity: 'warning',
      place: specNode(document, ['waives']),
      message: `the exception "${name}" waives "${rule.id}", whose mode is ${rule.mode}: there is nothing to waive`,
      hint: 'remove it until the rule is enforced',
      rules: [rule.id],
      proof: 'document',
    });
  }
}
