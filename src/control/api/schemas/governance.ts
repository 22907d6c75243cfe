import { z } from 'zod';
import { limits } from '#model';
import { time } from './page.ts';

export const resource = z
  .object({
    id: z.string(),
    type: z.literal('database'),
    name: z.string(),
    engine: z.literal('postgres'),
    env: z.string(),
    owner: z.string(),
    labels: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Resource' });

const file = z.object({ path: z.string().min(1).max(500), text: z.string().max(limits.bundleBytesMax) });

export const pushBody = z.object({
  files: z.array(file).min(1).max(limits.documentsPerBundleMax),
  activate: z
    .boolean()
    .default(true)
    .describe('False: it is stored as a candidate that a rollout may be about, and decides nothing by itself.'),
});

const bundleRef = z.object({ name: z.string(), version: z.string(), digest: z.string() });

const inForce = z.object({ gateway: z.string(), connected: z.boolean(), digest: z.string().optional(), current: z.boolean() });

export const pushed = z
  .object({
    digest: z.string(),
    name: z.string(),
    version: z.string(),
    changed: z.boolean().describe('False when the same digest was already in force.'),
    previous: z.string().optional(),
    gateways: z.array(inForce).describe('Which gateways confirmed it.'),
    warnings: z.array(z.unknown()),
  })
  .meta({ id: 'PushedBundle' });

export const policyInForce = z
  .object({ ref: bundleRef, since: time, by: z.string(), gateways: z.array(inForce) })
  .meta({ id: 'PolicyInForce' });

export const storedBundle = z
  .object({
    ref: bundleRef,
    storedAt: time,
    storedBy: z.string(),
    files: z.array(z.object({ path: z.string(), text: z.string() })),
    activations: z.array(z.object({ at: time, by: z.string() })),
  })
  .meta({ id: 'StoredBundle' });

export const gateway = z
  .object({
    node: z.string(),
    version: z.string(),
    connected: z.boolean(),
    connectedAt: time.optional(),
    lastSeen: time,
    ledger: z.object({ origin: z.string(), vkey: z.string(), mirrored: z.number().int() }),
    policy: z.object({ digest: z.string(), since: time, current: z.boolean() }).optional(),
  })
  .meta({ id: 'Gateway' });
