import type { DocumentOf } from '../documents/document.ts';
import type { CompiledStage, Condition } from './compiled.ts';

/** What each step of a rollout comes to, from step 0 on; `cohorts` are the compiled conditions of its steps. */
export function stagesOf({ steps, from }: DocumentOf<'Rollout'>['spec'], cohorts: readonly (Condition | undefined)[]): CompiledStage[] {
  return Array.from({ length: steps.length + 1 }, (_, reach) => {
    const reached = steps.slice(0, reach);
    return {
      // While a step only shadows, what was off is watched.
      outside: from === 'off' && reached.some(({ shadow }) => shadow === true) ? 'shadow' : from,
      percent: Math.max(0, ...reached.map(({ percent }) => percent ?? 0)),
      cohorts: cohorts.slice(0, reach).filter((cohort) => cohort !== undefined),
    };
  });
}
