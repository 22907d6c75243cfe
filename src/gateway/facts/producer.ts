import type { DecisionRequest, FactRecord } from '#model';
import type { LiveSession } from '../point.ts';

/** Finds out one thing about an operation before it is decided. */
export interface FactProducer {
  /** Where what it finds stands below `facts`, e.g. `session` or `foreign.oldRules`. */
  readonly path: string;
  /** May reject: that is a fact that is not there. */
  produce(question: FactQuestion): FactAnswer | Promise<FactAnswer>;
}

export interface FactQuestion {
  readonly live: LiveSession;
  /** As it will be decided, without facts. */
  readonly request: DecisionRequest;
}

export interface FactAnswer {
  /** The fact; undefined when it is not available. */
  readonly value: unknown;
  /** How the record tells of it; absent where the values that rules read say it all. */
  readonly record?: FactRecord;
}
