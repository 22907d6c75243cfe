/** Tables of the demo's shop, in the order in which they are made. Owned by the application role. */
export const tables = `
create table public.customers (
  id            integer primary key,
  name          text not null,
  email         text not null unique,
  phone         text not null,
  card          text not null,
  iban          text not null,
  national_id   text not null,
  date_of_birth date not null,
  city          text not null,
  country       char(2) not null,
  segment       text not null check (segment in ('consumer', 'business', 'vip')),
  notes         text,
  created_at    timestamptz not null
);
create table public.orders (
  id          integer primary key,
  customer_id integer not null,
  status      text not null check (status in ('placed', 'paid', 'shipped', 'delivered', 'returned', 'cancelled')),
  items       integer not null check (items > 0),
  total_cents bigint not null check (total_cents >= 0),
  currency    char(3) not null,
  created_at  timestamptz not null,
  shipped_at  timestamptz
);
create table public.payments (
  id           integer primary key,
  order_id     integer not null,
  method       text not null check (method in ('card', 'transfer', 'wallet')),
  card_last4   char(4),
  iban         text,
  amount_cents bigint not null,
  paid_at      timestamptz not null
);
create table public.staff (
  id         integer primary key,
  name       text not null,
  email      text not null unique,
  department text not null,
  salary     integer not null,
  hired_on   date not null
);
`;

/**
 * Orders and payments are made where they are stored. Everything follows from the row number by modular arithmetic with large primes,
 * so that it looks irregular and is the same on every machine.
 */
export const fill = `
insert into public.orders
select n, customer, status, items, total, currency, placed,
       case when status in ('delivered', 'shipped', 'returned') then placed + (6 + n % 60) * interval '1 hour' end
  from (select n,
               1 + (n::bigint * 7919 + (n::bigint * n) % 104729) % $CUSTOMERS as customer,
               (array['delivered','delivered','delivered','delivered','shipped','paid','placed','returned','cancelled','delivered'])
                 [1 + (n::bigint * 31 + n / 7) % 10] as status,
               1 + (n::bigint * 13) % 5 as items,
               499 + (n::bigint * 48271) % 24990 as total,
               case when n % 9 = 0 then 'GBP' when n % 7 = 0 then 'USD' else 'EUR' end as currency,
               timestamptz '2026-11-15 18:00:00Z' - ($ORDERS - n) * interval '9 minutes'
                 - ((n::bigint * 2713) % 540) * interval '1 second' as placed
          from generate_series(1, $ORDERS) n) as made;
insert into public.payments
select row_number() over (order by o.id), o.id, p.method,
       case when p.method = 'card' then right(c.card, 4) end,
       case when p.method = 'transfer' then c.iban end,
       o.total_cents,
       o.created_at + (1 + o.id % 50) * interval '1 minute'
  from public.orders o
  join public.customers c on c.id = o.customer_id
 cross join lateral (select (array['card', 'card', 'wallet', 'transfer'])[1 + (o.id * 17 + o.id / 3) % 4] as method) p
 where o.status not in ('placed', 'cancelled');
`;

export const constraints = `
alter table public.orders add foreign key (customer_id) references public.customers (id);
alter table public.payments add foreign key (order_id) references public.orders (id);
create index orders_customer_id_idx on public.orders (customer_id);
create index orders_created_at_idx on public.orders (created_at);
create index payments_order_id_idx on public.payments (order_id);
create view public.order_overview as
  select o.id, o.created_at, o.status, o.total_cents, o.currency, c.name as customer, c.city, c.country
    from public.orders o join public.customers c on c.id = o.customer_id;
create view public.customer_contact as
  select id, name, email, phone from public.customers;
create view public.monthly_revenue as
  select date_trunc('month', created_at)::date as month, currency, count(*) as orders, sum(total_cents) as total_cents
    from public.orders where status not in ('cancelled', 'returned') group by 1, 2;
`;
