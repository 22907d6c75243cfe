import { z } from 'zod';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { cutPage } from '../page.ts';
import { account, accountName, changedAccount, putAccountBody } from '../schemas/identity.ts';
import { pageOf, pageQuery, problem } from '../schemas/page.ts';

const errors = { '4xx': problem, '5xx': problem };
const named = z.object({ name: accountName });

/** Who may log in, in which groups and with which roles. */
export function accountRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/accounts',
    config: { access: { roles: ['auditor', 'administrator'], audit: { none: 'names, groups and roles; tokens are stored nowhere' } } },
    schema: { querystring: pageQuery, response: { 200: pageOf(account), ...errors } },
    handler: async (request) => {
      const { after, limit } = request.query;
      const items = await desk.accounts.list({ limit: limit + 1, ...(after === undefined ? {} : { after }) });
      const page = items.map((one) => ({ ...one, groups: [...one.groups], roles: [...one.roles] }));
      return cutPage(page, limit, (one) => one.name);
    },
  });

  api.route({
    method: 'PUT',
    url: '/accounts/:name',
    config: { access: { roles: ['administrator'], audit: ['admin.configuration', 'admin.token'] } },
    schema: { params: named, body: putAccountBody, response: { 200: changedAccount, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      const groups = [...new Set(request.body.groups)];
      const roles = [...new Set(request.body.roles)];
      const done = await desk.accounts.put({ name, groups, roles }, callerOf(request).subject.id);
      return { id: `user:${name}`, name, groups, roles, ...done };
    },
  });

  api.route({
    method: 'DELETE',
    url: '/accounts/:name',
    config: { access: { roles: ['administrator'], audit: ['admin.configuration', 'admin.token'] } },
    schema: { params: named, response: { 200: z.object({ name: z.string(), revoked: z.number().int() }), ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      return { name, ...(await desk.accounts.remove(name, callerOf(request).subject.id)) };
    },
  });
}
