import assert from 'node:assert/strict';
import { decide, type Bundle } from '#policy';
import type { EvidenceLevel, Ledger } from '#ledger';
import {
  asFault,
  Fault,
  limits,
  unsent,
  type Decision,
  type DecisionRequest,
  type Operation,
  type Outcome,
  type ResultColumn,
  type World,
} from '#model';
import type { BundleInForce } from './bundle.ts';
import type { Facts } from './facts/index.ts';
import { buildGuard } from './guard/index.ts';
import type { Holds } from './hold.ts';
import { Counters } from './limits.ts';
import type { Log } from './log.ts';
import type { Admission, Admitted, LiveSession, Pipeline, SessionRecording, Waiting } from './point.ts';
import { recordOf } from './decided-record.ts';
import { judge, questionOf, tell, type Judged } from './judge.ts';
import { recordingFor, type Recordings } from './recording.ts';
import { denialOf, exceeded, refusalOf, refuse } from './refuse.ts';
import type { RolloutSteps } from './rollout-steps.ts';
import { Rounds } from './rounds.ts';

interface Parts {
  readonly world: World;
  readonly log: Log;
  readonly bundle: BundleInForce;
  readonly ledger: Ledger;
  readonly holds: Holds;
  /** 32 bytes that key hashes and tokens of masked values. */
  readonly maskingKey: Uint8Array;
  readonly counters: Counters;
  /** Absent: rollouts stand at the step of their document. */
  readonly rolloutSteps?: RolloutSteps;
  /** Absent: this gateway records no session, so what must be recorded is refused. */
  readonly recordings?: Recordings;
  /** Absent: nothing is found out before a decision, and rules that read facts do what they say for that. */
  readonly facts?: Facts;
}

/**
 * The one pipeline of every enforcement point: inspect (done by the point) → find out facts → decide → hold → record → release (the point,
 * with the permit) → guard → settle.
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
  parts.facts?.activities.shown(live, outcome.rows);
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
  const rounds = new Rounds();
  const refused = (of: Parameters<typeof refuse>[1]): Promise<Admission> => {
    const denied = of.judged.filter(({ decision }) => decision.verdict === 'deny').length;
    parts.facts?.activities.decided(live, operations.length, denied);
    return refuse(parts.ledger, of);
  };
  // Each round answers one held operation; everything is decided anew afterwards, with the bundle that is then in force.
  for (;;) {
    if (live.ended.aborted) return { kind: 'refused', refusal: refusalOf(asFault(live.ended.reason)) };
    const bundle = parts.bundle.current();
    if (bundle instanceof Fault) throw bundle;
    const { exceptionUses } = parts.counters;
    const rolloutSteps = parts.rolloutSteps?.of(bundle.ref.digest);
    const questions = operations.map((operation) => {
      const [grants, exceeded] = [rounds.grants(operation.id), rounds.exceeded(operation.id)];
      return questionOf(parts, { live, operation, grants, exceptionUses, exceeded, rolloutSteps });
    });
    const gathering = parts.facts?.gather(bundle, live, questions);
    const found = gathering && (await timed(parts.world, gathering, waiting));
    // What was found out is no answer to the questions of another policy, nor for a session that must end.
    if (found && (parts.bundle.current() !== bundle || live.ended.aborted)) continue;
    const judged = operations.map((operation, i) => {
      const question = questions[i];
      assert(question, 'there is a question for every operation');
      return judge(parts, { bundle, operation, question, found: found?.[i] });
    });
    for (const one of judged) tell(parts.log, live, one);
    const denied = judged.find(({ decision }) => decision.verdict === 'deny');
    if (denied) return refused({ live, judged, culprit: denied, refusal: denialOf(denied) });
    const held = judged.find(({ decision }) => decision.verdict === 'pending');
    if (!held) {
      const recorded = recordingFor(parts.recordings, live, judged);
      if ('fault' in recorded) {
        const { unrecordable: culprit, fault } = recorded;
        return refused({ live, judged, culprit, refusal: { ...refusalOf(fault), decisionId: culprit.decisionId } });
      }
      // Paid once and for the whole batch, when nothing else stands in the way: what is refused uses up nobody's quota.
      const payment = parts.counters.pay(judged.flatMap(({ decision }) => decision.limits ?? []));
      if (payment.ok) return release(parts, { live, judged, rounds, recorded });
      if (!payment.escalates) return refused(exceeded(live, judged, payment));
      const { charge } = payment;
      const short = judged.find(({ decision }) => decision.limits?.includes(charge) === true);
      assert(short, 'a charge belongs to an operation of its batch');
      rounds.escalate(short.operation.id, charge);
      continue;
    }
    const fault = rounds.refusalToAsk(held);
    if (fault) {
      return refused({ live, judged, culprit: held, refusal: { ...refusalOf(fault), decisionId: held.decisionId } });
    }
    await parts.ledger.append(recordOf(live, held));
    const answer = await parts.holds.ask(live, held, waiting);
    if (answer.kind === 'refused') {
      return refused({ live, judged, culprit: held, refusal: { ...refusalOf(answer.fault), decisionId: held.decisionId } });
    }
    rounds.answered(held, answer);
  }
}

/** Waits for the facts; the point is told when that took so long that what it understood may not be true any more. */
async function timed<T>(world: World, gathering: Promise<T>, waiting: Waiting): Promise<T> {
  const longNs = world.monotonicNs() + BigInt(limits.factsLongMs) * 1_000_000n;
  const found = await gathering;
  if (world.monotonicNs() > longNs) waiting.onDelay?.();
  return found;
}

/** Stage record, then the permits. Every record of the batch is durable before any permit is handed out. */
async function release(
  parts: Parts,
  batch: {
    live: LiveSession;
    judged: readonly Judged[];
    rounds: Rounds;
    recorded: { readonly recording?: SessionRecording };
  },
): Promise<Admission> {
  const { live, judged, rounds, recorded } = batch;
  const results = await Promise.allSettled(
    judged.map(async (one): Promise<Admitted> => {
      const grant = one.request.grants.find(({ id }) => one.decision.grantsUsed.includes(id));
      const request = grant && rounds.requestOf(grant.id);
      const approval = grant && request ? { grant: grant.id, request, ...(grant.approval ? { record: grant.approval } : {}) } : undefined;
      const permit = await parts.ledger.decide(recordOf(live, one, approval), { level: evidenceLevel(one.decision) });
      const { bundle, operation, request: decided, decision, decisionId, asked } = one;
      return { live, operation, request: decided, bundle: bundle.ref.digest, ...(asked && { asked }), decision, decisionId, permit };
    }),
  );
  const admitted = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    // Nothing of the batch runs, so what was recorded as allowed gets the outcome that it did not.
    await Promise.all(admitted.map((one) => settle(parts, one, unsent('refused'))));
    throw failed.reason;
  }
  for (const grant of judged.flatMap(({ decision }) => decision.grantsUsed)) {
    const request = rounds.requestOf(grant);
    if (request !== undefined) parts.holds.used(request, [grant]);
  }
  parts.facts?.activities.decided(live, judged.length, 0);
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
  const { operation, decisionId } = admitted;
  const response = decide(bundle, {
    ...knownUnder(parts, bundle, admitted),
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

/** What was asked, without what says nothing under this bundle: steps of the one before, and what engines said that this one does not have. */
function knownUnder({ rolloutSteps }: Parts, { ref, engines }: Bundle, { bundle, request, asked = [] }: Admitted): DecisionRequest {
  if (bundle === ref.digest) return request;
  const { rolloutSteps: _before, facts, ...known } = request;
  const steps = rolloutSteps?.of(ref.digest);
  const foreign = Object.entries(facts?.['foreign'] ?? {}).filter(([name]) =>
    asked.some(({ fact, digest }) => fact === `foreign.${name}` && digest === engines.get(name)?.digest),
  );
  return {
    ...known,
    ...(facts === undefined ? {} : { facts: { ...facts, foreign: Object.fromEntries(foreign) } }),
    ...(steps === undefined ? {} : { rolloutSteps: steps }),
  };
}
