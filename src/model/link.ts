import type { ApprovalTerms, BundleRef } from './decision.ts';
import type { LabelProposal, ResourceConfig, ResourceProbe } from './resource.ts';
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
    /** `witness`: verifier key with which the gateway signs checkpoints of the control plane's log. */
    params: {
      node: string;
      version: string;
      ledger: { origin: string; vkey: string; rotations?: readonly KeyRotation[] };
      secret: string;
      witness?: string;
    };
    /** `mirrored`: number of entries of this origin that the control plane already has durably. */
    result: {
      control: string;
      grantKey: string;
      mirrored: number;
      mirror?: MirrorState;
      bundle: BundleSource;
      rollouts?: RolloutOffer;
      resources: readonly ResourceConfig[];
    };
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
  /**
   * A signed note of the gateway's log, all of whose entries are mirrored. The mirror computes the root from its own copy and signs:
   * a C2SP cosignature line. CONFLICT when entries are missing; LEDGER_TAMPERED when the root is another.
   */
  'ledger.checkpoint': { params: { origin: string; note: string }; result: { cosignature: string } };
  /** Whether the mirror's leaf hashes of these entries have this digest: hex SHA-256 over all of them, one after the other. */
  'ledger.compare': { params: { origin: string; first: number; count: number; digest: string }; result: { same: boolean } };
  /** The digest now in force here. */
  'policy.inForce': { params: { digest: string; since: number }; result: Record<string, never> };
}

export interface ControlCalls {
  /** Opens sealed evidence of operations of one session for a reader whom the control plane has authorised and recorded. */
  'evidence.open': {
    params: { session: string; indexes: readonly number[] };
    result: { texts: readonly { index: number; text: string; parameters: readonly (string | null)[] }[] };
  };
  /**
   * What these entries committed to, evidence or chunks of recordings, each with the salt of its commitment; base64. What was erased is left out. For a reader whom the control
   * plane has authorised and recorded.
   */
  'evidence.disclose': {
    params: { session: string; indexes: readonly number[] };
    result: { items: readonly { index: number; salt: string; content: string }[] };
  };
  /**
   * The sealed bytes of a session that lie on the gateway's disk only, base64, in the order asked for, and null for what is not there any more; with the
   * session's key, unless that was erased: so that they can be kept, and opened, elsewhere too.
   */
  'evidence.sealed': {
    params: { session: string; wanted: readonly SealedPlace[] };
    result: { key?: string; items: readonly (string | null)[] };
  };
  /** Proofs (docs/formats/proof.md) that these entries stand in the gateway's log. NOT_FOUND as long as one of them is not signed. */
  'ledger.prove': { params: { indexes: readonly number[] }; result: { proofs: readonly string[] } };
  /**
   * A signed note of the control plane's log, and the proof (base64 hashes) that the log grew to it from size `old`. The gateway signs it, or
   * names the size it knows when that is another.
   */
  'ledger.witness': {
    params: { vkey: string; rotations?: readonly KeyRotation[]; old: number; note: string; proof: readonly string[] };
    /** `note`: what the gateway signed before, when the log shown now contradicts it. */
    result: { size: number; cosignature?: string; note?: string };
  };
  /** Ends a live session. */
  'session.terminate': { params: { session: string; reason: string }; result: { found: boolean } };
  /** The names of the resources served. Frames are taken in order: the answer shows that every offer sent before was taken. */
  'resources.inForce': { params: Record<string, never>; result: { names: readonly string[] } };
  /** Logs in to a resource as for a session, and says what is there. NOT_FOUND when it is not served. */
  'resource.test': { params: { name: string }; result: ResourceProbe };
  /** Looks at names, types and samples of the columns and proposes labels. The samples do not leave the gateway. */
  'resource.propose': { params: { name: string }; result: LabelProposal };
}

/** The key of a log was changed; both keys have signed it. Format: docs/formats/checkpoint.md. */
export interface KeyRotation {
  readonly previous: string;
  readonly vkey: string;
  readonly signature: string;
  readonly accepted: string;
}

/** What the control plane knows of a gateway's log. */
export interface MirrorState {
  /** Hex leaf hash of the newest mirrored entry; empty when there is none. */
  readonly leaf: string;
  /** The largest size that the mirror has signed; 0 when it has signed nothing. */
  readonly signed: number;
  /** Verifier key with which the mirror signs. */
  readonly vkey: string;
}

/** Where a gateway has sealed bytes: in the file of a session's recording, or as a blob named by the hex SHA-256 of its bytes. */
export type SealedPlace = { readonly at: number; readonly bytes: number } | { readonly blob: string };

export interface ControlNotices {
  'policy.offer': BundleSource;
  'rollouts.offer': RolloutOffer;
  'resources.offer': readonly ResourceConfig[];
  'hold.resolved': HoldResolution;
  /** Nobody answered in time; others are asked as well. `reviewers` is for people. */
  'hold.escalated': HoldEscalation;
  /** Tokens that must not be used any more; live sessions opened with them end. */
  'tokens.revoked': { tokens: readonly string[] };
}

/** Steps of rollouts that the control plane moved, by name; they count for decisions by the bundle with this digest. */
export interface RolloutOffer {
  readonly bundle: string;
  readonly steps: Readonly<Record<string, number>>;
}

/** A bundle as it travels: the documents' sources, signed as a whole. */
export interface BundleSource {
  readonly ref: BundleRef;
  /** Path → YAML text, as pushed. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly activatedAt: number;
  /** The candidate that a rollout in it is about. */
  readonly candidate?: Omit<BundleSource, 'candidate' | 'activatedAt'>;
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
  /** Longest time the requester waits, with what escalation adds. */
  readonly timeoutMs: number;
}

export interface HoldEscalation {
  readonly request: string;
  readonly reviewers: readonly string[];
  readonly expiresAt: number;
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
