import { z } from 'zod';
import { Fault } from '#model';
import { findSession, listSessions, sessionCursor } from '../../evidence/sessions.ts';
import { sessionTimeline } from '../../evidence/timeline.ts';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { cutPage } from '../page.ts';
import { session, terminated, timeline } from '../schemas/evidence.ts';
import { pageOf, pageQuery, problem } from '../schemas/page.ts';

const errors = { '4xx': problem, '5xx': problem };
const params = z.object({ id: z.string().max(100) });

/** Sessions: what went on, and ending one. */
export function sessionRoutes(api: Api, desk: ApiDesk): void {
  const { db } = desk.store;

  api.route({
    method: 'GET',
    url: '/sessions',
    config: {
      access: { roles: 'any', audit: { none: 'no exact text; subjects see their own, auditors, operators and administrators all' } },
    },
    schema: {
      querystring: pageQuery.extend({
        subject: z.string().max(200).optional(),
        resource: z.string().max(200).optional(),
        open: z.stringbool().optional().describe('Only sessions that are open.'),
      }),
      response: { 200: pageOf(session), ...errors },
    },
    handler: async (request) => {
      const { limit, ...filter } = request.query;
      const items = await listSessions(db, { ...filter, viewer: callerOf(request).subject, limit: limit + 1 });
      return cutPage(items, limit, sessionCursor);
    },
  });

  api.route({
    method: 'GET',
    url: '/sessions/:id/timeline',
    config: { access: { roles: 'any', audit: ['recording.read'] } },
    schema: { params, querystring: pageQuery, response: { 200: timeline, ...errors } },
    handler: async (request) => {
      const viewer = callerOf(request).subject;
      const found = await findSession(db, { viewer, id: request.params.id });
      const { after, limit } = request.query;
      const from = after === undefined ? 0 : Number(after);
      if (!Number.isSafeInteger(from)) throw new Fault('INVALID_INPUT', '`after` is not the `next` of an earlier page');
      // Full pages have a next one that may be empty: evidence is only opened for what is shown.
      const items = await sessionTimeline(
        {
          db,
          administration: desk.administration,
          log: desk.log,
          openEvidence: (origin, wanted) => desk.disclosing.open(origin, wanted),
        },
        { session: found, viewer, after: from, limit },
      );
      const last = items.at(-1);
      return { session: found, items: [...items], ...(items.length === limit && last !== undefined ? { next: String(last.n) } : {}) };
    },
  });

  api.route({
    method: 'POST',
    url: '/sessions/:id/terminate',
    config: { access: { roles: ['operator', 'administrator'], audit: ['admin.session'] } },
    schema: {
      params,
      body: z
        .object({ reason: z.string().max(500).optional() })
        .strict()
        .nullish(),
      response: { 200: terminated, ...errors },
    },
    handler: async (request) => {
      const { subject } = callerOf(request);
      const found = await findSession(db, { viewer: subject, id: request.params.id });
      if (found.closed !== undefined) throw new Fault('NOT_FOUND', `session ${found.id} is closed already`);
      await desk.ledger.append({ kind: 'admin.session', by: subject.id, action: 'terminate', object: found.id });
      const reason = request.body?.reason ?? `ended by ${subject.name}`;
      const answer = await desk.fleet.callOrigin(found.gateway, 'session.terminate', { session: found.id, reason });
      return { session: found.id, found: answer.found };
    },
  });
}
