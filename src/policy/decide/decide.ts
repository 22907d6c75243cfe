import type { BundleRef, Decision, DecisionRequest } from '#model';
import type { Bundle } from '../bundle.ts';
import { decideInRollout } from './bundle-rollout.ts';
import { decideBy } from './decide-by.ts';

/**
 * Decides a request. Pure and total: the same bundle and request always give the same decision, and whatever goes wrong inside is a deny
 * with the reason `POLICY_FAULT`.
 */
export function decide(bundle: Bundle, request: DecisionRequest): Decision {
  try {
    const { candidate } = bundle;
    return candidate === undefined ? decideBy(bundle.compiled, request) : decideInRollout(bundle, candidate, request);
  } catch (error) {
    return fault(bundle.ref, error);
  }
}

function fault(bundle: BundleRef, error: unknown): Decision {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown failure';
  return {
    verdict: 'deny',
    reason: 'POLICY_FAULT',
    message: 'Evaluating the policy failed, so the operation was refused. Tell the policy owner.',
    obligations: [],
    requirements: [],
    grantsUsed: [],
    decisive: [],
    matched: [],
    bundle,
    warnings: [],
    errors: [{ rule: '', part: 'when', message }],
  };
}
