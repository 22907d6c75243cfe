import { unreachable } from '#model';
import type { RolloutStatus } from '#model';
import type { RolloutTerms } from '#policy';
import type { Next } from './gates.ts';

/** What a person can tell a rollout to do; approving a step moves nothing by itself. */
export type RolloutAction = 'approve' | 'hold' | 'rollback' | 'resume';

export interface Place {
  readonly step: number;
  readonly status: RolloutStatus;
}

/** Where the gates bring a rollout; undefined when it stays. */
export function movedByGates({ step, status }: Place, next: Next): Place | undefined {
  if (status !== 'running') return undefined;
  switch (next.kind) {
    case 'wait':
      return undefined;
    case 'step':
      return { step: next.step, status };
    case 'complete':
      return { step, status: 'complete' };
    case 'hold':
      return { step, status: 'held' };
    case 'rollback':
      return { step: 0, status: 'rolled_back' };
    default:
      return unreachable(next);
  }
}

/** Where a person brings it; undefined when that cannot be said of it now. What was rolled back begins again where its document says. */
export function movedByPerson(
  { step, status }: Place,
  action: Exclude<RolloutAction, 'approve'>,
  terms: Pick<RolloutTerms, 'step'>,
): Place | undefined {
  switch (action) {
    case 'hold':
      return status === 'running' ? { step, status: 'held' } : undefined;
    case 'rollback':
      return status === 'rolled_back' ? undefined : { step: 0, status: 'rolled_back' };
    case 'resume':
      if (status === 'held') return { step, status: 'running' };
      return status === 'rolled_back' ? { step: terms.step, status: 'running' } : undefined;
    default:
      return unreachable(action);
  }
}
