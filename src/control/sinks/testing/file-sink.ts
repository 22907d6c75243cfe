import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlConfig } from '#host';
import { until } from '#host';
import type { TestControl, TestServer } from '../../testing/installation.ts';
import { testConfig } from '../../testing/installation.ts';
import type { Loose } from '../../testing/loose.ts';
import { sessionDrafts } from '../../testing/records.ts';

/** A new installation with sinks. */
export async function configured(server: TestServer, yaml: (home: string) => string): Promise<ControlConfig> {
  const config = await testConfig(server);
  writeFileSync(join(config.home, 'sinks.yaml'), yaml(config.home));
  return config;
}

/** A session of the engineer with so many operations that were allowed. */
export function session(name: string, operations: number): Record<string, unknown>[] {
  const all = Array.from({ length: operations }, (_, at) => ({ n: at + 1, verdict: 'allow' as const }));
  return sessionDrafts(name, { subject: 'user:engineer', operations: all });
}

/** The events of a file sink with all that was put aside, oldest first. */
export function events(folder: string, name = 'events.jsonl'): Loose[] {
  const files = readdirSync(folder)
    .filter((one) => one.startsWith(name))
    .sort((a, b) => Number(a === name) - Number(b === name) || (a < b ? -1 : 1));
  return files.flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  );
}

export async function arrives(control: TestControl, condition: () => boolean): Promise<void> {
  assert.ok(await until(() => (condition() ? true : undefined), { deadlineMs: 10_000 }), control.log.lines.join('\n'));
}
