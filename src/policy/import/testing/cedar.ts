import type { CedarModule, CedarPolicyJson } from '../cedar/module.ts';

/**
 * A stand-in for Cedar's module that knows just enough of the language for policies of the form
 * `permit (principal in Group::"g", action == Action::"a", resource);`. Cedar itself is not a dependency of the importer.
 */
export const cedarStandIn: CedarModule = {
  policySetTextToParts: (text) => {
    const policies = [...text.matchAll(/(?:@\w+\("[^"]*"\)\s*)*(?:permit|forbid) \([^)]*\);/g)].map(([policy]) => policy);
    if (policies.length === 0)
      return { type: 'failure', errors: [{ message: 'unexpected token', sourceLocations: [{ start: 3, end: 4 }] }] };
    return { type: 'success', policies, policy_templates: [] };
  },
  policyToJson: (policy) => ({ type: 'success', json: jsonOf(policy) }),
  isAuthorized: ({ principal, action, entities, policies }) => {
    const groups = entities.find((entity) => entity.uid.id === principal.id)?.parents.map((parent) => parent.id) ?? [];
    const hits = Object.entries(policies.staticPolicies).filter(([, text]) => {
      const group = /principal in Group::"([^"]+)"/.exec(text)?.[1];
      const wanted = /action == Action::"([^"]+)"/.exec(text)?.[1];
      return (group === undefined || groups.includes(group)) && wanted === action.id;
    });
    const forbidding = hits.filter(([, text]) => jsonOf(text).effect === 'forbid');
    const reason = (forbidding.length > 0 ? forbidding : hits).map(([id]) => id);
    return {
      type: 'success',
      response: { decision: forbidding.length === 0 && hits.length > 0 ? 'allow' : 'deny', diagnostics: { reason, errors: [] } },
    };
  },
};

function jsonOf(policy: string): CedarPolicyJson {
  const annotations = Object.fromEntries([...policy.matchAll(/@(\w+)\("([^"]*)"\)/g)].map(([, name = '', value = '']) => [name, value]));
  return { effect: policy.includes('forbid (') ? 'forbid' : 'permit', annotations };
}
