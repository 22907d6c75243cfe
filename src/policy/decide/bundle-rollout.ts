import type { Decision, DecisionRequest } from '#model';
import type { Bundle } from '../bundle.ts';
import { Evaluation } from './condition.ts';
import { decideBy, viewOf } from './decide-by.ts';
import { policyFault } from './policy-fault.ts';
import { rolloutMode, stepOf } from './rollout.ts';

/**
 * Decides by a bundle beside which a candidate is rolled out: by the candidate for who is in, by the bundle in force for all others; and says
 * what the other one says, where both are asked. The same request is always decided by the same one, in every phase.
 */
export function decideInRollout(bundle: Bundle, candidate: Bundle, request: DecisionRequest): Decision {
  const { compiled } = bundle;
  const rollout = compiled.bundleRollout;
  const terms = rollout?.byTarget.get(request.target);
  if (rollout === undefined || terms === undefined || candidate.ref.digest !== rollout.candidate) return decideBy(compiled, request);
  const mode = rolloutMode(terms, new Evaluation(viewOf(compiled, request)), request.rolloutSteps);
  if (mode === 'off') return decideBy(compiled, request);
  const side = mode === 'enforce' ? 'candidate' : 'current';
  const [byCurrent, byCandidate] = [decided(bundle, request), decided(candidate, forCandidate(bundle, candidate, request))];
  const [decision, other] = side === 'candidate' ? [byCandidate, byCurrent] : [byCurrent, byCandidate];
  const failed = (side === 'candidate' ? decision : other).errors.length > 0;
  return {
    ...decision,
    rollout: {
      name: rollout.name,
      step: stepOf(terms, request.rolloutSteps),
      side,
      ...(failed ? { failed } : {}),
      ...(other.verdict === decision.verdict ? {} : { other: { verdict: other.verdict, rules: other.decisive } }),
    },
  };
}

/** Steps are those of the rollouts in force: the candidate's own stand where its documents say, unless both bundles have the same one. */
function forCandidate(bundle: Bundle, candidate: Bundle, request: DecisionRequest): DecisionRequest {
  const { rolloutSteps } = request;
  if (rolloutSteps === undefined || candidate.rollouts.length === 0) return request;
  const same = candidate.rollouts.filter((one) => bundle.rollouts.some(({ name, digest }) => name === one.name && digest === one.digest));
  const steps = Object.entries(rolloutSteps).filter(([step]) => same.some(({ name }) => name === step));
  return { ...request, rolloutSteps: Object.fromEntries(steps) };
}

/** What goes wrong in a bundle is its refusal, with an error, so that gates see it, and changes nothing for who is decided by the other one. */
function decided({ compiled, ref }: Bundle, request: DecisionRequest): Decision {
  try {
    return decideBy(compiled, request);
  } catch (error) {
    return policyFault(ref, error);
  }
}
