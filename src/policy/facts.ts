import type { DecisionRequest } from '#model';
import type { Bundle } from './bundle.ts';
import type { Compiled } from './compile/compiled.ts';
import { belowFacts } from './compile/paths.ts';
import { viewOf } from './decide/decide-by.ts';

const none: readonly string[] = Object.freeze([]);

/**
 * The facts that rules may read when they decide the request, and later its response: paths below `facts`, each once; the empty path
 * stands for all of them. A superset: what is not among them cannot change the decision. Empty, and found out at once, where no rule of
 * the target reads a fact. With a candidate beside the bundle also what that reads, and what tells who is in.
 */
export function factsRead({ compiled, candidate }: Bundle, request: DecisionRequest): readonly string[] {
  const own = readBy(compiled, request);
  if (candidate === undefined) return own;
  return [...new Set([...own, ...readBy(candidate.compiled, request), ...readByRollout(compiled, request)])];
}

function readBy(compiled: Compiled, request: DecisionRequest): readonly string[] {
  const readers = compiled.factReaders.get(request.target);
  if (readers === undefined) return none;
  const view = viewOf(compiled, request);
  const read = new Set<string>();
  for (const { paths, points, matchers } of readers) {
    if (points !== undefined && !points.has(request.point)) continue;
    if (matchers.every((line) => line.accepts(line.read(view)))) for (const path of paths) read.add(path);
  }
  return read.size === 0 ? none : [...read];
}

function readByRollout({ bundleRollout }: Compiled, { target }: DecisionRequest): readonly string[] {
  const terms = bundleRollout?.byTarget.get(target);
  if (terms === undefined) return none;
  const cohorts = terms.stages.at(-1)?.cohorts ?? [];
  const programs = cohorts.flatMap(({ program, variables }) => [program, ...variables.map((variable) => variable.program)]);
  return [terms.keyPath, ...programs.flatMap(({ reads }) => reads)].flatMap(belowFacts);
}

/** Whether a path that a rule reads below `facts` touches the fact, e.g. `foreign.old`: it is the path, is below it, or above it. */
export function mayRead(path: string, fact: string): boolean {
  return path === '' || path === fact || path.startsWith(`${fact}.`) || fact.startsWith(`${path}.`);
}
