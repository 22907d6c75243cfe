import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { RiskClass } from '../documents/kinds/policy.ts';
import { dayMs, durationMs, instantMs } from '../documents/time.ts';
import type { Place } from '../problem.ts';
import { placeOf } from './ground.ts';
import type { Ground } from './ground.ts';

type Documents = Pick<Ground, 'bundle' | 'documents' | 'report' | 'sources' | 'tested'>;

/** P302: rules that count and that nothing tests; critical rules that one pair of hands can lift. */
export function checkCare({ bundle, report, sources, tested }: Documents): void {
  for (const rule of bundle.compiled.rules) {
    const source = sources.get(rule.id);
    if (source === undefined) continue;
    if (rule.mode === 'enforce' && !tested(rule.id, rule.policy.name)) {
      report.add({
        code: 'P302',
        severity: 'error',
        place: placeOf(rule, [], { sources }),
        message: `the rule "${rule.id}" is enforced and no test is about it`,
        hint: 'write a PolicyTest case that expects it to fire, or one that demands full coverage of its policy',
        rules: [rule.id],
        proof: 'document',
      });
    }
    const { owner, review } = source.document.spec;
    if (rule.policy.risk === 'critical' && rule.effect === 'deny' && rule.waivable && (review.by === undefined || review.by === owner)) {
      report.add({
        code: 'P302',
        severity: 'error',
        place: placeOf(rule, [], { sources }),
        message: `the rule "${rule.id}" is critical, may be waived, and has one owner (${owner}) alone`,
        hint: 'write "waivable: false", or name a person beside the owner in "review.by" of the policy',
        rules: [rule.id],
        proof: 'document',
      });
    }
  }
}

/** A rule is tested when a case names it, or when a test its policy takes part in demands that every rule fires. */
export function testedBy(documents: readonly Document[]): (rule: string, policy: string) => boolean {
  const named = new Set<string>();
  const covered: ((policy: string) => boolean)[] = [];
  for (const document of documents) {
    if (!isKind(document, 'PolicyTest')) continue;
    const { policies, cases = [], properties = [], coverage } = document.spec;
    for (const { expect } of [...cases, ...properties]) {
      for (const id of [...(expect.decisive ?? []), ...(expect.fired ?? [])]) named.add(id);
    }
    if (coverage?.rules === 100) covered.push((policy) => policies === undefined || policies.includes(policy));
  }
  return (rule, policy) => named.has(rule) || covered.some((takesPart) => takesPart(policy));
}

/** How long after its date a lapse is only told; then it is an error. */
const graceDays: Readonly<Record<RiskClass, number>> = { critical: 0, high: 30, medium: 90, low: 365 };

/** P402, P401, P301, P302: what has run out at `now` (wall clock, ms). */
export function checkDates(now: number, ground: Documents): void {
  for (const document of ground.documents) {
    if (isKind(document, 'Policy')) checkPolicy(document, now, ground);
    else if (isKind(document, 'Exception')) checkException(document, now, ground);
    else if (isKind(document, 'Override') && instantMs(document.spec.expires) <= now) {
      tell(ground, {
        code: 'P401',
        severity: 'warning',
        place: specNode(document, ['expires']),
        message: `the override "${document.name}" has ended`,
        hint: 'remove it',
        rules: document.spec.rules,
      });
    } else if (isKind(document, 'RiskAcceptance')) checkAcceptance(document, now, ground);
    else if (isKind(document, 'DataSet')) checkAge(document, now, ground);
  }
}

function checkAge({ spec, name, node }: DocumentOf<'DataSet'>, now: number, ground: Documents): void {
  if (spec.asOf === undefined || spec.maxAge === undefined) return;
  const until = instantMs(spec.asOf) + durationMs(spec.maxAge);
  if (until > now) return;
  tell(ground, {
    code: 'P402',
    severity: 'error',
    place: specNode({ node }, ['asOf']),
    message: `the DataSet "${name}" is stale for ${days(now - until)}: every rule that reads it fails`,
    hint: 'bring it up to date, then write the date into "asOf"',
    rules: [],
  });
}

function checkPolicy({ spec, name, node }: DocumentOf<'Policy'>, now: number, ground: Documents): void {
  const place = (path: readonly string[]): Place => specNode({ node }, path);
  const severity = (since: number): 'warning' | 'error' => (now - since > graceDays[spec.risk.class] * dayMs ? 'error' : 'warning');
  if (instantMs(spec.review.last) > now + dayMs) {
    tell(ground, {
      code: 'P402',
      severity: 'error',
      place: place(['review', 'last']),
      message: `the last review of the policy "${name}" lies in the future`,
      hint: 'write the day on which somebody read it',
      rules: [],
    });
  }
  const due = instantMs(spec.review.last) + periodMs(spec.review.every);
  if (due <= now) {
    const message = `the review of the policy "${name}" (risk ${spec.risk.class}) is due for ${days(now - due)}`;
    tell(ground, {
      code: 'P402',
      severity: severity(due),
      place: place(['review', 'last']),
      message,
      hint: 'review it, then write the date into "review.last"',
      rules: [],
    });
  }
  if (spec.expires === undefined || instantMs(spec.expires) > now) return;
  const message = `the policy "${name}" has expired; it is still in force`;
  tell(ground, {
    code: 'P402',
    severity: severity(instantMs(spec.expires)),
    place: place(['expires']),
    message,
    hint: 'remove the policy, or give it a later date',
    rules: [],
  });
}

function checkException({ spec, name, node }: DocumentOf<'Exception'>, now: number, ground: Documents): void {
  const rules = spec.waives.flatMap((waived) => waived.rules.map((rule) => `${waived.policy}/${rule}`));
  if (instantMs(spec.expires) <= now) {
    tell(ground, {
      code: 'P401',
      severity: 'error',
      place: specNode({ node }, ['expires']),
      message: `the exception "${name}" has expired`,
      hint: 'remove it',
      rules,
    });
  }
}

/** MANIFEST: a version that the changelog does not know could not be packed. */
export function checkManifest({ documents, report }: Documents): void {
  for (const document of documents) {
    if (!isKind(document, 'Bundle')) continue;
    const { version, changelog } = document.spec;
    if (changelog === undefined || changelog.some((one) => one.version === version)) continue;
    report.add({
      code: 'MANIFEST',
      severity: 'warning',
      place: specNode(document, ['version']),
      message: `the changelog says nothing about version ${version}: policy bundle build would refuse it`,
      hint: 'add an entry to "changelog"',
      rules: [],
      proof: 'document',
    });
  }
}

/** P401: whoever an exception is for must not be the one who approves it. */
export function checkApprovers({ documents, report }: Documents): void {
  for (const document of documents) {
    if (!isKind(document, 'Exception')) continue;
    const { spec } = document;
    const scoped = spec.scope.match?.['subject.id'];
    const served: unknown[] = Array.isArray(scoped) ? [...scoped] : [];
    for (const [i, approver] of spec.approvedBy.entries()) {
      if (!served.includes(approver) && approver !== spec.owner) continue;
      report.add({
        code: 'P401',
        severity: 'error',
        place: specNode(document, ['approvedBy', i]),
        message: `${approver} approves the exception "${document.name}" and is ${approver === spec.owner ? 'its owner' : 'the one it is for'}`,
        hint: 'let somebody else approve it',
        rules: spec.waives.flatMap((waived) => waived.rules.map((rule) => `${waived.policy}/${rule}`)),
        proof: 'document',
      });
    }
  }
}

function checkAcceptance({ spec, name, node }: DocumentOf<'RiskAcceptance'>, now: number, ground: Documents): void {
  if (instantMs(spec.expires) > now) return;
  const what = spec.point === undefined ? 'fails closed again' : `is not accepted at the point "${spec.point}" any more`;
  tell(ground, {
    code: spec.point === undefined ? 'P302' : 'P301',
    severity: 'error',
    place: specNode({ node }, ['expires']),
    message: `the risk acceptance "${name}" has expired, so the rule "${spec.rule}" ${what}`,
    hint: 'decide again and write the new date, or change the rule',
    rules: [spec.rule],
  });
}

function tell({ report }: Documents, observation: Omit<Parameters<Documents['report']['add']>[0], 'proof'>): void {
  report.add({ ...observation, proof: 'document' });
}

function days(ms: number): string {
  const count = Math.floor(ms / dayMs);
  return count === 1 ? '1 day' : `${count} days`;
}

const periodDays: Readonly<Record<string, number>> = { D: 1, W: 7, M: 30, Y: 365 };

/** Milliseconds of a review period such as P90D or P6M; a month counts 30 days, a year 365. */
function periodMs(period: string): number {
  return Number(period.slice(1, -1)) * (periodDays[period.slice(-1)] ?? 1) * dayMs;
}
