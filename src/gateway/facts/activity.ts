import { limits, type ActivityFacts, type World } from '#model';
import type { LiveSession } from '../point.ts';
import type { FactProducer } from './producer.ts';
import { Tally } from './tally.ts';

/** What one session, or all sessions of one subject, did at this gateway. */
class Activity {
  readonly operations = new Tally();
  readonly denied = new Tally();
  readonly rows = new Tally();
  /** Wall clock, ms. */
  readonly startedAt: number;

  constructor(startedAt: number) {
    this.startedAt = startedAt;
  }

  facts(wallMs: number, nowMs: number): ActivityFacts {
    const { operations, denied, rows } = this;
    return {
      started_at: new Date(this.startedAt).toISOString(),
      age_seconds: Math.max(0, Math.floor((wallMs - this.startedAt) / 1000)),
      operations: operations.total,
      operations_last_1m: operations.last(nowMs, 1),
      operations_last_5m: operations.last(nowMs, 5),
      operations_last_15m: operations.last(nowMs, 15),
      denied: denied.total,
      denied_last_1m: denied.last(nowMs, 1),
      denied_last_5m: denied.last(nowMs, 5),
      denied_last_15m: denied.last(nowMs, 15),
      rows: rows.total,
      rows_last_1m: rows.last(nowMs, 1),
      rows_last_5m: rows.last(nowMs, 5),
      rows_last_15m: rows.last(nowMs, 15),
    };
  }
}

/**
 * What sessions and subjects did: the facts `session` and `subject`. In the memory of this gateway: each gateway counts for itself, and a
 * restart begins anew. The facts of a subject outlive its sessions, so that nobody begins anew by connecting again.
 */
export class Activities {
  readonly #world: World;
  readonly #subjectsMax: number;
  readonly #sessions = new WeakMap<LiveSession, Activity>();
  /** The one that was busy last is the last one. */
  readonly #subjects = new Map<string, Activity>();

  constructor(world: World, subjectsMax: number = limits.activitySubjectsMax) {
    this.#world = world;
    this.#subjectsMax = subjectsMax;
  }

  readonly producers: readonly FactProducer[] = [
    { path: 'session', produce: ({ live, request }) => ({ value: this.#session(live).facts(request.now, this.#nowMs()) }) },
    { path: 'subject', produce: ({ live, request }) => ({ value: this.#subject(live).facts(request.now, this.#nowMs()) }) },
  ];

  /** Operations were decided, so many of them denied by a rule or a limit. */
  decided(live: LiveSession, operations: number, denied: number): void {
    const nowMs = this.#nowMs();
    for (const activity of [this.#session(live), this.#subject(live)]) {
      activity.operations.add(nowMs, operations);
      if (denied > 0) activity.denied.add(nowMs, denied);
    }
  }

  /** Rows were shown. */
  shown(live: LiveSession, rows: number): void {
    if (rows === 0) return;
    const nowMs = this.#nowMs();
    this.#session(live).rows.add(nowMs, rows);
    this.#subject(live).rows.add(nowMs, rows);
  }

  #nowMs(): number {
    return Number(this.#world.monotonicNs() / 1_000_000n);
  }

  #session(live: LiveSession): Activity {
    const known = this.#sessions.get(live);
    if (known !== undefined) return known;
    const fresh = new Activity(live.session.openedAt);
    this.#sessions.set(live, fresh);
    return fresh;
  }

  #subject({ session }: LiveSession): Activity {
    const { id } = session.subject;
    const activity = this.#subjects.get(id) ?? new Activity(session.openedAt);
    this.#subjects.delete(id);
    this.#subjects.set(id, activity);
    // Who was quiet for longest is forgotten first.
    for (const oldest of this.#subjects.keys()) {
      if (this.#subjects.size <= this.#subjectsMax) break;
      this.#subjects.delete(oldest);
    }
    return activity;
  }
}
