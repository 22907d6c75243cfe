import type { World } from '#model';
import { limits } from '#model';
import type { Store } from '../store/database.ts';
import { openBatchReader } from './batch.ts';
import type { RunnerSink } from './runner.ts';
import { attempt } from './runner.ts';
import type { Transport } from './sink.ts';

/** An event that its receiver refused for what it is. */
export interface AsideEvent {
  /** `origin#index` */
  readonly record: string;
  readonly kind: string;
  readonly why: string;
  readonly at: number;
}

/** The oldest first. */
export async function listAside(store: Store, sink: string, max: number): Promise<readonly AsideEvent[]> {
  const rows = await store.db.selectFrom('sink_aside').selectAll().where('sink', '=', sink).orderBy('at').orderBy('i').limit(max).execute();
  return rows.map(({ origin, i, kind, why, at }) => ({ record: `${origin}#${i}`, kind, why, at }));
}

/**
 * Offers what was set aside once more, one by one and marked as possibly there already; what is taken is forgotten. Says how many were and
 * were not.
 */
export async function retryAside(
  store: Store,
  { runner, transport, world }: { runner: RunnerSink; transport: Transport; world: World },
  onTaken: (record: string) => Promise<void>,
): Promise<{ taken: number; refused: number; why?: string }> {
  const sink = runner.sink.name;
  const rows = await store.db
    .selectFrom('sink_aside')
    .selectAll()
    .where('sink', '=', sink)
    .orderBy('origin')
    .orderBy('i')
    .limit(limits.sinkRetryEventsMax)
    .execute();
  const reader = openBatchReader(store.db);
  let taken = 0;
  let why: string | undefined;
  for (const { origin, i, at } of rows) {
    const cursor = { origin, vkey: '', next: i, sent: i + 1, entries: i + 1 };
    const batch = await reader.read({ cursor, entriesMax: 1, wanted: () => true });
    const events = batch?.events ?? [];
    const result = await attempt(transport, events.map(runner.shown), { world, signal: new AbortController().signal });
    if (result.kind === 'failed') {
      ({ why } = result);
      continue;
    }
    await onTaken(`${origin}#${i}`);
    await store.db
      .deleteFrom('sink_aside')
      .where('sink', '=', sink)
      .where('origin', '=', origin)
      .where('i', '=', i)
      .where('at', '=', at)
      .execute();
    taken += 1;
  }
  return { taken, refused: rows.length - taken, ...(why === undefined ? {} : { why }) };
}

/** Forgets what was set aside; the records stay in the ledger and never reach the receiver. */
export async function dropAside(store: Store, sink: string): Promise<number> {
  const dropped = await store.db.deleteFrom('sink_aside').where('sink', '=', sink).executeTakeFirst();
  return Number(dropped.numDeletedRows);
}
