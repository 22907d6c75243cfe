import assert from 'node:assert/strict';
import { Fault, limits } from '#model';
import { openBell } from '../../evidence/bell.ts';
import { fakeWorld } from '../../testing/fake-world.ts';
import { collectingLog } from '../../testing/installation.ts';
import type { Cursor, Cursors } from '../cursors.ts';
import type { Facts } from '../facts.ts';
import { runSink } from '../runner.ts';
import type { RunnerDesk } from '../runner.ts';
import type { SinkCommon, Transport } from '../sink.ts';

export const sink: SinkCommon = { name: 's', format: 'ocsf', kinds: [], from: 'beginning', privacy: {} };

/** The durable state of one sink, as the store keeps it: it survives a crash. */
export function memory(entries: number): Cursors & { cursor: Cursor; errors: string[]; aside: number[] } {
  const change = (cursor: Cursor, next: number, sent: number): void => {
    if (cursor.next !== state.cursor.next || cursor.sent !== state.cursor.sent) throw new Fault('CONFLICT', 'moved');
    assert.ok(sent >= next);
    state.cursor = { ...state.cursor, next, sent };
  };
  let inRow = 0;
  const state: ReturnType<typeof memory> = {
    cursor: { origin: 'o', vkey: 'k', next: 0, sent: 0, entries },
    errors: [],
    aside: [],
    load: async () => [state.cursor],
    async intend({ cursor, to }) {
      change(cursor, cursor.next, Math.max(cursor.sent, to));
      return state.cursor;
    },
    async withdraw({ cursor, before }) {
      change(cursor, cursor.next, before.sent);
    },
    async advance({ cursor, to, delivered, upTo = to }) {
      change(cursor, to, Math.max(cursor.sent, to, upTo));
      if (delivered > 0) inRow = 0;
      return state.cursor;
    },
    async setAside({ cursor, to, event, record }) {
      if (inRow >= limits.sinkSetAsideInRowMax) return false;
      inRow += 1;
      await record();
      change(cursor, to, Math.max(cursor.sent, to));
      state.aside.push(event.i);
      return true;
    },
    async fail(_sink, { why }) {
      state.errors.push(why);
    },
  };
  return state;
}

export async function read({ cursor, entriesMax, wanted }: { cursor: Cursor; entriesMax: number; wanted: (kind: string) => boolean }) {
  const to = Math.min(cursor.next + entriesMax, cursor.entries);
  if (to <= cursor.next) return undefined;
  const events: Facts[] = [];
  for (let i = cursor.next; i < to; i += 1) {
    const kind = i % 5 === 0 ? 'log.heartbeat' : 'operation.decided';
    if (!wanted(kind)) continue;
    events.push({
      key: `o#${i}`,
      origin: 'o',
      i,
      t: i,
      kind,
      leaf: String(i),
      ...(i < cursor.sent ? { duplicate: 'possible' as const } : {}),
    });
  }
  return { events, to };
}

/** A runner in a world whose timers run at once, until everything is delivered or it dies. */
export async function live(
  cursors: ReturnType<typeof memory>,
  transport: Transport,
  options: { kinds?: string[]; batch?: number; tries?: number; onSetAside?: RunnerDesk['onSetAside'] } = {},
): Promise<void> {
  const world = fakeWorld();
  const stop = new AbortController();
  let tries = options.tries ?? Number.POSITIVE_INFINITY;
  const hurried = {
    ...world,
    // No pause is as long as the limit of an attempt.
    randomBytes: (length: number) => new Uint8Array(length).fill(99),
    after: (_ms: number, callback: () => void) => {
      // The limit of an attempt never comes; pauses and waits are over at once.
      const timer = setImmediate(() => (_ms === limits.sinkAttemptMs ? undefined : callback()));
      return { cancel: () => clearImmediate(timer) };
    },
  };
  const running = runSink(
    { sink: { ...sink, kinds: options.kinds ?? [] }, transport, shown: (facts) => facts },
    {
      read: (query) => read({ ...query, entriesMax: Math.min(query.entriesMax, options.batch ?? query.entriesMax) }),
      cursors: Object.assign(Object.create(cursors), {
        load: async (name: string, from: 'beginning') => {
          const found = await cursors.load(name, from);
          tries -= 1;
          if (tries < 0 || found.every(({ next, entries }) => next >= entries)) stop.abort();
          return found;
        },
      }),
      world: hurried,
      log: collectingLog(),
      bell: openBell(hurried),
      onSetAside: options.onSetAside ?? (async () => undefined),
      onFailing: async () => undefined,
    },
    stop.signal,
  );
  await running;
}

/** What arrived, with a check of the promise: nothing is missing that was not set aside, and what came again says so. */
export function checkReceived(
  received: readonly Facts[],
  entries: number,
  aside: readonly number[] = [],
): { duplicates: number; unmarked: number } {
  const seen = new Set<number>();
  let duplicates = 0;
  let unmarked = 0;
  for (const event of received) {
    if (seen.has(event.i)) {
      duplicates += 1;
      if (event.duplicate === undefined) unmarked += 1;
    }
    seen.add(event.i);
  }
  for (const i of aside) seen.add(i);
  assert.equal(seen.size, entries, `missing: ${entries - seen.size}`);
  return { duplicates, unmarked };
}
