/** The parts of the API's answers that the command line shows. Times are milliseconds since 1970-01-01T00:00:00Z. */
export interface SubjectAnswer {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
}

export interface MeAnswer {
  readonly subject: SubjectAnswer;
  readonly token: { readonly id: string; readonly expiresAt: number };
}

export interface MintedAnswer {
  readonly id: string;
  readonly subject: string;
  readonly name: string;
  readonly token: string;
  readonly expiresAt: number;
}

export interface RolloutAnswer {
  readonly name: string;
  readonly rules: readonly string[];
  readonly candidate?: string;
  readonly from: string;
  readonly to: string;
  readonly step: number;
  readonly steps: readonly { readonly holdMs: number; readonly says: string }[];
  readonly status: 'running' | 'held' | 'rolled_back' | 'complete' | 'by_hand';
  readonly since?: number;
  readonly by?: string;
  readonly reason: string;
  readonly waits?: string;
  readonly gates: readonly { readonly metric: string; readonly state: 'passes' | 'waits' | 'fails'; readonly says: string }[];
}

export interface ResourceAnswer {
  readonly id: string;
  readonly name: string;
  readonly engine: string;
  readonly env: string;
  readonly owner: string;
}

export interface SessionAnswer {
  readonly id: string;
  readonly subject: string;
  readonly resource: string;
  readonly point: string;
  readonly source: string;
  readonly client: string;
  readonly opened: number;
  readonly closed?: number;
  readonly operations: number;
  readonly denied: number;
}

export interface OutcomeAnswer {
  readonly status: string;
  readonly rows: number;
  readonly rowsChanged?: number;
  readonly masked: Readonly<Record<string, number>>;
  readonly rowsWithheld: number;
  readonly code?: string;
  readonly durationMs: number;
  readonly rules: readonly string[];
}

export interface OperationAnswer {
  readonly n: number;
  readonly t: number;
  readonly operation: string;
  readonly verb: string;
  readonly normalized: string;
  readonly text?: string;
  readonly parameters?: readonly (string | null)[];
  readonly evidence: 'shown' | 'withheld' | 'unavailable';
  readonly verdict: 'allow' | 'deny' | 'pending';
  readonly reason: string;
  readonly rules: readonly string[];
  readonly decision: string;
  readonly outcome?: OutcomeAnswer;
  readonly approval?: { readonly request: string; readonly status: string; readonly by: readonly string[]; readonly comment?: string };
}

export interface DecisionAnswer {
  readonly id: string;
  readonly t: number;
  readonly session: string;
  readonly n: number;
  readonly subject: string;
  readonly resource: string;
  readonly target: string;
  readonly verb: string;
  readonly objects: readonly string[];
  readonly normalized: string;
  readonly certainty: string;
  readonly unknown: readonly string[];
  readonly verdict: 'allow' | 'deny' | 'pending';
  readonly reason: string;
  readonly rules: readonly string[];
  readonly matched: readonly {
    readonly rule: string;
    readonly effect: string;
    readonly mode: string;
    readonly by?: string;
    readonly title?: string;
    readonly file?: string;
  }[];
  readonly obligations: readonly string[];
  readonly requirements: readonly { readonly rule: string; readonly reason: string }[];
  readonly reads: Readonly<Record<string, unknown>>;
  readonly facts?: readonly {
    readonly fact: string;
    readonly engine: string;
    readonly digest: string;
    readonly status: 'answered' | 'undefined' | 'unavailable';
    readonly because?: string;
    readonly latencyUs: number;
  }[];
  readonly errors: readonly { readonly rule: string; readonly message: string }[];
  readonly shadow?: { readonly verdict: string; readonly rules: readonly string[] };
  readonly bundle: { readonly name: string; readonly version: string; readonly digest: string };
  readonly approval?: { readonly request: string; readonly grant: string; readonly record?: string };
  readonly outcome?: OutcomeAnswer;
  readonly record: string;
}

export interface RequestAnswer {
  readonly id: string;
  readonly status: 'waiting' | 'approved' | 'used' | 'refused' | 'expired' | 'withdrawn';
  readonly session: string;
  readonly decision: string;
  readonly requester: { readonly id: string; readonly name: string };
  readonly resource: { readonly id: string; readonly name: string };
  readonly source: string;
  readonly verb: string;
  readonly objects: readonly string[];
  readonly text: string;
  readonly parameters: readonly (string | null)[];
  readonly requirements: readonly {
    readonly rule: string;
    readonly message: string;
    readonly quorum: number;
    readonly approvals: number;
    readonly reviewers: readonly { readonly group?: string; readonly ownerOf?: string; readonly min: number }[];
    /** Who is asked when nobody answers in time; `at`: since then they are. */
    readonly escalation?: {
      readonly at?: number;
      readonly quorum: number;
      readonly approvals: number;
      readonly reviewers: readonly { readonly group?: string; readonly ownerOf?: string; readonly min: number }[];
    };
  }[];
  readonly answers: readonly {
    readonly by: string;
    readonly answer: 'approve' | 'refuse';
    readonly at: number;
    readonly comment?: string;
  }[];
  readonly openedAt: number;
  readonly expiresAt: number;
  readonly endedAt?: number;
  readonly mayAnswer: boolean;
}

export interface PushedAnswer {
  readonly digest: string;
  readonly name: string;
  readonly version: string;
  readonly changed: boolean;
  readonly previous?: string;
  readonly gateways: readonly { readonly gateway: string; readonly connected: boolean; readonly current: boolean }[];
}

export interface GatewayAnswer {
  readonly node: string;
  readonly connected: boolean;
  readonly policy?: { readonly digest: string; readonly current: boolean };
  readonly ledger: { readonly origin: string; readonly mirrored: number };
}

export interface ResourceDetailAnswer {
  readonly resource: ResourceAnswer & { readonly labels: Readonly<Record<string, string>> };
  readonly upstream: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly tls: { readonly mode: string; readonly ca?: string };
  };
  readonly classification: Readonly<Record<string, readonly string[]>>;
  readonly changedAt: number;
}

export interface ChangedResourceAnswer {
  readonly name: string;
  readonly change: 'created' | 'changed' | 'unchanged';
  readonly gateways: readonly { readonly gateway: string; readonly current: boolean }[];
}

/** What a gateway found behind a resource, and the labels it proposes. */
export type { LabelProposal as LabelProposalAnswer, ResourceProbe as ProbeAnswer } from '#model';

export interface AccountAnswer {
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly createdAt: number;
  readonly liveTokens: number;
}

export interface ChangedAccountAnswer {
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly change: 'created' | 'changed' | 'unchanged';
  readonly revoked: number;
}
