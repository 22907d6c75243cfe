import { z } from 'zod';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { sinkStatus, sinkTested } from '../schemas/audit.ts';
import { pageOf, problem } from '../schemas/page.ts';

const errors = { '4xx': problem, '5xx': problem };

/** Where records are delivered to, and how far behind that is. */
export function sinkRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/sinks',
    config: { access: { roles: ['operator', 'auditor', 'administrator'], audit: { none: 'state of the installation; no secrets' } } },
    schema: { response: { 200: pageOf(sinkStatus), ...errors } },
    handler: async () => ({ items: [...(await desk.sinks.status())] }),
  });

  api.route({
    method: 'POST',
    url: '/sinks/:name/test',
    config: { access: { roles: ['operator', 'administrator'], audit: ['admin.configuration'] } },
    schema: { params: z.object({ name: z.string().max(100) }), response: { 200: sinkTested, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      const { subject } = callerOf(request);
      await desk.ledger.append({ kind: 'admin.configuration', by: subject.id, action: 'test event', object: `sink ${name}` });
      const delivery = await desk.sinks.test(name);
      return delivery.kind === 'taken' ? { name, ok: true } : { name, ok: false, why: delivery.why };
    },
  });
}
