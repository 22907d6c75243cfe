import { z } from 'zod';
import { searchRecords } from '../../evidence/search.ts';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { cutPage } from '../page.ts';
import { auditQuery, auditRecords } from '../schemas/audit.ts';
import { problem } from '../schemas/page.ts';

const errors = { '4xx': problem, '5xx': problem };

/** Finding records. */
export function auditRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/audit/records',
    config: {
      access: { roles: 'any', audit: { none: 'no exact text; subjects see their own, auditors, operators and administrators all' } },
    },
    schema: { querystring: auditQuery, response: { 200: auditRecords, ...errors } },
    handler: async (request) => {
      const { limit, ...filter } = request.query;
      // Asked first: what is indexed meanwhile may be in the answer, what is said to be there is.
      const behind = await desk.searchIndex.behind();
      const found = await searchRecords(desk.store, { ...filter, viewer: callerOf(request).subject, limit: limit + 1 });
      const { items, next } = cutPage(found, limit, (one) => one.cursor);
      return {
        items: items.map(({ cursor: _cursor, ...one }) => ({ ...one, objects: [...one.objects], rules: [...one.rules] })),
        ...(next === undefined ? {} : { next }),
        behind,
      };
    },
  });

  api.route({
    method: 'POST',
    url: '/audit/index/rebuild',
    config: { access: { roles: ['operator', 'administrator'], audit: ['admin.configuration'] } },
    schema: { response: { 202: z.object({ behind: z.number().int() }), ...errors } },
    handler: async (request, reply) => {
      const { subject } = callerOf(request);
      await desk.ledger.append({ kind: 'admin.configuration', by: subject.id, action: 'rebuild', object: 'search index' });
      await desk.searchIndex.rebuild();
      return reply.status(202).send({ behind: await desk.searchIndex.behind() });
    },
  });
}
