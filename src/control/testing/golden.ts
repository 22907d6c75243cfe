import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Compares with a checked-in file; `UPDATE=1` writes it, and the difference is reviewed. */
export function matchesGolden(path: URL, text: string): void {
  if (process.env['UPDATE'] === '1') writeFileSync(path, text);
  assert.ok(existsSync(path), `${path.pathname} is missing; run with UPDATE=1`);
  assert.equal(text, readFileSync(path, 'utf8'), `${path.pathname} is out of date; run with UPDATE=1 and review the difference`);
}
