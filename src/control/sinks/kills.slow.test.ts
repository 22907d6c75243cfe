import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ControlConfig } from '#host';
import { until } from '#host';
import { TestGateway, ledgerLines } from '../testing/gateway.ts';
import type { TestControl, TestServer } from '../testing/installation.ts';
import { startTestControl, startTestServer, testConfig } from '../testing/installation.ts';
import type { Loose } from '../testing/loose.ts';
import { sessionDrafts } from '../testing/records.ts';
import type { Receiver } from './testing/receiver.ts';
import { answer, startReceiver } from './testing/receiver.ts';

let server: TestServer;
let receiver: Receiver;

before(async () => {
  server = await startTestServer();
  receiver = await startReceiver(answer(503));
});

after(async () => {
  await receiver?.stop();
  await server?.stop();
});

const session = (name: string, operations: number) =>
  sessionDrafts(name, {
    subject: 'user:engineer',
    operations: Array.from({ length: operations }, (_, at) => ({ n: at + 1, verdict: 'allow' as const })),
  });

async function configured(yaml: (home: string) => string): Promise<ControlConfig> {
  const config = await testConfig(server);
  writeFileSync(join(config.home, 'sinks.yaml'), yaml(config.home));
  return config;
}

/** The events of a file sink with all that was put aside, oldest first. */
function events(home: string, name = 'events.jsonl'): Loose[] {
  const files = readdirSync(home)
    .filter((one) => one.startsWith(name))
    .sort((a, b) => Number(a === name) - Number(b === name) || (a < b ? -1 : 1));
  return files.flatMap((file) =>
    readFileSync(join(home, file), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  );
}

async function arrives(control: TestControl, condition: () => boolean): Promise<void> {
  assert.ok(await until(() => (condition() ? true : undefined), { deadlineMs: 10_000 }), control.log.lines.join('\n'));
}

async function sinks(control: TestControl): Promise<Record<string, Loose>> {
  const { body } = await control.call('GET', '/sinks', { token: control.operatorToken() });
  return Object.fromEntries(body.items.map((one: Loose) => [one.name, one]));
}

/** A nightly run asks for more. */
const killRounds = Number(process.env['SINK_KILL_ROUNDS'] ?? 3);

test('a control plane that is killed again and again leaves no record out and marks what it delivers again', async () => {
  const config = await configured((home) => `sinks: [{ name: all, type: file, path: ${home}/events.jsonl }]\n`);
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
