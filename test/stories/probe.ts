import { startLaboratory } from './laboratory.ts';
import { schema, classification, secretIn } from './canaries.ts';
import { RawClient, render, extended } from '../../src/gateway/points/postgres/testing/raw-client.ts';
const lab = await startLaboratory(schema, classification);
const login = (who: string) => RawClient.login(lab.port, lab.password, { user: who, database: 'orders-demo' });
const client = await login('engineer');
import { readFileSync } from 'node:fs';
const file = process.argv[2] ?? '/dev/stdin';
let c = client;
for (const line of readFileSync(file, 'utf8').split('\n')) {
  if (!line.trim()) continue;
  if (line.startsWith('@')) { c = await login(line.slice(1).trim()); continue; }
  const all: string[] = [];
  try {
  const replies = line.startsWith('!') ? (c.send(extended.parse('', line.slice(1)), extended.bind('', '', [], { resultFormat: 1 }), extended.describe('P', ''), extended.execute(''), extended.sync), await c.ready()) : await c.query(line);
  const bytes = Buffer.concat(replies.map((r) => r.body));
  const s = secretIn(bytes);
  console.log((s ? `*** LEAK ${JSON.stringify(s)} ***  ` : '') + line.slice(0, 300) + '\n    ' + render(replies).split('\n').slice(0, 4).join(' / ').slice(0, 500));
  } catch (e) { console.log('DIED ' + line + ' ' + String(e)); c = await login('engineer'); }
}
await lab.close();
process.exit(0);
