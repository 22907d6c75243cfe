import { canonicalJson } from '#model';
import type { Bundle } from './bundle.ts';

/** The digest of the candidate bundle that a rollout in this one is about; undefined when there is none. */
export function candidateOf({ compiled }: Bundle): string | undefined {
  return compiled.bundleRollout?.candidate;
}

/**
 * A bundle that decides together with the candidate that is rolled out beside it. Undefined when that is another one than its rollout names, or
 * when both ask different engines under one name, so that an answer to one could be taken for an answer to the other.
 */
export function withCandidate(bundle: Bundle, candidate: Bundle): Bundle | undefined {
  if (candidate.ref.digest !== candidateOf(bundle)) return undefined;
  for (const [fact, terms] of candidate.engines) {
    const known = bundle.engines.get(fact);
    if (known !== undefined && canonicalJson(known) !== canonicalJson(terms)) return undefined;
  }
  return { ...bundle, engines: new Map([...bundle.engines, ...candidate.engines]), candidate };
}
