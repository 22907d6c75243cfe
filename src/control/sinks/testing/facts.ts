import type { Facts } from '../facts.ts';
import { factsOf, parseEntry } from '../facts.ts';
import { ledgerLines } from '../../testing/gateway.ts';
import { sessionDrafts } from '../../testing/records.ts';

const origin = 'ledger.local/gateway-1';
const evidence = { commit: 'ab'.repeat(32), bytes: 9, key: 'ses_a', sealed: 's' };

/** One record of each interesting kind, as the sinks see them. */
export function sampleFacts(): readonly Facts[] {
  const session = sessionDrafts('ses_a', {
    subject: 'agent:bot',
    onBehalfOf: 'user:engineer',
    operations: [
      { n: 1, verdict: 'allow' },
      { n: 2, verdict: 'deny' },
      { n: 3, verdict: 'pending', unsettled: true },
    ],
  });
  const common = { session: 'ses_a', request: 'req_1', operation: 'op_ses_a_3' };
  const drafts: Record<string, unknown>[] = [
    ...session.map((draft) => ({ ...draft, build: 'warder 0.1.0' })),
    {
      kind: 'session.refused',
      session: 'ses_b',
      who: { claimed: 'hunter2=|\\]"', source: '[2001:db8::1]:4711' },
      what: { point: 'postgres', resource: 'pg:orders' },
      reason: 'UNAUTHENTICATED',
    },
    { kind: 'operation.indoubt', session: 'ses_a', operation: 'op_ses_a_1', n: 1, for: 1 },
    {
      kind: 'approval.requested',
      ...common,
      who: { subject: 'agent:bot' },
      what: { resource: 'pg:orders', rules: ['writes/approve'], bound: ['b'] },
      evidence,
      expiresAt: 9,
    },
    {
      kind: 'approval.granted',
      ...common,
      grant: 'gnt_1',
      approvers: ['user:reviewer'],
      requester: 'agent:bot',
      bound: ['b'],
      comment: 'fine\nby me',
      expiresAt: 9,
    },
    { kind: 'approval.refused', ...common, by: 'user:reviewer', comment: 'no' },
    { kind: 'policy.activated', bundle: { name: 'b', version: '1.0.0', digest: 'sha256:1' }, by: 'user:author', documents: 2 },
    { kind: 'policy.rejected', by: 'user:author', problems: 1, first: 'a.yaml:3: wrong' },
    { kind: 'admin.token', by: 'user:operator', action: 'revoke', object: 'tok_1' },
    { kind: 'recording.read', by: 'user:auditor', session: 'ses_a', operations: 2 },
    { kind: 'log.recovered', torn: 0, inDoubt: [], inDoubtTotal: 0 },
    { kind: 'log.heartbeat' },
    { kind: 'alarm.raised', alarm: 'sink.refused', object: 'siem ledger.local/gateway-1#7', message: 'the receiver refuses the record' },
    { kind: 'alarm.cleared', alarm: 'sink.refused', object: 'siem ledger.local/gateway-1#7', message: 'the receiver took it' },
    { kind: 'log.witnessed', log: 'ledger.local/control', size: 9, root: 'r', vkey: 'v', cosignature: 'c' },
    { kind: 'log.pruned', from: 256, to: 512, by: 'operator', reason: 'retention', holds: [] },
    { kind: 'key.rotated', previous: 'a', vkey: 'b', signature: 's', accepted: 'x' },
    { kind: 'future.kind', session: 'ses_a' },
  ];
  const lines = ledgerLines(drafts);
  const entries = lines.map(parseEntry);
  return lines.map((line, i) => {
    const entry = entries[i] ?? {};
    const decided = entry['for'];
    return factsOf({
      origin,
      line,
      entry,
      opened: String(entry['kind']).startsWith('operation.') ? entries[0] : undefined,
      decided: typeof decided === 'number' ? entries[decided] : undefined,
      duplicate: i === 2,
    });
  });
}
