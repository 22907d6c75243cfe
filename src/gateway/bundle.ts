import { verify, type KeyObject } from 'node:crypto';
import { compileBundle, formatProblem, type Bundle } from '#policy';
import { Fault, limits, type BundleSource, type World } from '#model';

/** The bundle in force at this gateway. Activation is atomic: a decision sees one bundle, whole. */
export class BundleInForce {
  readonly #world: World;
  #bundle: Bundle | undefined;
  /** Monotonic time of the last word from the control plane. */
  #heardNs = 0n;
  #linked = false;

  constructor(world: World) {
    this.#world = world;
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
   * Checks and activates a bundle. The digest is computed here from the documents, so neither a damaged transfer nor a control plane
   * without the key can put other rules in force. Throws POLICY_INVALID; the bundle in force then stays.
   */
  activate(source: BundleSource, controlKey: KeyObject): void {
    if (!verify(null, Buffer.from(source.ref.digest), controlKey, Buffer.from(source.signature, 'base64'))) {
      throw new Fault('POLICY_INVALID', `the signature of bundle ${source.ref.digest} is not the control plane's`);
    }
    const compiled = compileBundle(source.files);
    if (!compiled.ok) {
      const first = compiled.problems[0];
      throw new Fault(
        'POLICY_INVALID',
        `bundle ${source.ref.digest} does not compile: ${first ? formatProblem(first) : 'no reason given'}`,
      );
    }
    if (compiled.bundle.ref.digest !== source.ref.digest) {
      throw new Fault('POLICY_INVALID', `bundle claims ${source.ref.digest} but its documents are ${compiled.bundle.ref.digest}`);
    }
    this.#bundle = compiled.bundle;
  }
}
