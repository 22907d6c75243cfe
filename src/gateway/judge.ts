import { decide, type Bundle } from '#policy';
import { newIdentifier, type Decision, type DecisionRequest, type Grant, type Operation, type World } from '#model';
import { bindingOf } from './binding.ts';
import type { Log } from './log.ts';
import type { LiveSession } from './point.ts';

/** An operation with what was asked and what was answered. */
export interface Judged {
  readonly bundle: Bundle;
  readonly operation: Operation;
  readonly request: DecisionRequest;
  readonly decision: Decision;
  readonly decisionId: string;
}

/** Stage decide: one operation of a live session, put to the policy. */
export function judge(
  parts: { readonly world: World },
  question: {
    live: LiveSession;
    operation: Operation;
    bundle: Bundle;
    grants: readonly Grant[];
    exceptionUses: Readonly<Record<string, number>>;
  },
): Judged {
  const { live, operation, bundle, grants, exceptionUses } = question;
  const { session } = live;
  const { roles: _roles, ...subject } = session.subject;
  const request: DecisionRequest = {
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
  };
  return { bundle, operation, request, decision: decide(bundle, request), decisionId: newIdentifier('dec', parts.world) };
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
