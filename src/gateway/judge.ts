import { decide, type Bundle } from '#policy';
import {
  newIdentifier,
  type Decision,
  type DecisionRequest,
  type FactRecord,
  type Grant,
  type Operation,
  type RolloutOffer,
  type World,
} from '#model';
import { bindingOf } from './binding.ts';
import type { Gathered } from './facts/index.ts';
import type { Log } from './log.ts';
import type { LiveSession } from './point.ts';

/** An operation with what was asked and what was answered. */
export interface Judged {
  readonly bundle: Bundle;
  readonly operation: Operation;
  readonly request: DecisionRequest;
  readonly decision: Decision;
  readonly decisionId: string;
  /** Microseconds that the decision took. */
  readonly tookUs: number;
  /** What was asked for before the decision; absent when nothing was. */
  readonly asked?: readonly FactRecord[];
}

/** One operation of a live session as it is put to the policy, without facts. */
export function questionOf(
  parts: { readonly world: World },
  question: {
    live: LiveSession;
    operation: Operation;
    grants: readonly Grant[];
    exceptionUses: Readonly<Record<string, number>>;
    exceeded: readonly string[];
    rolloutSteps: RolloutOffer['steps'] | undefined;
  },
): DecisionRequest {
  const { live, operation, grants, exceptionUses, exceeded, rolloutSteps } = question;
  const { session } = live;
  const { roles: _roles, ...subject } = session.subject;
  return {
    target: operation.target,
    phase: 'request',
    point: session.point,
    now: parts.world.now(),
    subject,
    resource: session.resource,
    context: {
      certainty: operation.certainty,
      source: session.source,
      client: session.client,
      authentication: session.authentication,
    },
    attributes: operation.attributes,
    can: operation.can,
    binding: bindingOf(session, operation),
    grants,
    exceptionUses,
    ...(exceeded.length === 0 ? {} : { exceeded }),
    ...(rolloutSteps === undefined ? {} : { rolloutSteps }),
  };
}

/** Stage decide: the question with what was found out about it. */
export function judge(
  parts: { readonly world: World },
  { bundle, operation, question, found }: { bundle: Bundle; operation: Operation; question: DecisionRequest; found: Gathered | undefined },
): Judged {
  const request = found === undefined ? question : { ...question, facts: found.facts };
  const startNs = parts.world.monotonicNs();
  const decision = decide(bundle, request);
  const tookUs = Number((parts.world.monotonicNs() - startNs) / 1_000n);
  const judged = { bundle, operation, request, decision, decisionId: newIdentifier('dec', parts.world), tookUs };
  return found === undefined || found.records.length === 0 ? judged : { ...judged, asked: found.records };
}

/** Obligation `log`: a line for operators. Never the text: that is evidence, and sealed. */
export function tell(log: Log, live: LiveSession, { decision, decisionId, operation }: Judged): void {
  for (const obligation of decision.obligations) {
    if (obligation.type !== 'log' || obligation.level === 'debug') continue;
    const { verdict, reason, decisive } = decision;
    const fields = {
      session: live.session.id,
      subject: live.session.subject.id,
      decision: decisionId,
      verb: operation.verb,
      verdict,
      reason,
      rules: decisive,
    };
    log[obligation.level === 'info' ? 'info' : obligation.level === 'warning' ? 'warn' : 'error'](fields, 'a rule asked for this line');
  }
}
