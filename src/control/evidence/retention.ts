import { readRetention, writeDelivered } from '#host';
import type { DeliveredLedger } from '#host';
import { limits } from '#model';
import type { World } from '#model';
import type { Log } from '../log.ts';
import type { Store } from '../store/database.ts';
import { openBell } from './bell.ts';
import { pruneMirror } from './prune-mirror.ts';

export interface RetentionDesk {
  readonly store: Store;
  readonly world: World;
  readonly log: Log;
  /** Of each sink, by origin, the first entry that it may still need. */
  readonly positions: () => Promise<Readonly<Record<string, Readonly<Record<string, number>>>>>;
  /** Where it is written down how far mirror and sinks are, and where the rules stand; they are read anew each time. */
  readonly files: { readonly delivered: string; readonly retention: string };
}

/**
 * Says how far every ledger is beyond its own folder, so that pruning there can wait for it, and removes from the mirror what the ledgers have
 * removed. Runs until `signal` aborts; what fails is tried again.
 */
export async function keepRetention(desk: RetentionDesk, signal: AbortSignal): Promise<void> {
  const { world, log } = desk;
  const bell = openBell(world);
  let nextPruning = 0n;
  while (!signal.aborted) {
    try {
      const ledgers = await deliveredNow(desk);
      writeDelivered(desk.files.delivered, { at: world.now(), ledgers });
      if (world.monotonicNs() >= nextPruning) {
        await pruneNow(desk, ledgers, signal);
        nextPruning = world.monotonicNs() + BigInt(limits.retentionEveryMs) * 1_000_000n;
      }
    } catch (error) {
      log.warn({ error: error instanceof Error ? error.message : String(error) }, 'retention waits; it is tried again');
    }
    await bell.wait(limits.deliveredEveryMs, signal);
  }
}

async function deliveredNow({ store, positions }: RetentionDesk): Promise<Readonly<Record<string, DeliveredLedger>>> {
  // The positions first: what is mirrored afterwards only makes `mirrored` larger.
  const sinks = await positions();
  const logs = await store.db.selectFrom('mirror').select(['origin', 'vkey', 'entries']).execute();
  return Object.fromEntries(logs.map(({ origin, vkey, entries }) => [origin, { vkey, mirrored: entries, sinks: sinks[origin] ?? {} }]));
}

async function pruneNow(desk: RetentionDesk, ledgers: Readonly<Record<string, DeliveredLedger>>, signal: AbortSignal): Promise<void> {
  const rules = readRetention(desk.files.retention);
  if (rules === undefined) return;
  const neededFrom = (origin: string): number => Math.min(...Object.values(ledgers[origin]?.sinks ?? {}), ledgers[origin]?.mirrored ?? 0);
  const removed = await pruneMirror(desk.store, { rules, now: desk.world.now(), neededFrom }, signal);
  if (removed > 0) desk.log.info({ removed }, 'old records left the mirror and the search index');
}
