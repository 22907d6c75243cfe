import { z } from 'zod';
import type { Subject } from '#model';
import { findRequest, listRequests } from '../../approvals/views.ts';
import type { RequestView } from '../../approvals/views.ts';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { cutPage } from '../page.ts';
import { answerBody, approvalRequest, requestStatus } from '../schemas/approvals.ts';
import { pageOf, pageQuery, problem } from '../schemas/page.ts';

const errors = { '4xx': problem, '5xx': problem };
const params = z.object({ id: z.string().max(100) });
const readers = ['requester', 'reviewer', 'auditor', 'administrator'] as const;

/** Requests for approval: requesters see their own, reviewers those they could answer, auditors and administrators all. */
export function requestRoutes(api: Api, desk: ApiDesk): void {
  const { db } = desk.store;

  /** Exact text shown to somebody who is neither the requester nor a reviewer is evidence read; it is recorded first. */
  async function recordReading(views: readonly RequestView[], viewer: Subject): Promise<void> {
    const sessions = new Map<string, number>();
    for (const view of views) {
      const own = view.requester.id === viewer.id || view.requester.onBehalfOf === viewer.id;
      if (!own && !view.reviewer) sessions.set(view.session, (sessions.get(view.session) ?? 0) + 1);
    }
    for (const [session, operations] of sessions) await desk.ledger.append({ kind: 'recording.read', by: viewer.id, session, operations });
  }

  api.route({
    method: 'GET',
    url: '/requests',
    config: { access: { roles: readers, audit: ['recording.read'] } },
    schema: { querystring: pageQuery.extend({ status: requestStatus.optional() }), response: { 200: pageOf(approvalRequest), ...errors } },
    handler: async (request) => {
      const viewer = callerOf(request).subject;
      const { after, limit, status } = request.query;
      const items = await listRequests(db, desk.sealing, {
        viewer,
        limit: limit + 1,
        ...(after === undefined ? {} : { after }),
        ...(status === undefined ? {} : { status }),
      });
      const page = cutPage(items, limit, (item) => item.id);
      await recordReading(page.items, viewer);
      return page;
    },
  });

  api.route({
    method: 'GET',
    url: '/requests/:id',
    config: { access: { roles: readers, audit: ['recording.read'] } },
    schema: { params, response: { 200: approvalRequest, ...errors } },
    handler: async (request) => {
      const viewer = callerOf(request).subject;
      const found = await findRequest(db, desk.sealing, { viewer, id: request.params.id });
      await recordReading([found], viewer);
      return found;
    },
  });

  for (const say of ['approve', 'refuse'] as const) {
    api.route({
      method: 'POST',
      url: `/requests/:id/${say}`,
      config: {
        access: {
          roles: ['reviewer'],
          audit: say === 'approve' ? ['approval.answered', 'approval.granted'] : ['approval.refused'],
        },
      },
      schema: { params, body: answerBody, response: { 200: approvalRequest, ...errors } },
      handler: async (request) => {
        const { subject } = callerOf(request);
        const { id } = request.params;
        const comment = request.body?.comment;
        await desk.approvals.answer(id, { who: subject, say, ...(comment === undefined ? {} : { comment }) });
        return findRequest(db, desk.sealing, { viewer: subject, id });
      },
    });
  }
}
