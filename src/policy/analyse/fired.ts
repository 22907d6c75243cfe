import type { Target } from '#model';
import type { Bundle } from '../bundle.ts';
import { isKind, readDocuments, specNode } from '../documents/document.ts';
import { dayMs, instantMs } from '../documents/time.ts';
import { inForce } from '../packs.ts';
import { recordedFrom } from '../plan/recorded.ts';
import type { SourceFile } from '../source.ts';
import { Report } from './finding.ts';
import type { Finding } from './finding.ts';

export interface RecordOptions {
  /** The files the bundle was compiled from. */
  readonly files: readonly SourceFile[];
  /** Wall clock, ms. */
  readonly now: number;
  /** How far back to look. */
  readonly days: number;
}

export interface RecordFindings {
  readonly findings: readonly Finding[];
  /** Decisions that were looked at, and when the first and the last of them were made, ms. */
  readonly decisions: number;
  readonly from?: number;
  readonly to?: number;
}

/** What the records say: when each rule, and each exception, last did something. */
interface Fired {
  readonly rules: Map<string, number>;
  readonly exceptions: Map<string, number>;
  readonly targets: Set<Target>;
  decisions: number;
  from: number;
  to: number;
  /** Some decision was made by these very policies. */
  own: boolean;
  /** Operations were settled with the rules of the response phase. */
  settled: boolean;
}

/** An exception that nobody used for so long is not needed. */
const exceptionDays = 30;

/**
 * P107 and P401 that only recorded decisions can tell: rules that never fired in the last days, exceptions that nobody used.
 *
 * @param lines entries of ledgers, each as one line of JSON
 */
export async function recordFindings(
  bundle: Bundle,
  lines: AsyncIterable<string> | Iterable<string>,
  { files, now, days }: RecordOptions,
): Promise<RecordFindings> {
  const since = now - days * dayMs;
  const fired = await firedIn(lines, Math.min(since, now - exceptionDays * dayMs), bundle.ref.digest);
  const report = new Report();
  const [file] = files;
  const start = file && { file, line: 1, column: 1 };
  if (start === undefined) return { findings: [], decisions: 0 };
  if (fired.decisions === 0) {
    report.cut(`there is no decision of the last ${days} days in the records, so nothing is said about rules that never fire`, start);
    return { findings: report.close(start), decisions: 0 };
  }
  const covered = fired.from <= since + dayMs;
  const span = Math.max(1, Math.ceil((now - fired.from) / dayMs));
  if (!covered)
    report.cut(
      `the records reach back ${span === 1 ? 'one day' : `${span} days`} of the ${days} asked for: what fires seldom may only seem unused`,
      start,
    );
  if (!fired.own)
    report.cut('none of the recorded decisions was made by these very policies: rules that are new had no chance to fire', start);
  reportRules(bundle, fired, { report, since, when: `in the last ${covered ? days : span} days`, severity: covered ? 'warning' : 'info' });
  reportExceptions({ files, now }, fired, report);
  return { findings: report.close(start), decisions: fired.decisions, from: fired.from, to: fired.to };
}

async function firedIn(lines: AsyncIterable<string> | Iterable<string>, since: number, digest: string): Promise<Fired> {
  const fired: Fired = {
    rules: new Map(),
    exceptions: new Map(),
    targets: new Set(),
    decisions: 0,
    from: Number.POSITIVE_INFINITY,
    to: 0,
    own: false,
    settled: false,
  };
  const note = (map: Map<string, number>, name: string, t: number): void => void map.set(name, Math.max(t, map.get(name) ?? 0));
  for await (const line of lines) {
    // Most entries are neither; reading those costs the most.
    if (!line.includes('"operation.')) continue;
    const recorded = recordedFrom(line);
    if (recorded === 'malformed' || recorded === undefined) {
      const settled = settledFrom(line);
      if (settled === undefined || settled.t < since) continue;
      fired.settled = true;
      for (const rule of settled.rules) note(fired.rules, rule, settled.t);
    } else if (recorded.kind === 'decision' && recorded.decision.t >= since) {
      const { t, target, matched, by, bundle } = recorded.decision;
      fired.decisions += 1;
      fired.from = Math.min(fired.from, t);
      fired.to = Math.max(fired.to, t);
      fired.own ||= bundle === digest;
      fired.targets.add(target);
      for (const rule of matched) note(fired.rules, rule, t);
      for (const name of by) if (name.startsWith('exception:')) note(fired.exceptions, name.slice('exception:'.length), t);
    }
  }
  return fired;
}

/** The rules of the response phase are recorded with what became of the operation. */
function settledFrom(line: string): { readonly t: number; readonly rules: readonly string[] } | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof entry !== 'object' || entry === null || !('kind' in entry) || entry.kind !== 'operation.settled') return undefined;
  const outcome = 'outcome' in entry ? entry.outcome : undefined;
  const rules = typeof outcome === 'object' && outcome !== null && 'rules' in outcome ? outcome.rules : undefined;
  const t = 't' in entry && typeof entry.t === 'number' ? entry.t : 0;
  return { t, rules: Array.isArray(rules) ? rules.filter((rule) => typeof rule === 'string') : [] };
}

interface Window {
  readonly report: Report;
  readonly since: number;
  readonly when: string;
  readonly severity: 'warning' | 'info';
}

function reportRules({ compiled }: Bundle, fired: Fired, { report, since, when, severity }: Window): void {
  for (const rule of compiled.rules) {
    const { target, phase } = rule.policy;
    // What passes no point, and what is not recorded, says nothing about its rules.
    if (rule.mode === 'off' || !fired.targets.has(target)) continue;
    if (phase !== 'request' && !(phase === 'response' && rule.mode === 'enforce' && fired.settled)) continue;
    const last = fired.rules.get(rule.id);
    if (last !== undefined && last >= since) continue;
    report.add({
      code: 'P107',
      severity,
      place: rule.place,
      message: `the rule "${rule.id}" never fired ${when}: ${fired.decisions} decisions were recorded`,
      hint: rule.effect === 'deny' ? 'a guardrail may be quiet; make sure that a test shows it can fire' : 'remove it if nobody needs it',
      rules: [rule.id],
      proof: 'records',
    });
  }
}

function reportExceptions({ files, now }: Pick<RecordOptions, 'files' | 'now'>, fired: Fired, report: Report): void {
  const since = now - exceptionDays * dayMs;
  if (fired.from > since + dayMs) return;
  for (const document of inForce(readDocuments(files).documents, [])) {
    if (!isKind(document, 'Exception')) continue;
    const { notBefore, expires, waives } = document.spec;
    // Whose time has just begun may still be used; whose time is over is told otherwise.
    if ((notBefore !== undefined && instantMs(notBefore) > since) || instantMs(expires) <= now) continue;
    if ((fired.exceptions.get(document.name) ?? 0) >= since) continue;
    report.add({
      code: 'P401',
      severity: 'warning',
      place: specNode(document, ['waives']),
      message: `nobody used the exception "${document.name}" in the last ${exceptionDays} days`,
      hint: 'remove it; it can be asked for again when it is needed',
      rules: waives.flatMap((waived) => waived.rules.map((rule) => `${waived.policy}/${rule}`)),
      proof: 'records',
    });
  }
}
