import { decide } from '#policy';
import type { EvidenceLevel, Ledger } from '#ledger';
import { asFault, Fault, unsent, type Decision, type Grant, type Operation, type Outcome, type ResultColumn, type World } from '#model';
import type { BundleInForce } from './bundle.ts';
import { buildGuard } from './guard/index.ts';
import type { Holds } from './hold.ts';
import { Counters } from './limits.ts';
import type { Log } from './log.ts';
import type { Admission, Admitted, LiveSession, Pipeline, SessionRecording, Waiting } from './point.ts';
import { recordOf } from './decided-record.ts';
import { judge, tell, type Judged } from './judge.ts';
import { recordingFor, type Recordings } from './recording.ts';
import { denialOf, exceeded, refusalOf, refuse } from './refuse.ts';

interface Parts {
  readonly world: World;
  readonly log: Log;
  readonly bundle: BundleInForce;
  readonly ledger: Ledger;
  readonly holds: Holds;
  /** 32 bytes that key hashes and tokens of masked values. */
  readonly maskingKey: Uint8Array;
  readonly counters: Counters;
  /** Absent: this gateway records no session, so what must be recorded is refused. */
  readonly recordings?: Recordings;
}

/**
 * The one pipeline of every enforcement point: inspect (done by the point) → decide → hold → record → release (the point, with the permit)
 * → guard → settle.
 *
 * INVARIANT: the order of the stages is a security property. It is written out in `admit` and is not configurable.
 */
export function createPipeline(given: Omit<Parts, 'counters'> & { readonly counters?: Counters }): Pipeline {
  const parts: Parts = { ...given, counters: given.counters ?? new Counters(given.world) };
  return {
    admit: async (live, operations, waiting) => {
      try {
        return await admit(parts, { live, operations, waiting });
      } catch (thrown) {
        const fault = asFault(thrown);
        if (fault.code === 'INTERNAL') parts.log.error({ session: live.session.id, fault: fault.message }, 'admitting an operation failed');
        return { kind: 'refused', refusal: refusalOf(fault) };
      }
    },
    guard: (admitted, columns) => guard(parts, admitted, columns),
    settle: (admitted, outcome) => settle(parts, admitted, outcome),
  };
}

/** Stage settle. Never rejects. */
async function settle(parts: Parts, admitted: Admitted, outcome: Outcome): Promise<void> {
  const { live, operation, permit } = admitted;
  try {
    // Only what ran ahead of its record has to wait for it.
    const { index } = permit.durable ?? (await permit.recorded);
    await parts.ledger.append({
      kind: 'operation.settled',
      session: live.session.id,
      operation: operation.id,
      n: operation.n,
      for: index,
      outcome,
    });
  } catch (thrown) {
    // The decision is durable and stays without an outcome: the next recovery states it as in doubt. The ledger ends the process itself.
    parts.log.error({ session: live.session.id, fault: asFault(thrown).code }, 'an outcome could not be recorded');
  }
}

interface Batch {
  readonly live: LiveSession;
  readonly operations: readonly Operation[];
  readonly waiting: Waiting;
}

async function admit(parts: Parts, batch: Batch): Promise<Admission> {
  const { live, operations, waiting } = batch;
  const grants: Grant[] = [];
  const requests = new Map<string, string>();
  // Each round answers one held operation; everything is decided anew afterwards, with the bundle that is then in force.
  for (;;) {
    if (live.ended.aborted) return { kind: 'refused', refusal: refusalOf(asFault(live.ended.reason)) };
    const bundle = parts.bundle.current();
    if (bundle instanceof Fault) throw bundle;
    const { exceptionUses } = parts.counters;
    const judged = operations.map((operation) => judge(parts, { live, operation, bundle, grants, exceptionUses }));
    for (const one of judged) tell(parts.log, live, one);
    const denied = judged.find(({ decision }) => decision.verdict === 'deny');
    if (denied) return refuse(parts.ledger, { live, judged, culprit: denied, refusal: denialOf(denied) });
    const held = judged.find(({ decision }) => decision.verdict === 'pending');
    if (!held) {
      const recorded = recordingFor(parts.recordings, live, judged);
      if ('fault' in recorded) {
        const { unrecordable: culprit, fault } = recorded;
        return refuse(parts.ledger, { live, judged, culprit, refusal: { ...refusalOf(fault), decisionId: culprit.decisionId } });
      }
      // Paid once and for the whole batch, when nothing else stands in the way: what is refused uses up nobody's quota.
      const payment = parts.counters.pay(judged.flatMap(({ decision }) => decision.limits ?? []));
      if (!payment.ok) return refuse(parts.ledger, exceeded(live, judged, payment));
      return release(parts, { live, judged, requests, recorded });
    }
    if (requests.has(held.operation.id)) {
      const fault = new Fault('APPROVAL_WITHDRAWN', 'the policy changed while the operation was waiting; run it again to ask again');
      return refuse(parts.ledger, { live, judged, culprit: held, refusal: { ...refusalOf(fault), decisionId: held.decisionId } });
    }
    await parts.ledger.append(recordOf(live, held));
    const answer = await parts.holds.ask(live, held, waiting);
    if (answer.kind === 'refused') {
      return refuse(parts.ledger, { live, judged, culprit: held, refusal: { ...refusalOf(answer.fault), decisionId: held.decisionId } });
    }
    grants.push(...answer.grants);
    requests.set(held.operation.id, answer.request);
  }
}

/** Stage record, then the permits. Every record of the batch is durable before any permit is handed out. */
async function release(
  parts: Parts,
  batch: {
    live: LiveSession;
    judged: readonly Judged[];
    requests: ReadonlyMap<string, string>;
    recorded: { readonly recording?: SessionRecording };
  },
): Promise<Admission> {
  const { live, judged, requests, recorded } = batch;
  const results = await Promise.allSettled(
    judged.map(async (one): Promise<Admitted> => {
      const grant = one.request.grants.find(({ id }) => one.decision.grantsUsed.includes(id));
      const request = requests.get(one.operation.id);
      const approval = grant && request ? { grant: grant.id, request, ...(grant.approval ? { record: grant.approval } : {}) } : undefined;
      const permit = await parts.ledger.decide(recordOf(live, one, approval), { level: evidenceLevel(one.decision) });
      const { operation, request: decided, decision, decisionId } = one;
      return { live, operation, request: decided, decision, decisionId, permit };
    }),
  );
  const admitted = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    // Nothing of the batch runs, so what was recorded as allowed gets the outcome that it did not.
    await Promise.all(admitted.map((one) => settle(parts, one, unsent('refused'))));
    throw failed.reason;
  }
  for (const { operation, decision } of judged) {
    const request = requests.get(operation.id);
    if (request) parts.holds.used(request, decision.grantsUsed);
  }
  return { kind: 'released', admitted, ...recorded };
}

/** Where a rule wants the record kept before the operation is released; the decision has joined what several rules want. */
function evidenceLevel({ obligations }: Decision): EvidenceLevel {
  for (const one of obligations) if (one.type === 'record') return one.evidence ?? 'local';
  return 'local';
}

/** Stage guard. The response phase can only tighten what the request phase allowed. */
function guard(parts: Parts, admitted: Admitted, columns: readonly ResultColumn[]): ReturnType<Pipeline['guard']> {
  const bundle = parts.bundle.current();
  if (bundle instanceof Fault) return refusalOf(bundle);
  const { operation, request, decisionId } = admitted;
  const response = decide(bundle, {
    ...request,
    phase: 'response',
    now: parts.world.now(),
    attributes: { ...operation.attributes, result: { columns } },
  });
  if (response.verdict !== 'allow') return denialOf({ decision: response, decisionId });
  return buildGuard([...admitted.decision.obligations, ...response.obligations], columns, {
    key: parts.maskingKey,
    rules: response.matched.filter(({ mode }) => mode === 'enforce').map(({ rule }) => rule),
  });
}
