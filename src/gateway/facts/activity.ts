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
  readonly #sessions = new WeakMap<LiveSession, Pair>();
  /** Who opened a session, or was denied something, last is the last one. */
  readonly #subjects = new Map<string, Activity>();

  constructor(world: World, subjectsMax: number = limits.activitySubjectsMax) {
    this.#world = world;
    this.#subjectsMax = subjectsMax;
  }

  readonly producers: readonly FactProducer[] = [
    { path: 'session', produce: ({ live, request }) => ({ value: this.#of(live).session.facts(request.now, this.#nowMs()) }) },
    { path: 'subject', produce: ({ live, request }) => ({ value: this.#of(live).subject.facts(request.now, this.#nowMs()) }) },
  ];

  /** Operations were decided, so many of them denied by a rule or a limit. */
  decided(live: LiveSession, operations: number, denied: number): void {
    const nowMs = this.#nowMs();
    const { session, subject } = this.#of(live);
    session.operations.add(nowMs, operations);
    subject.operations.add(nowMs, operations);
    if (denied === 0) return;
    session.denied.add(nowMs, denied);
    subject.denied.add(nowMs, denied);
    this.#keep(live.session.subject.id, subject);
  }

  /** Rows were shown. */
  shown(live: LiveSession, rows: number): void {
    if (rows === 0) return;
    const nowMs = this.#nowMs();
    const { session, subject } = this.#of(live);
    session.rows.add(nowMs, rows);
    subject.rows.add(nowMs, rows);
  }

  #nowMs(): number {
    return Number(this.#world.monotonicNs() / 1_000_000n);
  }

  #of(live: LiveSession): Pair {
    const known = this.#sessions.get(live);
    if (known !== undefined) return known;
    const { openedAt, subject } = live.session;
    const pair = { session: new Activity(openedAt), subject: this.#subjects.get(subject.id) ?? new Activity(openedAt) };
    this.#sessions.set(live, pair);
    this.#keep(subject.id, pair.subject);
    return pair;
  }

  /** Who was quiet for longest is forgotten first. */
  #keep(id: string, activity: Activity): void {
    this.#subjects.delete(id);
    this.#subjects.set(id, activity);
    for (const oldest of this.#subjects.keys()) {
      if (this.#subjects.size <= this.#subjectsMax) break;
      this.#subjects.delete(oldest);
    }
  }
}

/** A session with its subject: looked up once, because every operation is noted. */
interface Pair {
  readonly session: Activity;
  readonly subject: Activity;
}
