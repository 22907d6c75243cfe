import type { Client } from 'pg';
import type { Classification, ResourceConfig } from '#model';
import { adminOf, ensureDatabase, type ServerAddress } from '../database.ts';
import { seedShop } from './seed.ts';

const database = 'orders-demo';
const role = 'warder_app';

/** What is personal in the shop. `customers.notes` has no label: it is free text, for detectors. */
const classification: Classification = {
  'public.customers.email': ['pii.email'],
  'public.customers.phone': ['pii.phone'],
  'public.customers.card': ['pii.card'],
  'public.customers.iban': ['pii.iban'],
  'public.customers.national_id': ['pii.national_id'],
  'public.customers.date_of_birth': ['pii.dob'],
  'public.payments.iban': ['pii.iban'],
  'public.staff.email': ['pii.email'],
  'public.staff.salary': ['hr.salary'],
};

/**
 * Makes the demo's target on a running server when it is not there yet: the database `orders-demo`, seeded, and the role `warder_app`
 * that owns its tables — a DROP that got that far would work. The database appears under its name only when it is complete.
 */
export async function ensureOrdersDemo(server: ServerAddress, appPassword: string, progress: (message: string) => void): Promise<void> {
  const admin = await adminOf(server);
  try {
    const made = await ensureDatabase(admin, { database, role, password: appPassword, exclusive: true }, async (fresh) => {
      progress('seeding 12,000 customers and 120,000 orders');
      await asRole({ ...server, user: role, password: appPassword }, fresh, seedShop);
    });
    if (made) await admin.query('checkpoint');
  } finally {
    await admin.end();
  }
}

async function asRole(server: ServerAddress, name: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = await adminOf(server, name);
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** The demo's target as a gateway gets it. */
export function ordersDemo(server: { readonly host: string; readonly port: number }, appPassword: string): ResourceConfig {
  return {
    resource: {
      type: 'database',
      id: 'pg:orders-demo',
      name: 'orders-demo',
      engine: 'postgres',
      env: 'prod',
      owner: 'team:shop',
      labels: {},
    },
    upstream: { host: server.host, port: server.port, database, user: role, password: appPassword, tls: { mode: 'disable' } },
    classification,
  };
}
