/**
 * An engine that evaluates policies in their own language before the decision, with everything it needs but addresses and secrets: what
 * a bundle says of it. Its answer becomes the fact `facts.foreign.<fact>`, with the member `result`.
 */
export type EngineTerms = RegoWasmTerms | OpaRemoteTerms | CedarTerms;

interface CommonEngineTerms {
  /** Unique in a bundle. */
  readonly fact: string;
  /** `sha256:` of the whole description, data and policies included: what a record names. */
  readonly digest: string;
  /** How the request is put: a named projection, or CEL over the request by member. Cedar has a form of its own. */
  readonly input: string | Readonly<Record<string, string>>;
  /** An engine that takes longer gives no fact. */
  readonly deadlineMs: number;
  readonly breaker: BreakerTerms;
}

/** How often an engine may fail in a row, and how long it is left alone then. */
export interface BreakerTerms {
  readonly failures: number;
  readonly pauseMs: number;
}

/** A policy that OPA compiled to WebAssembly. */
export interface RegoWasmTerms extends CommonEngineTerms {
  readonly engine: 'rego-wasm';
  /** The module, base64. */
  readonly wasm: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly entrypoint: string;
}

/** An OPA that answers over HTTP. Where it answers is configuration of the gateway, under the name of the fact. */
export interface OpaRemoteTerms extends CommonEngineTerms {
  readonly engine: 'opa-remote';
}

export interface CedarTerms extends CommonEngineTerms {
  readonly engine: 'cedar';
  /** The text of each policy by its id. */
  readonly policies: Readonly<Record<string, string>>;
}

/**
 * Why there is no answer. `late`: not in time; `busy`: too many questions wait for the engine; `resting`: it failed too often and is left
 * alone for a while; `failed`: an error, or an answer that is none.
 */
export type Unavailable = 'late' | 'busy' | 'resting' | 'failed';

/** What an engine said, or why it said nothing. `result` is absent where its policies leave it undefined. */
export type EngineAnswer =
  | { readonly ok: true; readonly result?: unknown }
  /** `why` is for operators; it holds no secret, and goes into no record. */
  | { readonly ok: false; readonly because: Unavailable; readonly why: string };

/** An engine that can be asked. */
export interface Engine {
  /** Never rejects: whatever goes wrong is an answer that says so. `nowMs` is the time of the request. */
  ask(input: unknown, nowMs: number): Promise<EngineAnswer>;
  /** Gets ready before the first question, so that its deadline is the question's alone. Resolves also when that came to nothing. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** How a record tells of a fact that was asked for before the decision; the values that rules read are in `reads`. */
export interface FactRecord {
  /** Below `facts`, e.g. `foreign.oldSqlRules`. */
  readonly fact: string;
  readonly engine: EngineTerms['engine'];
  /** Of the engine's description in the bundle: its policies and data. */
  readonly digest: string;
  /** `undefined`: the engine answered that its policies leave the result undefined. */
  readonly status: 'answered' | 'undefined' | 'unavailable';
  /** `sha256:` of the canonical JSON of the result, when there is one. */
  readonly answer?: string;
  /** When it is unavailable. */
  readonly because?: Unavailable;
  readonly latencyUs: number;
}

/** What `facts.session` and `facts.subject` tell of one session, and of all sessions of one subject at the gateway that asks. */
export interface ActivityFacts {
  /** RFC 3339; of a subject: when its first session since the gateway started was opened. */
  readonly started_at: string;
  readonly age_seconds: number;
  /** Operations decided before this one. */
  readonly operations: number;
  readonly operations_last_1m: number;
  readonly operations_last_5m: number;
  readonly operations_last_15m: number;
  /** Those that a rule or a limit denied. */
  readonly denied: number;
  readonly denied_last_1m: number;
  readonly denied_last_5m: number;
  readonly denied_last_15m: number;
  /** Rows shown. */
  readonly rows: number;
  readonly rows_last_1m: number;
  readonly rows_last_5m: number;
  readonly rows_last_15m: number;
}

export const activityFactNames = [
  'started_at',
  'age_seconds',
  ...['operations', 'denied', 'rows'].flatMap((name) => [name, `${name}_last_1m`, `${name}_last_5m`, `${name}_last_15m`]),
] as readonly (keyof ActivityFacts)[]; // Made of the same names; a test compares them with what a gateway tells.
