import { createHash } from 'node:crypto';
import type { Bundle, CheckResult, SourceFile } from '#policy';
import { keptAnswers } from './result-folder.ts';

/** What of a check is shown, and can be kept: the compiled policies cannot. */
export interface ShownCheck extends Pick<CheckResult, 'ok' | 'problems'> {
  readonly bundle?: Pick<Bundle, 'ref' | 'rules'>;
}

interface Kept extends ShownCheck {
  /** Wall clock, ms: between these nothing that the check says can have changed. */
  readonly from: number;
  readonly until: number;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** Periods that end inside a day are rare; whatever they are, no answer is older than this. */
const keptMs = 10 * minuteMs;

/**
 * The check of files that did not change since it was made, and a way to keep a new one. What a check says depends on the clock: it is
 * kept until the next date that the files name, the next midnight (UTC), or ten minutes, whichever comes first.
 */
export function keptCheck(
  root: string,
  files: readonly SourceFile[],
  now: number,
): { readonly found: ShownCheck | undefined; readonly keep: (result: CheckResult) => void } {
  const store = keptAnswers(root, 'policy-checks');
  const hash = createHash('sha256');
  for (const { path, text } of files) hash.update(JSON.stringify([path, text]));
  const key = hash.digest('hex');
  const kept = store.get(key);
  return {
    found: isKept(kept) && kept.from <= now && now < kept.until ? kept : undefined,
    keep({ ok, bundle, problems }) {
      const shown: Kept = {
        ok,
        ...(bundle === undefined ? {} : { bundle: { ref: bundle.ref, rules: bundle.rules } }),
        problems,
        from: now,
        until: untilWhen(files, now),
      };
      store.set(key, shown);
    },
  };
}

function isKept(value: unknown): value is Kept {
  return (
    typeof value === 'object' &&
    value !== null &&
    'until' in value &&
    'from' in value &&
    'problems' in value &&
    Array.isArray(value.problems)
  );
}

const dates = /\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z)?/g;

function untilWhen(files: readonly SourceFile[], now: number): number {
  let until = Math.min(now + keptMs, (Math.floor(now / dayMs) + 1) * dayMs);
  for (const { text } of files) {
    for (const [date] of text.matchAll(dates)) {
      const at = Date.parse(date);
      if (at > now && at < until) until = at;
    }
  }
  return until;
}
