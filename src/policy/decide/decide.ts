import type { Decision, DecisionRequest } from '#model';
import type { Bundle } from '../bundle.ts';
import { decideInRollout } from './bundle-rollout.ts';
import { decideBy } from './decide-by.ts';
import { policyFault } from './policy-fault.ts';

/**
 * Decides a request. Pure and total: the same bundle and request always give the same decision, and whatever goes wrong inside is a deny
 * with the reason `POLICY_FAULT`.
 */
export function decide(bundle: Bundle, request: DecisionRequest): Decision {
  try {
    const { candidate } = bundle;
    return candidate === undefined ? decideBy(bundle.compiled, request) : decideInRollout(bundle, candidate, request);
  } catch (error) {
    return policyFault(bundle.ref, error);
  }
}
