import type { Target } from '#model';
import type { Matcher } from '../match/matcher.ts';
import type { CompiledRule, FactReader } from './compiled.ts';
import { belowFacts } from './paths.ts';

/** Which rules read facts, by target, of the request's phase and of the response's: the latter asks with the facts of the former. */
export function factReaders(
  rules: readonly CompiledRule[],
  reads: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<Target, readonly FactReader[]> {
  const readers = new Map<Target, FactReader[]>();
  for (const { id, policy, matchers } of rules) {
    const paths = [...policy.facts, ...(reads.get(id) ?? []).flatMap(belowFacts)];
    if (paths.length === 0) continue;
    const ofTarget = readers.get(policy.target) ?? [];
    // A rule whose mode is off may be put in force by a rollout: it is not told apart here.
    ofTarget.push({ paths: [...new Set(paths)], points: policy.points, matchers: matchers.filter(isKnownBefore) });
    readers.set(policy.target, ofTarget);
  }
  return readers;
}

function isKnownBefore({ path }: Matcher): boolean {
  const [root] = path.split('.');
  return root !== 'facts' && root !== 'result';
}
