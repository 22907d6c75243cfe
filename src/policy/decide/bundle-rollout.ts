import type { Decision, DecisionRequest } from '#model';
import type { Bundle } from '../bundle.ts';
import { Evaluation } from './condition.ts';
import { decideBy, viewOf } from './decide-by.ts';
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
  const decision = decideBy(side === 'candidate' ? candidate.compiled : compiled, request);
  const other = asked(side === 'candidate' ? bundle : candidate, request);
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

/** What goes wrong in a bundle that does not decide changes nothing; it counts as a refusal with an error. */
function asked({ compiled }: Bundle, request: DecisionRequest): Pick<Decision, 'verdict' | 'decisive' | 'errors'> {
  try {
    return decideBy(compiled, request);
  } catch {
    return { verdict: 'deny', decisive: [], errors: [{ rule: '', part: 'when', message: 'evaluating the policy failed' }] };
  }
}
