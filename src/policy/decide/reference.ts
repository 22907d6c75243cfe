import { canonicalJson } from '#model';
import type { DecisionRequest, Verdict } from '#model';
import { sha256Hex } from '../digest.ts';
import type { Document } from '../documents/document.ts';
import { isKind } from '../documents/document.ts';
import type { ObligationSpec, RequireSpec } from '../documents/kinds/rule.ts';
import { durationMs } from '../documents/time.ts';
import { applyOne, escalation } from './reference-rule.ts';
import type { Applied, World } from './reference-rule.ts';

/** What the reference says of a request; lists without a meaningful order are sorted. */
export interface ReferenceDecision {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly decisive: readonly string[];
  /** `policy/rule` and the kinds that are open. */
  readonly open: readonly string[];
  /** Canonical JSON of each. */
  readonly obligations: readonly string[];
  /** `name key cost` of each. */
  readonly charges: readonly string[];
  readonly grantsUsed: readonly string[];
  /** `rule effect mode by` of each. */
  readonly matched: readonly string[];
  /** Verdict with audit and shadow enforced too, when it differs. */
  readonly shadow: Verdict | undefined;
}

/**
 * The decision semantics once more, slow and obvious: no index, no compiled closures, every document looked at for every request. Used
 * only by tests, as the oracle for the engine.
 */
export function referenceDecide(all: readonly Document[], request: DecisionRequest, digest: string): ReferenceDecision {
  const documents = all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const world: World = { documents, request };
  const applied = documents
    .filter((document) => isKind(document, 'Policy'))
    .flatMap((document) => document.spec.rules.flatMap((rule) => applyOne(document, rule, world) ?? []))
    .toSorted((a, b) => a.tier - b.tier || b.priority - a.priority || (a.id < b.id ? -1 : 1));
  const enforced = conclude(
    applied.filter(({ mode }) => mode === 'enforce'),
    world,
    digest,
  );
  const strict = conclude(
    applied.filter(({ mode }) => mode !== 'off'),
    world,
    digest,
  );
  const uses = new Set<string>();
  if (enforced.verdict === 'allow')
    for (const { exception } of applied)
      if (exception?.maxUses !== undefined) uses.add(`exception:${exception.name} ${exception.window} 1`);
  return {
    ...enforced,
    charges: [...enforced.charges, ...uses].sort(),
    matched: applied.map(({ id, effect, mode, by = '' }) => `${id} ${effect} ${mode} ${by}`).sort(),
    shadow: strict.verdict === enforced.verdict ? undefined : strict.verdict,
  };
}

type Concluded = Omit<ReferenceDecision, 'matched' | 'shadow'>;

const nothing = { decisive: [], open: [], obligations: [], charges: [], grantsUsed: [] };

function conclude(applied: readonly Applied[], world: World, digest: string): Concluded {
  const { request } = world;
  const allows = applied.filter(({ effect }) => effect === 'allow');
  const denies = applied.filter((deny) => deny.effect === 'deny' && !allows.some((allow) => mayOverride(allow, deny)));
  const observes = applied.filter(({ effect }) => effect === 'observe');
  const refuse = (reason: string, because: readonly Applied[] = [], riding: readonly Applied[] = []): Concluded => ({
    ...nothing,
    verdict: 'deny',
    reason,
    decisive: [...new Set(because.map(({ id }) => id))].sort(),
    obligations: merge([...riding, ...observes])
      .obligations.filter((obligation) => canDo(request, obligation))
      .map(canonicalJson)
      .sort(),
  });
  const [deny] = denies;
  if (deny !== undefined) return refuse(deny.failed ? 'EVALUATION_ERROR' : (deny.rule.reason ?? 'DENIED'), denies, denies);

  const challenges = applied.filter(({ effect }) => effect === 'require').map((one) => ({ one, ...answersTo(one, world, digest) }));
  const unmet = challenges.filter(({ open }) => open.length > 0);
  const [first] = unmet;
  if (first !== undefined) {
    const rules = unmet.map(({ one }) => one);
    if (unmet.some(({ open }) => open.some((kind) => !request.can.includes(kind)))) return refuse('CANNOT_ENFORCE', rules);
    return {
      ...refuse(first.one.failed ? 'EVALUATION_ERROR' : (first.one.rule.reason ?? 'REQUIREMENT_OPEN'), rules, rules),
      verdict: 'pending',
      open: unmet.map(({ one, open }) => `${one.id} ${open.join()}`).sort(),
    };
  }
  if (allows.length === 0 && request.phase !== 'response' && !allowedByDefault(world)) return refuse('NO_MATCHING_ALLOW');

  const contributing = applied.filter(({ effect }) => effect !== 'deny');
  const { obligations, conflict } = merge(contributing);
  if (conflict.length > 0) return refuse('OBLIGATION_CONFLICT', conflict);
  // Of several, the one whose type comes first is told.
  const missing = obligations.toSorted((a, b) => (a.type < b.type ? -1 : 1)).find((obligation) => !canDo(request, obligation));
  if (missing !== undefined)
    return refuse(
      'CANNOT_ENFORCE',
      contributing.filter((one) => one.obligations.some(({ type }) => type === missing.type)),
    );
  const charges = chargesOf(applied, world);
  if ('failed' in charges) return refuse('EVALUATION_ERROR', [charges.failed]);
  const empty = charges.charges.filter(({ counter }) => request.exceeded?.includes(counter) === true);
  const refusing = empty.find(({ onExceed }) => onExceed === 'deny');
  if (refusing !== undefined) return refuse(refusing.rule.rule.reason ?? 'QUOTA_EXCEEDED', [refusing.rule]);
  const asking = new Map(empty.flatMap(({ onExceed, rule }) => (onExceed === 'escalate' ? [[rule.id, rule]] : [])));
  const released = [...asking.values()]
    .toSorted((a, b) => applied.indexOf(a) - applied.indexOf(b))
    .map((rule) => ({ one: rule, ...answersTo({ ...rule, require: rule.require ?? escalation }, world, digest) }));
  const [stopping] = released.filter(({ open }) => open.length > 0);
  if (stopping !== undefined) {
    const open = released.filter((one) => one.open.length > 0);
    const rules = open.map(({ one }) => one);
    if (open.some((one) => one.open.some((kind) => !request.can.includes(kind)))) return refuse('CANNOT_ENFORCE', rules);
    return {
      ...refuse(stopping.one.rule.reason ?? 'QUOTA_EXCEEDED', rules, rules),
      verdict: 'pending',
      open: open.map(({ one, open: kinds }) => `${one.id} ${kinds.join()}`).sort(),
    };
  }
  return {
    verdict: 'allow',
    reason: allows[0]?.rule.reason ?? 'ALLOWED',
    decisive: [...allows, ...[...challenges, ...released].map(({ one }) => one)].map(({ id }) => id).sort(),
    open: [],
    obligations: obligations.map(canonicalJson).sort(),
    charges: charges.charges
      .filter((charge) => !empty.includes(charge))
      .map(({ counter, cost }) => `${counter} ${cost}`)
      .sort(),
    grantsUsed: [...new Set([...challenges, ...released].flatMap(({ used }) => used))].sort(),
  };
}

function mayOverride(allow: Applied, deny: Applied): boolean {
  if (allow.failed || deny.rule.waivable === false || !(allow.rule.overrides ?? []).includes(deny.id)) return false;
  return allow.tier < deny.tier || (allow.tier === deny.tier && allow.priority > deny.priority);
}

function allowedByDefault({ documents, request }: World): boolean {
  return documents.some((document) => isKind(document, 'Bundle') && document.spec.defaults?.[request.target] === 'allow');
}

function canDo({ can }: DecisionRequest, obligation: ObligationSpec): boolean {
  return can.includes(obligation.type);
}

/** The kinds of a challenge that no grant answers, and the grants that answer the others. */
function answersTo({ id, require }: Applied, { request }: World, digest: string): { open: string[]; used: string[] } {
  const terms = require as RequireSpec; // A rule with this effect has one.
  const bind: Record<string, unknown> = {};
  const roots: Record<string, unknown> = { subject: request.subject, resource: request.resource, context: request.context };
  for (const path of terms.approval?.bind ?? [])
    bind[path] =
      path.split('.').reduce<unknown>((value, segment) => (value as Record<string, unknown> | undefined)?.[segment], roots) ?? null;
  const bound = sha256Hex(canonicalJson({ binding: request.binding, bind, bundle: digest, rule: id }));
  const grants = request.grants
    .filter((grant) => grant.rule === id && grant.bound === bound && grant.expiresAt > request.now && grant.usesLeft > 0)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const open: string[] = [];
  const used: string[] = [];
  for (const kind of ['approval', 'justification', 'stepUp'] as const) {
    if (terms[kind] === undefined) continue;
    const fitting = grants.filter(({ kinds }) => kinds.includes(kind));
    const grant = fitting.find((candidate) => used.includes(candidate.id)) ?? fitting[0];
    if (grant === undefined) open.push(kind);
    else if (!used.includes(grant.id)) used.push(grant.id);
  }
  return { open, used };
}

const logLevels = ['debug', 'info', 'warning', 'alert'] as const;
const evidenceLevels = ['buffered', 'local', 'mirrored', 'witnessed'] as const;

/** Obligations of several rules: those of one key are joined, two routes of one key contradict each other. */
function merge(rules: readonly Applied[]): { obligations: ObligationSpec[]; conflict: Applied[] } {
  const owed = rules.flatMap((rule) => rule.obligations.map((obligation) => ({ rule, obligation })));
  const of = <T extends ObligationSpec['type']>(type: T) =>
    owed.flatMap(({ obligation }) => (obligation.type === type ? [obligation as Extract<ObligationSpec, { type: T }>] : []));
  const obligations: ObligationSpec[] = [];
  const texts = new Set<string>();
  for (const one of [...of('notify'), ...of('mask')]) if (texts.size < texts.add(canonicalJson(one)).size) obligations.push(one);
  const rows = of('row_limit').map(({ max }) => max);
  if (rows.length > 0) obligations.push({ type: 'row_limit', max: Math.min(...rows) });
  const levels = of('log').map(({ level }) => logLevels.indexOf(level));
  if (levels.length > 0) obligations.push({ type: 'log', level: logLevels[Math.max(...levels)] ?? 'info' });
  const evidence = of('record').map((record) => evidenceLevels.indexOf(record.evidence ?? 'buffered'));
  if (evidence.length > 0) obligations.push({ type: 'record', evidence: evidenceLevels[Math.max(...evidence)] ?? 'local' });
  const detectors = new Set(of('redact').flatMap(({ select }) => select.text.detectors));
  if (detectors.size > 0) obligations.push({ type: 'redact', select: { text: { detectors: [...detectors].sort() } } });
  const quarantines = of('quarantine').toSorted((a, b) => durationMs(b.ttl) - durationMs(a.ttl));
  const [longest] = quarantines;
  if (longest !== undefined)
    obligations.push({ type: 'quarantine', scope: [...new Set(quarantines.flatMap(({ scope }) => scope))].sort(), ttl: longest.ttl });
  const conflict = routes(owed, obligations);
  return { obligations, conflict };
}

/** The routes that nothing of a higher priority contradicts; two of one key and one priority are a conflict. */
function routes(owed: readonly { rule: Applied; obligation: ObligationSpec }[], obligations: ObligationSpec[]): Applied[] {
  const all = owed.flatMap(({ rule, obligation }) => (obligation.type === 'route' ? [{ rule, route: obligation }] : []));
  const best = all.filter(
    ({ rule, route }) =>
      !all.some((other) => other.route.key === route.key && other.route.to !== route.to && other.rule.priority > rule.priority),
  );
  const conflict = best.filter(({ route }) => best.some((other) => other.route.key === route.key && other.route.to !== route.to));
  for (const text of new Set(best.map(({ route }) => canonicalJson(route)))) obligations.push(JSON.parse(text) as ObligationSpec); // Written just now.
  return conflict.map(({ rule }) => rule);
}

interface Charge {
  readonly counter: string;
  readonly cost: number;
  readonly onExceed: 'deny' | 'escalate' | 'allow';
  readonly rule: Applied;
}

/** The dearest charge of each counter, with what the strictest rule says; a key that is absent is an error. */
function chargesOf(applied: readonly Applied[], { request }: World): { charges: Charge[] } | { failed: Applied } {
  const charges: Charge[] = [];
  const failed: Applied[] = [];
  for (const one of applied) {
    if (one.effect !== 'limit') continue;
    for (const { name, key, cost = '1' } of one.rule.limits ?? []) {
      const value = key[0] === 'context.purpose' ? request.context['purpose'] : request.subject.id;
      if (value === undefined) {
        if (one.rule.onError !== 'skip') failed.push(one);
        continue;
      }
      const counter = `${name} ${canonicalJson([value])}`;
      const { onExceed = 'deny' } = one.rule;
      charges.push({ counter, cost: Number(cost), onExceed: onExceed === 'skip' ? 'allow' : onExceed, rule: one });
    }
  }
  // The engine looks at rules in the order of their ids.
  const [first] = failed.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (first !== undefined) return { failed: first };
  const strictness = ['deny', 'escalate', 'allow'];
  const order = (a: Charge, b: Charge): number =>
    strictness.indexOf(a.onExceed) - strictness.indexOf(b.onExceed) || b.cost - a.cost || (a.rule.id < b.rule.id ? -1 : 1);
  return {
    charges: [...new Set(charges.map(({ counter }) => counter))].flatMap((counter) => {
      const sharing = charges.filter((charge) => charge.counter === counter).toSorted(order);
      const cost = Math.max(...sharing.map((charge) => charge.cost));
      return sharing.slice(0, 1).map((strictest) => ({ ...strictest, cost }));
    }),
  };
}
