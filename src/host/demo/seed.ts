import type { Client } from 'pg';
import { constraints, fill, tables } from './schema.ts';
import { type Customer, customer, type Employee, employee } from './people.ts';
import { Random } from './random.ts';

export const demoSize = { customers: 12_000, orders: 120_000, staff: 48 } as const;

const seed = 7432;
const rowsPerInsert = 3_000;

/** Fills an empty database with the shop. `client` is connected to it as the role that is to own everything. One transaction. */
export async function seedShop(client: Client): Promise<void> {
  const random = new Random(seed);
  await client.query('begin');
  // Nobody waits for this disk yet: the commit below is durable as any other.
  await client.query("set local work_mem = '64MB'; set local maintenance_work_mem = '128MB'");
  await client.query(tables);
  for (let from = 1; from <= demoSize.customers; from += rowsPerInsert) {
    const people: (Customer & { id: number })[] = [];
    for (let id = from; id < from + rowsPerInsert && id <= demoSize.customers; id += 1) people.push({ id, ...customer(random, id) });
    await insertCustomers(client, people);
  }
  const staff: (Employee & { id: number })[] = [];
  for (let id = 1; id <= demoSize.staff; id += 1) staff.push({ id, ...employee(random, id) });
  await insertStaff(client, staff);
  await client.query(fill.replaceAll('$CUSTOMERS', String(demoSize.customers)).replaceAll('$ORDERS', String(demoSize.orders)));
  await client.query(constraints);
  await client.query('commit');
  await client.query('analyze');
}

/** One statement for many rows: one array for each column, zipped by the server. */
async function insertCustomers(client: Client, people: readonly (Customer & { id: number })[]): Promise<void> {
  const column = <K extends keyof (Customer & { id: number })>(name: K) => people.map((person) => person[name]);
  await client.query(
    `insert into public.customers (id, name, email, phone, card, iban, national_id, date_of_birth, city, country, segment, notes, created_at)
     select * from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::date[], $9::text[], $10::text[],
                          $11::text[], $12::text[], $13::timestamptz[])`,
    [
      column('id'),
      column('name'),
      column('email'),
      column('phone'),
      column('card'),
      column('iban'),
      column('nationalId'),
      column('birth'),
      column('city'),
      column('country'),
      column('segment'),
      column('notes'),
      column('createdAt'),
    ],
  );
}

async function insertStaff(client: Client, staff: readonly (Employee & { id: number })[]): Promise<void> {
  const column = <K extends keyof (Employee & { id: number })>(name: K) => staff.map((person) => person[name]);
  await client.query(
    `insert into public.staff (id, name, email, department, salary, hired_on)
     select * from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::int[], $6::date[])`,
    [column('id'), column('name'), column('email'), column('department'), column('salary'), column('hiredOn')],
  );
}
