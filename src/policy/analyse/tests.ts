import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { Expectation } from '../documents/kinds/policy-test.ts';
import { didYouMean } from '../problem.ts';
import type { Ground } from './ground.ts';
import { engineReasons } from './told.ts';

type Whole = Pick<Ground, 'everything' | 'report'>;
type TestDocument = Document & DocumentOf<'PolicyTest'>;

/** Reasons that a decision has besides those of rules. */
const otherReasons = ['APPROVAL_REQUIRED', 'QUOTA_EXCEEDED', 'CEDAR_EVALUATION_ERROR', ...engineReasons];

/** P403: tests that speak of policies, rules, reasons or fixtures which do not exist; such a test passes or fails for the wrong reason. */
export function checkTests(whole: Whole): void {
  const { everything } = whole;
  const rules = new Set<string>();
  const policies = new Set<string>();
  const reasons = new Set(otherReasons);
  for (const document of everything) {
    if (!isKind(document, 'Policy')) continue;
    policies.add(document.name);
    for (const { id, reason } of document.spec.rules) {
      rules.add(`${document.name}/${id}`);
      if (reason !== undefined) reasons.add(reason);
    }
  }
  for (const document of everything) if (isKind(document, 'PolicyTest')) checkTest(document, { rules, policies, reasons }, whole);
}

interface Known {
  readonly rules: ReadonlySet<string>;
  readonly policies: ReadonlySet<string>;
  readonly reasons: ReadonlySet<string>;
}

function checkTest(document: TestDocument, known: Known, { report }: Whole): void {
  const { spec } = document;
  const add = (path: readonly (string | number)[], message: string, more: { hint?: string | undefined; mild?: boolean } = {}): void =>
    report.add({
      code: 'P403',
      severity: more.mild === true ? 'warning' : 'error',
      place: specNode(document, path),
      message,
      hint: more.hint,
      rules: [],
      proof: 'document',
    });
  for (const [i, name] of (spec.policies ?? []).entries())
    if (!known.policies.has(name)) add(['policies', i], `there is no policy "${name}"`, { hint: didYouMean(name, known.policies) });
  const seen = new Set<string>();
  for (const list of ['cases', 'properties'] as const) {
    for (const [i, one] of (spec[list] ?? []).entries()) {
      if (seen.has(one.name))
        add([list, i, 'name'], `two cases are called "${one.name}"`, { mild: true, hint: 'say in the name what is different' });
      seen.add(one.name);
      checkExpectation(one.expect, [list, i, 'expect'], { known, add });
      checkFixtures(document, one, { path: [list, i], add });
      for (const [g, { rule }] of (one.grants ?? []).entries())
        if (!known.rules.has(rule))
          add([list, i, 'grants', g, 'rule'], `there is no rule "${rule}"`, { hint: didYouMean(rule, known.rules) });
    }
  }
  if (spec.defaults !== undefined) checkFixtures(document, spec.defaults, { path: ['defaults'], add });
  checkUnusedFixtures(document, add);
}

type Add = (path: readonly (string | number)[], message: string, more?: { hint?: string | undefined; mild?: boolean }) => void;

function checkExpectation(expect: Expectation, path: readonly (string | number)[], { known, add }: { known: Known; add: Add }): void {
  for (const field of ['decisive', 'fired', 'notFired'] as const) {
    for (const [i, id] of (expect[field] ?? []).entries())
      if (!known.rules.has(id)) add([...path, field, i], `there is no rule "${id}"`, { hint: didYouMean(id, known.rules) });
  }
  const { reason } = expect;
  if (reason !== undefined && !known.reasons.has(reason))
    add([...path, 'reason'], `no rule gives the reason "${reason}"`, { hint: didYouMean(reason, known.reasons) });
}

const fixtureOf = { subject: 'subjects', resource: 'resources', context: 'contexts', facts: 'facts', catalog: 'catalogs' } as const;
type Inputs = Partial<Record<keyof typeof fixtureOf, unknown>>;

function checkFixtures(document: TestDocument, inputs: Inputs, { path, add }: { path: readonly (string | number)[]; add: Add }): void {
  for (const [field, kind] of Object.entries(fixtureOf)) {
    const name = inputs[field as keyof Inputs]; // A key of the table.
    if (typeof name !== 'string') continue;
    const fixtures = Object.keys(document.spec.fixtures?.[kind] ?? {});
    if (!fixtures.includes(name))
      add([...path, field], `there is no ${field} "${name}" among the fixtures`, { hint: didYouMean(name, fixtures) });
  }
}

/** What a case would say if its author had not written something else. */
function checkUnusedFixtures(document: TestDocument, add: Add): void {
  const { cases = [], properties = [], defaults, fixtures } = document.spec;
  const inputs: readonly Inputs[] = [...cases, ...properties, ...(defaults === undefined ? [] : [defaults])];
  const generated = new Set(properties.flatMap(({ forAll }) => Object.values(forAll).flatMap(({ oneOf = [] }) => oneOf)));
  for (const [field, kind] of Object.entries(fixtureOf)) {
    for (const name of Object.keys(fixtures?.[kind] ?? {})) {
      if (generated.has(name) || inputs.some((one) => one[field as keyof Inputs] === name)) continue; // A key of the table.
      add(['fixtures', kind, name], `no case uses the ${field} "${name}"`, {
        mild: true,
        hint: 'remove it, or name it in the case it was made for',
      });
    }
  }
}
