import { z } from 'zod';
import { Fault, limits } from '#model';
import type { Subject } from '#model';
import { findSubject } from '../../identity/subjects.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { cutPage } from '../page.ts';
import { me, mintedToken, token } from '../schemas/identity.ts';
import { pageOf, pageQuery, problem } from '../schemas/page.ts';
import { callerOf } from '../caller.ts';

const errors = { '4xx': problem, '5xx': problem };

/** Who one is, and the tokens one logs in with. */
export function identityRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/me',
    config: { access: { roles: 'any', audit: { none: 'tells callers what they are' } } },
    schema: { response: { 200: me, ...errors } },
    handler: async (request) => {
      const { subject, token: used } = callerOf(request);
      return { subject: { ...subject, groups: [...subject.groups], roles: [...subject.roles] }, token: used };
    },
  });

  api.route({
    method: 'POST',
    url: '/tokens',
    config: { access: { roles: 'any', audit: ['admin.token'] } },
    schema: {
      body: z
        .strictObject({
          subject: z.string().min(1).max(200).optional().describe('Login name or id; the caller when left out.'),
          lifetimeMs: z
            .number()
            .int()
            .min(1_000)
            .max(limits.tokenLifetimeMs)
            .optional()
            .describe('How long it lives; a token that one makes for oneself ends with the one it was made with.'),
        })
        .nullish(),
      response: { 201: mintedToken, ...errors },
    },
    handler: async (request, reply) => {
      const { subject, token: parent } = callerOf(request);
      const wanted = request.body?.subject ?? subject.id;
      const lifetimeMs = request.body?.lifetimeMs;
      const own = wanted === subject.id || wanted === subject.name;
      if (!own && !isAdministrator(subject)) {
        throw new Fault('FORBIDDEN', 'only the role administrator makes tokens for others');
      }
      return reply.status(201).send(
        await desk.tokens.mint(wanted, {
          by: subject.id,
          ...(own ? { parent } : {}),
          ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
        }),
      );
    },
  });

  api.route({
    method: 'GET',
    url: '/tokens',
    config: { access: { roles: 'any', audit: { none: 'ids and times; the tokens themselves are stored nowhere' } } },
    schema: { querystring: pageQuery.extend({ subject: z.string().max(200).optional() }), response: { 200: pageOf(token), ...errors } },
    handler: async (request) => {
      const { subject } = callerOf(request);
      const { after, limit, subject: of } = request.query;
      const filter = isAdministrator(subject)
        ? of === undefined
          ? undefined
          : ((await findSubject(desk.store.db, of))?.id ?? of)
        : subject.id;
      const items = await desk.tokens.list({
        limit: limit + 1,
        ...(filter === undefined ? {} : { subject: filter }),
        ...(after === undefined ? {} : { after }),
      });
      return cutPage(items, limit, (item) => item.id);
    },
  });

  api.route({
    method: 'DELETE',
    url: '/tokens/:id',
    config: { access: { roles: 'any', audit: ['admin.token'] } },
    schema: { params: z.object({ id: z.string().max(100) }), response: { 204: z.null(), ...errors } },
    handler: async (request, reply) => {
      const { subject } = callerOf(request);
      const { id } = request.params;
      const found = await desk.tokens.find(id);
      // Whether somebody else's token exists is not everybody's business.
      if (found === undefined || (found.subject !== subject.id && !isAdministrator(subject))) {
        throw new Fault('NOT_FOUND', `there is no live token ${id}`);
      }
      await desk.tokens.revoke(id, subject.id);
      return reply.status(204).send(null);
    },
  });
}

function isAdministrator(subject: Subject): boolean {
  return subject.roles.includes('administrator');
}
