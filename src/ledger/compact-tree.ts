import { hash } from 'node:crypto';
import { nodeHash } from './merkle.ts';

/**
 * A tree of which only the roots of its perfect subtrees are kept, one for each set bit of its size: enough to grow and to name the
 * root, in a kilobyte at most. For whoever follows the log of somebody else.
 * SPEC: RFC 6962 §2.1.
 */
export class CompactTree {
  /** Largest first. */
  readonly #peaks: Buffer[];
  #size: number;

  constructor(size = 0, peaks: readonly Buffer[] = []) {
    this.#size = size;
    this.#peaks = [...peaks];
  }

  get size(): number {
    return this.#size;
  }

  get peaks(): readonly Buffer[] {
    return this.#peaks;
  }

  add(leaf: Buffer): void {
    let node = leaf;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) node = nodeHash(this.#peaks.pop() ?? node, node);
    this.#peaks.push(node);
    this.#size += 1;
  }

  root(): Buffer {
    const root = this.#peaks.reduceRight<Buffer | undefined>(
      (right, peak) => (right === undefined ? peak : nodeHash(peak, right)),
      undefined,
    );
    return root ?? hash('sha256', '', 'buffer');
  }
}
