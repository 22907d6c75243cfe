import type { Decision, DecisionRequest, Phase, Target } from '#model';
import type { Hit } from '../compile/candidate.ts';
import type { Compiled } from '../compile/compiled.ts';
import type { Evaluation } from './condition.ts';

/** A decision that depends on nothing of the request but which rules apply and what the point can do. */
export interface Remembered {
  readonly compiled: Compiled;
  readonly can: DecisionRequest['can'];
  /** The other rule that applied, if any. */
  readonly second: Hit | undefined;
  readonly decision: Decision;
}

/** Where a rule's last such decisions are kept: one by itself, one with another rule. */
export interface Memory {
  alone: Remembered | undefined;
  paired: Remembered | undefined;
}

/** The same for requests to which no rule applies: only the target's default counts. */
export interface NothingMemory {
  last: { readonly compiled: Compiled; readonly target: Target; readonly phase: Phase; readonly decision: Decision } | undefined;
}

/** What is known of a request before anything follows from it. */
export interface Outcome {
  readonly compiled: Compiled;
  readonly request: DecisionRequest;
  readonly hits: readonly Hit[];
  readonly evaluation: Evaluation;
}

/**
 * The decision made before for the same rules, where it can only be the same again. Which rules apply was found out anew; what follows from
 * them is most of the remaining work, and mostly one or two rules apply.
 */
export function remembered({ compiled, request, hits, evaluation }: Outcome): Decision | undefined {
  const [first, second] = hits;
  if (first === undefined) return evaluation.errors.length === 0 ? nothingRemembered(compiled, request) : undefined;
  if (!isConstant(hits, evaluation)) return undefined;
  const found = second === undefined ? first.memory.alone : first.memory.paired;
  if (found === undefined || found.second !== second || found.can !== request.can || found.compiled !== compiled) return undefined;
  return found.decision;
}

/** Keeps a decision for the next request with the same rules; it is shared from then on, so nobody may change it. */
export function remember({ compiled, request, hits, evaluation }: Outcome, decision: Decision): void {
  const [first, second] = hits;
  if (first === undefined) {
    if (evaluation.errors.length > 0) return;
    const { target, phase } = request;
    compiled.index.nothing.last = { compiled, target, phase, decision: Object.freeze(decision) };
    return;
  }
  if (!isConstant(hits, evaluation)) return;
  const made: Remembered = { compiled, can: request.can, second, decision: Object.freeze(decision) };
  if (second === undefined) first.memory.alone = made;
  else first.memory.paired = made;
}

function nothingRemembered(compiled: Compiled, { target, phase }: DecisionRequest): Decision | undefined {
  const { last } = compiled.index.nothing;
  return last !== undefined && last.target === target && last.phase === phase && last.compiled === compiled ? last.decision : undefined;
}

function isConstant(hits: readonly Hit[], { errors }: Evaluation): boolean {
  if (hits.length > 2 || errors.length > 0) return false;
  for (const { constant } of hits) if (!constant) return false;
  return true;
}
