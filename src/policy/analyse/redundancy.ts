import { canonicalJson, maskStrategies } from '#model';
import type { Decision } from '#model';
import type { CompiledRule } from '../compile/compiled.ts';
import type { RuleSpec } from '../documents/kinds/rule.ts';
import { labelMatches } from '../match/glob.ts';
import { at, placeOf, witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import type { Region } from './region.ts';

/** P106: a rule that another one makes superfluous: taking it away would change no decision. */
export function checkRedundant(region: Region, ground: Ground): void {
  const { rule } = region;
  if (rule.changes.exceptions.length + rule.changes.rollouts.length + rule.changes.killSwitches.length > 0) return;
  for (const other of ground.neighbours.of(region, ({ rule: wider }) => addsNothing(rule, wider, ground))) {
    if (!ground.reasoning.covered(region.conjunctions, other.conjunctions)) continue;
    const mutual = addsNothing(other.rule, rule, ground) && ground.reasoning.covered(other.conjunctions, region.conjunctions);
    // Of two equal rules the later one is told.
    if (mutual && !isLater(rule, other.rule)) continue;
    reportRedundant(region, other, { ground, mutual });
    return;
  }
}

function reportRedundant(region: Region, other: Region, { ground, mutual }: { ground: Ground; mutual: boolean }): void {
  const { rule } = region;
  const { bundle, now, reasoning } = ground;
  const models = reasoning.show(region.conjunctions);
  const goal = ({ matched }: Decision): boolean =>
    matched.some((one) => one.rule === rule.id) && matched.some((one) => one.rule === other.rule.id);
  ground.report.add({
    code: 'P106',
    severity: 'warning',
    place: placeOf(rule, [], ground),
    message: mutual
      ? `the rule "${rule.id}" says the same as "${other.rule.id}" (${at(other.rule)})`
      : `the rule "${rule.id}" adds nothing to "${other.rule.id}" (${at(other.rule)}), which applies wherever it does`,
    hint: 'remove it',
    rules: [rule.id, other.rule.id],
    proof: rule.mode === 'off' ? 'document' : witnessFor(rule, models, { goal, bundle, now }),
  });
}

function isLater(rule: CompiledRule, other: CompiledRule): boolean {
  const [a, b] = [rule.place, other.place];
  if (a.file.path !== b.file.path) return a.file.path > b.file.path;
  return a.line > b.line || (a.line === b.line && a.column > b.column);
}

/** Whether a rule does nothing that a wider one does not do, where both apply. */
function addsNothing(rule: CompiledRule, wider: CompiledRule, { overridden, sources }: Ground): boolean {
  if (rule.effect !== wider.effect || rule.mode !== wider.mode || rule.effect === 'limit') return false;
  if (wider.changes.exceptions.length + wider.changes.rollouts.length + wider.changes.killSwitches.length > 0) return false;
  // What lifts or cannot evaluate the wider rule would leave this one standing.
  if (overridden.has(wider.id) || (wider.waivable && !rule.waivable) || !failsAlike(rule, wider)) return false;
  const own = sources.get(rule.id)?.spec;
  const others = sources.get(wider.id)?.spec;
  if (own === undefined || others === undefined || !owesLess(own.obligations, others.obligations)) return false;
  switch (rule.effect) {
    case 'allow':
      return [...rule.overrides].every((id) => wider.overrides.has(id) && rank(wider, rule) <= 0) && told(rule, wider);
    case 'deny':
      return told(rule, wider);
    case 'require':
      return canonicalJson(own.require) === canonicalJson(others.require);
    case 'transform':
      return rule.priority <= wider.priority;
    case 'observe':
      return canonicalJson({ ...own, id: '' }) === canonicalJson({ ...others, id: '' });
  }
}

function owesLess(own: RuleSpec['obligations'] = [], others: RuleSpec['obligations'] = []): boolean {
  if (own.length === 0) return true;
  return own.every((obligation) => others.some((other) => isImplied(obligation, other)));
}

type ObligationSpec = NonNullable<RuleSpec['obligations']>[number];

/** Whether the join of both is the other one. */
function isImplied(own: ObligationSpec, other: ObligationSpec): boolean {
  if (own.type === 'row_limit' && other.type === 'row_limit') return own.max >= other.max;
  if (own.type === 'mask' && other.type === 'mask') {
    const columns = own.select.columns.labels.every((label) =>
      other.select.columns.labels.some((wider) => label === wider || labelMatches(wider, label)),
    );
    const lineage = other.select.columns.lineage === undefined || other.select.columns.lineage === own.select.columns.lineage;
    const stricter = maskStrategies.indexOf(own.with.strategy) < maskStrategies.indexOf(other.with.strategy);
    if (columns && lineage && (stricter || canonicalJson(own.with) === canonicalJson(other.with))) return true;
  }
  return canonicalJson(own) === canonicalJson(other);
}

/** Which of two is told to a person: the stronger tier, then the higher priority, then the id. Negative: `one`. */
function rank(one: CompiledRule, other: CompiledRule): number {
  return one.tier - other.tier || other.priority - one.priority || (one.id < other.id ? -1 : 1);
}

/** The narrower rule's own words are never the ones that are told, or they are the same. */
function told(rule: CompiledRule, wider: CompiledRule): boolean {
  return (rule.reason === wider.reason && rule.message?.source === wider.message?.source) || rank(wider, rule) < 0;
}

function failsAlike(rule: CompiledRule, wider: CompiledRule): boolean {
  const conditional =
    rule.when !== undefined || rule.unlessValid !== undefined || rule.dataMatchers.length > 0 || rule.policy.facts.length > 0;
  return !conditional || rule.onError === 'skip' || rule.onError === wider.onError;
}
