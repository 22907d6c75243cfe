import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '#host';
import { query } from './encode.ts';
import { password, refusal, startKit, type Kit } from './testing/kit.ts';
import { RawClient } from './testing/raw-client.ts';

let kit: Kit;
before(async () => {
  kit = await startKit('');
});
after(() => kit.stop());

test('C-04 refusals that nobody reads do not pile up in the gateway, and come when they are read', async () => {
  const sent = 100;
  kit.script.decide = () => refusal('LONG', 'x'.repeat(1024 * 1024));
  const raw = await RawClient.login(kit.port, password);
  raw.socket.pause();
  raw.send(...Array.from({ length: sent }, () => query('SELECT 1')));
  // Once the buffers between both are full, nothing more is looked at.
  let seen = -1;
  const stuck = await until(
    () => {
      const before = seen;
      seen = kit.admitted.length;
      return seen > 0 && seen === before ? seen : undefined;
    },
    { deadlineMs: 10_000, everyMs: 500 },
  );
  assert.ok(Number(stuck) < sent / 2, `${String(stuck)} of ${sent} were answered to nobody`);
  raw.socket.resume();
  for (let i = 0; i < sent; i += 1) await raw.ready();
  assert.equal(kit.admitted.length, sent);
  raw.close();
});
