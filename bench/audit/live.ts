import { createHash } from 'node:crypto';
import { canonicalJson } from '#model';
import { sessionDrafts } from '../../src/control/testing/records.ts';
import { shape } from './generate.ts';

/** Makes the next lines of one ledger that hangs together: sessions of fifty operations, as gateways record them now. */
export function liveLines(): (count: number) => string[] {
  let i = 0;
  let prev = '0'.repeat(64);
  let session = 0;
  let waiting: Record<string, unknown>[] = [];
  return (count) => {
    const lines: string[] = [];
    while (lines.length < count) {
      if (waiting.length === 0) {
        session += 1;
        waiting = sessionOf(session, i);
      }
      const line = canonicalJson({ v: 1, i, prev, t: Date.now(), build: 'warder 0.1.0', ...waiting.shift() });
      prev = createHash('sha256')
        .update(Buffer.from([0]))
        .update(line)
        .digest('hex');
      lines.push(line);
      i += 1;
    }
    return lines;
  };
}

function sessionOf(number: number, first: number): Record<string, unknown>[] {
  const operations = Array.from({ length: shape.operationsPerSession }, (_, at) => ({ n: at + 1, verdict: 'allow' as const }));
  const name = `ses_live_${process.pid}_${number}`;
  return sessionDrafts(name, { subject: `user:person-${number % shape.subjects}`, operations }).map((draft, at) => ({
    ...draft,
    ...('for' in draft ? { for: first + Number(draft['for']) } : {}),
    ...('what' in draft && 'n' in draft ? { what: whatOf(draft['what'], number * 7 + at) } : {}),
  }));
}

function whatOf(what: unknown, n: number): Record<string, unknown> {
  const table = `public.table_${n % shape.tables}`;
  const normalized = `select a, b, c from ${table} where id = $1 and tenant = $2 /* statement ${n % shape.texts} of the application */`;
  // Reason: the draft was made one call before.
  return { ...(what as Record<string, unknown>), objects: [table], normalized };
}
