import { unreachable } from '#model';
import type { Gate, RolloutTerms } from '#policy';
import { p99Ms } from './measure.ts';
import type { Measured } from './measure.ts';

/** What one gate says at present. */
export interface GateFinding extends Gate {
  readonly state: 'passes' | 'waits' | 'fails';
  /** What was measured, in the unit of `max`; absent for `manual`, and while nothing was. */
  readonly value?: number;
  /** The same in words. */
  readonly says: string;
}

export interface Standing {
  readonly step: number;
  /** Wall clock, ms, when the step began. */
  readonly since: number;
  readonly measured: Measured;
  /** Who approved this step. */
  readonly approvedBy: string | undefined;
}

/** What becomes of a rollout now. */
export type Next =
  | { readonly kind: 'wait'; readonly says: string }
  | { readonly kind: 'step'; readonly step: number; readonly says: string }
  | { readonly kind: 'complete'; readonly says: string }
  | { readonly kind: 'rollback' | 'hold'; readonly says: string };

/**
 * Judges a running rollout by its gates. A gate that fails counts at once; the next step is taken when every gate passes and the step has
 * lasted as long as it must. The last step is complete in the same way.
 */
export function nextOf(
  terms: RolloutTerms,
  standing: Standing,
  now: number,
): { readonly findings: readonly GateFinding[]; readonly next: Next } {
  const findings = terms.gates.map((gate) => findingOf(gate, standing));
  return { findings, next: judged(terms, { standing, findings, now }) };
}

function judged(
  { steps, onGateFailure }: RolloutTerms,
  { standing, findings, now }: { readonly standing: Standing; readonly findings: readonly GateFinding[]; readonly now: number },
): Next {
  const failed = findings.find(({ state }) => state === 'fails');
  if (failed !== undefined) return { kind: onGateFailure, says: failed.says };
  const step = steps[standing.step - 1];
  if (step === undefined) return { kind: 'wait', says: 'it has not begun: write step: 1' };
  const waiting = findings.find(({ state }) => state === 'waits');
  if (waiting !== undefined) return { kind: 'wait', says: waiting.says };
  const until = standing.since + step.holdMs;
  if (now < until) return { kind: 'wait', says: `this step lasts until ${new Date(until).toISOString()}` };
  const says = `all gates pass: ${findings.map((one) => one.says).join('; ')}`;
  if (standing.step === steps.length) return { kind: 'complete', says };
  return { kind: 'step', step: standing.step + 1, says };
}

function findingOf(gate: Gate, { measured, approvedBy }: Standing): GateFinding {
  const { metric, max, atLeast } = gate;
  if (metric === 'manual' || max === undefined) {
    if (approvedBy !== undefined) return { ...gate, state: 'passes', says: `${approvedBy} approved this step` };
    return { ...gate, state: 'waits', says: 'somebody must approve this step' };
  }
  const value = valueOf(metric, measured);
  const shown = value === undefined ? {} : { value };
  if (measured.decisions < atLeast || value === undefined)
    return { ...gate, ...shown, state: 'waits', says: `${metric}: ${measured.decisions} of ${atLeast} decisions were made so far` };
  const state = value > max ? 'fails' : 'passes';
  return { ...gate, value, state, says: `${metric} is ${rounded(value)}, at most ${max}` };
}

function valueOf(metric: Exclude<Gate['metric'], 'manual'>, measured: Measured): number | undefined {
  const { decisions, newDenies, errors, disagreements, latency } = measured;
  if (decisions === 0) return undefined;
  switch (metric) {
    case 'new_denies_per_1000':
      return (newDenies * 1_000) / decisions;
    case 'error_rate':
      return errors / decisions;
    case 'disagreement_with_current':
      return disagreements / decisions;
    case 'p99_latency_ms':
      // No decision in which one of the rules applied: nothing was slow.
      return p99Ms(latency) ?? 0;
    default:
      return unreachable(metric);
  }
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
