import { z } from 'zod';
import { findDecision } from '../../evidence/decisions.ts';
import { explainDecision } from '../../policies/explain-decision.ts';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { decision } from '../schemas/evidence.ts';
import { problem } from '../schemas/page.ts';

/** Why something was allowed or refused. */
export function decisionRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/decisions/:id',
    config: { access: { roles: 'any', audit: { none: 'no exact text; subjects see decisions on their own operations' } } },
    schema: { params: z.object({ id: z.string().max(100) }), response: { 200: decision, '4xx': problem, '5xx': problem } },
    handler: async (request) => {
      const { decided, outcome, record } = await findDecision(desk.store.db, { viewer: callerOf(request).subject, id: request.params.id });
      const stored = await desk.bundles.find(decided.decision.bundle.digest);
      const { requirements, errors, ...summary } = decided.decision;
      const { unknown, ...what } = decided.what;
      return {
        t: decided.t,
        session: decided.session,
        operation: decided.operation,
        n: decided.n,
        subject: decided.who.subject,
        ...what,
        unknown: unknown ?? [],
        ...summary,
        requirements: requirements ?? [],
        errors: errors ?? [],
        ...(decided.approval === undefined ? {} : { approval: decided.approval }),
        ...(outcome === undefined ? {} : { outcome }),
        record,
        ...(stored === undefined ? {} : explainDecision(decided, stored.files)),
      };
    },
  });
}
