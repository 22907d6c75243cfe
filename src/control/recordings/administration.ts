import { newIdentifier } from '#model';
import type { DecisionRequest, DecisionSummary, EvidenceRead, Subject, World } from '#model';
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

/** A reading that the rules allowed; it must be recorded before anything is shown. */
export interface AllowedReading {
  record(shown: Pick<EvidenceRead, 'operations' | 'chunks' | 'manifest'>): Promise<{ readonly index: number }>;
}

/**
 * Puts the reading of a recording to the policies, as the operation of the target `warder` that it is. Rejects with DENIED, after that was recorded,
 * when they do not allow it; also when they ask for something, such as an approval, that cannot be had here.
 */
export class Administration {
  readonly #parts: Parts;
  /** The bundle in force, compiled, as long as it is. */
  #bundle: Bundle | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async decideReading(viewer: Subject, session: SessionView, action: NonNullable<EvidenceRead['action']>): Promise<AllowedReading> {
    const { ledger, world } = this.#parts;
    const bundle = await this.#inForce();
    const { roles, ...subject } = viewer;
    const request: DecisionRequest = {
      target: 'warder',
      phase: 'request',
      point: 'control',
      now: world.now(),
      subject,
      resource: { type: 'session', id: session.id },
      context: { certainty: 'parsed' },
      attributes: { warder: { action, roles, own: viewer.id === session.subject } },
      can: ['record', 'log'],
      binding: `${action} ${session.id}`,
      grants: [],
    };
    const decision = decide(bundle, request);
    const summary: DecisionSummary = {
      id: newIdentifier('dec', world),
      verdict: decision.verdict,
      reason: decision.reason,
      rules: decision.decisive,
      matched: decision.matched.slice(0, matchedMax),
      obligations: [...new Set(decision.obligations.map(({ type }) => type))],
      bundle: decision.bundle,
      reads: readsOf(bundle, request, decision),
    };
    const record = (shown: Pick<EvidenceRead, 'operations' | 'chunks' | 'manifest'>): Promise<{ index: number }> =>
      ledger.append({ kind: 'recording.read', by: viewer.id, session: session.id, action, decision: summary, ...shown });
    if (decision.verdict === 'allow') return { record };
    await record({ operations: 0, chunks: 0 });
    throw new Fault('DENIED', `${decision.message} (${decision.reason}, ${summary.id})`);
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
