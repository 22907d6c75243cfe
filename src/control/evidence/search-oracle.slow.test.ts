import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { realWorld } from '#host';
import { limits } from '#model';
import type { Store } from '../store/database.ts';
import { openStore } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { ledgerLines } from '../testing/gateway.ts';
import type { TestServer } from '../testing/installation.ts';
import { collectingLog, startTestServer } from '../testing/installation.ts';
import type { Loose } from '../testing/loose.ts';
import { openMirror } from './mirror.ts';
import { openSearchIndex } from './search-index.ts';
import { searchRecords } from './search.ts';
import type { SearchQuery } from './search-parts.ts';

let server: TestServer;
let store: Store;
let entries: Loose[] = [];
const origins = ['ledger.local/gateway-1', 'ledger.local/gateway-2'] as const;
const auditor = { type: 'user', id: 'user:auditor', name: 'auditor', groups: [], roles: ['auditor'] } as const;
const engineer = { type: 'user', id: 'user:s1', name: 's1', groups: [], roles: ['requester'] } as const;

/** Enough that rules and tables are both frequent and rare in the sense of the search, and texts few and many. */
function drafts(log: number): Loose[] {
  return Array.from({ length: limits.searchTermsRare + 2_000 }, (_, at) => {
    const n = at * 7 + log;
    const agent = n % 5 === 0;
    const who = { subject: agent ? `agent:a${n % 4}` : `user:s${n % 9}`, ...(agent ? { onBehalfOf: `user:s${n % 3}` } : {}) };
    const table = n % 11 === 0 ? 'public.rare' : `public.t${n % 2}`;
    return {
      kind: n % 97 === 0 ? 'approval.requested' : 'operation.decided',
      session: `ses_${n % 500}`,
      operation: `op_${log}_${at}`,
      who,
      what: {
        target: 'sql',
        resource: `pg:r${n % 4}`,
        verb: 'select',
        objects: [table, 'public.all'],
        normalized: `select c${n % (limits.searchTextsMax + 300)} from ${table}`,
      },
      ...(n % 97 === 0
        ? {}
        : {
            decision: {
              id: `dec_${log}_${at}`,
              verdict: n % 13 === 0 ? 'deny' : n % 50 === 0 ? 'pending' : 'allow',
              reason: 'R',
              rules: [n % 40 === 0 ? 'p/rare' : `p/r${n % 2}`],
              matched: [{ rule: 'p/every', effect: 'observe', mode: 'shadow' }],
            },
          }),
    };
  });
}

before(async () => {
  server = await startTestServer();
  store = await openStore(await server.database(), { world: realWorld, log: collectingLog() });
  await migrate(store);
  const mirror = openMirror(store);
  for (const [log, origin] of origins.entries()) {
    await mirror.attach({ origin, vkey: 'k' });
    const lines = ledgerLines(drafts(log));
    await mirror.take({ origin, first: 0, entries: lines });
    entries.push(...lines.map((line) => ({ ...JSON.parse(line), origin })));
  }
  await openSearchIndex(store).grow();
  entries = entries.toSorted((a, b) => b.t - a.t || origins.indexOf(b.origin) - origins.indexOf(a.origin) || b.i - a.i);
});

after(async () => {
  await store?.close();
  await server?.stop();
});

type Filter = Omit<SearchQuery, 'viewer' | 'limit' | 'after'>;

/** The same question asked of every entry, one after the other. */
function fits(entry: Loose, { since, until: end, ...filter }: Filter, viewer: string | undefined): boolean {
  const people = [entry.who.subject, entry.who.onBehalfOf];
  const rules = [...(entry.decision?.rules ?? []), ...(entry.decision === undefined ? [] : ['p/every'])];
  return [
    since === undefined || entry.t >= since,
    end === undefined || entry.t < end,
    filter.kind === undefined || entry.kind === filter.kind,
    filter.session === undefined || entry.session === filter.session,
    filter.subject === undefined || people.includes(filter.subject),
    viewer === undefined || people.includes(viewer),
    filter.resource === undefined || entry.what.resource === filter.resource,
    filter.verdict === undefined || entry.decision?.verdict === filter.verdict,
    filter.rule === undefined || rules.includes(filter.rule),
    filter.table === undefined || entry.what.objects.includes(filter.table),
    filter.text === undefined || entry.what.normalized.toLowerCase().includes(filter.text.toLowerCase()),
    filter.decision === undefined || entry.decision?.id === filter.decision,
  ].every(Boolean);
}

const some = <T>(...values: T[]): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...values) });

const filters: fc.Arbitrary<Filter> = fc.record({
  since: some(1_000, 5_000, 12_500),
  until: some(13_100, 9_000, 2_000),
  kind: some('operation.decided', 'approval.requested', 'session.opened'),
  session: some('ses_7', 'ses_70', 'ses_none'),
  subject: some('user:s1', 'user:s8', 'agent:a0', 'nobody'),
  resource: some('pg:r0', 'pg:r3'),
  verdict: some('allow', 'deny', 'pending'),
  rule: some('p/every', 'p/r0', 'p/rare', 'p/none'),
  table: some('public.all', 'public.t1', 'public.rare'),
  text: some('SELECT', 'from public.rare', 'c1', 'c1299 ', 'no such'),
  decision: some('dec_1_70', 'dec_none'),
});

test('whatever is asked in whatever combination, the answer is what looking at every record gives, page after page', {
  timeout: 300_000,
}, async () => {
  const reached = { nothing: 0, something: 0, all: 0 };
  await fc.assert(
    fc.asyncProperty(filters, fc.integer({ min: 1, max: 100 }), fc.boolean(), async (filter, limit, restricted) => {
      const expected = entries
        .filter((entry) => fits(entry, filter, restricted ? engineer.id : undefined))
        .map(({ origin, i }) => `${origin}#${i}`);
      const found: string[] = [];
      let after: string | undefined;
      for (let page = 0; page < 3; page += 1) {
        const rows = await searchRecords(store, { ...filter, viewer: restricted ? engineer : auditor, limit, after });
        found.push(...rows.map(({ record }) => record));
        after = rows.at(-1)?.cursor;
        if (rows.length < limit) break;
      }
      assert.deepEqual(found, expected.slice(0, limit * 3));
      if (expected.length === 0) reached.nothing += 1;
      else if (expected.length > limit * 3) reached.all += 1;
      else reached.something += 1;
    }),
    { numRuns: 120 },
  );
  assert.ok(Math.min(reached.nothing, reached.something, reached.all) >= 8, JSON.stringify(reached));
});
