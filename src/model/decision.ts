import type { Obligation } from './obligation.ts';
import type { Resource } from './resource.ts';
import type { Subject } from './subject.ts';
import type { Target } from './operation.ts';

export type Verdict = 'allow' | 'deny' | 'pending';
export type Mode = 'enforce' | 'audit' | 'shadow' | 'off';
export type Phase = 'request' | 'response' | 'list' | 'background';
export type Effect = 'deny' | 'allow' | 'require' | 'transform' | 'limit' | 'observe';

/** Which set of documents decided. */
export interface BundleRef {
  readonly name: string;
  readonly version: string;
  /** `sha256:` and 64 hex digits over the canonical JSON of all documents. */
  readonly digest: string;
}

/** A question to the policy engine. Everything it may look at is in here; it has no clock and no I/O. */
export interface DecisionRequest {
  readonly target: Target;
  readonly phase: Phase;
  /** Name of the enforcement point that asks, e.g. `postgres`. */
  readonly point: string;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly now: number;
  readonly subject: Omit<Subject, 'roles'>;
  readonly resource: Readonly<Record<string, unknown>> | Resource;
  /** Request context: purpose, incident, certainty, source address… */
  readonly context: Readonly<Record<string, unknown>>;
  /** The target's own roots, e.g. `{ sql: SqlFacts }`, in the response phase also `{ result: { columns: … } }`. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Facts fetched by producers before the evaluation. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Obligation types the point can make true for this operation. */
  readonly can: readonly string[];
  /** Digest of everything an approval must be bound to (subject, resource, session, exact bytes, parameters, namespace). */
  readonly binding: string;
  /** Verified, unexpired grants the caller holds. */
  readonly grants: readonly Grant[];
  /** Uses already made of exceptions that allow only so many, by the name and key of their charges with a space between; absent means none. */
  readonly exceptionUses?: Readonly<Record<string, number>>;
  /** Counters that this operation could not be paid from, by the name and key of their charges with a space between; absent means none. */
  readonly exceeded?: readonly string[];
  /** The step in force of rollouts that the control plane moved, by name; absent: the step that the document says. */
  readonly rolloutSteps?: Readonly<Record<string, number>>;
}

/** A bound answer to a challenge. The signature is checked by who holds it; the engine checks binding, expiry and uses. */
export interface Grant {
  readonly id: string;
  /** `policy/rule` that asked. */
  readonly rule: string;
  readonly kinds: readonly ('approval' | 'stepUp' | 'justification')[];
  /** `Requirement.bound` of the requirement it answers. */
  readonly bound: string;
  /** Wall clock, ms. */
  readonly expiresAt: number;
  readonly usesLeft: number;
  /** Ledger position `origin#index` of the approval in the control plane's ledger. */
  readonly approval?: string;
}

export interface Reviewers {
  readonly group?: string;
  readonly ownerOf?: 'resource';
  readonly min: number;
}

export interface ApprovalTerms {
  readonly reviewers: readonly Reviewers[];
  readonly quorum: number;
  readonly excludeRequester: boolean;
  readonly timeoutMs: number;
  readonly onTimeout: 'deny' | 'escalate';
  /** Set exactly when it escalates: whose approval counts as well once nobody answered in time, and for how long they are waited for. */
  readonly escalateTo?: { readonly reviewers: readonly Reviewers[]; readonly quorum: number; readonly timeoutMs: number };
  readonly grant: { readonly uses: number; readonly ttlMs: number };
}

/** A challenge that is not answered yet: why a verdict is `pending`. */
export interface Requirement {
  /** `policy/rule` */
  readonly rule: string;
  readonly reason: string;
  readonly message: string;
  readonly approval?: ApprovalTerms;
  readonly justification?: { readonly minLength: number; readonly ticket?: string };
  readonly stepUp?: { readonly acr: string; readonly maxAgeMs: number };
  /** SHA-256 hex over binding, rule, the values of `bind` and the bundle digest: what a grant must be bound to. */
  readonly bound: string;
}

/** A rule that applied to the request. */
export interface MatchedRule {
  /** `policy/rule` */
  readonly rule: string;
  readonly effect: Effect;
  readonly mode: Mode;
  /** Which document changed what the rule did: `exception:name`, `override:name` or `rollout:name`. */
  readonly by?: string;
}

export interface EvaluationError {
  readonly rule: string;
  readonly part: 'match' | 'facts' | 'when' | 'unless' | 'unlessValid' | 'variables' | 'message' | 'limits' | 'obligations';
  /** Attribute path that was missing or wrong, where known. */
  readonly path?: string;
  readonly message: string;
}

/** What becomes of an operation that a counter has no units for. */
export type OnExceed = 'deny' | 'escalate' | 'allow';

/**
 * A counter that an operation which would pass must still be paid from: a bucket that refills evenly. The uses of an exception are counted
 * in the same way, in a bucket named `exception:NAME` that holds `burst` units and never refills (`max` is 0).
 */
export interface LimitCharge {
  /** Of the counter; rules with the same name share it where their keys are equal. */
  readonly name: string;
  /** Tells counters apart: the values of the rule's key attributes, as text. */
  readonly key: string;
  /** The bucket holds `max + burst` units and refills evenly, `max` in one period. */
  readonly max: number;
  readonly perMs: number;
  readonly burst: number;
  /** Units this operation takes. */
  readonly cost: number;
  /**
   * `allow`: the operation passes all the same, and the bucket stays as it is. `escalate`: so it does once people have approved it; ask the
   * engine again with the counter among `DecisionRequest.exceeded`.
   */
  readonly onExceed: OnExceed;
  /** What happens when the counter cannot be kept. */
  readonly onStoreError: 'deny' | 'allow';
  /** `policy/rule` */
  readonly rule: string;
  /** Refusal when it is exceeded. */
  readonly reason: string;
  readonly message: string;
}

export interface Decision {
  readonly verdict: Verdict;
  /** Stable upper-case code: the rule's `reason`, or one of the engine's own (`NO_MATCHING_ALLOW`, `EVALUATION_ERROR`, `CANNOT_ENFORCE`…). */
  readonly reason: string;
  /** Public message for the person who asked; never the policy's internals. */
  readonly message: string;
  readonly obligations: readonly Obligation[];
  /** Unanswered challenges; non-empty exactly when the verdict is `pending`. */
  readonly requirements: readonly Requirement[];
  /** Counters to be paid from, all of them or none, before the operation runs; only on `allow`. Absent when there are none. */
  readonly limits?: readonly LimitCharge[];
  /** Ids of grants that were needed for this verdict; the caller consumes them. */
  readonly grantsUsed: readonly string[];
  /** Rules that decided, `policy/rule`. */
  readonly decisive: readonly string[];
  /** Every rule that applied, in any mode. */
  readonly matched: readonly MatchedRule[];
  readonly bundle: BundleRef;
  /** What the verdict would be with the rules in shadow and audit mode enforced too; absent when the same. */
  readonly shadow?: { readonly verdict: Verdict; readonly rules: readonly string[] };
  /** Set while a candidate bundle is rolled out beside the one in force, for operations that it is asked about. */
  readonly rollout?: BundleRolloutNote;
  readonly warnings: readonly string[];
  readonly errors: readonly EvaluationError[];
}

export interface BundleRolloutNote {
  /** Name of the Rollout document. */
  readonly name: string;
  readonly step: number;
  /** Which of the two decided. */
  readonly side: 'candidate' | 'current';
  /** Something of the candidate could not be evaluated. */
  readonly failed?: boolean;
  /** What the other one says; absent when the same. */
  readonly other?: { readonly verdict: Verdict; readonly rules: readonly string[] };
}

/** A column of a result as the response phase sees it: the attribute `result.columns`. */
export interface ResultColumn {
  readonly name: string;
  readonly labels: readonly string[];
  readonly lineage: 'exact' | 'derived' | 'none' | 'unknown';
  /**
   * `text`: the bytes are UTF-8 text that may be rewritten. `opaque`: may contain text but cannot be rewritten safely (binary containers
   * such as arrays or jsonb in binary format). `other`: numbers, dates, booleans…: can only be replaced by NULL.
   */
  readonly type: 'text' | 'opaque' | 'other';
}
