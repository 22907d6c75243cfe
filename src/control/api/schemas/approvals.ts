import { z } from 'zod';
import { limits } from '#model';
import { time } from './page.ts';

export const requestStatus = z.enum(['waiting', 'approved', 'used', 'refused', 'expired', 'withdrawn']);

const reviewers = z.array(z.object({ group: z.string().optional(), ownerOf: z.literal('resource').optional(), min: z.number().int() }));

export const approvalRequest = z
  .object({
    id: z.string(),
    status: requestStatus,
    session: z.string(),
    operation: z.string(),
    decision: z.string(),
    requester: z.object({ id: z.string(), name: z.string(), groups: z.array(z.string()), onBehalfOf: z.string().optional() }),
    resource: z.object({ id: z.string(), name: z.string(), owner: z.string() }),
    source: z.string(),
    client: z.string(),
    verb: z.string(),
    objects: z.array(z.string()),
    text: z.string().describe('The exact text that runs when the request is approved.'),
    parameters: z.array(z.string().nullable()),
    requirements: z.array(
      z.object({
        rule: z.string(),
        reason: z.string(),
        message: z.string(),
        quorum: z.number().int(),
        approvals: z.number().int().describe('Answers so far that count.'),
        reviewers,
        escalation: z
          .object({
            at: time.optional().describe('Since when they are asked; absent: they are not asked yet.'),
            quorum: z.number().int(),
            approvals: z.number().int(),
            reviewers,
          })
          .optional()
          .describe('Who is asked as well when nobody answers in time. Either of the two groups releases the operation.'),
      }),
    ),
    answers: z.array(z.object({ by: z.string(), answer: z.enum(['approve', 'refuse']), at: time, comment: z.string().optional() })),
    openedAt: time,
    expiresAt: time,
    endedAt: time.optional(),
    comment: z.string().optional(),
    bundle: z.string(),
    mayAnswer: z.boolean().describe('The reader is a reviewer whose answer counts.'),
  })
  .meta({ id: 'ApprovalRequest' });

/** A body may be left out altogether. */
export const answerBody = z
  .object({ comment: z.string().max(limits.approvalCommentCharsMax).optional() })
  .strict()
  .nullish();
