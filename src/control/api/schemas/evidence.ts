import { z } from 'zod';
import { time } from './page.ts';

const verdict = z.enum(['allow', 'deny', 'pending']);

export const session = z
  .object({
    id: z.string(),
    subject: z.string(),
    resource: z.string(),
    point: z.string(),
    source: z.string(),
    client: z.string(),
    gateway: z.string().describe('Origin of the ledger that recorded it.'),
    opened: time,
    closed: time.optional(),
    operations: z.number().int(),
    denied: z.number().int(),
  })
  .meta({ id: 'Session' });

const outcome = z
  .object({
    status: z.enum(['done', 'error', 'refused', 'cut', 'cancelled', 'in-doubt']),
    rows: z.number().int(),
    rowsChanged: z.number().int().optional(),
    masked: z.record(z.string(), z.number().int()),
    rowsWithheld: z.number().int(),
    code: z.string().optional(),
    durationMs: z.number(),
    rules: z.array(z.string()),
  })
  .meta({ id: 'Outcome' });

const timelineOperation = z
  .object({
    n: z.number().int(),
    t: time,
    operation: z.string(),
    verb: z.string(),
    objects: z.array(z.string()),
    normalized: z.string(),
    text: z.string().optional().describe('The exact text; only for readers who may see evidence.'),
    parameters: z.array(z.string().nullable()).optional(),
    evidence: z.enum(['shown', 'withheld', 'unavailable']),
    verdict,
    reason: z.string(),
    rules: z.array(z.string()),
    decision: z.string(),
    record: z.string().describe('Position of the decision in its ledger, `origin#index`.'),
    outcome: outcome.optional(),
    approval: z.object({ request: z.string(), status: z.string(), by: z.array(z.string()), comment: z.string().optional() }).optional(),
  })
  .meta({ id: 'TimelineOperation' });

export const timeline = z.object({ session, items: z.array(timelineOperation), next: z.string().optional() }).meta({ id: 'Timeline' });

const matchedRule = z.object({
  rule: z.string(),
  effect: z.enum(['deny', 'allow', 'require', 'transform', 'limit', 'observe']),
  mode: z.enum(['enforce', 'audit', 'shadow', 'off']),
  by: z.string().optional(),
  title: z.string().optional().describe('Of its policy; when the bundle is stored.'),
  file: z.string().optional().describe('Where its policy stands in the bundle.'),
});

export const decision = z
  .object({
    id: z.string(),
    t: time,
    session: z.string(),
    operation: z.string(),
    n: z.number().int(),
    subject: z.string(),
    resource: z.string(),
    target: z.string(),
    verb: z.string(),
    objects: z.array(z.string()),
    normalized: z.string(),
    certainty: z.enum(['parsed', 'partial', 'opaque']),
    unknown: z.array(z.string()),
    verdict,
    reason: z.string(),
    rules: z.array(z.string()),
    matched: z.array(matchedRule),
    obligations: z.array(z.string()),
    requirements: z.array(z.object({ rule: z.string(), reason: z.string(), bound: z.string() })),
    reads: z.record(z.string(), z.unknown()).describe('Attributes the matched rules read, path → value.'),
    facts: z
      .array(
        z.object({
          fact: z.string().describe('Below `facts`, e.g. `foreign.oldRules`.'),
          engine: z.enum(['rego-wasm', 'opa-remote', 'cedar']),
          digest: z.string().describe('Of the engine as the bundle describes it, its policies and data included.'),
          status: z.enum(['answered', 'undefined', 'unavailable']),
          answer: z.string().optional().describe('SHA-256 of the answer.'),
          because: z.enum(['late', 'busy', 'resting', 'failed']).optional().describe('Why there is no answer.'),
          latencyUs: z.number().int(),
        }),
      )
      .optional()
      .describe('Engines that were asked before the decision.'),
    errors: z.array(z.object({ rule: z.string(), part: z.string(), path: z.string().optional(), message: z.string() })),
    shadow: z.object({ verdict, rules: z.array(z.string()) }).optional(),
    bundle: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
    approval: z.object({ request: z.string(), grant: z.string(), record: z.string().optional() }).optional(),
    outcome: outcome.optional(),
    record: z.string().describe('Position in its ledger, `origin#index`.'),
    explanation: z.string().optional().describe('The decision in words, with the text of the rules; when the bundle is stored.'),
  })
  .meta({ id: 'Decision' });

export const terminated = z.object({ session: z.string(), found: z.boolean() }).meta({ id: 'Terminated' });

export const checkpoint = z
  .object({
    origin: z.string(),
    vkey: z.string(),
    size: z.number().int(),
    checkpoint: z.string().optional().describe('The newest signed checkpoint, a C2SP signed note.'),
    mirrored: z.array(z.object({ origin: z.string(), vkey: z.string(), size: z.number().int() })),
  })
  .meta({ id: 'Checkpoint' });
