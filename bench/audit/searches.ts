import { realWorld } from '#host';
import type { Subject } from '#model';
import { openMirror } from '../../src/control/evidence/mirror.ts';
import { openSearchIndex } from '../../src/control/evidence/search-index.ts';
import { searchRecords } from '../../src/control/evidence/search.ts';
import type { SearchQuery } from '../../src/control/evidence/search-parts.ts';
import type { Store } from '../../src/control/store/database.ts';
import { firstMs, shape, spanMs } from './generate.ts';
import { liveLines } from './live.ts';

type Filter = Omit<SearchQuery, 'viewer' | 'limit'>;

const auditor: Subject = { type: 'user', id: 'user:auditor', name: 'auditor', groups: [], roles: ['auditor'] };
const person = (n: number): Subject => ({ type: 'user', id: `user:person-${n}`, name: `person-${n}`, groups: [], roles: ['requester'] });
const day = 24 * 60 * 60 * 1000;

/** Deterministic, so that two runs ask the same. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

/** What is asked; `often` and `seldom` say how many records are like that. */
const searches: readonly (readonly [string, (pick: (below: number) => number) => Filter & { viewer?: Subject }])[] = [
  ['newest', () => ({})],
  ['an hour', (pick) => hour(pick)],
  ['subject, often', (pick) => ({ subject: `user:person-${1 + pick(9)}` })],
  ['subject, seldom', (pick) => ({ subject: `user:person-${451 + pick(9)}` })],
  ['resource', (pick) => ({ resource: `pg:db-${pick(shape.resources)}` })],
  ['verdict deny', () => ({ verdict: 'deny' })],
  ['verdict allow in a day', (pick) => ({ verdict: 'allow', ...aDay(pick) })],
  ['kind, seldom', () => ({ kind: 'recording.read' })],
  ['rule, always', () => ({ rule: 'audit/everything' })],
  ['rule', (pick) => ({ rule: `access/rule-${pick(shape.rules)}` })],
  ['table', (pick) => ({ table: `public.table_${pick(shape.tables)}` })],
  ['text, often', () => ({ text: 'public.table_' })],
  ['text, one table', (pick) => ({ text: `table_${pick(shape.tables)} where` })],
  ['text, one statement', (pick) => ({ text: `statement ${pick(shape.texts)} of` })],
  ['text, nowhere', (pick) => ({ text: `no such text ${pick(99)}` })],
  ['text, two letters', () => ({ text: 'up' })],
  ['decision', (pick) => ({ decision: `dec_${pick(90_000)}` })],
  ['session', (pick) => ({ session: `ses_${1 + pick(shape.logs)}_${pick(200)}` })],
  ['subject + deny', (pick) => ({ subject: `user:person-${1 + pick(499)}`, verdict: 'deny' })],
  ['subject + resource', (pick) => ({ subject: `user:person-${1 + pick(499)}`, resource: `pg:db-${pick(shape.resources)}` })],
  ['subject + table', (pick) => ({ subject: `user:person-${1 + pick(499)}`, table: `public.table_${pick(shape.tables)}` })],
  ['table + deny', (pick) => ({ table: `public.table_${pick(shape.tables)}`, verdict: 'deny' })],
  ['table + rule, never together', (pick) => ({ table: 'public.table_0', rule: `access/rule-${1 + pick(99)}` })],
  ['rule + resource + day', (pick) => ({ rule: `access/rule-${pick(10)}`, resource: `pg:db-${pick(20)}`, ...aDay(pick) })],
  ['text + subject', (pick) => ({ text: `table_${pick(200)} where`, subject: `user:person-${1 + pick(499)}` })],
  ['text + deny + day', (pick) => ({ text: 'update', verdict: 'deny', ...aDay(pick) })],
  ['text + subject, never together', (pick) => ({ text: `statement ${4_900 + pick(99)} of`, subject: 'user:person-499' })],
  ['subject + table in a day', (pick) => ({ subject: `user:person-${1 + pick(99)}`, table: `public.table_${pick(9)}`, ...aDay(pick) })],
  ['kind + deny, never together', () => ({ kind: 'operation.settled', verdict: 'deny' })],
  ['often + often + text', () => ({ subject: 'user:person-1', table: 'public.table_1', text: 'insert' })],
  ['resource + table + deny', (pick) => ({ resource: 'pg:db-0', table: `public.table_${pick(9)}`, verdict: 'deny' })],
  [
    'subject + rule + table',
    (pick) => ({ subject: 'user:person-1', rule: `access/rule-${pick(9)}`, table: `public.table_${10 + pick(9)}` }),
  ],
  [
    'everything at once',
    (pick) => ({ subject: 'user:person-1', resource: 'pg:db-0', verdict: 'deny', table: `public.table_${pick(9)}`, text: 'select' }),
  ],
  ['own records, often', () => ({ viewer: person(1) })],
  ['own records, seldom, deny', (pick) => ({ viewer: person(451 + pick(9)), verdict: 'deny' })],
  ['a page in the middle', () => ({ verdict: 'deny', after: `${firstMs + spanMs / 2}.1.0` })],
];

function hour(pick: (below: number) => number): Filter {
  const since = firstMs + pick(29) * day + pick(23) * 3_600_000;
  return { since, until: since + 3_600_000 };
}

function aDay(pick: (below: number) => number): Filter {
  const since = firstMs + pick(29) * day;
  return { since, until: since + day };
}

/** Prints how long each kind of search takes while records come in, and how long those take while somebody searches. */
export async function measureSearches(
  store: Store,
  { rounds, writes, only, said }: { rounds: number; writes: number; only: string; said: (text: string) => void },
): Promise<void> {
  said('what a write takes alone');
  const alone = await writing(store, { perSecond: writes }, () => new Promise((resolve) => setTimeout(resolve, 10_000)));
  const rows: Record<string, unknown>[] = [];
  const meanwhile = await writing(store, { perSecond: writes }, async () => {
    for (const [name, filter] of searches.filter(([name]) => name.includes(only))) {
      const pick = numbers(7);
      const times: number[] = [];
      let found = 0;
      let late = 0;
      for (let round = 0; round < rounds; round += 1) {
        const { viewer = auditor, ...rest } = filter(pick);
        const began = performance.now();
        try {
          found += (await searchRecords(store, { ...rest, viewer, limit: 51 })).length;
        } catch {
          late += 1;
        }
        times.push(performance.now() - began);
      }
      times.sort((a, b) => a - b);
      rows.push({ search: name, found: (found / rounds).toFixed(1), ...percentiles(times), late });
      said(`${name}: ${JSON.stringify(rows.at(-1))}`);
    }
  });
  console.table(rows);
  console.log(`batches of 100 records into the mirror and the index, ${writes} records/s:`);
  console.table([
    { meanwhile: 'nothing', ...percentiles(alone) },
    { meanwhile: 'searches', ...percentiles(meanwhile) },
  ]);
}

function percentiles(sorted: readonly number[]): Record<string, string> {
  const at = (part: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN).toFixed(1);
  return { 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'max ms': (sorted.at(-1) ?? Number.NaN).toFixed(1) };
}

/** Mirrors and indexes so many records a second while `action` runs; resolves with the sorted times of the mirror's transactions. */
async function writing(store: Store, { perSecond }: { perSecond: number }, action: () => Promise<void>): Promise<readonly number[]> {
  const mirror = openMirror(store);
  const index = openSearchIndex(store);
  const origin = `ledger.bench/live-${Date.now()}`;
  await mirror.attach({ origin, vkey: 'k' });
  const lines = liveLines();
  const times: number[] = [];
  const state = { done: false };
  const batch = 100;
  const writer = (async () => {
    const began = performance.now();
    for (let first = 0; !state.done; first += batch) {
      const due = began + (first / perSecond) * 1000;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      const entries = lines(batch);
      const start = performance.now();
      await mirror.take({ origin, first, entries });
      times.push(performance.now() - start);
    }
  })();
  const indexer = (async () => {
    while (!state.done) {
      await index.grow();
      await new Promise<void>((resolve) => realWorld.after(200, resolve));
    }
  })();
  try {
    await action();
  } finally {
    state.done = true;
    await Promise.all([writer, indexer]);
  }
  return times.sort((a, b) => a - b);
}
