import { startTestServer, startTestControl, testConfig } from '/work/main/src/control/testing/installation.ts';
import { TestGateway, ledgerLines } from '/work/main/src/control/testing/gateway.ts';
import { sessionDrafts } from '/work/main/src/control/testing/records.ts';
const server = await startTestServer();
const control = await startTestControl(await testConfig(server));
const gw = await TestGateway.join(control.config);
const drafts = [];
for (let s = 0; s < 5000; s++) drafts.push(...sessionDrafts('ses_' + String(s).padStart(6, '0'), { subject: s % 10 ? 'user:engineer' : 'user:reviewer', operations: Array.from({ length: 10 }, (_, k) => ({ n: k + 1, verdict: k % 3 ? 'allow' as const : 'deny' as const })) }));
const lines = ledgerLines(drafts);
console.log('entries', lines.length, 'bytes each', lines[1].length);
let t = performance.now();
for (let i = 0; i < lines.length; i += 256) await gw.call('ledger.entries', { origin: gw.origin, first: i, entries: lines.slice(i, i + 256) });
console.log('mirror/s', Math.round(lines.length / (performance.now() - t) * 1000));
const tok = control.operatorToken(); const aud = await control.tokenOf('auditor'); const eng = await control.tokenOf('engineer');
gw.answers['evidence.open'] = (p) => ({ texts: p.indexes.map((index) => ({ index, text: 'x', parameters: [] })) });
for (const [name, path, token] of [['sessions op', '/sessions', tok], ['sessions eng', '/sessions', eng], ['timeline', '/sessions/ses_000500/timeline', aud], ['decision', '/decisions/dec_ses_000500_1', tok], ['me', '/me', tok], ['open', '/sessions?open=true', tok]] as const) {
  await control.call('GET', path, { token });
  t = performance.now();
  for (let i = 0; i < 20; i++) { const r = await control.call('GET', path, { token }); if (r.status !== 200) console.log(r.body); }
  console.log(name, ((performance.now() - t) / 20).toFixed(1), 'ms');
}
await gw.end(); await control.stop(); await server.stop();
