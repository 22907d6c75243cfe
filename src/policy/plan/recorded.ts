import type { Certainty, Target, Verdict } from '#model';
import { targets } from '../documents/kinds/policy.ts';

/** What of an `operation.decided` entry a replay needs. SPEC: docs/formats/record.md */
export interface RecordedDecision {
  readonly index: number;
  readonly t: number;
  readonly session: string;
  readonly subject: string;
  readonly onBehalfOf: string | undefined;
  readonly target: Target;
  readonly resource: string;
  readonly verb: string;
  /** Tables of a statement; undefined when the list was cut. */
  readonly objects: readonly string[] | undefined;
  readonly normalized: string;
  readonly normalizedCut: boolean;
  readonly certainty: Certainty;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly rules: readonly string[];
  readonly matched: readonly string[];
  /** What changed the matched rules: `exception:name`, `override:name`, `rollout:name`. */
  readonly by: readonly string[];
  readonly bundle: string;
  readonly reads: Readonly<Record<string, unknown>>;
  readonly approved: boolean;
}

/** What a session's opening says about all its operations. */
export interface RecordedSession {
  readonly session: string;
  readonly subject: string;
  readonly groups: readonly string[];
  readonly point: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, unknown>>;
}

export type Recorded =
  | { readonly kind: 'decision'; readonly decision: RecordedDecision }
  | { readonly kind: 'session'; readonly session: RecordedSession };

/** Reads an entry of a ledger as far as a replay needs it; undefined for other kinds, `malformed` for what is no entry. */
export function recordedFrom(line: string): Recorded | 'malformed' | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return 'malformed';
  }
  if (!isMap(entry) || typeof entry['kind'] !== 'string') return 'malformed';
  if (entry['kind'] === 'operation.decided') return decisionFrom(entry) ?? 'malformed';
  return entry['kind'] === 'session.opened' ? (sessionFrom(entry) ?? 'malformed') : undefined;
}

type Entry = Readonly<Record<string, unknown>>;

function decisionFrom(entry: Entry): Recorded | undefined {
  const { who, what, decision } = entry;
  if (!isMap(who) || !isMap(what) || !isMap(decision)) return undefined;
  const { reads, bundle, matched } = decision;
  const target = targets.find((known) => known === what['target']);
  const verdict = (['allow', 'deny', 'pending'] as const).find((known) => known === decision['verdict']);
  const certainty = (['parsed', 'partial', 'opaque'] as const).find((known) => known === what['certainty']);
  if (target === undefined || verdict === undefined || certainty === undefined || !isMap(reads) || !isMap(bundle)) return undefined;
  return {
    kind: 'decision',
    decision: {
      index: numberOf(entry['i']),
      t: numberOf(entry['t']),
      session: textOf(entry['session']),
      subject: textOf(who['subject']),
      onBehalfOf: typeof who['onBehalfOf'] === 'string' ? who['onBehalfOf'] : undefined,
      target,
      resource: textOf(what['resource']),
      verb: textOf(what['verb']),
      objects: objectsOf(what['objects']),
      normalized: textOf(what['normalized']),
      normalizedCut: what['normalizedCut'] === true,
      certainty,
      verdict,
      reason: textOf(decision['reason']),
      rules: textsOf(decision['rules']),
      matched: Array.isArray(matched) ? matched.flatMap((one: unknown) => (isMap(one) ? textOf(one['rule']) : [])) : [],
      by: Array.isArray(matched) ? matched.flatMap((one: unknown) => (isMap(one) && typeof one['by'] === 'string' ? one['by'] : [])) : [],
      bundle: textOf(bundle['digest']),
      reads,
      approved: entry['approval'] !== undefined,
    },
  };
}

function sessionFrom(entry: Entry): Recorded | undefined {
  const { who, what } = entry;
  if (!isMap(who) || !isMap(what)) return undefined;
  const context = { source: who['source'], client: what['client'], authentication: who['authentication'] };
  return {
    kind: 'session',
    session: {
      session: textOf(entry['session']),
      subject: textOf(who['subject']),
      groups: textsOf(who['groups']),
      point: textOf(what['point']),
      resource: textOf(what['resource']),
      context: Object.fromEntries(Object.entries(context).filter(([, value]) => typeof value === 'string')),
    },
  };
}

function isMap(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** A list that was cut says so in its last member. */
function objectsOf(value: unknown): readonly string[] | undefined {
  const objects = textsOf(value);
  return objects.at(-1)?.startsWith('… ') === true ? undefined : objects;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
