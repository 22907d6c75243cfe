import type { Decision } from '#model';
import { disjunctive, holding, join } from './formula.ts';
import type { Conjunction } from './formula.ts';
import { scalarLiteral } from './literal.ts';
import { among } from './scalar.ts';
import { at, isSteady, placeOf, witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import type { Region } from './region.ts';
import type { Model } from './solve.ts';

/** Covers looked at together; more would rarely make a difference and cost much. */
const coversMax = 32;

/** Denies that meet an allow, with requests both can apply to. */
export interface Meeting {
  readonly deny: Region;
  readonly allow: Region;
  readonly models: readonly Model[];
}

/**
 * Allow against deny. P101: an allow that never wins, because denies that nothing lifts cover it. P104: an override of a deny it never
 * meets. Returns where they meet and the deny wins, for P102.
 */
export function checkAllow(allow: Region, ground: Ground): readonly Meeting[] {
  const { rule } = allow;
  const meetings: Meeting[] = [];
  for (const deny of ground.denies.of(allow, () => true)) {
    const models = ground.reasoning.together(allow.conjunctions, deny.conjunctions);
    if (models?.length === 0 || models === undefined) continue;
    meetings.push({ allow, deny, models });
  }
  for (const id of rule.overrides) checkOverlap(allow, id, ground);
  // An allow that overrides one of its denies may still be meant to win somewhere else.
  const failsOpen = rule.onError === 'allow' || rule.onUnavailable === 'allow';
  const beating = meetings.filter(({ deny }) => !failsOpen && isSteady(deny.rule) && !ground.overridden.has(deny.rule.id));
  const single = beating.find(({ deny }) => ground.reasoning.covered(allow.conjunctions, deny.conjunctions));
  const several = single === undefined && beating.length > 1 ? beating.slice(0, coversMax) : [];
  const covering = single === undefined ? (several.length > 0 && coveredBy(allow, several, ground) ? several : []) : [single];
  if (covering.length > 0) {
    reportBeaten(allow, covering, ground);
    return [];
  }
  return meetings.filter(({ deny }) => deny.rule.mode === 'enforce' && !rule.overrides.has(deny.rule.id));
}

function coveredBy(region: Region, meetings: readonly Meeting[], { reasoning }: Ground): boolean {
  const covers: Conjunction[] = meetings.flatMap(({ deny }) => deny.conjunctions);
  return reasoning.covered(region.conjunctions, covers);
}

function reportBeaten({ rule }: Region, covering: readonly Meeting[], ground: Ground): void {
  const denies = covering.map(({ deny }) => deny.rule);
  const named = denies.map((deny) => `"${deny.id}" (${at(deny)})`).join(', ');
  const { bundle, now } = ground;
  const models = covering.flatMap((meeting) => meeting.models);
  const goal = ({ verdict, matched, decisive }: Decision): boolean =>
    verdict === 'deny' && matched.some((one) => one.rule === rule.id) && denies.some((deny) => decisive.includes(deny.id));
  const [first] = denies;
  ground.report.add({
    code: 'P101',
    severity: 'error',
    place: placeOf(rule, [], ground),
    message: `the allow "${rule.id}" can never win: ${denies.length === 1 ? 'the deny' : 'together the denies'} ${named} refuse${denies.length === 1 ? 's' : ''} everything it allows`,
    hint:
      first?.waivable === true && denies.length === 1
        ? 'narrow the deny, or name it in "overrides" of this rule, which must then stand in a higher tier or have a higher priority'
        : 'narrow the deny, or remove the allow',
    rules: [rule.id, ...denies.map((deny) => deny.id)],
    proof: witnessFor(rule, models, { goal, bundle, now }),
  });
}

/** P104: the part that is about regions; who may override whom at all is checked when the bundle is compiled. */
function checkOverlap(allow: Region, id: string, ground: Ground): void {
  const { rule } = allow;
  const deny = ground.regions.find((region) => region.rule.id === id);
  if (deny === undefined) return;
  const models = ground.reasoning.together(allow.conjunctions, deny.conjunctions, 1);
  if (models === undefined || models.length > 0) return;
  const { bundle, now, reasoning } = ground;
  const own = reasoning.show(allow.conjunctions);
  const goal = ({ matched }: Decision): boolean => matched.some((one) => one.rule === rule.id) && !matched.some((one) => one.rule === id);
  const position = [...rule.overrides].indexOf(id);
  ground.report.add({
    code: 'P104',
    severity: 'error',
    place: placeOf(rule, ['overrides', position], ground),
    message: `the rule "${rule.id}" overrides "${id}", and there is no operation to which both apply`,
    hint: `the deny stands at ${at(deny.rule)}; correct the match of one of them, or remove the override`,
    rules: [rule.id, id],
    proof: witnessFor(rule, own, { goal, bundle, now }),
  });
}

/** P102: one line for each deny that wins over allows somewhere. Nothing is wrong; a reviewer should know. */
export function reportMeetings(meetings: readonly Meeting[], ground: Ground): void {
  for (const [deny, group] of Map.groupBy(meetings, (meeting) => meeting.deny)) {
    const allows = group.map(({ allow }) => allow.rule.id);
    const { bundle, now } = ground;
    const goal = ({ verdict, matched, decisive }: Decision): boolean =>
      verdict === 'deny' && decisive.includes(deny.rule.id) && matched.some((one) => allows.includes(one.rule));
    const shown = allows
      .slice(0, allowsShownMax)
      .map((id) => `"${id}"`)
      .join(', ');
    const more = allows.length > allowsShownMax ? ` and ${allows.length - allowsShownMax} more` : '';
    ground.report.add({
      code: 'P102',
      severity: 'info',
      place: placeOf(deny.rule, [], ground),
      message: `the deny "${deny.rule.id}" wins over ${shown}${more} where they meet`,
      rules: [deny.rule.id, ...allows],
      proof: witnessFor(
        deny.rule,
        group.slice(0, allowsShownMax).flatMap(({ models }) => models),
        { goal, bundle, now },
      ),
    });
  }
}

const allowsShownMax = 4;

/** P105: a rule whose every operation is refused by denies of higher tiers, so that it never takes effect. */
export function checkBuried(region: Region, ground: Ground): void {
  const { rule } = region;
  if (rule.effect === 'allow' || rule.effect === 'observe' || rule.effect === 'limit') return;
  const burying: Meeting[] = [];
  for (const deny of ground.denies.of(region, ({ rule: other }) => buries(other, region) && !ground.overridden.has(other.id))) {
    const models = ground.reasoning.together(region.conjunctions, deny.conjunctions);
    if (models !== undefined && models.length > 0) burying.push({ allow: region, deny, models });
  }
  if (burying.length === 0 || !coveredBy(region, burying.slice(0, coversMax), ground)) return;
  const single = burying.find((meeting) => coveredBy(region, [meeting], ground));
  const denies = (single === undefined ? burying.slice(0, coversMax) : [single]).map(({ deny }) => deny.rule);
  const { bundle, now } = ground;
  const goal = ({ verdict, matched, decisive }: Decision): boolean =>
    verdict === 'deny' && matched.some((one) => one.rule === rule.id) && denies.some((deny) => decisive.includes(deny.id));
  const higher = denies.every((deny) => deny.tier < rule.tier);
  ground.report.add({
    code: 'P105',
    severity: higher ? 'error' : 'warning',
    place: placeOf(rule, [], ground),
    message: `the rule "${rule.id}" never takes effect: ${denies.map((deny) => `"${deny.id}" (${at(deny)})`).join(', ')}${higher ? ' of a higher tier' : ''} refuse${denies.length === 1 ? 's' : ''} every operation it is about`,
    hint: 'remove the rule, or narrow the deny above it',
    rules: [rule.id, ...denies.map((deny) => deny.id)],
    proof: witnessFor(
      rule,
      burying.flatMap(({ models }) => models),
      { goal, bundle, now },
    ),
  });
}

/** P108: a deny that allows override wherever it applies. */
export function checkOverridden(region: Region, ground: Ground): void {
  const { rule } = region;
  if (rule.effect !== 'deny' || !ground.overridden.has(rule.id)) return;
  // What was not understood is overridden by nobody, and is not what the rules are about.
  const parsed = holding(
    scalarLiteral({ path: 'context.certainty', domain: 'string', optional: false }, { test: among(['parsed']), negated: false }),
  );
  const understood = disjunctive(parsed, 1)?.[0] ?? [];
  const conjunctions = region.conjunctions.flatMap((conjunction) => {
    const joined = join(conjunction, understood);
    return joined === undefined || ground.reasoning.ask(joined).kind === 'impossible' ? [] : [joined];
  });
  if (conjunctions.length === 0) return;
  const overriding = ground.regions.filter(({ rule: allow }) => allow.overrides.has(rule.id) && isSteady(allow));
  const meetings = overriding.flatMap((allow): Meeting[] => {
    const models = ground.reasoning.together(conjunctions, allow.conjunctions);
    return models === undefined || models.length === 0 ? [] : [{ allow: region, deny: allow, models }];
  });
  if (meetings.length === 0 || !coveredBy({ ...region, conjunctions }, meetings.slice(0, coversMax), ground)) return;
  const allows = meetings.map(({ deny }) => deny.rule);
  const { bundle, now } = ground;
  const goal = ({ matched, decisive }: Decision): boolean =>
    matched.some((one) => one.rule === rule.id) &&
    matched.some((one) => allows.some(({ id }) => id === one.rule)) &&
    !decisive.includes(rule.id);
  ground.report.add({
    code: 'P108',
    severity: 'warning',
    place: placeOf(rule, [], ground),
    message: `the deny "${rule.id}" never denies what was understood: ${allows.map((allow) => `"${allow.id}" (${at(allow)})`).join(', ')} override${allows.length === 1 ? 's' : ''} it wherever it applies`,
    hint: 'narrow the override to whom it is for, or remove the deny',
    rules: [rule.id, ...allows.map(({ id }) => id)],
    proof: witnessFor(
      rule,
      meetings.flatMap(({ models }) => models),
      { goal, bundle, now },
    ),
  });
}

/** A deny below one that may be waived is a second line of defence, not a mistake. */
function buries(deny: Region['rule'], { rule }: Region): boolean {
  if (deny.effect !== 'deny' || !isSteady(deny)) return false;
  // A challenge or a change of something that is refused anyway says nothing, whatever the tiers.
  return rule.effect === 'deny' ? deny.tier < rule.tier && !deny.waivable : true;
}
