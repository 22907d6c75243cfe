import { timingSafeEqual } from 'node:crypto';
import type { World } from '#model';

/** Cancel requests taken from one source address in a window. More are dropped: a cancel key cannot be guessed by trying. */
const requestsPerWindow = 50;
const windowNs = 10_000_000_000n;
const sourcesMax = 1_000;

interface Cancellable {
  readonly secret: Buffer;
  cancel(): void;
}

/**
 * Cancel keys of the live sessions. Clients get keys of our own making: the target's real ones never leave the gateway, and a key only
 * reaches the session it was given to.
 */
export class CancelKeys {
  readonly #world: World;
  readonly #sessions = new Map<number, Cancellable>();
  readonly #sources = new Map<string, { count: number; since: bigint }>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A new key for a session; `release` forgets it. */
  issue(cancel: () => void): { readonly pid: number; readonly secret: Buffer; release(): void } {
    let pid = 0;
    do pid = Buffer.from(this.#world.randomBytes(4)).readInt32BE() & 0x7fff_ffff;
    while (pid === 0 || this.#sessions.has(pid));
    const secret = Buffer.from(this.#world.randomBytes(4));
    this.#sessions.set(pid, { secret, cancel });
    return { pid, secret, release: () => void this.#sessions.delete(pid) };
  }

  /** Acts on a cancel request; says nothing about whether the key was right. */
  request(key: { readonly pid: number; readonly secret: Buffer }, source: string): void {
    if (!this.#allows(source)) return;
    const session = this.#sessions.get(key.pid);
    const expected = session?.secret ?? Buffer.alloc(4);
    const given = key.secret.length === expected.length ? key.secret : Buffer.alloc(expected.length);
    const equal = timingSafeEqual(given, expected) && key.secret.length === expected.length;
    if (session && equal) session.cancel();
  }

  #allows(source: string): boolean {
    const now = this.#world.monotonicNs();
    const seen = this.#sources.get(source);
    if (seen && now - seen.since < windowNs) {
      seen.count += 1;
      return seen.count <= requestsPerWindow;
    }
    if (this.#sources.size >= sourcesMax) this.#sources.clear();
    this.#sources.set(source, { count: 1, since: now });
    return true;
  }
}
