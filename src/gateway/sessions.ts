import type { Ledger } from '#ledger';
import { asFault, Fault, limits, newIdentifier, type Session, type Timer, type World } from '#model';
import type { BundleInForce } from './bundle.ts';
import type { Log } from './log.ts';
import type { LiveSession, SessionRefusal, Sessions, SessionStart } from './point.ts';

interface Parts {
  readonly world: World;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly bundle: BundleInForce;
}

interface Entry {
  readonly session: Session;
  readonly end: AbortController;
  expiry: Timer | undefined;
}

/** The live sessions of this gateway: opened and closed with a record each, capped, and ended from here when they must end. */
export class LiveSessions implements Sessions {
  readonly #parts: Parts;
  readonly #live = new Map<string, Entry>();
  #nextRefusalMs = -Infinity;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#live.size;
  }

  async open(start: SessionStart): Promise<LiveSession> {
    const { world, ledger, bundle } = this.#parts;
    this.#checkCaps(start);
    const current = bundle.current();
    if (current instanceof Fault) throw current;
    const session: Session = {
      id: newIdentifier('ses', world),
      subject: start.subject,
      resource: start.resource.resource,
      point: start.point,
      source: start.source,
      authentication: start.authentication,
      token: start.token,
      client: start.client.toWellFormed().slice(0, 128).toWellFormed(),
      openedAt: world.now(),
    };
    // It takes its place before its record is durable, or a burst would pass the caps.
    const entry: Entry = { session, end: new AbortController(), expiry: undefined };
    this.#live.set(session.id, entry);
    try {
      await ledger.append({
        kind: 'session.opened',
        session: session.id,
        who: {
          subject: session.subject.id,
          groups: session.subject.groups,
          ...(session.subject.onBehalfOf ? { onBehalfOf: session.subject.onBehalfOf.id } : {}),
          authentication: session.authentication,
          token: session.token,
          source: session.source,
        },
        what: { point: session.point, resource: session.resource.id, client: session.client },
        policy: current.ref.digest,
      });
    } catch (thrown) {
      this.#live.delete(session.id);
      throw thrown;
    }
    return this.#start(entry, start);
  }

  async refuse(refusal: SessionRefusal): Promise<void> {
    const { world, ledger } = this.#parts;
    await this.#refusalTurn();
    await ledger.append({
      kind: 'session.refused',
      session: newIdentifier('ses', world),
      who: { claimed: refusal.claimed.toWellFormed().slice(0, 128).toWellFormed(), source: refusal.source },
      what: { point: refusal.point, resource: refusal.resource.toWellFormed().slice(0, 128).toWellFormed() },
      reason: refusal.reason,
    });
  }

  /** Ends one session now; false when it is not live here. */
  terminate(id: string, fault: Fault): boolean {
    const entry = this.#live.get(id);
    entry?.end.abort(fault);
    return entry !== undefined;
  }

  /** Ends every session that was opened with one of these tokens. */
  revoke(tokens: readonly string[]): void {
    const revoked = new Set(tokens);
    for (const { session, end } of this.#live.values()) {
      if (revoked.has(session.token)) end.abort(new Fault('UNAUTHENTICATED', 'the token of this session was revoked'));
    }
  }

  /** Ends every session on the resource with this id. */
  endResource(id: string, fault: Fault): void {
    for (const { session, end } of this.#live.values()) if (session.resource.id === id) end.abort(fault);
  }

  /** Ends all sessions, e.g. when the ledger failed or the gateway stops. */
  terminateAll(fault: Fault): void {
    for (const { end } of this.#live.values()) end.abort(fault);
  }

  /**
   * Refused logins take turns: a few at once, then ten a second. Strangers can neither fill the ledger nor guess any faster, and whoever
   * has a valid token does not wait.
   */
  async #refusalTurn(): Promise<void> {
    const { world } = this.#parts;
    const now = Number(world.monotonicNs() / 1_000_000n);
    const turnMs = Math.max(this.#nextRefusalMs, now - limits.refusalBurst * limits.refusalSpacingMs) + limits.refusalSpacingMs;
    const waitMs = turnMs - now;
    if (waitMs > limits.loginMs) throw new Fault('RATE_LIMITED', 'too many logins were refused; wait a moment');
    this.#nextRefusalMs = turnMs;
    if (waitMs > 0) await new Promise<void>((resolve) => void world.after(waitMs, resolve));
  }

  #checkCaps(start: SessionStart): void {
    if (this.#live.size >= limits.sessionsMax) {
      throw new Fault('TOO_MANY_SESSIONS', `this gateway already serves ${limits.sessionsMax} sessions`);
    }
    let own = 0;
    for (const { session } of this.#live.values()) if (session.subject.id === start.subject.id) own += 1;
    if (own >= limits.sessionsPerSubjectMax) {
      throw new Fault('TOO_MANY_SESSIONS', `${start.subject.name} already has ${limits.sessionsPerSubjectMax} sessions`);
    }
  }

  #start(entry: Entry, start: SessionStart): LiveSession {
    const { world } = this.#parts;
    const { session } = entry;
    entry.expiry = world.after(Math.max(0, start.expiresAt - world.now()), () =>
      entry.end.abort(new Fault('UNAUTHENTICATED', 'the token of this session expired')),
    );
    let n = 0;
    let closed: Promise<void> | undefined;
    return {
      session,
      config: start.resource,
      ended: entry.end.signal,
      nextOperation: () => {
        n += 1;
        return { id: newIdentifier('op', world), n };
      },
      close: (end) => {
        closed ??= this.#close(entry, { ...end, operations: n });
        return closed;
      },
    };
  }

  async #close(entry: Entry, end: { reason: string; bytesUp: number; bytesDown: number; operations: number }): Promise<void> {
    const { ledger, log } = this.#parts;
    entry.expiry?.cancel();
    this.#live.delete(entry.session.id);
    try {
      await ledger.append({ kind: 'session.closed', session: entry.session.id, ...end });
    } catch (thrown) {
      // The session stays open in the log; the verifier lists it as a hole. The ledger ends the process itself.
      log.error({ session: entry.session.id, fault: asFault(thrown).code }, 'the end of a session could not be recorded');
    }
  }
}
