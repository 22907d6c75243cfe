/**
 * An engine that evaluates policies in their own language before the decision. What it says comes as the fact `facts.foreign.<fact>`;
 * the generated policy maps it to a verdict.
 */
export interface ForeignEngine {
  readonly policy: string;
  /** The file that describes it; the paths in `files` and `data` are seen from its folder. */
  readonly from: string;
  /** The fact it makes: `facts.foreign.<fact>`, with the member `result`. */
  readonly fact: string;
  readonly engine: 'rego-wasm' | 'opa-remote' | 'cedar';
  /** Files as they are in Git: a compiled bundle, data, policies. */
  readonly files: readonly string[];
  readonly data: readonly string[];
  /** Of Rego: the rule that is asked, e.g. `data.sql.authz`. */
  readonly entrypoint?: string;
  /** Of a remote engine: where it is asked. */
  readonly url?: string;
  /** How the request is put: a named projection, or CEL by member. */
  readonly input: string | Readonly<Record<string, string>>;
  /** An engine that takes longer gives no fact, and the policy says what then. */
  readonly deadlineMs: number;
  /** After so many failures in a row the engine is not asked for a while. */
  readonly breaker: { readonly failures: number; readonly pauseMs: number };
}

export const foreignDefaults = { deadlineMs: 250, breaker: { failures: 5, pauseMs: 10_000 } } as const;
