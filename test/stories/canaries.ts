/**
 * A small shop in which every labelled cell holds a canary in its column's form: a value that appears nowhere else, so that any part of it
 * in what a client receives is a leak. The tables are those the statements of `test/corpus/sql` speak about, and a few more.
 */
import type { Classification } from '#model';

export const classification: Classification = {
  'public.customers.email': ['pii.email'],
  'public.customers.ssn': ['pii.national_id'],
  'public.customers.phone': ['pii.phone'],
  'public.customers.card': ['pii.card'],
  'public.customers.iban': ['pii.iban'],
  'public.customers.date_of_birth': ['pii.dob'],
  'public.events.email': ['pii.email'],
  'public.staff.email': ['pii.email'],
  'public.staff.salary': ['hr.salary'],
  'other.people.email': ['pii.email'],
};

const customers = 12;

/** Tables, views and a function, without rows. */
export const schema = `
create schema other;
create table customers (
  id integer primary key, email text not null unique, name text not null, ssn text not null, note text, phone text not null, card text not null,
  iban text not null, date_of_birth date not null, city text not null default 'Berlin', tags text[] not null default '{new}',
  created_at timestamptz not null default now());
create table orders (
  id integer primary key, customer_id integer not null references customers, total integer not null default 0, status text not null default 'open',
  data jsonb, created_at timestamptz not null default now());
create table events (id integer, at date, email text) partition by range (id);
create table events_2024 partition of events for values from (0) to (100);
create table other.people (id integer, email text);
create table staff (id integer primary key, name text not null, email text not null unique, salary integer not null);
create view customer_mails as select id, lower(email) as mail, name from customers;
create view mails2 as select id, mail, name from customer_mails where id > 0;
create view customer_contact as select id, name, email, phone from customers;
create view contact_turned as select id, reverse(email) as email, reverse(card) as card from customers;
create view everybody as select email from customers union all select email from staff;
create function uv() returns text language sql as $$ select email from public.customers where id = 1 $$;
create view viaf as select id, uv() as x, status from orders;
`;

/** Empties the tables and puts the rows there. `zq…` and the digits 8675… stand nowhere but in labelled cells. */
export const fill = `
truncate customers, orders, events, other.people, staff;
insert into customers (id, email, name, ssn, note, phone, card, iban, date_of_birth)
select n, 'zqxvkj' || chr(96 + n) || 'wfp@shop.example', 'Person ' || n, '8675-99-' || lpad(n::text, 4, '0'), 'a note about order ' || n,
       '+49 8675309' || lpad(n::text, 3, '0'), '8675 4200 1717 ' || lpad(n::text, 4, '0'), 'DE867531313131310' || lpad(n::text, 4, '0'),
       date '1867-05-01' + n
  from generate_series(1, ${customers}) n;
insert into orders (id, customer_id, total, status, data)
select n, 1 + n % ${customers}, n * 10, (array['paid', 'open', 'late'])[1 + n % 3], jsonb_build_object('n', n) from generate_series(1, 40) n;
insert into events select n, date '2024-01-01' + n, 'zqxevent' || chr(96 + n) || '@shop.example' from generate_series(1, 9) n;
insert into other.people select n, 'zqxother' || chr(96 + n) || '@shop.example' from generate_series(1, 3) n;
insert into staff select n, 'Staff ' || n, 'zqxstaff' || chr(96 + n) || '@shop.example', 867530 + n from generate_series(1, 5) n;
`;

/** What must not be seen: parts of every canary that no mask leaves. */
const secrets: readonly string[] = [
  'zqxvk',
  'qxvkj',
  'zqxst',
  'qxstaff',
  'zqxev',
  'qxevent',
  'zqxot',
  'qxother',
  ...Array.from({ length: customers }, (_, i) => `${String.fromCharCode(97 + i)}wfp@`),
  '86753',
  '8675-',
  '8675 4',
  '42001',
  '4200 1',
  '1717 0',
  '31313',
  '67530',
  '75309',
  '1867-05',
  '05-1867',
  '/1867',
];

/** Whatever form a client could get a secret in that a person would recognise. */
function formsOf(secret: string): readonly Buffer[] {
  const text = Buffer.from(secret, 'latin1');
  const turned = Buffer.from([...secret].reverse().join(''), 'latin1');
  const hex = (bytes: Buffer): Buffer => Buffer.from(bytes.toString('hex'), 'latin1');
  return [text, Buffer.from(secret.toUpperCase(), 'latin1'), turned, hex(text), hex(turned)];
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const salaries = Array.from({ length: 5 }, (_, i) => int32(867_531 + i));
/** A binary date is a number of days since 2000-01-01. */
const birthdays = Array.from({ length: customers }, (_, i) =>
  int32(Math.round((Date.UTC(1867, 4, 2 + i) - Date.UTC(2000, 0, 1)) / 86_400_000)),
);
const needles: readonly Buffer[] = [...secrets.flatMap(formsOf), ...salaries, ...birthdays];

/** The first secret in bytes that reached a client, or undefined. */
export function secretIn(bytes: Buffer): string | undefined {
  // The microseconds of what the clock says now are any six digits.
  const still = Buffer.from(bytes.toString('latin1').replaceAll(/(20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d)\.\d{1,6}/g, '$1'), 'latin1');
  return needles.find((needle) => still.includes(needle))?.toString('latin1');
}
