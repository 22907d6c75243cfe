import type { ApprovalTerms, BundleRef } from './decision.ts';
import type { ResourceConfig } from './resource.ts';
import type { Subject } from './subject.ts';

/**
 * The link between a gateway and the control plane: newline-delimited JSON frames over a unix socket or mutual TLS, dialled by the
 * gateway. Both sides send calls and notices:
 *
 *     {"call": 7, "method": "login.verifiers", "params": {…}}      →  {"reply": 7, "result": {…}} or {"reply": 7, "fault": {code, message}}
 *     {"notice": "policy.offer", "params": {…}}
 *
 * The first frame of a gateway is the call `hello`. Every other frame before it closes the link.
 */
export interface GatewayCalls {
  /** First frame. `ledger` is the origin of the gateway's log, `vkey` its verifier key, `size` its durable size. */
  hello: {
    params: { node: string; version: string; ledger: { origin: string; vkey: string }; secret: string };
    /** `mirrored`: number of entries of this origin that the control plane already has durably. */
    result: { control: string; grantKey: string; mirrored: number; bundle: BundleSource; resources: readonly ResourceConfig[] };
  };
  /** Verifiers of the live tokens of a login name; empty when there is no such subject. */
  'login.verifiers': {
    params: { name: string };
    result: { subject?: Subject; salt: string; iterations: number; verifiers: readonly TokenVerifier[] };
  };
  /** Asks for approval of one operation. The answer arrives as notice `hold.resolved`. */
  'hold.open': { params: HoldRequest; result: { request: string; expiresAt: number } };
  /** The requester went away or cancelled. */
  'hold.withdraw': { params: { request: string; reason: string }; result: Record<string, never> };
  /** The grant was spent on exactly one operation. */
  'hold.used': { params: { request: string; grant: string }; result: Record<string, never> };
  /** Entries of the gateway's log in order from `first`; the reply names how many the control plane has durably. */
  'ledger.entries': { params: { origin: string; first: number; entries: readonly string[] }; result: { mirrored: number } };
  /** The digest now in force here. */
  'policy.inForce': { params: { digest: string; since: number }; result: Record<string, never> };
}

export interface ControlCalls {
  /** Opens sealed evidence of operations of one session for a reader whom the control plane has authorised and recorded. */
  'evidence.open': {
    params: { session: string; indexes: readonly number[] };
    result: { texts: readonly { index: number; text: string; parameters: readonly (string | null)[] }[] };
  };
  /** Ends a live session. */
  'session.terminate': { params: { session: string; reason: string }; result: { found: boolean } };
}

export interface ControlNotices {
  'policy.offer': BundleSource;
  'resources.offer': readonly ResourceConfig[];
  'hold.resolved': HoldResolution;
  /** Tokens that must not be used any more; live sessions opened with them end. */
  'tokens.revoked': { tokens: readonly string[] };
}

/** A bundle as it travels: the documents' sources, signed as a whole. */
export interface BundleSource {
  readonly ref: BundleRef;
  /** Path → YAML text, as pushed. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly activatedAt: number;
  /** Base64 Ed25519 signature of the control plane over the digest. */
  readonly signature: string;
}

/** SPEC: RFC 5802 — what a SCRAM server stores instead of the password. Base64. */
export interface TokenVerifier {
  readonly token: string;
  readonly storedKey: string;
  readonly serverKey: string;
  /** Wall clock, ms. */
  readonly expiresAt: number;
}

export interface HoldRequest {
  readonly session: string;
  readonly operation: string;
  readonly decision: string;
  readonly subject: Pick<Subject, 'id' | 'name' | 'groups' | 'onBehalfOf'>;
  readonly resource: { readonly id: string; readonly name: string; readonly owner: string };
  readonly source: string;
  readonly client: string;
  readonly verb: string;
  readonly text: string;
  readonly parameters: readonly (string | null)[];
  readonly objects: readonly string[];
  readonly bundle: string;
  readonly requirements: readonly {
    readonly rule: string;
    readonly reason: string;
    readonly message: string;
    readonly bound: string;
    readonly approval: ApprovalTerms;
  }[];
  readonly timeoutMs: number;
}

export interface HoldResolution {
  readonly request: string;
  readonly status: 'approved' | 'refused' | 'expired';
  readonly by: readonly string[];
  readonly comment?: string;
  /** One signed grant for each requirement, when approved. */
  readonly grants: readonly SignedGrant[];
}

/** A grant with the control plane's Ed25519 signature over `canonicalJson(grant)`, base64. */
export interface SignedGrant {
  readonly grant: {
    readonly id: string;
    readonly rule: string;
    readonly kinds: readonly ('approval' | 'stepUp' | 'justification')[];
    readonly bound: string;
    readonly operation: string;
    readonly expiresAt: number;
    readonly uses: number;
    readonly approval?: string;
  };
  readonly signature: string;
}
