import { canonicalJson, type RecordDraft } from '#model';
import { composeEntry } from '../entry.ts';
import { decided, sessionClosed, sessionOpened, settled } from './drafts.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import { Bench, seededCoin } from './story.ts';

type Coin = (sides: number) => number;
type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/**
 * A log whose files are all in order and signed, and whose writer lies: records that contradict each other, that lack fields, that are
 * duplicated or out of order, and now and then none of that. What a verifier says about it depends on nothing but the records.
 */
export function forgedLog(seed: number): SimulatedDisk {
  const coin = seededCoin(seed);
  const lies = coin(4);
  const bench = new Bench(undefined, {
    seed,
    machine: {
      segmentEntries: [4_096, 20][coin(2)] ?? 20,
      compose: (draft, stamp, position, evidence) => {
        const honest = composeEntry(draft, stamp, position, evidence);
        if (position.i === 0 || lies === 0 || coin(40) > lies) return honest;
        // Safe: canonical JSON, written a line above.
        const record = JSON.parse(honest.toString()) as { [name: string]: Json };
        lie(record, coin);
        return Buffer.from(canonicalJson(record));
      },
    },
  });
  for (let session = 0; session < 3 + coin(4); session += 1) {
    const drafts = sessionDrafts(`s${session}`, { coin, first: bench.log.size });
    for (const draft of drafts) {
      const times = coin(60) === 0 ? 2 : coin(60) === 0 ? 0 : 1;
      for (let k = 0; k < times; k += 1) bench.commit(draft);
    }
    if (coin(2) === 0) bench.sign();
  }
  bench.log.close();
  return bench.disk.copy();
}

/** One session with approvals, of which anything may be wrong. */
function sessionDrafts(session: string, { coin, first }: { coin: Coin; first: number }): RecordDraft[] {
  const drafts: RecordDraft[] = [sessionOpened(session)];
  const operations = coin(6);
  for (let n = 1; n <= operations; n += 1) {
    const verdict = (['allow', 'allow', 'allow', 'deny', 'pending'] as const)[coin(5)] ?? 'allow';
    if (verdict === 'pending') drafts.push(...approval(session, n, coin));
    const approved = verdict === 'pending' ? { approval: { grant: `g_${session}_${n}`, request: `r_${session}_${n}` } } : {};
    const final = verdict === 'pending' ? 'allow' : verdict;
    drafts.push({ ...decided(session, n, { verdict: final }), ...approved });
    const index = first + drafts.length - 1 + (coin(30) === 0 ? 1 : 0);
    const status = (['done', 'done', 'error', 'refused', 'in-doubt'] as const)[coin(5)] ?? 'done';
    if (final === 'allow' ? coin(8) > 0 : coin(8) === 0)
      drafts.push(settled(session, n, index, final === 'deny' && coin(3) > 0 ? 'refused' : status));
  }
  if (coin(8) === 0) drafts.push(...restart(session, operations, coin));
  else if (coin(5) > 0) drafts.push(sessionClosed(session, Math.max(0, operations + (coin(10) === 0 ? coin(3) - 1 : 0))));
  if (coin(4) === 0) drafts.push({ kind: 'alarm.raised', alarm: 'x', object: 'y', message: 'z' });
  if (coin(4) === 0) drafts.push({ kind: 'log.heartbeat' } as unknown as RecordDraft); // The writer's own, which a test may write too.
  return drafts;
}

/** What a start says of a session that it found open, or something like it. */
function restart(session: string, operations: number, coin: Coin): RecordDraft[] {
  const own = [
    ...(coin(4) > 0 ? [{ kind: 'log.recovered', torn: 0, inDoubt: [], inDoubtTotal: 0, lostSessions: 1 }] : []),
    {
      kind: 'session.lost',
      session,
      operations: coin(6) > 0 ? operations : coin(4),
      ...(coin(8) === 0 ? { ahead: { operations: coin(3), ms: 5 } } : {}),
      ...(coin(8) === 0 ? { recording: { chunks: coin(2), bytes: 0 } } : {}),
    },
    ...(coin(6) === 0 ? [{ kind: 'session.lost', session, operations }] : []),
  ];
  // Reason: the writer's own, which a test may write too.
  return own as unknown as RecordDraft[];
}

function approval(session: string, n: number, coin: Coin): RecordDraft[] {
  const about = { session, request: `r_${session}_${n}`, operation: `op_${session}_${n}` };
  const soon = 1_700_000_000_000 + coin(2_000);
  const approvers = [['user:bob'], ['user:bob', 'user:carl'], ['user:bob', 'user:bob'], ['user:engineer'], []][coin(12)] ?? ['user:bob'];
  const drafts: RecordDraft[] = [
    { ...decided(session, n, { verdict: 'pending' }) },
    {
      kind: 'approval.requested',
      ...about,
      who: { subject: 'user:engineer', ...(coin(2) === 0 ? { onBehalfOf: 'user:dora' } : {}) },
      what: { resource: 'pg:orders', rules: ['a/b'], bound: ['b1', 'b2'].slice(0, 1 + coin(2)) },
      evidence: { text: 'delete', parameters: [] },
      expiresAt: coin(10) === 0 ? soon : soon + 1_000_000,
    },
    { kind: 'approval.answered', ...about, by: coin(20) === 0 ? 'user:engineer' : 'user:bob' },
    {
      kind: 'approval.granted',
      ...about,
      grant: `g_${session}_${n}`,
      approvers,
      requester: coin(20) === 0 ? 'user:eve' : 'user:engineer',
      bound: [coin(20) === 0 ? 'b2' : 'b1'],
      expiresAt: soon + 1_000_000,
      ...(coin(3) === 0 ? { uses: 1 + coin(2) } : {}),
    },
    { kind: 'approval.used', ...about, by: 'user:engineer' },
  ];
  if (coin(12) === 0) drafts.splice(3, 0, { kind: 'approval.refused', ...about, by: 'user:bob' });
  if (coin(12) === 0) drafts.push({ kind: 'approval.used', ...about, by: 'user:engineer' });
  if (coin(12) === 0) drafts.splice(1 + coin(drafts.length - 1), 1);
  return drafts;
}

/** Changes one thing somewhere in the record. */
function lie(record: { [name: string]: Json }, coin: Coin): void {
  const names = Object.keys(record);
  const name = names[coin(names.length)] ?? 'kind';
  const value = record[name];
  if (typeof value === 'object' && value !== null && coin(3) > 0) {
    if (!Array.isArray(value)) return Object.keys(value).length === 0 ? undefined : lie(value, coin);
    if (value.length > 0) value[coin(value.length)] = other(value[0] ?? null, coin);
    return;
  }
  if (coin(3) === 0) delete record[name];
  else record[name] = other(value ?? null, coin);
}

function other(value: Json, coin: Coin): Json {
  const replacements: Json[] = [
    null,
    true,
    -1,
    0,
    1,
    2 ** 53,
    '',
    'x',
    [],
    {},
    [1],
    'allow',
    'session.opened',
    { fields: 1 },
    'é\u{1f600}',
  ];
  if (coin(2) === 0) return replacements[coin(replacements.length)] ?? null;
  if (typeof value === 'number') return value + coin(3) - 1;
  if (typeof value === 'string') return coin(2) === 0 ? `${value}x` : value.slice(1);
  return typeof value === 'boolean' ? !value : (replacements[coin(replacements.length)] ?? null);
}
