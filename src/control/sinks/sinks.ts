import { sql } from 'kysely';
import { Fault } from '#model';
import type { World } from '#model';
import type { Bell } from '../evidence/bell.ts';
import { openBell } from '../evidence/bell.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/database.ts';
import { readBatch } from './batch.ts';
import type { BatchQuery } from './batch.ts';
import type { SinkConfig } from './configuration.ts';
import { openCursors } from './cursors.ts';
import type { Facts } from './facts.ts';
import { privacyOf } from './privacy.ts';
import { attempt, runSink } from './runner.ts';
import type { RunnerSink } from './runner.ts';
import type { Delivery } from './sink.ts';
import { targetOf, transportOf } from './transport.ts';

export interface SinkStatus {
  readonly name: string;
  readonly type: SinkConfig['type'];
  /** Where to, without secrets. */
  readonly target: string;
  readonly format: string;
  /** Mirrored records that are not acknowledged yet. */
  readonly lag: number;
  /** Wall clock of the oldest of them, ms. */
  readonly oldest?: number;
  readonly delivered: number;
  /** Events that were delivered with the mark that they may be there twice. */
  readonly marked: number;
  readonly deliveredAt?: number;
  readonly failures: number;
  /** What the last attempt failed with; absent when it succeeded. */
  readonly error?: string;
  readonly errorAt?: number;
}

/** Everything that receives records. */
export interface Sinks {
  /** Delivers to all of them until `signal` aborts; to be run by one replica at a time. One that fails never holds up another. */
  run(signal: AbortSignal): Promise<void>;
  /** There are new records. */
  ring(): void;
  status(): Promise<readonly SinkStatus[]>;
  /** Sends one event of the kind `sink.test` that is in no ledger. NOT_FOUND when there is no such sink. */
  test(name: string): Promise<Delivery>;
}

export interface SinksDesk {
  readonly store: Store;
  readonly world: World;
  readonly log: Log;
  /** Key of the hashes that stand for values that a sink is not shown. */
  readonly hashKey: Uint8Array;
}

/** Throws CONFIG_INVALID when a certificate that a sink names cannot be read. */
export function openSinks(configs: readonly SinkConfig[], desk: SinksDesk): Sinks {
  const { store, world, log } = desk;
  const cursors = openCursors(store);
  const parts = configs.map((config) => ({
    config,
    bell: openBell(world),
    runner: { sink: config, transport: transportOf(config, world), shown: privacyOf(config.privacy, desk.hashKey) } satisfies RunnerSink,
  }));

  return {
    async run(signal) {
      const worker = { read: (query: BatchQuery) => readBatch(store.db, query), cursors, world, log };
      await Promise.all(parts.map(({ runner, bell }) => keepRunning(runner, { ...worker, bell }, signal)));
    },
    ring() {
      for (const { bell } of parts) bell.ring();
    },
    async status() {
      const found = await readStates(store);
      return parts.map(({ config }) => ({
        name: config.name,
        type: config.type,
        target: targetOf(config),
        format: config.format,
        ...stateOf(found.get(config.name)),
      }));
    },
    async test(name) {
      const part = parts.find(({ config }) => config.name === name);
      if (part === undefined) throw new Fault('NOT_FOUND', `there is no sink ${name}; they are configured in sinks.yaml`);
      // A connection of its own: a test never disturbs what is being delivered.
      const transport = transportOf(part.config, world);
      const result = await attempt(transport, [part.runner.shown(testEvent(world))], { world, signal: new AbortController().signal });
      await transport.close();
      return result;
    },
  };
}

/** A store that is away, or a cursor that somebody else moved, makes this sink begin again from what is stored; the others go on. */
async function keepRunning(runner: RunnerSink, desk: Parameters<typeof runSink>[1] & { bell: Bell }, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await runSink(runner, desk, signal);
    } catch (error) {
      desk.log.warn({ sink: runner.sink.name, error: error instanceof Error ? error.message : String(error) }, 'a sink begins again');
      await desk.bell.wait(1_000, signal);
    }
  }
}

function testEvent(world: World): Facts {
  const t = world.now();
  return {
    key: `warder.test#${t}`,
    origin: 'warder.test',
    i: t,
    t,
    kind: 'sink.test',
    leaf: Buffer.from(world.randomBytes(32)).toString('hex'),
  };
}

interface StateRow {
  readonly sink: string;
  readonly delivered: number;
  readonly marked: number;
  readonly delivered_at: number | null;
  readonly failures: number;
  readonly error: string | null;
  readonly error_at: number | null;
  readonly lag: number;
  readonly oldest: number | null;
}

async function readStates(store: Store): Promise<ReadonlyMap<string, StateRow>> {
  const { rows } = await sql<StateRow>`
    select s.*, lag.*
    from sink_state s cross join lateral (
      select coalesce(sum(m.entries - coalesce(c.next, 0)), 0)::bigint as lag, min(r.t) as oldest
      from mirror m
      left join sink_cursor c on c.sink = s.sink and c.origin = m.origin and c.vkey = m.vkey
      left join record r on r.origin = m.origin and r.i = coalesce(c.next, 0) and coalesce(c.next, 0) < m.entries
    ) lag`.execute(store.db);
  return new Map(rows.map((row) => [row.sink, row]));
}

function stateOf(row: StateRow | undefined): Omit<SinkStatus, 'name' | 'type' | 'target' | 'format'> {
  if (row === undefined) return { lag: 0, delivered: 0, marked: 0, failures: 0 };
  return {
    lag: row.lag,
    delivered: row.delivered,
    marked: row.marked,
    failures: row.failures,
    ...(row.oldest === null ? {} : { oldest: row.oldest }),
    ...(row.delivered_at === null ? {} : { deliveredAt: row.delivered_at }),
    ...(row.error === null ? {} : { error: row.error }),
    ...(row.error_at === null || row.error === null ? {} : { errorAt: row.error_at }),
  };
}
