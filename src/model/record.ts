import type { BundleRef, BundleRolloutNote, EvaluationError, MatchedRule, Requirement, Verdict } from './decision.ts';
import type { FactRecord } from './fact.ts';
import type { Certainty, Target } from './operation.ts';
import type { Outcome } from './outcome.ts';

/**
 * What the parts of Warder hand to the ledger. The ledger adds `v`, `i`, `prev`, `t`, `mono`, `boot`, `node` and `build`, seals the
 * evidence, and writes one canonical line. The closed set of kinds is the union below; a kind that is not here cannot be recorded.
 */
export type RecordDraft =
  | SessionOpened
  | SessionRefused
  | SessionClosed
  | OperationDecided
  | OperationSettled
  | ApprovalRequested
  | ApprovalGranted
  | ApprovalAnswered
  | ApprovalEscalated
  | ApprovalEnded
  | PolicyActivated
  | PolicyRejected
  | RolloutMoved
  | AdminAction
  | EvidenceRead
  | EvidenceShredded
  | RecordingChunk
  | RecordingClosed
  | LogWitnessed
  | Alarm;

export interface Who {
  readonly subject: string;
  readonly groups: readonly string[];
  readonly onBehalfOf?: string;
  readonly authentication: string;
  /** Id of the token used. */
  readonly token?: string;
  readonly source: string;
}

export interface SessionOpened {
  readonly kind: 'session.opened';
  readonly session: string;
  readonly who: Who;
  readonly what: { readonly point: string; readonly resource: string; readonly client: string };
  readonly policy: string;
}

export interface SessionRefused {
  readonly kind: 'session.refused';
  readonly session: string;
  readonly who: { readonly claimed: string; readonly source: string };
  readonly what: { readonly point: string; readonly resource: string };
  readonly reason: string;
}

export interface SessionClosed {
  readonly kind: 'session.closed';
  readonly session: string;
  readonly reason: string;
  /** Number of operations decided in the session; a verifier checks that all are there. */
  readonly operations: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/** Written, and durable, before anything of the operation is released or its refusal is shown. */
export interface OperationDecided {
  readonly kind: 'operation.decided';
  readonly session: string;
  readonly operation: string;
  readonly n: number;
  readonly who: { readonly subject: string; readonly onBehalfOf?: string };
  readonly what: {
    readonly target: Target;
    readonly resource: string;
    readonly verb: string;
    readonly objects: readonly string[];
    /** Literals stripped; cut at 2 KiB with `normalizedCut: true` (the evidence keeps all of it). */
    readonly normalized: string;
    readonly normalizedCut?: boolean;
    readonly certainty: Certainty;
    readonly unknown?: readonly string[];
  };
  /** The exact text and parameters: committed to and sealed by the ledger, never stored in clear. */
  readonly evidence: { readonly text: string; readonly parameters: readonly (string | null)[] };
  readonly decision: DecisionSummary;
  /** Set by the ledger where a rule says `evidence: buffered`: from here on so much of this session may be lost in a crash. */
  readonly ahead?: { readonly operations: number; readonly ms: number };
  /** Set on an allow decision when a rule wants the session recorded from here on. */
  readonly recording?: RecordingLevel;
  /** Set when a grant released the operation. */
  readonly approval?: {
    readonly grant: string;
    readonly request: string;
    readonly record?: string;
    /** How many releases the grant allows in all; one when absent. */
    readonly uses?: number;
  };
}

export interface DecisionSummary {
  /** Public decision id, shown to the person and accepted by `warder explain`. */
  readonly id: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly rules: readonly string[];
  readonly matched: readonly MatchedRule[];
  /** Types of the obligations. */
  readonly obligations: readonly string[];
  readonly requirements?: readonly Pick<Requirement, 'rule' | 'reason' | 'bound'>[];
  readonly bundle: BundleRef;
  readonly shadow?: { readonly verdict: Verdict; readonly rules: readonly string[] };
  readonly errors?: readonly EvaluationError[];
  /** Attributes the matched rules read, path → value; long values as `sha256:…`. */
  /** Which of two bundles decided, while one is rolled out. */
  readonly rollout?: BundleRolloutNote;
  readonly reads: Readonly<Record<string, unknown>>;
  /** How long the policy took to decide, microseconds. */
  readonly tookUs?: number;
  /** Engines that were asked before the decision. */
  readonly facts?: readonly FactRecord[];
}

export interface OperationSettled {
  readonly kind: 'operation.settled';
  readonly session: string;
  readonly operation: string;
  readonly n: number;
  /** Index of the `operation.decided` it settles, in the same log. */
  readonly for: number;
  readonly outcome: Outcome;
}

export interface ApprovalRequested {
  readonly kind: 'approval.requested';
  readonly session: string;
  readonly request: string;
  readonly operation: string;
  readonly who: { readonly subject: string; readonly onBehalfOf?: string };
  readonly what: { readonly resource: string; readonly rules: readonly string[]; readonly bound: readonly string[] };
  readonly evidence: { readonly text: string; readonly parameters: readonly (string | null)[] };
  readonly expiresAt: number;
}

export interface ApprovalGranted {
  readonly kind: 'approval.granted';
  readonly session: string;
  readonly request: string;
  readonly operation: string;
  readonly grant: string;
  readonly approvers: readonly string[];
  readonly requester: string;
  readonly bound: readonly string[];
  readonly comment?: string;
  readonly expiresAt: number;
  /** How many releases the grant allows in all; one when absent. */
  readonly uses?: number;
}

/** One reviewer agreed and the quorum is not reached yet. */
export interface ApprovalAnswered {
  readonly kind: 'approval.answered';
  readonly session: string;
  readonly request: string;
  readonly operation: string;
  readonly by: string;
  readonly comment?: string;
}

/** Nobody answered in time, and the rules ask others as well; at most once for each rule. */
export interface ApprovalEscalated {
  readonly kind: 'approval.escalated';
  readonly session: string;
  readonly request: string;
  readonly operation: string;
  /** `policy/rule` of the requirements that are escalated. */
  readonly rules: readonly string[];
  /** Groups that are asked from now on, or `owner of the resource`. */
  readonly reviewers: readonly string[];
  readonly expiresAt: number;
}

export interface ApprovalEnded {
  readonly kind: 'approval.refused' | 'approval.expired' | 'approval.withdrawn' | 'approval.used';
  readonly session: string;
  readonly request: string;
  readonly operation: string;
  readonly by: string;
  readonly comment?: string;
  /** The grant that was used, for `approval.used`. */
  readonly grant?: string;
}

export interface PolicyActivated {
  readonly kind: 'policy.activated';
  readonly bundle: BundleRef;
  /** The bundle that a rollout in it lets decide too. */
  readonly candidate?: BundleRef;
  readonly previous?: string;
  readonly by: string;
  readonly documents: number;
}

export interface PolicyRejected {
  readonly kind: 'policy.rejected';
  readonly by: string;
  readonly digest?: string;
  readonly problems: number;
  readonly first: string;
}

/** The step of a rollout changed, or what holds it: by the control plane after measuring the gates, or by a person. */
export interface RolloutMoved {
  readonly kind: 'rollout.moved';
  readonly rollout: string;
  /** The bundle in force that has the document. */
  readonly bundle: BundleRef;
  /** The step in force from now on, from 1; 0: nobody is in. */
  readonly step: number;
  readonly status: RolloutStatus;
  readonly by: string;
  readonly reason: string;
}

/** `running`: the next step is taken when all gates pass. `held`: a gate failed, or a person holds it. `complete`: the last step passed. */
export type RolloutStatus = 'running' | 'held' | 'rolled_back' | 'complete';

/** Something was changed through the API: tokens, resources, sessions cut… */
export interface AdminAction {
  readonly kind: `admin.${'token' | 'resource' | 'session' | 'configuration'}`;
  readonly by: string;
  readonly action: string;
  readonly object: string;
}

/** Somebody was shown evidence in clear, or was refused it by a rule. */
export interface EvidenceRead {
  readonly kind: 'recording.read';
  readonly by: string;
  readonly session: string;
  /** Operations whose exact texts were shown. */
  readonly operations: number;
  /** What was asked for: the exact texts, the recorded bytes, or everything as a file. Absent: the texts, which a request for approval shows. */
  readonly action?: 'evidence.read' | 'recording.read' | 'recording.export';
  /** How the rules for Warder's own administration decided it. */
  readonly decision?: DecisionSummary;
  /** Chunks of the recording that were shown. */
  readonly chunks?: number;
  /** Of an export: `sha256:…` of its list of files. */
  readonly manifest?: string;
}

/** The key of a session was erased: its evidence and its recording cannot be read any more, and every proof stays valid. */
export interface EvidenceShredded {
  readonly kind: 'evidence.shredded';
  readonly session: string;
  readonly by: string;
  readonly reason: string;
}

/** `required`: what cannot be recorded does not run, and the session ends when its recording breaks. */
export type RecordingLevel = 'required' | 'best_effort';

/** A piece of the recording of a session. The ledger adds `stored`: where the sealed bytes are, their hash, and a commitment to the content. */
export interface RecordingChunk {
  readonly kind: 'recording.chunk';
  readonly session: string;
  /** From 1, without gaps. */
  readonly chunk: number;
  /** Monotonic clock of the first and the last byte, microseconds; comparable to `mono` of the records around it. */
  readonly from: number;
  readonly to: number;
  /** Bytes from the client and to the client. */
  readonly in: number;
  readonly out: number;
}

/** Nothing follows in the recording of this session. The ledger adds `chunks` and `bytes`: what there is of it. */
export interface RecordingClosed {
  readonly kind: 'recording.closed';
  readonly session: string;
  /** `failed`: the session went on, or was cut, without being recorded; `reason` says why. */
  readonly status: 'whole' | 'failed';
  readonly reason?: string;
}

/** This writer has signed the checkpoint of another log after checking that it only grew. */
export interface LogWitnessed {
  readonly kind: 'log.witnessed';
  /** Origin of the other log. */
  readonly log: string;
  readonly size: number;
  /** Base64. */
  readonly root: string;
  /** Verifier key of the witness. */
  readonly vkey: string;
  /** The signature line as a note carries it. SPEC: C2SP tlog-cosignature. */
  readonly cosignature: string;
}

/** Something a person must look at, or its end. */
export interface Alarm {
  readonly kind: 'alarm.raised' | 'alarm.cleared';
  /** Which alarm, e.g. `ledger.tampered`. */
  readonly alarm: string;
  /** What it is about: an origin, a file… */
  readonly object: string;
  readonly message: string;
}

/** Where a record became durable. */
export interface Receipt {
  readonly origin: string;
  readonly index: number;
  /** Hex SHA-256 leaf hash of the entry. */
  readonly leaf: string;
}
