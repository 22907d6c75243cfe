import type { FoundLog, Ledger } from '#ledger';
import { Fault, limits } from '#model';
import type { KeyRotation, Timer, World } from '#model';
import type { Log } from '../log.ts';
import type { Mirror } from './mirror.ts';

/** Throws LEDGER_ROLLBACK when the store has more of this log, or something else: an old copy of its folder was put back. */
export async function confirmOwnLedger(mirror: Mirror, found: FoundLog, rotations: readonly KeyRotation[]): Promise<void> {
  const { origin, vkey } = found;
  const { mirrored, leaf } = await mirror.attach({ origin, vkey, rotations });
  const own = mirrored === 0 || mirrored > found.size ? '' : await found.leafOf(mirrored - 1);
  if (mirrored <= found.size && own === leaf) return;
  throw new Fault('LEDGER_ROLLBACK', `the store has ${mirrored} entries of the log ${found.origin}, which holds ${found.size} or others`, {
    detail: { mirrored, size: found.size },
  });
}

/**
 * Keeps the index of the control plane's own ledger up to date, so that approvals and changes are found like operations.
 * A failing store only delays it: the ledger is the truth, and the cursor says where to go on.
 */
export async function mirrorOwnLedger(
  ledger: Pick<Ledger, 'origin' | 'vkey' | 'size' | 'read' | 'onGrow'>,
  { mirror, world, log }: { mirror: Mirror; world: World; log: Log },
): Promise<{ caughtUp(): Promise<void>; stop(): Promise<void> }> {
  let next = (await mirror.attach({ origin: ledger.origin, vkey: ledger.vkey })).mirrored;
  let running: Promise<void> | undefined;
  let retry: Timer | undefined;
  let waiters: (() => void)[] = [];
  const state = { stopped: false };

  async function copy(): Promise<void> {
    while (!state.stopped && next < ledger.size) {
      const entries = await ledger.read(next, limits.mirrorBatchEntriesMax);
      next = await mirror.take({ origin: ledger.origin, first: next, entries });
    }
  }

  function wake(): void {
    if (running !== undefined || state.stopped) return;
    retry = undefined;
    running = copy()
      .catch((error: unknown) => {
        log.warn(
          { error: error instanceof Error ? error.message : String(error) },
          'the index of the control ledger is behind; it is tried again',
        );
        retry = world.after(1_000, wake);
      })
      .finally(() => {
        running = undefined;
        if (next < ledger.size && !state.stopped) return;
        for (const tell of waiters) tell();
        waiters = [];
      })
      // What grew between the last look and the end of the run.
      .then(() => (retry === undefined && next < ledger.size ? wake() : undefined));
  }

  const unsubscribe = ledger.onGrow(() => {
    retry?.cancel();
    retry = undefined;
    wake();
  });
  wake();
  return {
    /** Resolves when every entry that is durable by then is in the index, or this was stopped. */
    caughtUp: () =>
      next >= ledger.size || state.stopped ? Promise.resolve() : new Promise((resolve) => void waiters.push(() => resolve())),
    async stop() {
      state.stopped = true;
      for (const tell of waiters) tell();
      unsubscribe();
      retry?.cancel();
      await running;
    },
  };
}
