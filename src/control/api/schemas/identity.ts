import { z } from 'zod';
import { limits } from '#model';
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

/** A login name: it is the user of a connection string, and part of the subject's id. */
export const accountName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@-]{0,62}$/, 'lower case letters, digits, dots, hyphens, underscores and @, at most 63');

const group = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._:-]{0,62}$/, 'lower case letters, digits, dots, colons, hyphens and underscores, at most 63');

export const putAccountBody = z.strictObject({
  groups: z.array(group).max(limits.accountGroupsMax).default([]).describe('What policies look at.'),
  roles: z.array(role).default([]).describe('What may be done with Warder itself.'),
});

export const account = z
  .object({
    id: z.string(),
    name: z.string(),
    groups: z.array(z.string()),
    roles: z.array(role),
    createdAt: time,
    liveTokens: z.number().int(),
  })
  .meta({ id: 'Account' });

export const changedAccount = z
  .object({
    id: z.string(),
    name: z.string(),
    groups: z.array(z.string()),
    roles: z.array(role),
    change: z.enum(['created', 'changed', 'unchanged']),
    revoked: z.number().int().describe('Tokens revoked because the account may do less now.'),
  })
  .meta({ id: 'ChangedAccount' });
