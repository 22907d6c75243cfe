import { Fault } from '#model';

/** Entries of one ledger, in order from `first`. */
export interface EntryBatch {
  readonly origin: string;
  readonly first: number;
  readonly entries: readonly string[];
}

interface Waiting extends EntryBatch {
  readonly resolve: (mirrored: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls `take` for the batches of each ledger in the order in which they came, and once for those that follow each other and came while the one before
 * was written: every call waits for the disk, however much it brings. When there is something wrong with what a joined call brings, each of its
 * batches is tried alone, so that everybody learns what became of their own.
 */
export function joined(take: (batch: EntryBatch) => Promise<number>, entriesMax: number): (batch: EntryBatch) => Promise<number> {
  const queues = new Map<string, Waiting[]>();

  async function work(origin: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const group = queue.splice(0, together(queue, entriesMax));
      try {
        await settle(group);
      } catch (error) {
        // A store that is away is away for all of them.
        const alone = group.length > 1 && error instanceof Fault && error.code === 'LEDGER_TAMPERED';
        for (const one of group) await (alone ? settle([one]) : Promise.reject(error)).catch(one.reject);
      }
    }
    queues.delete(origin);
  }

  async function settle(group: readonly Waiting[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    const entries = group.length === 1 ? first.entries : group.flatMap((one) => one.entries);
    const mirrored = await take({ origin: first.origin, first: first.first, entries });
    for (const { resolve } of group) resolve(mirrored);
  }

  return (batch) =>
    new Promise((resolve, reject) => {
      const waiting = { ...batch, resolve, reject };
      const queue = queues.get(batch.origin);
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      const fresh = [waiting];
      queues.set(batch.origin, fresh);
      void work(batch.origin, fresh);
    });
}

/** How many of those that wait follow each other without a gap; at least one. */
function together(queue: readonly EntryBatch[], entriesMax: number): number {
  let count = 0;
  let entries = 0;
  let next: number | undefined;
  for (const batch of queue) {
    entries += batch.entries.length;
    if (count > 0 && (batch.first !== next || entries > entriesMax)) break;
    next = batch.first + batch.entries.length;
    count += 1;
  }
  return count;
}
