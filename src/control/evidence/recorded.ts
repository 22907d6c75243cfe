import { z } from 'zod';
import { Fault } from '#model';

/** The parts of a recorded decision that are shown; whatever a newer gateway adds is ignored. */
const decided = z.object({
  i: z.number(),
  t: z.number(),
  session: z.string(),
  operation: z.string(),
  n: z.number(),
  who: z.object({ subject: z.string(), onBehalfOf: z.string().optional() }),
  what: z.object({
    target: z.string(),
    resource: z.string(),
    verb: z.string(),
    objects: z.array(z.string()),
    normalized: z.string(),
    certainty: z.enum(['parsed', 'partial', 'opaque']),
    unknown: z.array(z.string()).optional(),
  }),
  decision: z.object({
    id: z.string(),
    verdict: z.enum(['allow', 'deny', 'pending']),
    reason: z.string(),
    rules: z.array(z.string()),
    matched: z.array(
      z.object({
        rule: z.string(),
        effect: z.enum(['deny', 'allow', 'require', 'transform', 'limit', 'observe']),
        mode: z.enum(['enforce', 'audit', 'shadow', 'off']),
        by: z.string().optional(),
      }),
    ),
    obligations: z.array(z.string()),
    requirements: z.array(z.object({ rule: z.string(), reason: z.string(), bound: z.string() })).optional(),
    bundle: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
    shadow: z.object({ verdict: z.enum(['allow', 'deny', 'pending']), rules: z.array(z.string()) }).optional(),
    errors: z.array(z.object({ rule: z.string(), part: z.string(), path: z.string().optional(), message: z.string() })).optional(),
    rollout: z
      .object({
        name: z.string(),
        step: z.number(),
        side: z.enum(['candidate', 'current']),
        failed: z.boolean().optional(),
        other: z.object({ verdict: z.enum(['allow', 'deny', 'pending']), rules: z.array(z.string()) }).optional(),
      })
      .optional(),
    reads: z.record(z.string(), z.unknown()),
    facts: z
      .array(
        z.object({
          fact: z.string(),
          engine: z.enum(['rego-wasm', 'opa-remote', 'cedar']),
          digest: z.string(),
          status: z.enum(['answered', 'undefined', 'unavailable']),
          answer: z.string().optional(),
          because: z.enum(['late', 'busy', 'resting', 'failed']).optional(),
          latencyUs: z.number(),
        }),
      )
      .optional(),
    tookUs: z.number().optional(),
  }),
  approval: z.object({ grant: z.string(), request: z.string(), record: z.string().optional() }).optional(),
});

const reading = z.object({
  i: z.number(),
  t: z.number(),
  session: z.string(),
  by: z.string(),
  action: z.string().default('evidence.read'),
  operations: z.number(),
  chunks: z.number().optional(),
  decision: decided.shape.decision,
});

const settled = z.object({
  outcome: z.object({
    status: z.enum(['done', 'error', 'refused', 'cut', 'cancelled', 'in-doubt']),
    rows: z.number(),
    rowsChanged: z.number().optional(),
    masked: z.record(z.string(), z.number()),
    rowsWithheld: z.number(),
    code: z.string().optional(),
    durationMs: z.number(),
    rules: z.array(z.string()),
  }),
});

export type RecordedDecision = z.infer<typeof decided>;
export type RecordedOutcome = z.infer<typeof settled>['outcome'];

export function readDecided(line: string): RecordedDecision {
  const result = decided.safeParse(JSON.parse(line));
  if (result.success) return result.data;
  throw new Fault('INTERNAL', `a recorded decision has an unexpected form: ${result.error.issues[0]?.path.join('.') ?? ''}`);
}

/** The decision on a reading of evidence, as one on an operation of the target `warder`, which has no session of its own. */
export function readReading(line: string): RecordedDecision {
  const result = reading.safeParse(JSON.parse(line));
  if (!result.success)
    throw new Fault('INTERNAL', `a recorded reading has an unexpected form: ${result.error.issues[0]?.path.join('.') ?? ''}`);
  const { i, t, session, by, action, decision } = result.data;
  return {
    ...{ i, t, session, operation: '', n: 0, decision, who: { subject: by } },
    what: {
      target: 'warder',
      resource: session,
      verb: action,
      objects: [session],
      normalized: `${action} ${session}`,
      certainty: 'parsed',
    },
  };
}

export function readSettled(line: string): RecordedOutcome {
  const result = settled.safeParse(JSON.parse(line));
  if (result.success) return result.data.outcome;
  throw new Fault('INTERNAL', `a recorded outcome has an unexpected form: ${result.error.issues[0]?.path.join('.') ?? ''}`);
}

/** What the ledger says of an operation that was under way when its gateway died. */
export const inDoubt: RecordedOutcome = { status: 'in-doubt', rows: 0, masked: {}, rowsWithheld: 0, durationMs: 0, rules: [] };
