import type { BundleRef, Decision } from '#model';

/** The refusal of a request that a bundle could not decide. */
export function policyFault(bundle: BundleRef, error: unknown): Decision {
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
