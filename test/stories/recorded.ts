/** Recorded sessions of the demo database, as a person gets them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Installation } from './installation.ts';

/** Says of the demo database whether its sessions are recorded. */
export async function labelRecording({ ready }: Installation, recording: string): Promise<void> {
  const token = (await readFile(join(ready.home, 'secrets/operator-token'), 'utf8')).trim();
  const url = `${ready.api}/api/v1/resources/orders-demo`;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  // Reason: what the API says of a resource.
  const { resource, upstream, classification } = (await (await fetch(url, { headers })).json()) as {
    resource: { engine: string; env: string; owner: string };
    upstream: object;
    classification: object;
  };
  const { engine, env, owner } = resource;
  const body = JSON.stringify({ resource: { engine, env, owner, labels: { recording } }, upstream, classification });
  const changed = await fetch(url, { method: 'PUT', headers, body });
  assert.equal(changed.status, 200, await changed.text());
}

/** The id of the session that was opened last. */
export async function newestSession(installation: Installation): Promise<string> {
  const { stdout } = await installation.warder(['sessions', '--json', '--limit', '1'], 'auditor');
  return JSON.parse(stdout)[0].id;
}
