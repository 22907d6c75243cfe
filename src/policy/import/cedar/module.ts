/**
 * The part of Cedar's official WebAssembly module that is used here; a loaded module is handed in, this folder never loads one.
 *
 * SPEC: `@cedar-policy/cedar-wasm` 4.x.
 */
export interface CedarModule {
  policySetTextToParts(text: string): CedarAnswer<{ readonly policies: readonly string[]; readonly policy_templates: readonly string[] }>;
  policyToJson(policy: string): CedarAnswer<{ readonly json: CedarPolicyJson }>;
  isAuthorized(call: CedarCall): CedarAnswer<{ readonly response: CedarResponse }>;
}

export type CedarAnswer<T> = ({ readonly type: 'success' } & T) | { readonly type: 'failure'; readonly errors: readonly CedarError[] };

export interface CedarError {
  readonly message: string;
  readonly help?: string | null;
  readonly sourceLocations?: readonly { readonly start: number; readonly end: number }[];
}

export interface CedarPolicyJson {
  readonly effect: 'permit' | 'forbid';
  readonly annotations?: Readonly<Record<string, string | null>>;
}

export interface CedarUid {
  readonly type: string;
  readonly id: string;
}

export interface CedarEntity {
  readonly uid: CedarUid;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly parents: readonly CedarUid[];
}

export interface CedarCall {
  readonly principal: CedarUid;
  readonly action: CedarUid;
  readonly resource: CedarUid;
  readonly context: Readonly<Record<string, unknown>>;
  readonly policies: { readonly staticPolicies: Readonly<Record<string, string>> };
  readonly entities: readonly CedarEntity[];
}

export interface CedarResponse {
  readonly decision: 'allow' | 'deny';
  readonly diagnostics: {
    readonly reason: readonly string[];
    readonly errors: readonly { readonly policyId: string; readonly error: CedarError }[];
  };
}
