/**
 * The part of Cedar's official WebAssembly module that is used here; a loaded module is handed in, this folder never loads one.
 *
 * SPEC: `@cedar-policy/cedar-wasm` 4.x. Answers count places in bytes of UTF-8, and keep policies of a file in no order.
 */
export interface CedarModule {
  policySetTextToParts(text: string): CedarAnswer<{ readonly policies: readonly string[]; readonly policy_templates: readonly string[] }>;
  policyToJson(policy: string): CedarAnswer<{ readonly json: CedarPolicyJson }>;
  /** The schema as Cedar's text or as the value of its JSON form; only `strict` validation exists. */
  validate(call: CedarValidation): CedarAnswer<{
    readonly validationErrors: readonly CedarPolicyError[];
    readonly validationWarnings: readonly CedarPolicyError[];
  }>;
  /** Parses policies once and keeps them in the module under an id; the same id again replaces them. */
  preparsePolicySet(id: string, policies: { readonly staticPolicies: Record<string, string> }): CedarAnswer<unknown>;
  statefulIsAuthorized(call: CedarCall): CedarAnswer<{ readonly response: CedarResponse }>;
}

export type CedarAnswer<T> = ({ readonly type: 'success' } & T) | { readonly type: 'failure'; readonly errors: readonly CedarError[] };

export interface CedarError {
  readonly message: string;
  readonly help?: string | null;
  /** Bytes of UTF-8 from the start of the text that was handed over. */
  readonly sourceLocations?: readonly { readonly start: number; readonly end: number }[];
}

export interface CedarPolicyError {
  readonly policyId: string;
  readonly error: CedarError;
}

export interface CedarPolicyJson {
  readonly effect: 'permit' | 'forbid';
  readonly annotations?: Readonly<Record<string, string | null>>;
}

export interface CedarValidation {
  // Reason: the JSON form of a schema is what a user wrote; the module itself says what is wrong with it.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly schema: any;
  readonly policies: { readonly staticPolicies: Record<string, string> };
}

export interface CedarUid {
  readonly type: string;
  readonly id: string;
}

/** No fractions and no null: what has them is written as an extension value, as text, or left out. */
export type CedarValue =
  | string
  | number
  | boolean
  | CedarValue[]
  | { [key: string]: CedarValue }
  | { __entity: CedarUid }
  | { __extn: { fn: string; arg: CedarValue } };

export type CedarRecord = Record<string, CedarValue>;

export interface CedarEntity {
  readonly uid: CedarUid;
  readonly attrs: CedarRecord;
  readonly parents: CedarUid[];
}

export interface CedarCall {
  readonly principal: CedarUid;
  readonly action: CedarUid;
  readonly resource: CedarUid;
  readonly context: CedarRecord;
  readonly preparsedPolicySetId: string;
  readonly entities: CedarEntity[];
}

export interface CedarResponse {
  readonly decision: 'allow' | 'deny';
  readonly diagnostics: { readonly reason: readonly string[]; readonly errors: readonly CedarPolicyError[] };
}
