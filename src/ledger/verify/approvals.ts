import type { Findings } from './report.ts';

/** The fields of records about approvals; which are present follows from the kind. */
export interface ApprovalRecord {
  readonly kind: string;
  readonly t: number;
  readonly session: string;
  readonly operation: string;
  readonly request: string;
  readonly grant: string;
  readonly approvers: readonly string[];
  readonly requester: string;
  readonly by: string;
  readonly bound: readonly string[];
  readonly expiresAt: number;
  readonly uses?: number;
  readonly who: { readonly subject: string; readonly onBehalfOf?: string };
  readonly rules: readonly string[];
  readonly what: { readonly bound: readonly string[]; readonly rules: readonly string[] };
  readonly approval?: { readonly grant: string; readonly request: string; readonly record?: string; readonly uses?: number };
}

interface Request {
  readonly asked: ApprovalRecord;
  /** Releases that were granted and not used yet. */
  left: number;
  granted: boolean;
  /** When it ends without an answer; later after it was escalated. */
  expiresAt: number;
  /** Rules that were escalated. */
  readonly escalated: Set<string>;
  ended: string | undefined;
}

/** Approvals exist, answer their request, are not given by who asked, and are used no more often than granted. */
export class Approvals {
  readonly #findings: Findings;
  readonly #requests = new Map<string, Request>();
  /** Some records before are gone, so a request may be unknown. */
  #gap = false;
  /** Grant → releases it has in this log. */
  readonly #released = new Map<string, number>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** What was asked and granted before is not known any more. */
  gap(): void {
    this.#gap = true;
    this.#requests.clear();
    this.#released.clear();
  }

  /** A record of the control plane's log about a request; others are ignored. */
  take(record: ApprovalRecord, index: number): void {
    if (!record.kind.startsWith('approval.')) return;
    if (record.kind === 'approval.requested') {
      if (this.#requests.has(record.request)) this.#bad(`request ${record.request} is made twice`, index);
      this.#requests.set(record.request, {
        asked: record,
        left: 0,
        granted: false,
        expiresAt: record.expiresAt,
        escalated: new Set(),
        ended: undefined,
      });
      return;
    }
    const request = this.#requests.get(record.request);
    if (request === undefined && this.#gap) return;
    if (request === undefined) return this.#bad(`${record.kind} for request ${record.request}, which was never made`, index);
    if (request.asked.operation !== record.operation || request.asked.session !== record.session) {
      this.#bad(`${record.kind} for request ${record.request} names another operation than the request`, index);
    }
    if (record.kind === 'approval.granted') this.#granted(record, request, index);
    else if (record.kind === 'approval.used') this.#used(record, request, index);
    else if (record.kind === 'approval.escalated') this.#escalated(record, request, index);
    else if (record.kind === 'approval.answered') this.#refuseOwn(request, [record.by], index);
    else request.ended ??= record.kind;
  }

  /** An operation of a gateway's log that a grant released. */
  released(record: ApprovalRecord, verdict: string, index: number): void {
    const { grant, uses = 1 } = record.approval ?? { grant: '' };
    if (verdict !== 'allow') return;
    const count = (this.#released.get(grant) ?? 0) + 1;
    this.#released.set(grant, count);
    if (count > uses) this.#bad(`grant ${grant} releases operation ${record.operation}, but was used up before`, index);
  }

  #granted(record: ApprovalRecord, request: Request, index: number): void {
    const { asked } = request;
    if (request.ended !== undefined) this.#bad(`request ${record.request} is granted after ${request.ended}`, index);
    if (record.t > request.expiresAt) this.#bad(`request ${record.request} is granted after it expired`, index);
    if (record.requester !== asked.who.subject)
      this.#bad(`request ${record.request} was made by ${asked.who.subject}, not by ${record.requester}`, index);
    this.#refuseOwn(request, record.approvers, index);
    if (record.approvers.length === 0) this.#bad(`request ${record.request} is granted by nobody`, index);
    if (new Set(record.approvers).size !== record.approvers.length) this.#bad(`request ${record.request} counts an approver twice`, index);
    for (const bound of record.bound) {
      if (!asked.what.bound.includes(bound)) this.#bad(`request ${record.request} is granted for something else than was asked`, index);
    }
    request.granted = true;
    request.left += (record.uses ?? 1) * Math.max(1, record.bound.length);
  }

  /** A rule is escalated once, while the request waits: nobody can keep it open for ever. */
  #escalated(record: ApprovalRecord, request: Request, index: number): void {
    if (request.ended !== undefined || request.granted) this.#bad(`request ${record.request} is escalated after its end`, index);
    for (const rule of record.rules) {
      if (!request.asked.what.rules.includes(rule)) this.#bad(`request ${record.request} is escalated for a rule that did not ask`, index);
      if (request.escalated.has(rule)) this.#bad(`request ${record.request} is escalated twice for the rule ${rule}`, index);
      request.escalated.add(rule);
    }
    request.expiresAt = record.expiresAt;
  }

  #refuseOwn({ asked }: Request, approvers: readonly string[], index: number): void {
    for (const own of [asked.who.subject, asked.who.onBehalfOf]) {
      if (own !== undefined && approvers.includes(own)) this.#bad(`${own} approves a request of their own`, index);
    }
  }

  #used(record: ApprovalRecord, request: Request, index: number): void {
    if (!request.granted) return this.#bad(`request ${record.request} is used but was not granted`, index);
    request.left -= 1;
    if (request.left < 0) this.#bad(`request ${record.request} is used more often than granted`, index);
  }

  #bad(message: string, index: number): void {
    this.#findings.tampered('approval', message, index);
  }
}
