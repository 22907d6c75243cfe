import { verify, type KeyObject } from 'node:crypto';
import {
  asFault,
  canonicalJson,
  Fault,
  limits,
  type Decision,
  type Grant,
  type HoldEscalation,
  type HoldRequest,
  type HoldResolution,
  type Operation,
  type Requirement,
  type SignedGrant,
  type World,
} from '#model';
import type { HoldNotice, LiveSession, Waiting } from './point.ts';

/** What the hold stage needs of the link to the control plane. */
export interface HoldLink {
  open(request: HoldRequest): Promise<{ request: string; expiresAt: number }>;
  withdraw(request: string, reason: string): void;
  used(request: string, grant: string): void;
  /** Calls back once when the request is answered, with a fault when the link is lost; and when others are asked meanwhile. Returns how to stop listening. */
  onResolved(
    request: string,
    listener: (answer: HoldResolution | Fault) => void,
    onEscalated: (escalation: HoldEscalation) => void,
  ): () => void;
  /** The control plane's key, known since `hello`. */
  controlKey(): KeyObject;
}

/** The answer to a hold: grants that verify, or the fault to refuse with. */
export type HoldAnswer =
  | { readonly kind: 'granted'; readonly request: string; readonly grants: readonly Grant[] }
  | { readonly kind: 'refused'; readonly fault: Fault };

/** Grace over the control plane's own expiry, so that its answer wins when both clocks agree. */
const expiryGraceMs = 2_000;

/** Stage hold: an operation waits here until people have answered every challenge, or somebody gave up. */
export class Holds {
  readonly #world: World;
  readonly #link: HoldLink;

  constructor(world: World, link: HoldLink) {
    this.#world = world;
    this.#link = link;
  }

  async ask(
    live: LiveSession,
    question: { operation: Operation; decision: Decision; decisionId: string },
    waiting: Waiting,
  ): Promise<HoldAnswer> {
    const { operation, decision } = question;
    const impossible = unanswerable(operation, decision.requirements);
    if (impossible) return { kind: 'refused', fault: impossible };
    try {
      const request = holdRequest(live, question);
      const opened = await this.#link.open(request);
      const notice = noticeOf(opened, decision.requirements);
      waiting.onHold(notice);
      const answer = await this.#wait(opened.request, request.timeoutMs, {
        signals: [waiting.signal, live.ended],
        onEscalated: ({ reviewers, expiresAt }) => waiting.onHold({ ...notice, reviewers, expiresAt }),
      });
      if (answer instanceof Fault) return { kind: 'refused', fault: answer };
      return this.#judge(answer, operation, decision.requirements);
    } catch (thrown) {
      return { kind: 'refused', fault: asFault(thrown) };
    }
  }

  /** Tells the control plane that the grants were spent; they cannot be spent twice here because the operation is gone. */
  used(request: string, grants: readonly string[]): void {
    for (const grant of grants) this.#link.used(request, grant);
  }

  #wait(
    request: string,
    timeoutMs: number,
    { signals, onEscalated }: { readonly signals: readonly AbortSignal[]; readonly onEscalated: (escalation: HoldEscalation) => void },
  ): Promise<HoldResolution | Fault> {
    return new Promise((resolve) => {
      const finish = (answer: HoldResolution | Fault, withdraw?: string): void => {
        timer.cancel();
        stop();
        for (const signal of signals) signal.removeEventListener('abort', aborted);
        if (withdraw) this.#link.withdraw(request, withdraw);
        resolve(answer);
      };
      const aborted = (): void =>
        finish(new Fault('APPROVAL_WITHDRAWN', `the request ${request} was withdrawn`), 'the requester cancelled or went away');
      const timer = this.#world.after(timeoutMs + expiryGraceMs, () =>
        finish(new Fault('APPROVAL_TIMEOUT', `nobody answered the request ${request} in time`), 'expired at the gateway'),
      );
      const stop = this.#link.onResolved(request, (answer) => finish(answer), onEscalated);
      for (const signal of signals) signal.addEventListener('abort', aborted, { once: true });
      if (signals.some((signal) => signal.aborted)) aborted();
    });
  }

  #judge(answer: HoldResolution, operation: Operation, requirements: readonly Requirement[]): HoldAnswer {
    if (answer.status === 'refused') {
      const comment = answer.comment ? `: ${answer.comment}` : '';
      return {
        kind: 'refused',
        fault: new Fault('APPROVAL_REFUSED', `${answer.by.join(', ')} refused the request ${answer.request}${comment}`),
      };
    }
    if (answer.status === 'expired') {
      return { kind: 'refused', fault: new Fault('APPROVAL_TIMEOUT', `nobody answered the request ${answer.request} in time`) };
    }
    const grants = answer.grants.filter((signed) => this.#genuine(signed, operation)).map(toGrant);
    const unanswered = requirements.find((requirement) => !grants.some((grant) => grant.bound === requirement.bound));
    if (unanswered) {
      return {
        kind: 'refused',
        fault: new Fault('APPROVAL_REFUSED', `the answer to ${answer.request} does not cover rule ${unanswered.rule}`),
      };
    }
    return { kind: 'granted', request: answer.request, grants };
  }

  #genuine({ grant, signature }: SignedGrant, operation: Operation): boolean {
    const signed = verify(null, Buffer.from(canonicalJson(grant)), this.#link.controlKey(), Buffer.from(signature, 'base64'));
    return signed && grant.operation === operation.id && grant.expiresAt > this.#world.now();
  }
}

function toGrant({ grant }: SignedGrant): Grant {
  const { id, rule, kinds, bound, expiresAt, uses, approval } = grant;
  return { id, rule, kinds, bound, expiresAt, usesLeft: uses, ...(approval === undefined ? {} : { approval }) };
}

/** Challenges that no reviewer could answer here; refused at once instead of waiting in vain. */
function unanswerable(operation: Operation, requirements: readonly Requirement[]): Fault | undefined {
  const other = requirements.find((requirement) => !requirement.approval || requirement.justification || requirement.stepUp);
  if (other) return new Fault('CANNOT_ENFORCE', `rule ${other.rule} asks for a challenge that cannot be answered on this connection`);
  const bytes = Buffer.byteLength(operation.text) + operation.parameters.reduce((sum, value) => sum + (value?.length ?? 0), 0);
  if (bytes > limits.approvalTextBytesMax) {
    return new Fault(
      'APPROVAL_TOO_LONG',
      `a statement of ${bytes} bytes is too long to be reviewed (limit ${limits.approvalTextBytesMax})`,
    );
  }
  return undefined;
}

function holdRequest(live: LiveSession, question: { operation: Operation; decision: Decision; decisionId: string }): HoldRequest {
  const { operation, decision, decisionId } = question;
  const { session } = live;
  const { id, name, groups, onBehalfOf } = session.subject;
  const requirements = decision.requirements.flatMap(({ rule, reason, message, bound, approval }) =>
    approval ? [{ rule, reason, message, bound, approval }] : [],
  );
  // Each requirement ends after its own time and, where it escalates, that of the second group.
  const patience = requirements.map(({ approval }) => approval.timeoutMs + (approval.escalateTo?.timeoutMs ?? 0));
  const timeoutMs = Math.min(limits.holdMsMax, ...patience);
  return {
    session: session.id,
    operation: operation.id,
    decision: decisionId,
    subject: { id, name, groups, ...(onBehalfOf ? { onBehalfOf } : {}) },
    resource: { id: session.resource.id, name: session.resource.name, owner: session.resource.owner },
    source: session.source,
    client: session.client,
    verb: operation.verb,
    text: operation.text,
    parameters: operation.parameters,
    objects: operation.objects,
    bundle: decision.bundle.digest,
    requirements,
    timeoutMs,
  };
}

function noticeOf(opened: { request: string; expiresAt: number }, requirements: readonly Requirement[]): HoldNotice {
  const reviewers = requirements.flatMap((requirement) => requirement.approval?.reviewers ?? []);
  return {
    request: opened.request,
    message: requirements[0]?.message ?? 'This operation needs an approval.',
    reviewers: [...new Set(reviewers.map((reviewer) => reviewer.group ?? 'owner of the resource'))],
    expiresAt: opened.expiresAt,
  };
}
