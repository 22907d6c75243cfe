import { z } from 'zod';
import type { ResourceConfig } from '#model';
import { confirmOffer, proposeLabels, testEverywhere } from '../../fleet/resource-calls.ts';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { resource } from '../schemas/governance.ts';
import { pageOf, problem } from '../schemas/page.ts';
import {
  changedResource,
  labelProposal,
  putResourceBody,
  removedResource,
  resourceDetail,
  resourceName,
  testedResource,
} from '../schemas/resources.ts';

const errors = { '4xx': problem, '5xx': problem };
const named = z.object({ name: resourceName });
const changing = { roles: ['operator', 'administrator'], audit: ['admin.resource'] } as const;

/** What is protected, how it is reached and what in it is personal. */
export function resourceRoutes(api: Api, desk: ApiDesk): void {
  readingRoutes(api, desk);

  api.route({
    method: 'PUT',
    url: '/resources/:name',
    config: { access: changing },
    schema: { params: named, body: putResourceBody, response: { 200: changedResource, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      const { resource: about, upstream, classification } = request.body;
      const wanted = { resource: { name, ...about }, upstream, classification };
      const change = await desk.resources.change(wanted, callerOf(request).subject.id);
      const { config } = await desk.resources.find(name);
      return { name, id: config.resource.id, change, gateways: await confirmOffer(desk.fleet, name, true) };
    },
  });

  api.route({
    method: 'DELETE',
    url: '/resources/:name',
    config: { access: changing },
    schema: { params: named, response: { 200: removedResource, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      await desk.resources.remove(name, callerOf(request).subject.id);
      return { name, gateways: await confirmOffer(desk.fleet, name, false) };
    },
  });

  api.route({
    method: 'POST',
    url: '/resources/:name/test',
    config: { access: changing },
    schema: { params: named, response: { 200: testedResource, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      await recordLook(desk, { name, by: callerOf(request).subject.id, action: 'test' });
      const gateways = await testEverywhere(desk.fleet, name);
      return {
        name,
        gateways: gateways.map(({ gateway, found }) => ({
          gateway,
          found: 'missing' in found ? { ...found, missing: [...found.missing] } : found,
        })),
      };
    },
  });

  api.route({
    method: 'POST',
    url: '/resources/:name/proposal',
    config: { access: changing },
    schema: { params: named, response: { 200: labelProposal, ...errors } },
    handler: async (request) => {
      const { name } = request.params;
      await recordLook(desk, { name, by: callerOf(request).subject.id, action: 'propose labels' });
      const found = await proposeLabels(desk.fleet, name);
      const columns = found.columns.map((one) => ({ ...one, labels: [...one.labels], because: [...one.because] }));
      return { name, ...found, columns };
    },
  });
}

function readingRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/resources',
    config: { access: { roles: 'any', audit: { none: 'names and labels; credentials never leave the gateways' } } },
    schema: { response: { 200: pageOf(resource), ...errors } },
    handler: async () => ({ items: (await desk.resources.list()).map((one) => ({ ...one, labels: { ...one.labels } })) }),
  });

  api.route({
    method: 'GET',
    url: '/resources/:name',
    config: {
      access: { roles: ['operator', 'auditor', 'administrator'], audit: { none: 'addresses and labels; the password is never shown' } },
    },
    schema: { params: named, response: { 200: resourceDetail, ...errors } },
    handler: async (request) => {
      const { config, changedAt } = await desk.resources.find(request.params.name);
      return { ...shown(config), changedAt };
    },
  });
}

/** Warder talks to the target only after it is recorded who wanted that. Throws NOT_FOUND. */
async function recordLook(desk: ApiDesk, { name, by, action }: { name: string; by: string; action: string }): Promise<void> {
  const { config } = await desk.resources.find(name);
  await desk.ledger.append({ kind: 'admin.resource', by, action, object: config.resource.id });
}

/** Names what is shown, so that nothing that is added later is shown by accident. */
function shown({ resource: about, upstream, classification }: ResourceConfig) {
  const { host, port, database, user, tls } = upstream;
  return {
    resource: { ...about, labels: { ...about.labels } },
    upstream: { host, port, database, user, tls: { ...tls } },
    classification: Object.fromEntries(Object.entries(classification).map(([column, labels]) => [column, [...labels]])),
  };
}
