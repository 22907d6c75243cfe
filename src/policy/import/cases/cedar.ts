import type { PolicyDraft } from '../draft.ts';
import type { CedarFact } from '../cedar/evaluate.ts';
import type { CedarPolicy } from '../cedar/read.ts';
import type { CaseDraft } from './case.ts';

/** What a wrapper of Cedar policies must do with each answer that Cedar can give: no case asks Cedar, which need not be there in a test. */
export function cedarCases(
  policy: PolicyDraft,
  { fact, policies }: { fact: string; policies: readonly CedarPolicy[] },
): readonly CaseDraft[] {
  const rules = new Set(policy.rules.map(({ id }) => id));
  const named = (...ids: readonly string[]): string[] => ids.filter((id) => rules.has(id)).map((id) => `${policy.name}/${id}`);
  const all = named(...rules);
  const answered = (name: string, result: CedarFact, fired: readonly string[]): CaseDraft => ({
    policy,
    name,
    inputs: { facts: { foreign: { [fact]: { result } } } },
    expect: { ...(fired.length === 0 ? {} : { fired }), notFired: all.filter((rule) => !fired.includes(rule)), errors: [] },
  });
  const decided = policies.map(({ id, effect }) => {
    const rule = (prefix: string): string => `${prefix}-${id}`.slice(0, 63);
    const fired = effect === 'permit' ? named('permitted', rule('permit'), rule('require')) : named('forbidden', rule('forbid'));
    return answered(`${id} ${effect}s`, { decision: effect, determining: [id], failed: [] }, fired);
  });
  const broken = policies.find(({ effect }) => effect === 'forbid');
  return [
    ...decided,
    ...(broken === undefined
      ? []
      : [
          answered(
            `${broken.id} cannot be evaluated`,
            { decision: 'none', determining: [], failed: [broken.id] },
            named('forbid-not-evaluated'),
          ),
        ]),
    answered('no policy speaks about it', { decision: 'none', determining: [], failed: [] }, []),
  ];
}
