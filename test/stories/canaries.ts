/**
 * A small shop in which every labelled cell holds a canary in its column's form: a value that appears nowhere else, so that any part of it
 * in what a client receives is a leak.
 */
import type { Classification } from '#model';

export const classification: Classification = {
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

export const customers = 12;

/** The rows of the shop. `zq…` and the digits 8675… stand nowhere but in labelled cells. */
export const schema = `
create table customers (
  id integer primary key, name text not null, email text not null unique, phone text not null, card text not null, iban text not null,
  national_id text not null, date_of_birth date not null, city text not null, notes text, tags text[] not null default '{}');
insert into customers
select n, 'Person ' || n, 'zqxvkj' || chr(96 + n) || 'wfp@shop.example', '+49 8675309' || lpad(n::text, 3, '0'),
       '8675 4200 1717 ' || lpad(n::text, 4, '0'), 'DE867531313131310' || lpad(n::text, 4, '0'),
       'NQ-867599' || lpad(n::text, 3, '0'), date '1867-05-01' + n, 'Berlin', 'a note about order ' || n, array['new', 'web']
  from generate_series(1, ${customers}) n;
create table orders (id integer primary key, customer_id integer not null references customers, status text not null, total integer not null, data jsonb);
insert into orders select n, 1 + n % ${customers}, (array['paid', 'open', 'late'])[1 + n % 3], n * 10, jsonb_build_object('n', n) from generate_series(1, 40) n;
create table payments (id integer primary key, order_id integer not null references orders, iban text, amount integer not null);
insert into payments select n, n, 'GB867524242424240' || lpad(n::text, 4, '0'), n * 10 from generate_series(1, 40) n;
create table staff (id integer primary key, name text not null, email text not null unique, salary integer not null);
insert into staff select n, 'Staff ' || n, 'zqxstaff' || chr(96 + n) || '@shop.example', 867530 + n from generate_series(1, 5) n;
create view customer_contact as select id, name, email, phone from customers;
create view contact_turned as select id, reverse(email) as email, reverse(card) as card from customers;
create view order_overview as select o.id, o.status, c.name as customer, c.city from orders o join customers c on c.id = o.customer_id;
create view everybody as select email from customers union all select email from staff;
create function mystery(text) returns text language sql as $$ select (select email from public.customers where id = 1) || $1 $$;
create view mysterious as select id, mystery(status) as status, status as plain from orders;
create table events (id integer, email text, at date) partition by range (id);
create table events_low partition of events for values from (0) to (100);
`;

/** What must not be seen: the secret part of every canary, forwards and backwards, as text, hex, base64 or bytes. */
const secrets: readonly string[] = [
  ...Array.from({ length: customers }, (_, i) => `zqxvkj${String.fromCharCode(97 + i)}wfp`),
  'zqxvk', 'xvkj', 'zqxst', 'qxstaff', 'wfp@', 'staff_@',
  '86753', '8675 4', '4200 17', '42001', '00 1717', '313131', '242424', '67599', '75309',
  '1867-05', '05/01/1867', '86753',
];

/** Whatever form a client could get a secret in that a person would recognise. */
function formsOf(secret: string): readonly Buffer[] {
  const text = Buffer.from(secret, 'latin1');
  const turned = Buffer.from([...secret].reverse().join(''), 'latin1');
  const hex = (bytes: Buffer): Buffer => Buffer.from(bytes.toString('hex'), 'latin1');
  return [text, Buffer.from(secret.toUpperCase(), 'latin1'), turned, hex(text), hex(turned)];
}

const integers = Array.from({ length: 5 }, (_, i) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(867_531 + i);
  return bytes;
});
/** Days of the dates of birth before 2000-01-01, as binary dates have them. */
const days = Array.from({ length: customers }, (_, i) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(Math.round((Date.UTC(1867, 4, 2 + i) - Date.UTC(2000, 0, 1)) / 86_400_000));
  return bytes;
});
const needles: readonly Buffer[] = [...secrets.flatMap(formsOf), ...integers, ...days];

/** The first secret in bytes that reached a client, or undefined. */
export function secretIn(bytes: Buffer): string | undefined {
  const found = needles.find((needle) => bytes.includes(needle));
  return found?.toString('latin1');
}
