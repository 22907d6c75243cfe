import type { RolloutStatus } from '#model';
import type { RolloutTerms } from '#policy';
import { nextOf } from './gates.ts';
import type { GateFinding, Standing } from './gates.ts';
import type { Measured } from './measure.ts';
import type { RolloutRow } from './rows.ts';

/** A rollout of the bundle in force, as it stands. */
export interface RolloutView {
  readonly name: string;
  readonly rules: readonly string[];
  /** Digest of the bundle that is rolled out, where it is one. */
  readonly candidate?: string;
  readonly from: string;
  readonly to: string;
  readonly step: number;
  readonly steps: readonly { readonly holdMs: number; readonly says: string }[];
  /** `by_hand`: it has no gates, so it moves only with its document. */
  readonly status: RolloutStatus | 'by_hand';
  /** Since when it is at this step. */
  readonly since?: number;
  /** Who brought it there, and why. */
  readonly by?: string;
  readonly reason: string;
  /** What it waits for, while it is running. */
  readonly waits?: string;
  readonly gates: readonly GateFinding[];
  readonly measured?: Omit<Measured, 'latency'>;
}

/** @param bundle digest of the bundle in force */
export function standingOf({ step, since, measured, approved_by, approved_bundle }: RolloutRow, bundle: string): Standing {
  return { step, since, measured, approvedBy: approved_bundle === bundle ? (approved_by ?? undefined) : undefined };
}

export function viewOf(
  terms: RolloutTerms,
  row: RolloutRow | undefined,
  { bundle, now }: { readonly bundle: string; readonly now: number },
): RolloutView {
  const { name, rules, candidate, from, to, steps, gates } = terms;
  const same = { name, rules, ...(candidate === undefined ? {} : { candidate }), from, to, steps };
  if (gates.length === 0)
    return {
      ...same,
      step: terms.step,
      status: 'by_hand',
      reason: 'it has no gates: it moves when "step" of its document is changed',
      gates: [],
    };
  if (row === undefined || row.document !== terms.digest)
    return { ...same, step: terms.step, status: 'running', reason: 'it begins at the next look', gates: [] };
  const { findings, next } = nextOf(terms, standingOf(row, bundle), now);
  const { latency: _latency, ...measured } = row.measured;
  const { step, status, since, by, reason } = row;
  const waits = status === 'running' ? { waits: next.says } : {};
  return { ...same, step, status, since, by, reason, ...waits, gates: findings, measured };
}
