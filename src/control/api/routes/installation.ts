import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Api, ApiDesk } from '../desk.ts';
import { checkpoint } from '../schemas/evidence.ts';
import { gateway } from '../schemas/governance.ts';
import { pageOf, problem } from '../schemas/page.ts';

const errors = { '4xx': problem, '5xx': problem };

/** What there is: health, gateways, the own ledger. */
export function installationRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/health',
    config: { access: { roles: 'public', audit: { none: 'says only whether the control plane works' } } },
    schema: { response: { 200: z.object({ status: z.literal('ok') }), 503: z.object({ status: z.literal('degraded') }) } },
    handler: async (_request, reply) =>
      (await desk.store.healthy()) ? { status: 'ok' as const } : reply.status(503).send({ status: 'degraded' }),
  });

  api.route({
    method: 'GET',
    url: '/gateways',
    config: {
      access: { roles: ['reader', 'policy-author', 'operator', 'auditor', 'administrator'], audit: { none: 'state of the installation' } },
    },
    schema: { response: { 200: pageOf(gateway), ...errors } },
    handler: async () => {
      const [views, logs, inForce] = await Promise.all([desk.fleet.views(), desk.mirror.logs(), desk.bundles.current()]);
      const { digest } = inForce.source.ref;
      return {
        items: views.map(({ origin, policy, ...view }) => {
          const log = logs.find((one) => one.origin === origin);
          return {
            ...view,
            ledger: { origin, vkey: log?.vkey ?? '', mirrored: log?.size ?? 0 },
            ...(policy === undefined ? {} : { policy: { ...policy, current: policy.digest === digest } }),
          };
        }),
      };
    },
  });

  api.route({
    method: 'GET',
    url: '/ledger/checkpoint',
    config: { access: { roles: 'any', audit: { none: 'signed heads of the ledgers; no content' } } },
    schema: { response: { 200: checkpoint, ...errors } },
    handler: async () => {
      const { origin, vkey, size } = desk.ledger;
      const note = await readCheckpoint(desk.ledgerFolder);
      const mirrored = (await desk.mirror.logs()).filter((log) => log.origin !== origin);
      return { origin, vkey, size, ...(note === undefined ? {} : { checkpoint: note }), mirrored };
    },
  });
}

/** The newest signed checkpoint; there is none in the first second of a ledger. */
async function readCheckpoint(folder: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, 'checkpoint'), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
