import { newIdentifier } from '#model';
import type { Decision, DecisionRequest, DecisionSummary, EvidenceRead, Obligation, Subject, World } from '#model';
import { Fault } from '#model';
import { compileBundle, decide, readsOf } from '#policy';
import type { Bundle } from '#policy';
import type { Ledger } from '#ledger';
import type { SessionView } from '../evidence/sessions.ts';
import type { Bundles } from '../policies/bundles.ts';

interface Parts {
  readonly bundles: Pick<Bundles, 'current'>;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly world: World;
}

type Action = NonNullable<EvidenceRead['action']>;
type Shown = Pick<EvidenceRead, 'operations' | 'chunks' | 'manifest'>;

/** A reading that the rules allowed; it must be recorded before anything is shown. */
export interface AllowedReading {
  /** What must become of the texts before they are shown: `mask` and `redact` of the response phase. */
  readonly obligations: readonly Obligation[];
  record(shown: Shown): Promise<{ readonly index: number }>;
}

/**
 * Puts the reading of evidence to the policies, as the operation of the target `warder` that it is: first whether it may be read, then what of it may
 * be shown. What the rules ask for and cannot be had here, such as an approval, or a mask over recorded bytes, is a refusal.
 */
export class Administration {
  readonly #parts: Parts;
  /** The bundle in force, compiled, as long as it is. */
  #bundle: Bundle | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Rejects with DENIED, after that was recorded, when the rules do not allow it. */
  async decideReading(viewer: Subject, session: SessionView, action: Action): Promise<AllowedReading> {
    const { decision, id, reading } = await this.#judge(viewer, session, action);
    if (decision.verdict === 'allow') return reading;
    await reading.record({ operations: 0, ...(action === 'evidence.read' ? {} : { chunks: 0 }) });
    throw new Fault('DENIED', `${decision.message} (${decision.reason}, ${id})`);
  }

  /** The same for what is shown beside other things: undefined, after that was recorded, when the rules do not allow it. */
  async mayRead(viewer: Subject, session: SessionView, action: Action): Promise<AllowedReading | undefined> {
    const { decision, reading } = await this.#judge(viewer, session, action);
    if (decision.verdict === 'allow') return reading;
    await reading.record({ operations: 0 });
    return undefined;
  }

  async #judge(
    viewer: Subject,
    session: SessionView,
    action: Action,
  ): Promise<{ decision: Decision; id: string; reading: AllowedReading }> {
    const { ledger, world } = this.#parts;
    const bundle = await this.#inForce();
    const { roles, ...subject } = viewer;
    const own = viewer.id === session.subject || viewer.id === session.onBehalfOf;
    const request: DecisionRequest = {
      target: 'warder',
      phase: 'request',
      point: 'control',
      now: world.now(),
      subject,
      resource: { type: 'session', id: session.id },
      context: { certainty: 'parsed' },
      attributes: { warder: { action, roles, own } },
      // Texts can be changed before they are shown; of recorded bytes nobody knows where one value ends.
      can: action === 'evidence.read' ? ['record', 'log', 'mask', 'redact'] : ['record', 'log'],
      binding: `${action} ${session.id}`,
      grants: [],
    };
    const first = decide(bundle, request);
    const second = first.verdict === 'allow' ? decide(bundle, { ...request, phase: 'response' }) : undefined;
    const decision = second === undefined || second.verdict === 'allow' ? first : second;
    const obligations = [...first.obligations, ...(second?.obligations ?? [])];
    const summary: DecisionSummary = {
      id: newIdentifier('dec', world),
      verdict: decision.verdict,
      reason: decision.reason,
      rules: decision.decisive,
      matched: [...first.matched, ...(second?.matched ?? [])].slice(0, matchedMax),
      obligations: [...new Set(obligations.map(({ type }) => type))],
      bundle: decision.bundle,
      reads: readsOf(bundle, request, first),
    };
    const record = (shown: Shown): Promise<{ index: number }> =>
      ledger.append({ kind: 'recording.read', by: viewer.id, session: session.id, action, decision: summary, ...shown });
    return { decision, id: summary.id, reading: { obligations, record } };
  }

  async #inForce(): Promise<Bundle> {
    const { source } = await this.#parts.bundles.current();
    if (this.#bundle?.ref.digest === source.ref.digest) return this.#bundle;
    const compiled = compileBundle(source.files);
    if (!compiled.ok) throw new Fault('POLICY_INVALID', `the bundle in force, ${source.ref.digest}, does not compile`);
    this.#bundle = compiled.bundle;
    return compiled.bundle;
  }
}

const matchedMax = 64;
