import type { RolloutTerms } from '#policy';
import type { RecordedDecision } from '../../evidence/recorded.ts';

/** What was counted since a step of a rollout began. JSON. */
export interface Measured {
  /** Decisions about the targets of the rolled-out rules. */
  readonly decisions: number;
  /** Of them, refused or held by nothing but these rules, or in shadow: they would have been. */
  readonly newDenies: number;
  /** Of them, such in which one of these rules could not be evaluated. */
  readonly errors: number;
  /** Of them, such in which these rules in shadow or audit mode say something else than what was decided. */
  readonly disagreements: number;
  /** How long decisions took in which one of these rules applied: number of them by `latencyBucket`. */
  readonly latency: Readonly<Record<string, number>>;
}

export const nothingMeasured: Measured = { decisions: 0, newDenies: 0, errors: 0, disagreements: 0, latency: {} };

type Decided = Pick<RecordedDecision, 'what' | 'decision'>;

/** The same with one more recorded decision. */
export function measured(
  so: Measured,
  { what, decision }: Decided,
  rollout: Pick<RolloutTerms, 'name' | 'candidate' | 'rules' | 'targets'>,
): Measured {
  // Of a batch that was refused for another operation; that one has its own record.
  if (decision.reason === 'BATCH_REFUSED') return so;
  if (!rollout.targets.some((target) => target === what.target)) return so;
  if (rollout.candidate !== undefined) return beside(so, decision, rollout.name);
  const own = (rules: readonly string[]): boolean => rules.length > 0 && rules.every((rule) => rollout.rules.includes(rule));
  const { shadow, verdict, rules, errors = [], matched, tookUs } = decision;
  const stopped = verdict !== 'allow' && own(rules);
  const wouldStop = verdict === 'allow' && shadow !== undefined && shadow.verdict !== 'allow' && own(shadow.rules);
  const disagrees = shadow !== undefined && shadow.rules.some((rule) => rollout.rules.includes(rule));
  const applied = matched.some(({ rule }) => rollout.rules.includes(rule));
  const bucket = applied && tookUs !== undefined ? latencyBucket(tookUs) : undefined;
  return {
    decisions: so.decisions + 1,
    newDenies: so.newDenies + (stopped || wouldStop ? 1 : 0),
    errors: so.errors + (errors.some(({ rule }) => rollout.rules.includes(rule)) ? 1 : 0),
    disagreements: so.disagreements + (disagrees ? 1 : 0),
    latency: bucket === undefined ? so.latency : { ...so.latency, [bucket]: (so.latency[bucket] ?? 0) + 1 },
  };
}

/** A candidate bundle is compared with the bundle in force, decision by decision, whichever of them decided. */
function beside(so: Measured, { verdict, rollout, tookUs }: Decided['decision'], name: string): Measured {
  if (rollout?.name !== name) return so;
  const { side, failed = false, other } = rollout;
  const [candidate, current] = side === 'candidate' ? [verdict, other?.verdict ?? verdict] : [other?.verdict ?? verdict, verdict];
  const bucket = tookUs === undefined ? undefined : latencyBucket(tookUs);
  return {
    decisions: so.decisions + 1,
    newDenies: so.newDenies + (candidate !== 'allow' && current === 'allow' ? 1 : 0),
    errors: so.errors + (failed ? 1 : 0),
    disagreements: so.disagreements + (candidate === current ? 0 : 1),
    latency: bucket === undefined ? so.latency : { ...so.latency, [bucket]: (so.latency[bucket] ?? 0) + 1 },
  };
}

/** Eight buckets for each doubling: what is read from them is at most a tenth too large. */
const bucketsPerDoubling = 8;

export function latencyBucket(us: number): number {
  return Math.floor(Math.log2(Math.max(1, us)) * bucketsPerDoubling);
}

/** The time that 99 of 100 decisions did not exceed, in milliseconds, rounded up to the end of its bucket; undefined without decisions. */
export function p99Ms(latency: Measured['latency']): number | undefined {
  const counts = Object.entries(latency).map(([bucket, count]) => ({ bucket: Number(bucket), count }));
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  let below = 0;
  for (const { bucket, count } of counts.toSorted((a, b) => a.bucket - b.bucket)) {
    below += count;
    if (below >= total * 0.99) return 2 ** ((bucket + 1) / bucketsPerDoubling) / 1_000;
  }
  return undefined;
}
