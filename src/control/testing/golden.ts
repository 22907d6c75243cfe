import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const update = (): boolean => process.env['UPDATE'] === '1';

/** Compares with a checked-in text; `UPDATE=1` writes it, and the difference is reviewed. */
export function matchesGolden(path: URL, text: string): void {
  if (update()) writeFileSync(path, text);
  assert.ok(existsSync(path), `${path.pathname} is missing; run with UPDATE=1`);
  assert.equal(text, readFileSync(path, 'utf8'), `${path.pathname} is out of date; run with UPDATE=1 and review the difference`);
}

/** The same for a JSON document; how it is laid out is the formatter's matter. */
export function matchesGoldenJson(path: URL, document: unknown): void {
  const text = JSON.stringify(document, null, 2);
  if (update()) writeFileSync(path, `${text}\n`);
  assert.ok(existsSync(path), `${path.pathname} is missing; run with UPDATE=1`);
  const golden: unknown = JSON.parse(readFileSync(path, 'utf8'));
  assert.deepEqual(JSON.parse(text), golden, `${path.pathname} is out of date; run with UPDATE=1 and review the difference`);
}
