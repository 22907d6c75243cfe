import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Torture } from '../../../ledger/testing/torture.ts';
import type { Facts } from '../facts.ts';
import { failed, taken } from '../sink.ts';
import type { Delivery, Transport } from '../sink.ts';
import { checkReceived, live, memory } from './runner.ts';

class Crash extends Error {}

/**
 * Kills the process of a sink before, in or after any of its steps, again and again, with a receiver that fails in every way and refuses some
 * events for what they are. Throws unless everything arrived or was set aside, and what came twice said so.
 */
export async function surviveCrashes({
  runs,
  seed,
}: {
  runs: number;
  seed?: number;
}): Promise<{ crashes: number; duplicates: number; aside: number }> {
  let crashes = 0;
  let duplicates = 0;
  let aside = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.record({ at: fc.integer({ min: 0, max: 8 }), early: fc.boolean(), part: fc.double({ min: 0, max: 1, noNaN: true }) }), {
        maxLength: 12,
      }),
      fc.array(fc.constantFrom<Delivery['kind'] | 'lost-answer' | 'throws'>('taken', 'failed', 'lost-answer', 'throws'), { maxLength: 10 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 39 }), { maxLength: 2 }),
      async (entries, kills, moods, poison) => {
        const durable = memory(entries);
        const received: Facts[] = [];
        const mood = moods[Symbol.iterator]();
        for (const kill of [...kills, undefined]) {
          let steps = 0;
          const dying = async <T>(effect: () => Promise<T>): Promise<T> => {
            steps += 1;
            if (steps - 1 !== kill?.at) return effect();
            if (!kill.early) await effect();
            throw new Crash();
          };
          const cursors = Object.assign(Object.create(durable), {
            intend: (step: never) => dying(() => durable.intend(step)),
            withdraw: (step: never) => dying(() => durable.withdraw(step)),
            advance: (step: never) => dying(() => durable.advance(step)),
            setAside: (step: never) => dying(() => durable.setAside(step)),
          });
          let dead = false;
          const transport: Transport = {
            async deliver(events) {
              steps += 1;
              if (steps - 1 === kill?.at) {
                received.push(...events.slice(0, Math.round(events.length * kill.part)));
                dead = true;
                // The process is gone: nothing after this is seen by anybody.
                throw new Crash();
              }
              const now = mood.next().value ?? 'taken';
              if (now === 'failed') return failed('refused', 'nothing');
              if (events.some(({ i }) => poison.includes(i))) return failed('status 400', 'nothing', { smaller: true });
              received.push(...events);
              if (now === 'throws') throw new Error('broken');
              return now === 'taken' ? taken : failed('lost', 'unknown');
            },
            close: async () => undefined,
          };
          const guarded: Transport = {
            close: transport.close,
            // A crash must not be handled like a failure of the receiver.
            deliver: (events, signal) =>
              transport
                .deliver(events, signal)
                .catch((error: unknown) => (dead ? new Promise<never>(() => crashed.reject(new Crash())) : Promise.reject(error))),
          };
          const crashed = Promise.withResolvers<never>();
          crashed.promise.catch(() => undefined);
          try {
            await Promise.race([live(cursors, guarded, { batch: 7 }), crashed.promise]);
          } catch (error) {
            if (!(error instanceof Crash)) throw error;
            crashes += 1;
          }
        }
        const result = checkReceived(received, entries, durable.aside);
        aside += durable.aside.length;
        assert.ok(durable.aside.every((i) => poison.includes(i)));
        duplicates += result.duplicates;
        assert.equal(result.unmarked, 0);
      },
    ),
    { numRuns: runs, ...(seed === undefined ? {} : { seed }) },
  );
  return { crashes, duplicates, aside };
}

export const sinkTortures: readonly Torture[] = [
  {
    name: 'sinks: killed at any point, nothing is missing and what comes twice says so',
    async run({ until, seed }) {
      const sum = { runs: 0, crashes: 0, duplicates: 0, aside: 0 };
      do {
        const { crashes, duplicates, aside } = await surviveCrashes({ runs: 200, seed: seed + sum.runs });
        sum.runs += 200;
        sum.crashes += crashes;
        sum.duplicates += duplicates;
        sum.aside += aside;
      } while (performance.now() < until);
      return `${sum.runs} stories, ${sum.crashes} crashes, ${sum.duplicates} events twice, ${sum.aside} set aside`;
    },
  },
];
