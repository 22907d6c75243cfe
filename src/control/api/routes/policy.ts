import { z } from 'zod';
import { Fault } from '#model';
import { policySchema } from '#policy';
import type { Problem, SourceFile } from '#policy';
import type { GatewayView } from '../../fleet/fleet.ts';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { policyInForce, pushBody, pushed, storedBundle } from '../schemas/governance.ts';
import { rollout, rolloutAction, rolloutBody, rolloutList, shownRollout } from '../schemas/rollouts.ts';
import { problem } from '../schemas/page.ts';

const errors = { '4xx': problem, '5xx': problem };

/** The bundle in force, its history, and putting a new one in force. */
export function policyRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/policy',
    config: { access: { roles: 'any', audit: { none: 'name, version and digest; the documents are not shown here' } } },
    schema: { response: { 200: policyInForce, ...errors } },
    handler: async () => {
      const { source, by } = await desk.bundles.current();
      return { ref: source.ref, since: source.activatedAt, by, gateways: inForce(await desk.fleet.views(), source.ref.digest) };
    },
  });

  api.route({
    method: 'GET',
    url: '/policy/schema',
    config: { access: { roles: 'any', audit: { none: 'what documents may say is the same everywhere this version runs' } } },
    schema: { response: { 200: z.record(z.string(), z.unknown()), ...errors } },
    // The schema that editors check policies with, as `warder policy schema` prints it.
    handler: async () => ({ ...policySchema() }),
  });

  api.route({
    method: 'POST',
    url: '/policy/bundles',
    config: { access: { roles: ['policy-author'], audit: ['policy.activated', 'policy.rejected', 'admin.configuration'] } },
    schema: { body: pushBody, response: { 200: pushed, ...errors } },
    handler: async (request) => {
      const by = callerOf(request).subject.id;
      if (!request.body.activate) return storeCandidate(desk, request.body.files, by);
      const result = await desk.bundles.push(request.body.files, by);
      if (!result.ok) throw invalid(result.problems);
      const { source } = result.inForce;
      // Also when nothing changed: a gateway that missed the offer gets it again.
      desk.fleet.notify('all', 'rollouts.offer', await desk.rollouts.offer());
      desk.fleet.notify('all', 'policy.offer', source);
      await desk.fleet.inForceEverywhere(source.ref.digest);
      return {
        ...source.ref,
        changed: result.changed,
        ...(result.previous === undefined ? {} : { previous: result.previous }),
        gateways: inForce(await desk.fleet.views(), source.ref.digest),
        warnings: [...result.warnings],
      };
    },
  });

  api.route({
    method: 'GET',
    url: '/policy/rollouts',
    config: { access: { roles: 'any', audit: { none: 'where rollouts stand is no evidence; what moved them is in the ledger' } } },
    schema: { response: { 200: rolloutList, ...errors } },
    handler: async () => ({ items: (await desk.rollouts.list()).map(shownRollout) }),
  });

  api.route({
    method: 'POST',
    url: '/policy/rollouts/:name/:action',
    config: { access: { roles: ['policy-author', 'operator'], audit: ['rollout.moved'] } },
    schema: {
      params: z.object({ name: z.string().max(100), action: rolloutAction }),
      body: rolloutBody,
      response: { 200: rollout, ...errors },
    },
    handler: async (request) => {
      const { name, action } = request.params;
      const { comment, step } = request.body ?? {};
      const by = callerOf(request).subject;
      const said = { action, by, ...(comment === undefined ? {} : { comment }), ...(step === undefined ? {} : { step }) };
      return shownRollout(await desk.rollouts.act(name, said));
    },
  });

  api.route({
    method: 'GET',
    url: '/policy/bundles/:digest',
    config: {
      access: { roles: ['policy-author', 'reviewer', 'operator', 'auditor', 'administrator'], audit: { none: 'policies are no evidence' } },
    },
    schema: { params: z.object({ digest: z.string().max(100) }), response: { 200: storedBundle, ...errors } },
    handler: async (request) => {
      const found = await desk.bundles.find(request.params.digest);
      if (found === undefined) throw new Fault('NOT_FOUND', `there is no bundle ${request.params.digest}`);
      return { ...found, files: [...found.files], activations: [...found.activations] };
    },
  });
}

async function storeCandidate(desk: ApiDesk, files: readonly SourceFile[], by: string): Promise<z.infer<typeof pushed>> {
  const result = await desk.bundles.store(files, by);
  if (!result.ok) throw invalid(result.problems);
  return { ...result.ref, changed: result.changed, gateways: [], warnings: [...result.warnings] };
}

function invalid(problems: readonly Problem[]): Fault {
  const count = problems.length;
  return new Fault('POLICY_INVALID', `the bundle has ${count} ${count === 1 ? 'problem' : 'problems'}`, { detail: { problems } });
}

function inForce(gateways: readonly GatewayView[], digest: string) {
  return gateways.map(({ node, connected, policy }) => ({
    gateway: node,
    connected,
    ...(policy === undefined ? {} : { digest: policy.digest }),
    current: policy?.digest === digest,
  }));
}
