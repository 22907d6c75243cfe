import { z } from 'zod';
import { pageQuery, time } from './page.ts';

const name = z.string().min(1).max(200);
const moment = z.coerce.number().int().min(0);

export const auditQuery = pageQuery.extend({
  since: moment.optional().describe('From this moment on, ms since 1970-01-01T00:00:00Z.'),
  until: moment.optional().describe('Before this moment, ms since 1970-01-01T00:00:00Z.'),
  kind: name.optional().describe('Such as operation.decided.'),
  session: name.optional(),
  subject: name.optional().describe('Who acted, or for whom an agent acted.'),
  resource: name.optional(),
  rule: name.optional().describe('`policy/rule`; decisive, matched in any mode, or shaping the response.'),
  verdict: z.enum(['allow', 'deny', 'pending']).optional(),
  table: name.optional().describe('An object that was touched, such as public.orders.'),
  text: z.string().min(1).max(500).optional().describe('Part of the normalized text, in any case.'),
  decision: name.optional(),
});

const auditRecord = z
  .object({
    record: z.string().describe('Position in its ledger, `origin#index`.'),
    t: time,
    kind: z.string(),
    session: z.string().optional(),
    n: z.number().int().optional(),
    subject: z.string().optional(),
    onBehalfOf: z.string().optional(),
    resource: z.string().optional(),
    decision: z.string().optional(),
    verdict: z.string().optional(),
    reason: z.string().optional(),
    verb: z.string().optional(),
    objects: z.array(z.string()),
    normalized: z.string().optional(),
    rules: z.array(z.string()),
  })
  .meta({ id: 'AuditRecord' });

export const auditRecords = z
  .object({
    items: z.array(auditRecord),
    next: z.string().optional(),
    behind: z.number().int().describe('Mirrored records that are not in the index yet: the newest may be missing from the answer.'),
  })
  .meta({ id: 'AuditRecords' });

const sinkStatus = z
  .object({
    name: z.string(),
    type: z.string(),
    target: z.string(),
    format: z.string(),
    lag: z.number().int().describe('Mirrored records that the receiver has not acknowledged.'),
    oldest: time.optional().describe('Time of the oldest of them.'),
    delivered: z.number().int(),
    marked: z.number().int().describe('Events delivered with the mark that they may be there twice.'),
    deliveredAt: time.optional(),
    failures: z.number().int(),
    aside: z.number().int().describe('Events that the receiver refused for what they are, and that wait for somebody to decide.'),
    error: z.string().optional().describe('What the last attempt failed with; absent when it succeeded.'),
    errorAt: time.optional(),
  })
  .meta({ id: 'Sink' });

export const sinkTested = z.object({ name: z.string(), ok: z.boolean(), why: z.string().optional() }).meta({ id: 'SinkTested' });

export const sinkStates = z
  .object({
    items: z.array(sinkStatus),
    problem: z.string().optional().describe('What is wrong with the changed sinks.yaml; the sinks from before go on.'),
  })
  .meta({ id: 'Sinks' });

export const sinkAside = z.object({ record: z.string(), kind: z.string(), why: z.string(), at: time }).meta({ id: 'SinkAside' });

export const sinkRetried = z
  .object({ name: z.string(), taken: z.number().int(), refused: z.number().int(), why: z.string().optional() })
  .meta({ id: 'SinkRetried' });

export const sinkGivenUp = z.object({ name: z.string(), dropped: z.number().int() }).meta({ id: 'SinkGivenUp' });
