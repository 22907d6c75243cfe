import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '#host';
import { TestGateway, ledgerLines } from '../testing/gateway.ts';
import type { TestServer } from '../testing/installation.ts';
import { startTestControl, startTestServer } from '../testing/installation.ts';
import type { Loose } from '../testing/loose.ts';
import { arrives, configured, events, session } from './testing/file-sink.ts';

let server: TestServer;

before(async () => {
  server = await startTestServer();
});

after(() => server?.stop());

/** A nightly run asks for more. */
const killRounds = Number(process.env['SINK_KILL_ROUNDS'] ?? 3);

test('a control plane that is killed again and again leaves no record out and marks what it delivers again', async () => {
  const config = await configured(server, (home) => `sinks: [{ name: all, type: file, path: ${home}/events.jsonl }]\n`);
  const lines = ledgerLines(Array.from({ length: 40 * killRounds }, (_, at) => session(`ses_${at}`, 20)).flat());
  const program = fileURLToPath(new URL('../testing/child.ts', import.meta.url));
  let sent = 0;
  for (let round = 0; round < killRounds; round += 1) {
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'ignore'] });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.stdin.end(JSON.stringify(config));
    await new Promise<void>((resolve) => createInterface(child.stdout).once('line', () => resolve()));
    const gateway = await TestGateway.join(config);
    sent = gateway.hello.mirrored;
    const last = Math.min(lines.length, Math.ceil((lines.length * (round + 1)) / killRounds));
    const target = sizeOf(config.home) + 200_000 + round * 77_777;
    const killer = until(() => (sizeOf(config.home) >= target ? true : undefined), { deadlineMs: 10_000, everyMs: 1 }).then(() =>
      child.kill('SIGKILL'),
    );
    try {
      for (; sent < last; sent += 100)
        await gateway.call('ledger.entries', { origin: gateway.origin, first: sent, entries: lines.slice(sent, sent + 100) });
    } catch {
      // Killed in the middle.
    }
    await killer;
    await ended;
    await gateway.closed;
  }
  const control = await startTestControl(config);
  const gateway = await TestGateway.join(config);
  const { mirrored } = gateway.hello;
  await gateway.call('ledger.entries', { origin: gateway.origin, first: mirrored, entries: lines.slice(mirrored) });
  const keys = (): Loose[] => events(config.home).filter((event) => event.metadata.log_name === gateway.origin);
  await arrives(control, () => new Set(keys().map((event) => event.metadata.sequence)).size === lines.length);
  const seen = new Set<number>();
  for (const event of keys()) {
    if (seen.has(event.metadata.sequence))
      assert.equal(event.unmapped.duplicate, 'possible', `${event.metadata.uid} came again without a mark`);
    seen.add(event.metadata.sequence);
  }
  assert.equal(seen.size, lines.length);
  await gateway.end();
  await control.stop();
});

function sizeOf(home: string): number {
  const path = join(home, 'events.jsonl');
  return existsSync(path) ? statSync(path).size : 0;
}
