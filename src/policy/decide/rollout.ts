import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { Mode } from '#model';
import type { CompiledRollout } from '../compile/compiled.ts';
import type { Evaluation } from './condition.ts';

const buckets = 10_000;

/**
 * The mode a rollout gives a rule for this request. Who is in stays in while the percentage grows: membership is
 * `sha256(salt + key) mod 10000 < percent × 100`. A request without the key, or whose cohort cannot be told, is outside.
 */
export function rolloutMode(rollout: CompiledRollout, evaluation: Evaluation): Mode {
  for (const cohort of rollout.cohorts) {
    const answer = evaluation.test(cohort);
    if (answer.ok && answer.value) return rollout.inside;
  }
  if (rollout.percent === 0) return rollout.outside;
  const key = rollout.key(evaluation.view);
  if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'boolean') return rollout.outside;
  return bucketOf(rollout.salt, String(key)) < rollout.percent * 100 ? rollout.inside : rollout.outside;
}

/** The whole digest as one number modulo 10,000, byte by byte. */
export function bucketOf(salt: string, key: string): number {
  let rest = 0;
  for (const byte of sha256(utf8ToBytes(salt + key))) rest = (rest * 256 + byte) % buckets;
  return rest;
}
