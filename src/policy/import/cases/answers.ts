import type { Draft, PolicyDraft } from '../draft.ts';
import { bundleFor, decideCase } from './case.ts';
import type { CaseDraft } from './case.ts';

/** Results that policies of Rego commonly have: a rule's value, an object with a verdict, a set of reasons. */
const results: readonly unknown[] = [
  true,
  false,
  { allow: true },
  { allow: false },
  { allowed: true },
  { allowed: false },
  { deny: [] },
  { deny: ['a reason'] },
  { violation: [] },
  { violation: [{ msg: 'a reason' }] },
  [],
  ['a reason'],
];

/**
 * What a wrapper does with the answers that its engine can give: with results of the usual forms, as far as its expressions understand them,
 * with a result that is undefined, and with silence. No case asks the engine.
 */
export function answerCases(draft: Draft): CaseDraft[] {
  return draft.foreign
    .filter(({ engine }) => engine !== 'cedar')
    .flatMap(({ policy: name, fact }) => {
      const policy = draft.policies.find((candidate) => candidate.name === name);
      return policy === undefined ? [] : casesOf(draft, policy, fact);
    });
}

function casesOf(draft: Draft, policy: PolicyDraft, fact: string): CaseDraft[] {
  const bundle = bundleFor(policy, draft);
  if (bundle === undefined) return [];
  const all = policy.rules.map(({ id }) => `${policy.name}/${id}`);
  const seen = new Set<string>();
  const tried = (name: string, answer: unknown): CaseDraft[] => {
    const inputs = { facts: answer === undefined ? {} : { foreign: { [fact]: answer } } };
    const { matched, errors } = decideCase(bundle, policy, { inputs, today: draft.options.today });
    const fired = all.filter((rule) => matched.some((one) => one.rule === rule));
    const failed = [...new Set(errors.map(({ rule }) => rule))];
    const key = `${fired.join()} ${failed.join()}`;
    // A form that the wrapper was not written for says nothing, and so does a second answer with the same effect.
    if (answer !== undefined && (failed.length > 0 || seen.has(key))) return [];
    seen.add(key);
    const expect = { ...(fired.length === 0 ? {} : { fired }), notFired: all.filter((rule) => !fired.includes(rule)), errors: failed };
    return [{ policy, name, inputs, expect }];
  };
  return [
    ...results.flatMap((result) => tried(`the engine answers ${JSON.stringify(result)}`, { result })),
    ...tried('the engine leaves its result undefined', {}),
    ...tried('the engine does not answer', undefined),
  ];
}
