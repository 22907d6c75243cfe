import { z } from 'zod';
import { limits } from '#model';

/** Query of every list: `after` is the `next` of the page before, opaque to the client. */
export const pageQuery = z.object({
  after: z.string().max(200).optional().describe('The `next` of the page before.'),
  limit: z.coerce.number().int().min(1).max(limits.apiPageItemsMax).default(50).describe('Most items on the page.'),
});

/** A page of a list; `next` is missing on the last one. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().optional() });
}

/** Every time in the API: wall clock, milliseconds since 1970-01-01T00:00:00Z. */
export const time = z.number().int().describe('Milliseconds since 1970-01-01T00:00:00Z.');

/** SPEC: RFC 9457, with the stable `code` of the fault and the `remedy` in one line. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    remedy: z.string(),
    instance: z.string(),
    problems: z.array(z.unknown()).optional().describe('With POLICY_INVALID: what is wrong, where, and what would be right.'),
  })
  .meta({ id: 'Problem' });
