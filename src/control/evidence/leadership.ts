import { sql } from 'kysely';
import { limits } from '#model';
import type { World } from '#model';
import type { Log } from '../log.ts';
import type { Store } from '../store/database.ts';
import { openBell } from './bell.ts';

/** One number for every replica of an installation: the lock that the one holds who feeds the search index and the sinks. */
const lockNumber = 0x77_61_72_64;

/**
 * Runs `lead` on one replica at a time: on the one that holds an advisory lock on a connection of its own. When that connection is lost,
 * so is the lock: the signal aborts within a second and the work stops. A process that is killed gives the lock up at once. In the second
 * after a lost connection two may lead: what they do must bear that (cursors are compared before they are changed).
 */
export function openLeadership(
  store: Store,
  { world, log, lead }: { world: World; log: Log; lead: (signal: AbortSignal) => Promise<void> },
): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const bell = openBell(world);

  async function loop(): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        await term();
      } catch (error) {
        log.warn(
          { error: error instanceof Error ? error.message : String(error) },
          'sinks and search index pause; they go on by themselves',
        );
      }
      if (!stopped.signal.aborted) await bell.wait(limits.followMs, stopped.signal);
    }
  }

  function term(): Promise<void> {
    return store.db.connection().execute(async (connection) => {
      const { rows } = await sql<{ held: boolean }>`select pg_try_advisory_lock(${lockNumber}) as held`.execute(connection);
      if (rows[0]?.held !== true) return;
      const lost = new AbortController();
      const working = lead(AbortSignal.any([stopped.signal, lost.signal])).finally(() => bell.ring());
      const ended = { yes: false };
      void working
        .catch(() => undefined)
        .then(() => {
          ended.yes = true;
        });
      try {
        while (!stopped.signal.aborted && !ended.yes) {
          await bell.wait(limits.followMs, stopped.signal);
          await sql`select 1`.execute(connection);
        }
      } finally {
        lost.abort();
        await working;
        // The connection goes back to the pool and must not take the lock along.
        await sql`select pg_advisory_unlock(${lockNumber})`.execute(connection).catch(() => undefined);
      }
    });
  }

  const running = loop();
  return {
    async stop() {
      stopped.abort();
      await running;
    },
  };
}
