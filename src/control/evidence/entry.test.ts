import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ledgerLines } from '../testing/gateway.ts';
import { indexEntry } from './entry.ts';

test('an entry gives its columns and the hash of its leaf', () => {
  const [line = ''] = ledgerLines([
    { kind: 'operation.decided', n: 3, who: { subject: 'user:ä\0' }, decision: { id: 'dec_1', verdict: 'deny' } },
  ]);
  const { subject, verdict, decision, n, session, leaf } = indexEntry(line);
  assert.deepEqual([subject, verdict, decision, n, session], ['user:ä\uFFFD', 'deny', 'dec_1', 3, null]);
  // SPEC: RFC 6962 §2.1.
  const expected = createHash('sha256')
    .update(Buffer.concat([Buffer.from([0]), Buffer.from(line, 'utf8')]))
    .digest('hex');
  assert.equal(leaf, expected);
});

test('what is not one line of JSON with what every entry has is no entry', () => {
  const [line = ''] = ledgerLines([{ kind: 'log.heartbeat' }]);
  for (const wrong of [`{\n${line.slice(1)}`, `${line}\n`, '[]', '{}', 'null', '{"i":1}', line.replace('"i":0', '"i":"0"')])
    assert.throws(() => indexEntry(wrong), { code: 'LEDGER_TAMPERED' }, wrong);
});
