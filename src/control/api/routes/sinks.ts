import { z } from 'zod';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { sinkAside, sinkGivenUp, sinkRetried, sinkStates, sinkTested } from '../schemas/audit.ts';
import { pageOf, problem } from '../schemas/page.ts';

const sinkName = z.object({ name: z.string().max(100) });
const errors = { '4xx': problem, '5xx': problem };

/** Where records are delivered to, and how far behind that is. */
export function sinkRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/sinks',
    config: { access: { roles: ['operator', 'auditor', 'administrator'], audit: { none: 'state of the installation; no secrets' } } },
    schema: { response: { 200: sinkStates, ...errors } },
    handler: async () => {
      const { items, problem } = await desk.sinks.status();
      return { items: [...items], ...(problem === undefined ? {} : { problem }) };
    },
  });

  api.route({
    method: 'GET',
    url: '/sinks/:name/aside',
    config: {
      access: { roles: ['operator', 'auditor', 'administrator'], audit: { none: 'positions of records; nothing of what they say' } },
    },
    schema: { params: sinkName, response: { 200: pageOf(sinkAside), ...errors } },
    handler: async (request) => ({ items: [...(await desk.sinks.aside(request.params.name))] }),
  });

  api.route({
    method: 'POST',
    url: '/sinks/:name/aside/retry',
    config: { access: { roles: ['operator', 'administrator'], audit: ['admin.configuration'] } },
    schema: { params: sinkName, response: { 200: sinkRetried, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      const { subject } = callerOf(request);
      await desk.ledger.append({ kind: 'admin.configuration', by: subject.id, action: 'retry what was set aside', object: `sink ${name}` });
      return { name, ...(await desk.sinks.retry(name)) };
    },
  });

  api.route({
    method: 'POST',
    url: '/sinks/:name/aside/give-up',
    config: { access: { roles: ['operator', 'administrator'], audit: ['admin.configuration'] } },
    schema: { params: sinkName, response: { 200: sinkGivenUp, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      const { subject } = callerOf(request);
      await desk.ledger.append({
        kind: 'admin.configuration',
        by: subject.id,
        action: 'give up what was set aside',
        object: `sink ${name}`,
      });
      return { name, dropped: await desk.sinks.giveUp(name) };
    },
  });

  api.route({
    method: 'POST',
    url: '/sinks/:name/test',
    config: { access: { roles: ['operator', 'administrator'], audit: ['admin.configuration'] } },
    schema: { params: sinkName, response: { 200: sinkTested, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      const { subject } = callerOf(request);
      await desk.ledger.append({ kind: 'admin.configuration', by: subject.id, action: 'test event', object: `sink ${name}` });
      const delivery = await desk.sinks.test(name);
      return delivery.kind === 'taken' ? { name, ok: true } : { name, ok: false, why: delivery.why };
    },
  });
}
