import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { DecisionRequest, Mode } from '#model';
import type { CompiledRollout, CompiledStage } from '../compile/compiled.ts';
import type { Evaluation } from './condition.ts';

const buckets = 10_000;

/**
 * The mode a rollout gives a rule for this request. Who is in stays in while the percentage grows: membership is
 * `sha256(salt + key) mod 10000 < percent × 100`. A request without the key, or whose cohort cannot be told, is outside.
 */
export function rolloutMode(rollout: CompiledRollout, evaluation: Evaluation, steps: DecisionRequest['rolloutSteps'] = none): Mode {
  const { percent, cohorts, outside } = stageOf(rollout, steps);
  for (const cohort of cohorts) {
    const answer = evaluation.test(cohort);
    if (answer.ok && answer.value) return rollout.inside;
  }
  if (percent === 0) return outside;
  const key = rollout.key(evaluation.view);
  if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'boolean') return outside;
  return bucketOf(rollout.salt, String(key)) < percent * 100 ? rollout.inside : outside;
}

const none: Readonly<Record<string, number>> = Object.freeze({});

/** The step in force; one that the document does not have leaves it at the one it says. */
export function stepOf({ name, step, stages }: CompiledRollout, steps: Readonly<Record<string, number>> = none): number {
  const moved = Object.hasOwn(steps, name) ? steps[name] : undefined;
  return moved !== undefined && stages[moved] !== undefined ? moved : step;
}

function stageOf(rollout: CompiledRollout, steps: Readonly<Record<string, number>>): CompiledStage {
  const { name, step, stages } = rollout;
  const stage = stages[stepOf(rollout, steps)];
  if (stage === undefined) throw new Error(`the rollout ${name} has no stage for its step ${step}`);
  return stage;
}

/** The whole digest as one number modulo 10,000, byte by byte. */
export function bucketOf(salt: string, key: string): number {
  let rest = 0;
  for (const byte of sha256(utf8ToBytes(salt + key))) rest = (rest * 256 + byte) % buckets;
  return rest;
}
