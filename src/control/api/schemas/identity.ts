import { z } from 'zod';
import { time } from './page.ts';

export const role = z.enum(['reader', 'requester', 'reviewer', 'policy-author', 'operator', 'auditor', 'administrator']);

export const subject = z
  .object({
    id: z.string(),
    name: z.string(),
    type: z.enum(['user', 'service', 'agent']),
    groups: z.array(z.string()),
    roles: z.array(role),
    onBehalfOf: z.object({ id: z.string(), verified: z.boolean() }).optional(),
  })
  .meta({ id: 'Subject' });

export const me = z.object({ subject, token: z.object({ id: z.string(), expiresAt: time }) }).meta({ id: 'Me' });

export const token = z
  .object({
    id: z.string(),
    subject: z.string().describe('Id of the subject.'),
    name: z.string().describe('Login name of the subject.'),
    createdAt: time,
    expiresAt: time,
    createdBy: z.string(),
    status: z.enum(['live', 'expired', 'revoked']),
  })
  .meta({ id: 'Token' });

/** The only answer that ever carries a token. */
export const mintedToken = z
  .object({
    id: z.string(),
    subject: z.string(),
    name: z.string(),
    token: z.string().describe('Shown once, never stored.'),
    expiresAt: time,
  })
  .meta({ id: 'MintedToken' });
