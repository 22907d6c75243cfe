import { verify, type KeyObject } from 'node:crypto';
import { candidateOf, compilingBundle, formatProblem, withCandidate, type Bundle, type CompileResult } from '#policy';
import { Fault, limits, type BundleSource, type World } from '#model';

/** What else must happen when a bundle comes into force. */
export interface BundleHooks {
  /** Never rejects. */
  readonly prepare?: (bundle: Bundle) => Promise<void>;
  readonly activated?: (bundle: Bundle) => void;
}

/** The bundle in force at this gateway. Activation is atomic: a decision sees one bundle, whole. */
export class BundleInForce {
  readonly #world: World;
  readonly #prepare: (bundle: Bundle) => Promise<void>;
  readonly #activated: (bundle: Bundle) => void;
  #bundle: Bundle | undefined;
  /** Monotonic time of the last word from the control plane. */
  #heardNs = 0n;
  #linked = false;
  /** Counts the bundles that were offered: a newer one makes the compiling of an older one pointless. */
  #offers = 0;

  /**
   * @param prepare is waited for before a new bundle takes the place of another, e.g. until the engines it asks can answer
   * @param activated is told after it has; then what only the one before needed may go
   */
  constructor(world: World, { prepare, activated }: BundleHooks = {}) {
    this.#world = world;
    this.#prepare = prepare ?? (() => Promise.resolve());
    this.#activated = activated ?? (() => undefined);
  }

  /** The bundle to decide with, or the fault that says why there is none: no bundle yet, or too old while the control plane is away. */
  current(): Bundle | Fault {
    if (!this.#bundle) return new Fault('POLICY_STALE', 'no policy bundle has been received yet');
    if (!this.#linked) {
      const awayMs = Number((this.#world.monotonicNs() - this.#heardNs) / 1_000_000n);
      if (awayMs > limits.bundleStaleMs) {
        return new Fault(
          'POLICY_STALE',
          `the control plane has been away for ${Math.round(awayMs / 60_000)} min; the last bundle is too old to decide with`,
        );
      }
    }
    return this.#bundle;
  }

  get digest(): string {
    return this.#bundle?.ref.digest ?? '';
  }

  /** Tells whether the link to the control plane is up; while it is, the bundle cannot be stale. */
  linked(up: boolean): void {
    this.#linked = up;
    this.#heardNs = this.#world.monotonicNs();
  }

  /**
   * Checks and activates a bundle at once, before anybody is served. The digest is computed here from the documents, so neither a damaged
   * transfer nor a control plane without the key can put other rules in force. Throws POLICY_INVALID; the bundle in force then stays.
   */
  activate(source: BundleSource, controlKey: KeyObject): void {
    this.#offers += 1;
    checkSignature(source, controlKey);
    const steps = compilingOffer(source, controlKey);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return this.#putInForce(step.value);
    }
  }

  /**
   * The same while sessions are served: compiling stops every few milliseconds to let traffic through, and the bundle in force decides until
   * the new one is complete. Resolves when it is in force, or when a newer offer has made it pointless. Rejects like `activate` throws.
   */
  async replace(source: BundleSource, controlKey: KeyObject): Promise<void> {
    this.#offers += 1;
    const offer = this.#offers;
    checkSignature(source, controlKey);
    // What is in force was compiled from documents with this very digest.
    if (source.ref.digest === this.digest) return;
    const steps = compilingOffer(source, controlKey);
    for (;;) {
      const bundle = this.#slice(steps);
      if (bundle !== undefined) return this.#complete(bundle, offer);
      await new Promise<void>((resolve) => void this.#world.after(0, resolve));
      if (offer !== this.#offers) return;
    }
  }

  async #complete(bundle: Bundle, offer: number): Promise<void> {
    await this.#prepare(bundle);
    if (offer === this.#offers) this.#putInForce(bundle);
    // Overtaken by a newer offer: what was made ready for this one is not needed, unless the bundle in force has it too.
    else if (this.#bundle !== undefined) this.#activated(this.#bundle);
  }

  #putInForce(bundle: Bundle): void {
    this.#bundle = bundle;
    this.#activated(bundle);
  }

  /** As many steps as fit a slice; what they came to when the last one was among them. */
  #slice(steps: ReturnType<typeof compilingOffer>): Bundle | undefined {
    const pauseAt = this.#world.monotonicNs() + compileSliceNs;
    do {
      const { done, value } = steps.next();
      if (done === true) return value;
    } while (this.#world.monotonicNs() < pauseAt);
    return undefined;
  }
}

const compileSliceNs = BigInt(limits.compileSliceMs) * 1_000_000n;

/** Compiles a bundle, and beside it the candidate that a rollout in it is about. Throws POLICY_INVALID. */
function* compilingOffer(source: BundleSource, controlKey: KeyObject): Generator<undefined, Bundle> {
  const bundle = accepted(source, yield* compilingBundle(source.files));
  const digest = candidateOf(bundle);
  if (digest === undefined) return bundle;
  const { candidate } = source;
  if (candidate === undefined) throw new Fault('POLICY_INVALID', `bundle ${source.ref.digest} came without its candidate ${digest}`);
  checkSignature(candidate, controlKey);
  const both = withCandidate(bundle, accepted(candidate, yield* compilingBundle(candidate.files)));
  if (both === undefined)
    throw new Fault(
      'POLICY_INVALID',
      `${candidate.ref.digest} cannot be the candidate of bundle ${source.ref.digest}: it is another one, or asks other engines`,
    );
  return both;
}

type Signed = Pick<BundleSource, 'ref' | 'signature'>;

function checkSignature(source: Signed, controlKey: KeyObject): void {
  if (verify(null, Buffer.from(source.ref.digest), controlKey, Buffer.from(source.signature, 'base64'))) return;
  throw new Fault('POLICY_INVALID', `the signature of bundle ${source.ref.digest} is not the control plane's`);
}

function accepted(source: Signed, compiled: CompileResult): Bundle {
  if (!compiled.ok) {
    const first = compiled.problems[0];
    throw new Fault('POLICY_INVALID', `bundle ${source.ref.digest} does not compile: ${first ? formatProblem(first) : 'no reason given'}`);
  }
  if (compiled.bundle.ref.digest !== source.ref.digest) {
    throw new Fault('POLICY_INVALID', `bundle claims ${source.ref.digest} but its documents are ${compiled.bundle.ref.digest}`);
  }
  return compiled.bundle;
}
