import { z } from 'zod';
import { limits } from '#model';
import type { RolloutView } from '../../policies/rollouts/view.ts';
import { time } from './page.ts';

const gate = z.object({
  metric: z.enum(['new_denies_per_1000', 'error_rate', 'p99_latency_ms', 'disagreement_with_current', 'manual']),
  max: z.number().optional(),
  atLeast: z.number().int().describe('Decisions that must have been made at the step.'),
  state: z.enum(['passes', 'waits', 'fails']),
  value: z.number().optional().describe('What was measured since the step began, in the unit of `max`.'),
  says: z.string(),
});

export const rollout = z
  .object({
    name: z.string(),
    rules: z.array(z.string()),
    candidate: z.string().optional().describe('Digest of the bundle that is rolled out, where it is a whole one.'),
    from: z.string(),
    to: z.string(),
    step: z.number().int().describe('The step in force, from 1; 0: nobody is in.'),
    steps: z.array(z.object({ holdMs: z.number().int(), says: z.string() })),
    status: z
      .enum(['running', 'held', 'rolled_back', 'complete', 'by_hand'])
      .describe('`by_hand`: it has no gates, so it moves only when its document is changed.'),
    since: time.optional(),
    by: z.string().optional(),
    reason: z.string(),
    waits: z.string().optional().describe('What the next step waits for.'),
    gates: z.array(gate),
    measured: z
      .object({ decisions: z.number().int(), newDenies: z.number().int(), errors: z.number().int(), disagreements: z.number().int() })
      .optional(),
  })
  .meta({ id: 'Rollout' });

export const rolloutList = z.object({ items: z.array(rollout) });

export const rolloutAction = z.enum(['approve', 'hold', 'rollback', 'resume']);

/** A body may be left out altogether. */
export const rolloutBody = z
  .object({
    comment: z.string().max(limits.approvalCommentCharsMax).optional(),
    step: z.number().int().min(0).optional().describe('Of `approve`: the step that was looked at; refused when it is not the present one.'),
  })
  .strict()
  .nullish();

/** As the route answers it. */
export function shownRollout({ rules, steps, gates, ...view }: RolloutView): z.infer<typeof rollout> {
  return { ...view, rules: [...rules], steps: [...steps], gates: [...gates] };
}
