import { limits } from '#model';
import type { World } from '#model';
import type { Log } from '../log.ts';
import type { Store } from '../store/database.ts';
import { openBell } from './bell.ts';
import { openLeadership } from './leadership.ts';
import type { Mirror } from './mirror.ts';
import type { SearchIndex } from './search-index.ts';

/** Something that is fed with records by itself, such as the sinks. */
export interface Follower {
  run(signal: AbortSignal): Promise<void>;
  ring(): void;
}

/**
 * Feeds what lives from the mirrored records: the search index, the sinks, retention and rollouts. On one replica at a time, and never in the way of the mirror,
 * which only rings.
 */
export function followMirror(
  mirror: Pick<Mirror, 'onGrow'>,
  {
    store,
    index,
    sinks,
    retention,
    rollouts,
    world,
    log,
  }: {
    store: Store;
    index: SearchIndex;
    sinks: Follower;
    retention: (signal: AbortSignal) => Promise<void>;
    rollouts: Pick<Follower, 'run'>;
    world: World;
    log: Log;
  },
): { stop(): Promise<void> } {
  const bell = openBell(world);
  const unsubscribe = mirror.onGrow(() => {
    bell.ring();
    sinks.ring();
  });

  async function keepIndex(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await index.grow(signal);
      } catch (error) {
        log.warn({ error: error instanceof Error ? error.message : String(error) }, 'the search index is behind; it is tried again');
      }
      await bell.wait(limits.followMs, signal);
    }
  }

  const leadership = openLeadership(store, {
    world,
    log,
    lead: async (signal) => {
      await Promise.all([keepIndex(signal), sinks.run(signal), retention(signal), rollouts.run(signal)]);
    },
  });
  return {
    async stop() {
      unsubscribe();
      await leadership.stop();
    },
  };
}
