import type { Ledger } from '#ledger';
import { Fault, limits } from '#model';
import type { World } from '#model';
import type { Bell } from '../evidence/bell.ts';
import { openBell } from '../evidence/bell.ts';
import type { RecentEntries } from '../evidence/recent.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/database.ts';
import type { AsideEvent } from './aside.ts';
import { dropAside, listAside, retryAside } from './aside.ts';
import { openBatchReader } from './batch.ts';
import type { SinkConfig } from './configuration.ts';
import { openCursors } from './cursors.ts';
import type { Facts } from './facts.ts';
import type { SinksFile } from './live-configuration.ts';
import { followSinksFile } from './live-configuration.ts';
import { privacyOf } from './privacy.ts';
import { attempt, runSink } from './runner.ts';
import type { RunnerSink } from './runner.ts';
import type { Delivery, Transport } from './sink.ts';
import type { SinkStatus } from './status.ts';
import { readPositions, readStates, stateOf } from './status.ts';
import { targetOf, transportOf } from './transport.ts';

/** Everything that receives records. */
export interface Sinks {
  /**
   * Delivers to all of them until `signal` aborts; to be run by one replica at a time. One that fails never holds up another. A sink whose
   * configuration changes begins again where its cursor is; the others go on.
   */
  run(signal: AbortSignal): Promise<void>;
  /** There are new records. */
  ring(): void;
  /** `problem`: `sinks.yaml` was changed and is wrong, so the sinks from before go on. */
  status(): Promise<{ readonly items: readonly SinkStatus[]; readonly problem?: string }>;
  /** Of each ledger, and each sink that there is, the first entry that it may still need: not delivered, or set aside. */
  positions(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>>;
  /** Sends one event of the kind `sink.test` that is in no ledger. NOT_FOUND when there is no such sink, also below. */
  test(name: string): Promise<Delivery>;
  /** The events that a receiver refused for what they are. */
  aside(name: string): Promise<readonly AsideEvent[]>;
  /** Offers them once more. */
  retry(name: string): Promise<{ taken: number; refused: number; why?: string }>;
  /** Forgets them; says how many. */
  giveUp(name: string): Promise<number>;
}

export interface SinksDesk {
  readonly store: Store;
  readonly recent?: RecentEntries;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly world: World;
  readonly log: Log;
  /** Key of the hashes that stand for values that a sink is not shown. */
  readonly hashKey: Uint8Array;
}

interface Part {
  readonly config: SinkConfig;
  /** Tells whether a configuration is the same. */
  readonly json: string;
  readonly bell: Bell;
  readonly runner: RunnerSink;
}

/** Throws CONFIG_INVALID when a certificate that a sink names cannot be read. */
export function openSinks(first: SinksFile, desk: SinksDesk): Sinks {
  const { store, ledger, world, log } = desk;
  const cursors = openCursors(store);
  let parts = partsOf(first.configs, [], desk);
  const changes = openBell(world);
  const file = followSinksFile(first, {
    log,
    record: async (digest) =>
      void (await ledger.append({
        kind: 'admin.configuration',
        by: 'operator',
        action: 'read again',
        object: `sinks.yaml sha256:${digest}`,
      })),
    prepare: (configs) => {
      const fresh = partsOf(configs, parts, desk);
      return () => {
        parts = fresh;
        changes.ring();
      };
    },
  });
  const named = (name: string): Part => {
    const part = parts.find(({ config }) => config.name === name);
    if (part === undefined) throw new Fault('NOT_FOUND', `there is no sink ${name}; they are configured in sinks.yaml`);
    return part;
  };
  const { read } = openBatchReader(store.db, desk.recent);
  const worker = { read, cursors, world, log, onSetAside: alarmFor(ledger), onFailing: failingAlarm(ledger) };

  return {
    async run(signal) {
      const running = new Map<Part, Running>();
      while (!signal.aborted) {
        await file.look();
        await Promise.all([...running].filter(([part]) => !parts.includes(part)).map(([part, one]) => end(running, part, one)));
        for (const part of parts) if (!running.has(part)) running.set(part, begin(part, worker, signal));
        await changes.wait(limits.sinksFileMs, signal);
      }
      await Promise.all([...running].map(([part, one]) => end(running, part, one)));
    },
    ring() {
      for (const { bell } of parts) bell.ring();
    },
    async status() {
      await file.look();
      const found = await readStates(store);
      const problem = file.problem();
      const items = parts.map(({ config }) => ({
        name: config.name,
        type: config.type,
        target: targetOf(config),
        format: config.format,
        ...stateOf(found.get(config.name)),
      }));
      return { items, ...(problem === undefined ? {} : { problem }) };
    },
    positions: () =>
      readPositions(
        store,
        parts.map(({ config }) => config.name),
      ),
    test: async (name) => {
      const { runner } = named(name);
      return apart(named(name), world, (transport) =>
        attempt(transport, [runner.shown(testEvent(world))], { world, signal: new AbortController().signal }),
      );
    },
    aside: async (name) => listAside(store, named(name).config.name, limits.sinkRetryEventsMax),
    retry: async (name) => {
      const part = named(name);
      const cleared = async (record: string): Promise<void> =>
        void (await ledger.append({
          kind: 'alarm.cleared',
          alarm: refusedAlarm,
          object: `${name} ${record}`,
          message: 'the receiver took it',
        }));
      return apart(part, world, (transport) => retryAside(store, { runner: part.runner, transport, world }, cleared));
    },
    giveUp: async (name) => dropAside(store, named(name).config.name),
  };
}

const refusedAlarm = 'sink.refused';

/** Says that a receiver is away, and that it is back. */
function failingAlarm(ledger: Pick<Ledger, 'append'>): Parameters<typeof runSink>[1]['onFailing'] {
  return async (sink, why) => {
    const about = { alarm: 'sink.failing', object: sink } as const;
    if (why === undefined) await ledger.append({ kind: 'alarm.cleared', ...about, message: 'the receiver takes records again' });
    else
      await ledger.append({
        kind: 'alarm.raised',
        ...about,
        message: `the receiver takes nothing: ${why}`.slice(0, limits.readStringCharsMax),
      });
  };
}

/** Says that a record is missing at a receiver. An alarm of this kind that is refused raises no other: that would never end. */
function alarmFor(ledger: Pick<Ledger, 'append'>): Parameters<typeof runSink>[1]['onSetAside'] {
  return async (sink, { event, why }) => {
    if (event.alarm === refusedAlarm) return;
    const message = `the receiver refuses the record, it is set aside: ${why}`.slice(0, limits.readStringCharsMax);
    await ledger.append({ kind: 'alarm.raised', alarm: refusedAlarm, object: `${sink} ${event.key}`, message });
  };
}

/** What did not change stays the same object, so that it goes on undisturbed. */
function partsOf(configs: readonly SinkConfig[], old: readonly Part[], { world, hashKey }: SinksDesk): readonly Part[] {
  return configs.map((config) => {
    const json = JSON.stringify(config);
    const same = old.find((one) => one.json === json);
    if (same !== undefined) return same;
    const runner = { sink: config, transport: transportOf(config, world), shown: privacyOf(config.privacy, hashKey) };
    return { config, json, bell: openBell(world), runner };
  });
}

interface Running {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

function begin(part: Part, worker: Omit<Parameters<typeof runSink>[1], 'bell'>, signal: AbortSignal): Running {
  const stop = new AbortController();
  const ended = keepRunning(part.runner, { ...worker, bell: part.bell }, AbortSignal.any([signal, stop.signal]));
  return { stop, ended };
}

async function end(running: Map<Part, Running>, part: Part, { stop, ended }: Running): Promise<void> {
  stop.abort();
  await ended;
  running.delete(part);
  await part.runner.transport.close();
}

/** A connection of its own: what is asked for by hand never disturbs what is being delivered. */
async function apart<T>(part: Part, world: World, action: (transport: Transport) => Promise<T>): Promise<T> {
  const transport = transportOf(part.config, world);
  try {
    return await action(transport);
  } finally {
    await transport.close();
  }
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
