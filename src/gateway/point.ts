import type {
  Decision,
  DecisionRequest,
  FactRecord,
  FaultCode,
  LabelProposal,
  Operation,
  Outcome,
  ResourceConfig,
  ResourceProbe,
  ResultColumn,
  Session,
  Subject,
  TokenVerifier,
  World,
} from '#model';
import type { Permit } from '#ledger';
import type { Log } from './log.ts';

/**
 * The contract of an enforcement point. A point turns one protocol into operations and makes decisions true; it never decides, never
 * records and never mints a permit. Adding one is a folder under `points/` and a line in `points/index.ts`.
 */
export interface Point {
  /** Name in sessions, records and policies, e.g. `postgres`. */
  readonly name: string;
  listen(context: PointContext, address: { readonly host: string; readonly port: number }): Promise<Listener>;
  /** Logs in to a resource with Warder's own credential, and looks around. Only for points that stand in front of resources. */
  readonly survey?: Survey;
}

/** Questions of Warder's own to a resource, outside any session; asked for by somebody whom the control plane has recorded. */
export interface Survey {
  /** Never rejects: what goes wrong is what it found. */
  test(config: ResourceConfig, world: World): Promise<ResourceProbe>;
  /** Rejects with UPSTREAM_UNREACHABLE or UPSTREAM_REFUSED. */
  propose(config: ResourceConfig, world: World): Promise<LabelProposal>;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Stops accepting; sessions in the middle of an operation get `graceMs` to finish, then everything is cut. Resolves when nothing is left. */
  close(graceMs: number): Promise<void>;
}

/** Everything a point may use. Handed in, so that the conformance kit can watch it. */
export interface PointContext {
  readonly world: World;
  readonly log: Log;
  readonly identity: Identity;
  readonly resources: Resources;
  readonly sessions: Sessions;
  readonly pipeline: Pipeline;
  /** PEM key and certificate the gateway shows to clients. */
  readonly tls: { readonly key: string; readonly cert: string };
}

/** Stage identify: what is known of a login name. The point proves possession; it never sees a token. */
export interface Identity {
  /** Rejects with CONTROL_UNREACHABLE. An unknown name gives no subject, a stable fake salt and no verifiers, so that it cannot be told apart. */
  verifiers(name: string): Promise<LoginVerifiers>;
}

export interface LoginVerifiers {
  readonly subject?: Subject;
  /** Base64 salt shared by all tokens of this name. */
  readonly salt: string;
  readonly iterations: number;
  readonly verifiers: readonly TokenVerifier[];
}

export interface Resources {
  find(name: string): ResourceConfig | undefined;
}

export interface Sessions {
  /** Opens and records a session. Rejects with TOO_MANY_SESSIONS, LEDGER_*, POLICY_STALE. */
  open(start: SessionStart): Promise<LiveSession>;
  /** Records a refused login or connection before it is shown. Rejects with LEDGER_* (then show that instead). */
  refuse(refusal: SessionRefusal): Promise<void>;
}

export interface SessionStart {
  readonly subject: Subject;
  readonly resource: ResourceConfig;
  readonly point: string;
  readonly source: string;
  readonly authentication: string;
  readonly token: string;
  /** Wall clock ms when the token, and with it the session, ends. */
  readonly expiresAt: number;
  readonly client: string;
}

export interface SessionRefusal {
  readonly claimed: string;
  readonly source: string;
  readonly point: string;
  readonly resource: string;
  readonly reason: string;
}

export interface LiveSession {
  readonly session: Session;
  readonly config: ResourceConfig;
  /** Aborts when the session must end now: revoked, terminated by an operator, token expired, ledger failed. `reason` is a Fault. */
  readonly ended: AbortSignal;
  /** Number and id for the next operation; numbers are contiguous from 1. */
  nextOperation(): { readonly id: string; readonly n: number };
  /** Records the end. Idempotent; call it exactly when the client is gone. */
  close(end: { readonly reason: string; readonly bytesUp: number; readonly bytesDown: number }): Promise<void>;
}

/** The stages decide → hold → record, then guard and settle. See `pipeline.ts`. */
export interface Pipeline {
  /**
   * Decides a batch as a whole: either every operation is released or none is. Resolves when the records are durable. A hold keeps it
   * pending until it is answered, `waiting.signal` aborts, or it expires. Never rejects: every fault becomes a refusal.
   */
  admit(live: LiveSession, operations: readonly Operation[], waiting: Waiting): Promise<Admission>;
  /** The guard for the response of an admitted operation. A refusal means: show nothing of the response. Pure and quick. */
  guard(admitted: Admitted, columns: readonly ResultColumn[]): Guard | Refusal;
  /** Records what happened. Never rejects; a failing ledger ends the session through `live.ended`. */
  settle(admitted: Admitted, outcome: Outcome): Promise<void>;
}

export interface Waiting {
  /** Aborts when the client cancelled or went away. */
  readonly signal: AbortSignal;
  /** Called when the operation is held, to tell the person who waits. */
  onHold(notice: HoldNotice): void;
  /** Called when finding out facts took long: what the operation means must be looked at again before it is sent, as after a hold. */
  onDelay?(): void;
}

export interface HoldNotice {
  readonly request: string;
  readonly message: string;
  /** Who may answer, for people: `dba`. */
  readonly reviewers: readonly string[];
  readonly expiresAt: number;
}

export type Admission =
  | {
      readonly kind: 'released';
      readonly admitted: readonly Admitted[];
      /** The session must be recorded from here on, to its end. Given again with every release for which a rule asks for it. */
      readonly recording?: SessionRecording;
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface Admitted {
  readonly live: LiveSession;
  readonly operation: Operation;
  /** What was asked of the policy; the response phase asks again with the result's columns. */
  readonly request: DecisionRequest;
  /** Digest of the bundle that was in force then. */
  readonly bundle: string;
  /** What was asked for before the decision; absent when nothing was. */
  readonly asked?: readonly FactRecord[];
  readonly decision: Decision;
  readonly decisionId: string;
  /** Spend it (`spendPermit`) in the one function that sends the operation upstream. */
  readonly permit: Permit;
}

/** What a point says in its protocol. Public: it names no policy internals beyond what the rule chose to say. */
export interface Refusal {
  readonly code: FaultCode;
  /** Stable reason code of the rule or the engine, e.g. `DESTRUCTIVE_DDL`. */
  readonly reason: string;
  readonly message: string;
  /** What the person can do, where there is something. */
  readonly hint?: string;
  /** Public decision id for `warder explain`. Absent when no decision was reached. */
  readonly decisionId?: string;
}

/** Stage guard: what may be shown of a response, column by column. */
export interface Guard {
  readonly kind: 'guard';
  /** True when rows may pass byte for byte. */
  readonly transparent: boolean;
  /** One filter per column; `undefined` passes the column untouched. */
  readonly cells: readonly (CellFilter | undefined)[];
  /** Rows delivered at most; `Infinity` when there is no cap. */
  readonly rowsMax: number;
  /** Counts cells changed so far, per label or detector. */
  readonly masked: Record<string, number>;
  /** Rules of the response phase. */
  readonly rules: readonly string[];
}

/** Rewrites one value that is not NULL. The bytes are UTF-8 text for `text` columns, anything else otherwise. Returns `null` for NULL. */
export type CellFilter = (cell: Uint8Array) => Uint8Array | null;

/**
 * Where a point puts every byte of a recorded session, as the client sent it and as the client is shown it: after masking, never before. Only for points that
 * declare `recording`.
 */
export interface SessionRecording {
  /** Where output goes from now on; call it once, before `output`. */
  connect(outlet: Outlet): void;
  /**
   * What the client sent. Resolves when it is durable; nothing of it may be sent on before. Rejects with RECORDING_FAILED when it cannot be recorded
   * and must be.
   */
  input(pieces: readonly Uint8Array[]): Promise<void>;
  /** What the client is to see: recorded, and written to the outlet as soon as it may be shown. Its memory must not be used again. */
  output(pieces: readonly Uint8Array[]): void;
  /** Records the rest and the end, and shows what still waits. Call it before the client is let go, and before the session is closed. Never rejects. */
  finish(): Promise<void>;
}

export interface Outlet {
  write(pieces: readonly Uint8Array[]): void;
  /** The source of the output must stop, and may go on: the recording is behind. */
  pause(): void;
  resume(): void;
}
