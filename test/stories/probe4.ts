import fc from 'fast-check';
import { startLaboratory } from './laboratory.ts';
import { schema, fill, classification, secretIn } from './canaries.ts';
import { statement } from './statements.ts';
import { RawClient, render, extended as x } from '../../src/gateway/points/postgres/testing/raw-client.ts';
const lab = await startLaboratory(schema + fill, classification);
let c = await RawClient.login(lab.port, lab.password, { user: 'engineer', database: 'orders-demo' });
await c.query("SET statement_timeout TO '500ms'");
const n = Number(process.argv[2] ?? 300); const stat: Record<string, number> = {}; const ex: Record<string, string> = {};
for (const text of fc.sample(statement, n)) {
  await c.query('BEGIN');
  let out: string; let bytes = Buffer.alloc(0);
  try {
  c.send(x.raw('Q', Buffer.from(text + '\0')));
  const rs = []; for (;;) { const some = await c.until(({ type, body }) => type === 'Z' || (type === 'N' && body.includes('waiting for approval'))); rs.push(...some); if (some.at(-1)?.type === 'Z') break; lab.holds.resolve(lab.holds.asked.at(-1)!.id, 'approved'); }
  bytes = Buffer.concat(rs.map((r) => r.body));
  out = render(rs);
  } catch (e) { out = 'DIED ' + String(e).slice(0,200); c = await RawClient.login(lab.port, lab.password, { user: 'engineer', database: 'orders-demo' }); continue; }
  const leak = secretIn(bytes); if (leak) console.log('LEAK', leak, text, out.slice(0, 500));
  const key = /warder: (.{0,30})/.exec(out)?.[1] ?? /C=(\w{5})/.exec(out)?.[1] ?? (/^D/m.test(out) ? 'rows' : 'no rows');
  stat[key] = (stat[key] ?? 0) + 1; if (Math.random() < 0.3) ex[key] = text + '\n     ' + out.slice(0, 200);
  await c.query('ROLLBACK');
}
console.log(stat); console.log(ex);
await lab.close(); process.exit(0);
