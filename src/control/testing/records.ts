import { ledgerLines } from './gateway.ts';

const bundle = { name: 'test', version: '1.0.0', digest: `sha256:${'1'.repeat(64)}` };

export interface RecordedOperation {
  readonly n: number;
  readonly verdict: 'allow' | 'deny' | 'pending';
  readonly operation?: string;
  readonly rows?: number;
  /** No outcome follows. */
  readonly unsettled?: boolean;
}

/** Drafts of a session as a gateway records it: opened, operations with their outcomes, closed. */
export function sessionDrafts(
  session: string,
  {
    subject,
    onBehalfOf,
    operations,
    open,
  }: { subject: string; onBehalfOf?: string; operations: readonly RecordedOperation[]; open?: boolean },
): Record<string, unknown>[] {
  const who = { subject, ...(onBehalfOf === undefined ? {} : { onBehalfOf }) };
  const drafts: Record<string, unknown>[] = [
    {
      kind: 'session.opened',
      session,
      who: { ...who, groups: [], authentication: 'scram-sha-256', token: 'tok_1', source: '127.0.0.1:5000' },
      what: { point: 'postgres', resource: 'pg:orders', client: 'psql' },
      policy: bundle.digest,
    },
  ];
  for (const { n, verdict, operation = `op_${session}_${n}`, rows = 1, unsettled } of operations) {
    drafts.push(decided(session, { n, verdict, operation, who }));
    if (unsettled === true) continue;
    const outcome = {
      status: verdict === 'allow' ? 'done' : 'refused',
      rows,
      bytesUp: 10,
      bytesDown: 20,
      masked: { 'pii.email': rows },
      rowsWithheld: 0,
      durationMs: 3,
      rules: [],
    };
    drafts.push({ kind: 'operation.settled', session, operation, n, for: drafts.length - 1, outcome });
  }
  if (open !== true)
    drafts.push({ kind: 'session.closed', session, reason: 'client', operations: operations.length, bytesUp: 1, bytesDown: 2 });
  return drafts;
}

function decided(
  session: string,
  { n, verdict, operation, who }: { n: number; verdict: string; operation: string; who: object },
): Record<string, unknown> {
  return {
    kind: 'operation.decided',
    session,
    operation,
    n,
    who,
    what: {
      target: 'sql',
      resource: 'pg:orders',
      verb: 'select',
      objects: ['public.orders'],
      normalized: 'select $1',
      certainty: 'parsed',
    },
    evidence: { commit: 'c', bytes: 9, key: 'k', sealed: 's' },
    decision: {
      id: `dec_${session}_${n}`,
      verdict,
      reason: verdict === 'allow' ? 'READ' : 'DESTRUCTIVE_DDL',
      rules: ['access/everybody-reads'],
      matched: [{ rule: 'access/everybody-reads', effect: 'allow', mode: 'enforce' }],
      obligations: ['mask'],
      bundle,
      reads: { 'sql.verbs': ['select'] },
    },
  };
}

export function sessionLines(...session: Parameters<typeof sessionDrafts>): string[] {
  return ledgerLines(sessionDrafts(...session));
}
