/** One real installation besieged by a hostile client, for the tests of one file. */
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { RawClient, render, type Reply } from '../../src/gateway/points/postgres/testing/raw-client.ts';
import { gatewayBelow, intrude, type Intruder } from './attacker.ts';
import { startInstallation, waitFor, type Account, type Installation } from './installation.ts';

let started: Installation | undefined;
/** Clients of the test at hand; whatever is still open afterwards is closed. */
export const open = new Set<RawClient>();

/** Starts the installation before the tests of the file that calls this, and ends it after them. */
export function besiege(): void {
  before(async () => {
    started = await startInstallation();
  });
  after(() => started?.destroy());
  afterEach(() => {
    for (const raw of open) raw.close();
    open.clear();
  });
}

export function site(): { readonly installation: Installation; readonly port: number; readonly gateway: number } {
  assert.ok(started);
  return { installation: started, port: started.ready.postgres.port, gateway: gatewayBelow(started.up.pid ?? 0) };
}

function ready(): Installation['ready'] {
  assert.ok(started);
  return started.ready;
}

export async function enter(user: Account = 'engineer', parameters: Readonly<Record<string, string>> = {}): Promise<Intruder> {
  const intruder = await intrude({ port: ready().postgres.port, user, password: ready().subjects[user].token, parameters });
  open.add(intruder.raw);
  return intruder;
}

export async function knock(): Promise<RawClient> {
  const raw = await RawClient.open(ready().postgres.port);
  open.add(raw);
  return raw;
}

export async function scalar(sql: string): Promise<string> {
  const { raw } = await enter();
  const replies = await raw.query(sql);
  raw.close();
  return render(replies.filter(({ type }) => type === 'D')).slice(2);
}

/** Everything until the gateway hangs up, which it must do at once. */
export async function ended(raw: RawClient): Promise<readonly Reply[]> {
  await waitFor('the gateway to hang up', () => raw.closed, 10_000);
  return raw.end();
}

/** The tables are all there, and another client is served. */
export async function unharmed(): Promise<void> {
  assert.ok(Number(await scalar('SELECT count(*) FROM orders')) >= 100_000);
}
