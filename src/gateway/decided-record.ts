import { createHash } from 'node:crypto';
import { limits, type Decision, type FactRecord, type Operation, type OperationDecided, type Session } from '#model';
import { readsOf } from '#policy';
import type { Judged } from './judge.ts';
import type { LiveSession } from './point.ts';
import { wantedRecording } from './recording.ts';

/** Bounds that keep an `operation.decided` record well under the size of a ledger entry. Everything cut here is whole in the evidence. */
const normalizedCharactersMax = 2_048;
const objectsMax = 64;
const unknownMax = 16;
const matchedMax = 64;
const readsCharactersMax = 4_096;

/** The record of what was judged in a live session, with the attributes that the matched rules read. */
export function recordOf(live: LiveSession, judged: Judged, approval?: NonNullable<OperationDecided['approval']>): OperationDecided {
  const reads = readsOf(judged.bundle, judged.request, judged.decision);
  return decidedRecord(live.session, { ...judged, reads }, approval);
}

/** The record of a decision: what a stranger needs to follow it, without the literals, which go into the sealed evidence. */
export function decidedRecord(
  session: Session,
  judged: {
    readonly operation: Operation;
    readonly decision: Decision;
    readonly decisionId: string;
    readonly reads: Readonly<Record<string, unknown>>;
    readonly asked?: readonly FactRecord[];
    readonly tookUs?: number;
  },
  approval: OperationDecided['approval'],
): OperationDecided {
  const { operation, decision, decisionId } = judged;
  const { subject, resource } = session;
  const normalized = operation.normalized.toWellFormed();
  return {
    kind: 'operation.decided',
    session: session.id,
    operation: operation.id,
    n: operation.n,
    who: { subject: subject.id, ...(subject.onBehalfOf ? { onBehalfOf: subject.onBehalfOf.id } : {}) },
    what: {
      target: operation.target,
      resource: resource.id,
      verb: operation.verb.slice(0, 256),
      objects: bounded(operation.objects, objectsMax),
      normalized: normalized.slice(0, normalizedCharactersMax).toWellFormed(),
      ...(normalized.length > normalizedCharactersMax ? { normalizedCut: true } : {}),
      certainty: operation.certainty,
      ...(operation.unknown.length > 0 ? { unknown: bounded(operation.unknown, unknownMax) } : {}),
    },
    evidence: { text: operation.text.toWellFormed(), parameters: operation.parameters.map((value) => value?.toWellFormed() ?? null) },
    decision: {
      id: decisionId,
      verdict: decision.verdict,
      reason: decision.reason,
      rules: decision.decisive,
      matched: decision.matched.slice(0, matchedMax),
      obligations: [...new Set(decision.obligations.map(({ type }) => type))],
      ...(decision.requirements.length > 0
        ? { requirements: decision.requirements.map(({ rule, reason, bound }) => ({ rule, reason, bound })) }
        : {}),
      bundle: decision.bundle,
      ...(decision.shadow ? { shadow: decision.shadow } : {}),
      ...(decision.errors.length > 0 ? { errors: decision.errors.slice(0, matchedMax).map(shortened) } : {}),
      ...(decision.rollout ? { rollout: decision.rollout } : {}),
      reads: boundedReads(judged.reads),
      ...(judged.tookUs === undefined ? {} : { tookUs: judged.tookUs }),
      ...(judged.asked === undefined ? {} : { facts: judged.asked.slice(0, limits.foreignEnginesMax) }),
    },
    ...(decision.verdict === 'allow' ? recordingOf(decision) : {}),
    ...(approval ? { approval } : {}),
  };
}

function recordingOf(decision: Decision): Pick<OperationDecided, 'recording'> {
  const recording = wantedRecording(decision);
  return recording === undefined ? {} : { recording };
}

function bounded(values: readonly string[], max: number): readonly string[] {
  const short = values.slice(0, max).map((value) => value.toWellFormed().slice(0, 256).toWellFormed());
  return values.length > max ? [...short, `… ${values.length - max} more`] : short;
}

function shortened<T extends { readonly message: string }>(error: T): T {
  return { ...error, message: error.message.toWellFormed().slice(0, 256).toWellFormed() };
}

/** Keeps attributes while they fit; what does not fit is kept as a hash, so that equal inputs can still be recognised. */
function boundedReads(reads: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const kept: Record<string, unknown> = {};
  let room = readsCharactersMax;
  for (const path of Object.keys(reads).sort()) {
    const value = recordable(reads[path]);
    const size = path.length + JSON.stringify(value).length;
    kept[path] = size <= room ? value : `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}`;
    room -= Math.min(size, path.length + 80);
  }
  return kept;
}

/** Ledger entries carry integers only; anything else travels as a string. */
function recordable(value: unknown): unknown {
  if (value === undefined) return null;
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(recordable);
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key.toWellFormed(), recordable(member)]));
  }
  return typeof value;
}
