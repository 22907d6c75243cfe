import type { Decision } from '#model';
import type { Expectation } from '../documents/kinds/policy-test.ts';

/** In what a decision differs from what was expected; nothing when it is as expected. Every sentence says what was wanted and what came. */
export function differences(decision: Decision, expected: Expectation): string[] {
  const found: string[] = [];
  const { verdict, reason, message, decisive, fired, notFired } = expected;
  if (verdict !== undefined && !verdictMatches(decision.verdict, verdict))
    found.push(`wanted verdict ${show(verdict)}, got ${decision.verdict} (${decision.reason})`);
  if (reason !== undefined && decision.reason !== reason) found.push(`wanted reason ${reason}, got ${decision.reason}`);
  if (message !== undefined && decision.message !== message) found.push(`wanted message "${message}", got "${decision.message}"`);
  const matched = decision.matched.map(({ rule }) => rule);
  for (const rule of decisive ?? [])
    if (!decision.decisive.includes(rule)) found.push(`wanted ${rule} to decide, but ${show(decision.decisive)} did`);
  for (const rule of fired ?? []) if (!matched.includes(rule)) found.push(`wanted ${rule} to apply, but only ${show(matched)} did`);
  for (const rule of notFired ?? []) if (matched.includes(rule)) found.push(`wanted ${rule} not to apply, but it did`);
  found.push(
    ...requirementDifferences(decision, expected),
    ...listDifferences('obligation', decision.obligations, expected.obligations),
    ...listDifferences('limit', decision.limits ?? [], expected.limits),
    ...noteDifferences(decision, expected),
  );
  return found;
}

function verdictMatches(verdict: Decision['verdict'], wanted: NonNullable<Expectation['verdict']>): boolean {
  if (typeof wanted === 'string') return verdict === wanted;
  return 'not' in wanted ? verdict !== wanted.not : wanted.includes(verdict);
}

function requirementDifferences({ requirements }: Decision, { requires }: Expectation): string[] {
  if (!isRecord(requires)) return [];
  return Object.entries(requires)
    .filter(
      ([kind, terms]) => !requirements.some((requirement) => covers((requirement as unknown as Record<string, unknown>)[kind], terms)),
    ) // Read by name.
    .map(([kind, terms]) => `wanted an open challenge ${kind} with ${show(terms)}, got ${show(requirements)}`);
}

/** Exactly these, in any order, each as far as it is written. */
function listDifferences(what: string, actual: readonly unknown[], expected: readonly unknown[] | undefined): string[] {
  if (expected === undefined) return [];
  const left = [...actual];
  const missing = expected.filter((wanted) => {
    const at = left.findIndex((one) => covers(one, wanted));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [
    ...missing.map((wanted) => `wanted the ${what} ${show(wanted)}, got ${show(actual)}`),
    ...left.map((one) => `did not want the ${what} ${show(one)}`),
  ];
}

function noteDifferences(decision: Decision, { warnings, shadow, errors }: Expectation): string[] {
  const found: string[] = [];
  for (const text of warnings ?? []) {
    if (!decision.warnings.some((warning) => warning.includes(text)))
      found.push(`wanted a warning with "${text}", got ${show(decision.warnings)}`);
  }
  if (shadow === false && decision.shadow !== undefined) found.push(`wanted no shadow verdict, got ${show(decision.shadow)}`);
  if (isRecord(shadow) && !covers(decision.shadow, shadow)) found.push(`wanted the shadow ${show(shadow)}, got ${show(decision.shadow)}`);
  if (errors?.length === 0 && decision.errors.length > 0) found.push(`wanted no evaluation errors, got ${show(decision.errors)}`);
  for (const name of errors ?? []) {
    if (!decision.errors.some(({ rule, path }) => rule === name || path === name))
      found.push(`wanted an evaluation error of ${name}, got ${show(decision.errors)}`);
  }
  return found;
}

/** Whether `actual` has everything that `wanted` says; lists are equal item by item. */
function covers(actual: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(actual) && actual.length === wanted.length && wanted.every((item, i) => covers(actual[i], item));
  if (isRecord(wanted)) return isRecord(actual) && Object.entries(wanted).every(([key, value]) => covers(actual[key], value));
  return actual === wanted;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
