import { canonicalJson, maskStrategies, unreachable } from '#model';
import type { Decision, LogObligation, MaskObligation, MutateObligation, Obligation, RecordObligation, RouteObligation } from '#model';
import { durationMs } from '../documents/time.ts';
import { compareText } from '../problem.ts';

/** An obligation with what decides when two contradict each other. */
export interface Owed {
  readonly obligation: Obligation;
  readonly priority: number;
  /** `policy/rule` */
  readonly rule: string;
}

export interface Merged {
  readonly obligations: readonly Obligation[];
  /** Rules whose obligations contradict each other at equal priority. */
  readonly conflict: readonly string[];
}

/**
 * Merges obligations. Every join is associative, commutative and idempotent, so neither the order of rules nor repetition matters;
 * the result is in canonical order. Masks are kept side by side, because which of them meet in a column is known only to who has the
 * column: `strictestMask` is their join.
 */
export function mergeObligations(owed: readonly Owed[]): Merged {
  if (owed.length === 0) return nothing;
  const conflict = new Set<string>();
  const byType = Map.groupBy(owed, ({ obligation }) => obligation.type);
  const obligations: Obligation[] = [];
  for (const members of byType.values()) obligations.push(...joinOfType(members, conflict));
  obligations.sort((a, b) => compareText(a.type, b.type) || compareText(textOf(a), textOf(b)));
  return { obligations, conflict: [...conflict].sort() };
}

const nothing: Merged = { obligations: [], conflict: [] };

function joinOfType(members: readonly Owed[], conflict: Set<string>): readonly Obligation[] {
  const [first] = members;
  if (first === undefined) return [];
  const { type } = first.obligation;
  switch (type) {
    case 'mask':
    case 'notify':
      return distinct(members.map(({ obligation }) => obligation));
    case 'redact': {
      const detectors = new Set(only(members, 'redact').flatMap((redact) => redact.select.text.detectors));
      return [{ type, select: { text: { detectors: [...detectors].sort() } } }];
    }
    case 'row_limit':
      return [{ type, max: Math.min(...only(members, 'row_limit').map((limit) => limit.max)) }];
    case 'quarantine': {
      const all = only(members, 'quarantine');
      const scope = new Set(all.flatMap((quarantine) => quarantine.scope));
      const [longest] = all.map(({ ttl }) => ttl).sort((a, b) => durationMs(b) - durationMs(a) || compareText(a, b));
      return [{ type, scope: [...scope].sort(), ttl: longest ?? 'PT0S' }];
    }
    case 'record':
      return [strictestRecord(only(members, 'record'))];
    case 'log':
      return [
        {
          type,
          level:
            highest(
              logLevels,
              only(members, 'log').map((log) => log.level),
            ) ?? 'info',
        },
      ];
    case 'mutate':
      return settle(members, { contradict: mutationsContradict, conflict });
    case 'route':
      return settle(members, { contradict: routesContradict, conflict });
    default:
      return unreachable(type);
  }
}

function only<T extends Obligation['type']>(members: readonly Owed[], type: T): Extract<Obligation, { type: T }>[] {
  return members
    .map(({ obligation }) => obligation)
    .filter((obligation): obligation is Extract<Obligation, { type: T }> => obligation.type === type);
}

function distinct(obligations: readonly Obligation[]): Obligation[] {
  return [...new Map(obligations.map((obligation) => [textOf(obligation), obligation])).values()];
}

const texts = new WeakMap<Obligation, string>();

/** Canonical text of an obligation. Most are constants of the bundle, so it is worked out once for each. */
function textOf(obligation: Obligation): string {
  let text = texts.get(obligation);
  if (text === undefined) {
    text = canonicalJson(obligation);
    texts.set(obligation, text);
  }
  return text;
}

const logLevels = ['debug', 'info', 'warning', 'alert'] as const satisfies readonly LogObligation['level'][];
const evidenceLevels = ['buffered', 'local', 'mirrored', 'witnessed'] as const;
const recordingLevels = ['off', 'best_effort', 'required'] as const;

function strictestRecord(records: readonly RecordObligation[]): RecordObligation {
  const evidence = highest(
    evidenceLevels,
    records.map((record) => record.evidence),
  );
  const recording = highest(
    recordingLevels,
    records.map((record) => record.recording),
  );
  return { type: 'record', ...(evidence === undefined ? {} : { evidence }), ...(recording === undefined ? {} : { recording }) };
}

function highest<T extends string>(levels: readonly T[], found: readonly (T | undefined)[]): T | undefined {
  return levels.findLast((level) => found.includes(level));
}

/**
 * Where two contradict, the higher priority wins; at equal priority it is a conflict. What is beaten by anything is out, whether or not
 * the winner survives itself: so the result does not depend on the order in which pairs are looked at.
 */
function settle(
  members: readonly Owed[],
  { contradict, conflict }: { contradict: (a: Obligation, b: Obligation) => boolean; conflict: Set<string> },
): Obligation[] {
  const standing = members.filter(
    (one) => !members.some((other) => other.priority > one.priority && contradict(one.obligation, other.obligation)),
  );
  for (const [i, one] of standing.entries()) {
    for (const other of standing.slice(i + 1)) {
      if (!contradict(one.obligation, other.obligation)) continue;
      conflict.add(one.rule);
      conflict.add(other.rule);
    }
  }
  return distinct(standing.map(({ obligation }) => obligation));
}

function mutationsContradict(a: Obligation, b: Obligation): boolean {
  const { patch: one } = a as MutateObligation; // `settle` is called per type.
  const { patch: other } = b as MutateObligation;
  if (one.path === other.path) return canonicalJson(one) !== canonicalJson(other);
  return one.path.startsWith(`${other.path}/`) || other.path.startsWith(`${one.path}/`);
}

function routesContradict(a: Obligation, b: Obligation): boolean {
  const one = a as RouteObligation; // `settle` is called per type.
  const other = b as RouteObligation;
  return one.key === other.key && one.to !== other.to;
}

/** From what shows most to what shows least. */
const keeps = ['domain', 'last4', 'year', 'first1'] as const;

/**
 * The strictest of the masks that apply to one column: drop > redact > hash > tokenize > partial > none; between partial masks the one
 * that shows less. A total order, so any grouping of the masks gives the same answer. Undefined for no masks.
 */
export function strictestMask(masks: readonly MaskObligation[]): MaskObligation | undefined {
  let strictest: MaskObligation | undefined;
  for (const mask of masks) if (strictest === undefined || compareMasks(mask, strictest) > 0) strictest = mask;
  return strictest;
}

function compareMasks(a: MaskObligation, b: MaskObligation): number {
  const strategy = maskStrategies.indexOf(a.with.strategy) - maskStrategies.indexOf(b.with.strategy);
  if (strategy !== 0) return strategy;
  const keep =
    (a.with.keep === undefined ? -1 : keeps.indexOf(a.with.keep)) - (b.with.keep === undefined ? -1 : keeps.indexOf(b.with.keep));
  return keep || compareText(a.with.text ?? '', b.with.text ?? '') || compareText(canonicalJson(a), canonicalJson(b));
}

/** A response-phase decision on top of the request-phase one it follows: whatever is stricter of both. */
export function tighten(request: Decision, response: Decision): Decision {
  if (request.verdict !== 'allow') return request;
  const owed = [...request.obligations, ...response.obligations].map((obligation) => ({ obligation, priority: 0, rule: '' }));
  const { obligations, conflict } = mergeObligations(owed);
  if (response.verdict === 'allow' && conflict.length > 0) {
    return { ...response, verdict: 'deny', reason: 'OBLIGATION_CONFLICT', message: conflictMessage, obligations: [] };
  }
  return response.verdict === 'allow' ? { ...response, obligations } : response;
}

export const conflictMessage = 'Two rules ask for contradicting changes of this operation, so it was refused. Tell the policy owners.';
