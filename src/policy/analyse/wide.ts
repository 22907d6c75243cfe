import type { Decision, DecisionRequest } from '#model';
import { childrenOf } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';
import { decide } from '../decide/decide.ts';
import { entry } from '../documents/node.ts';
import type { Matcher } from '../match/matcher.ts';
import { resolveAttribute } from '../schema/index.ts';
import { pathOf } from './expression.ts';
import { placeOf, witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import { matchNodesOf } from './lines.ts';
import type { Region } from './region.ts';
import { requestOf } from './request.ts';
import type { Model } from './solve.ts';
import { vocabularyOf } from './vocabulary.ts';

/** P304: an allow that lets more through than its author may see. */
export function checkWide(region: Region, ground: Ground): void {
  const { rule } = region;
  if ((rule.effect !== 'allow' && rule.effect !== 'deny') || rule.mode === 'off') return;
  const own = rule.effect === 'deny' ? rule.matchers : rule.matchers.filter(({ path }) => path !== 'context.certainty');
  const conditions = [rule.when, rule.unless, rule.unlessValid].filter((condition) => condition !== undefined);
  const anywhere = rule.policy.points === undefined && rule.policy.facts.length === 0;
  if (own.length + rule.dataMatchers.length + conditions.length === 0 && anywhere)
    return rule.effect === 'allow' ? reportEverything(region, ground) : reportNothing(region, ground);
  if (rule.effect === 'deny') return;
  for (const matcher of [...own, ...rule.dataMatchers]) checkElements(matcher, region, ground);
  if (rule.when !== undefined) for (const path of listsOfAll(rule.when.program.ast)) checkEmpty(path, region, ground);
}

/** Lists of an operation that are never empty. */
const neverEmpty = new Set(['sql.effects', 'sql.verbs', 'sql.statements', 'ci.actions']);

/** Attributes of which a condition asks something of all elements. */
function listsOfAll(e: CelExpression): string[] {
  const inner = childrenOf(e).flatMap(listsOfAll);
  const path = e.kind === 'comprehension' && e.macro === 'all' ? pathOf(e.range) : undefined;
  return path === undefined || !isOfOperation(path) || neverEmpty.has(path) ? inner : [path, ...inner];
}

/** P304, only to know: of nothing, everything is true. */
function checkEmpty(path: string, { rule, conjunctions }: Region, ground: Ground): void {
  const { bundle, now, reasoning } = ground;
  for (const model of reasoning.show(conjunctions).slice(0, modelsMax)) {
    const lists = new Map(model.lists).set(path, { elements: [], absent: false });
    const request = requestOf({ ...model, lists }, { attributes: rule.attributes, policy: rule.policy, now });
    const { verdict, decisive } = decide(bundle, request);
    if (verdict !== 'allow' || !decisive.includes(rule.id)) continue;
    ground.report.add({
      code: 'P304',
      severity: 'info',
      place: placeOf(rule, ['when'], ground),
      message: `the allow "${rule.id}" holds for operations without any "${path}", too: all of nothing`,
      hint: `write size(${path}) > 0 && … if that is not meant`,
      rules: [rule.id],
      proof: request,
    });
    return;
  }
}

function reportNothing({ rule, conjunctions }: Region, ground: Ground): void {
  const { bundle, now, reasoning } = ground;
  const goal = ({ verdict, decisive }: Decision): boolean => verdict === 'deny' && decisive.includes(rule.id);
  ground.report.add({
    code: 'P107',
    severity: ground.sources.get(rule.id)?.spec.description === undefined ? 'warning' : 'info',
    place: placeOf(rule, [], ground),
    message: `the deny "${rule.id}" has no condition: it refuses every operation of the target ${rule.policy.target}`,
    hint: 'say what it is about; if nothing may pass, say why in "description"',
    rules: [rule.id],
    proof: rule.mode === 'enforce' ? witnessFor(rule, reasoning.show(conjunctions), { goal, bundle, now }) : 'document',
  });
}

function reportEverything({ rule, conjunctions }: Region, ground: Ground): void {
  const { bundle, now, reasoning } = ground;
  const goal = ({ verdict, decisive }: Decision): boolean => verdict === 'allow' && decisive.includes(rule.id);
  ground.report.add({
    code: 'P304',
    // Who says why has seen it.
    severity: ground.sources.get(rule.id)?.spec.description === undefined ? 'warning' : 'info',
    place: placeOf(rule, [], ground),
    message: `the allow "${rule.id}" has no condition: whatever no rule denies is allowed to everybody`,
    hint: `say who may do what; if everything may pass, say why in "description", or write "defaults: { ${rule.policy.target}: allow }" in the manifest, where a reader looks for it`,
    rules: [rule.id],
    proof: witnessFor(rule, reasoning.show(conjunctions), { goal, bundle, now }),
  });
}

/** Whose elements say what an operation does; of groups, roles and labels one is meant to be enough. */
function isOfOperation(path: string): boolean {
  return !/^(subject|resource|context|facts|data)\b|\.roles$|labels?$/i.test(path);
}

/**
 * A line over a list holds when any element fits. For a deny that is strict; for an allow it lets an operation pass that does something else
 * besides. Reported where such an operation is really allowed.
 */
function checkElements(matcher: Matcher, region: Region, ground: Ground): void {
  const { rule } = region;
  const found = resolveAttribute(rule.attributes, matcher.path);
  const { value } = matcher.line;
  const asks = Array.isArray(value) || 'in' in value || 'inData' in value;
  if (!found.found || found.type.kind !== 'list' || !isOfOperation(matcher.path) || !asks) return;
  const { request, other } = strangerIn(matcher, region, ground) ?? {};
  if (request === undefined || other === undefined) return;
  const place = matchNodesOf(rule, ground.sources).flatMap(({ node }) => entry(node, matcher.path)?.keyPlace ?? [])[0];
  const name = matcher.path.split('.').at(-1) ?? 'list';
  ground.report.add({
    code: 'P304',
    severity: 'warning',
    place: place ?? placeOf(rule, [], ground),
    message: `the allow "${rule.id}" holds when any of "${matcher.path}" fits: an operation with "${other}" besides is allowed, too`,
    hint: `say it for all of them: when: '${matcher.path}.all(${name[0] ?? 'e'}, …)'`,
    rules: [rule.id],
    proof: request,
  });
}

/** An allowed request with one more element that the line does not name. */
function strangerIn(
  matcher: Matcher,
  { rule, conjunctions }: Region,
  { bundle, now, reasoning }: Ground,
): { readonly request: DecisionRequest; readonly other: string } | undefined {
  const words = vocabularyOf(rule.policy.target, matcher.path)?.words ?? ['other', 'other.other', 'hr.salaries'];
  // What would hurt most is tried first: it tells a reader most.
  const others = [...grave, ...words].filter((word) => words.includes(word) && !matcher.accepts([word])).slice(0, strangersMax);
  for (const model of reasoning.show(conjunctions).slice(0, modelsMax)) {
    const list = model.lists.get(matcher.path);
    if (list === undefined) continue;
    for (const other of others) {
      const lists = new Map(model.lists).set(matcher.path, { ...list, elements: [...list.elements, other] });
      const changed: Model = { ...model, lists };
      const request = requestOf(changed, { attributes: rule.attributes, policy: rule.policy, now });
      const { verdict, decisive } = decide(bundle, request);
      if (verdict === 'allow' && decisive.includes(rule.id)) return { request, other };
    }
  }
  return undefined;
}

const grave = ['drop.table', 'truncate', 'privilege.grant', 'write.delete', 'code.execute', 'drop', 'grant', 'delete'];
const strangersMax = 400;
const modelsMax = 4;
