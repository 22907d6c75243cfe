import { z } from 'zod';
import { session } from './evidence.ts';

const microseconds = z.number().int().describe('Microseconds since the session was opened.');

const piece = z.object({
  direction: z.enum(['in', 'out']).describe('`in`: the client sent it. `out`: the client was shown it, after masking.'),
  us: microseconds,
  data: z.string().describe('Base64.'),
});

const mark = z
  .object({
    us: microseconds,
    n: z.number().int(),
    verb: z.string(),
    verdict: z.enum(['allow', 'deny', 'pending']),
    reason: z.string(),
    rules: z.array(z.string()),
    decision: z.string(),
  })
  .meta({ id: 'RecordingMark' });

export const recordingPage = z
  .object({
    session,
    status: z
      .enum(['none', 'open', 'whole', 'failed', 'cut'])
      .describe('`none`: no rule asked for it. `failed`: it broke off, `reason` says why. `cut`: its end is missing, as after a crash.'),
    reason: z.string().optional(),
    chunks: z.number().int(),
    marks: z.array(mark).optional().describe('Decisions, where they fell in the recording; on the first page.'),
    items: z.array(z.object({ chunk: z.number().int(), record: z.string(), pieces: z.array(piece) })),
    next: z.string().optional(),
  })
  .meta({ id: 'RecordingPage' });
