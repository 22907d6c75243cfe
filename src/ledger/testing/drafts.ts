import { randomBytes } from 'node:crypto';
import type { OperationDecided, OperationSettled, RecordDraft, RecordingChunk, RecordingClosed, World } from '#model';

/** The real world, for tests that run against real files. */
export const realWorld: World = {
  now: () => Date.now(),
  monotonicNs: () => process.hrtime.bigint(),
  randomBytes: (length) => randomBytes(length),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

const bundle = { name: 'test', version: '1', digest: `sha256:${'ab'.repeat(32)}` };

export function sessionOpened(session: string): RecordDraft {
  return {
    kind: 'session.opened',
    session,
    who: { subject: 'user:engineer', groups: ['engineering'], authentication: 'scram-sha-256', token: 'tok_1', source: '127.0.0.1:5000' },
    what: { point: 'postgres', resource: 'pg:orders', client: 'psql' },
    policy: bundle.digest,
  };
}

export function sessionClosed(session: string, operations: number): RecordDraft {
  return { kind: 'session.closed', session, reason: 'client', operations, bytesUp: 10, bytesDown: 20 };
}

export function decided(
  session: string,
  n: number,
  about: { text?: string; verdict?: 'allow' | 'deny' | 'pending'; operation?: string } = {},
): OperationDecided {
  return {
    kind: 'operation.decided',
    session,
    operation: about.operation ?? `op_${session}_${n}`,
    n,
    who: { subject: 'user:engineer' },
    what: {
      target: 'sql',
      resource: 'pg:orders',
      verb: 'select',
      objects: ['public.orders'],
      normalized: 'select * from orders where id = $1',
      certainty: 'parsed',
    },
    evidence: { text: about.text ?? `select * from orders where id = ${n}`, parameters: ['7', null] },
    decision: {
      id: `dec_${session}_${n}`,
      verdict: about.verdict ?? 'allow',
      reason: 'ALLOWED',
      rules: ['base/read'],
      matched: [{ rule: 'base/read', effect: 'allow', mode: 'enforce' }],
      obligations: [],
      bundle,
      reads: { 'sql.verbs': ['select'], risk: 0.5 },
    },
  };
}

export function settled(
  session: string,
  n: number,
  index: number,
  status: OperationSettled['outcome']['status'] = 'done',
): OperationSettled {
  return {
    kind: 'operation.settled',
    session,
    operation: `op_${session}_${n}`,
    n,
    for: index,
    outcome: { status, rows: 1, bytesUp: 40, bytesDown: 80, masked: { 'pii.email': 1 }, rowsWithheld: 0, durationMs: 2, rules: [] },
  };
}

export function recordingChunk(session: string, chunk: number): RecordingChunk {
  return { kind: 'recording.chunk', session, chunk, from: chunk * 1_000, to: chunk * 1_000 + 500, in: 10, out: 20 };
}

export function recordingClosed(session: string, status: RecordingClosed['status'] = 'whole'): RecordingClosed {
  return { kind: 'recording.closed', session, status, ...(status === 'failed' ? { reason: 'LEDGER_FULL' } : {}) };
}
