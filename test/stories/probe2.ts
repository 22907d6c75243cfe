import { startLaboratory } from './laboratory.ts';
import { schema, classification, secretIn } from './canaries.ts';
import { RawClient, render, extended as x, type Reply } from '../../src/gateway/points/postgres/testing/raw-client.ts';
const lab = await startLaboratory(schema, classification);
const login = (who: string) => RawClient.login(lab.port, lab.password, { user: who, database: 'orders-demo' });
const show = (what: string, replies: readonly Reply[]) => { const s = secretIn(Buffer.concat(replies.map((r) => r.body))); console.log((s ? `*** LEAK ${s} *** ` : '') + what + '\n   ' + render(replies).split('\n').slice(0, 12).join(' / ').slice(0, 700)); };
let c = await login('engineer');
// portal by Bind read by FETCH
await c.query('BEGIN'); await c.query('DECLARE c CURSOR FOR SELECT lower(status) FROM orders'); await c.query('CLOSE c');
c.send(x.parse('s', 'SELECT lower(email) FROM customers'), x.bind('c', 's'), x.sync); await c.ready();
show('FETCH of bound portal', await c.query('FETCH ALL FROM c')); await c.query('ROLLBACK');
// in one batch
await c.query('BEGIN'); await c.query('DECLARE d CURSOR FOR SELECT lower(status) FROM orders');
c.send(x.close('P', 'd'), x.parse('s2', 'SELECT lower(email) FROM customers'), x.bind('d', 's2'), x.parse('', 'FETCH ALL FROM d'), x.bind('', ''), x.execute(''), x.sync);
show('FETCH of bound portal, one batch', await c.ready()); await c.query('ROLLBACK');
// parse/describe/sync then bind with catalog refresh in between
const r = await login('reviewer');
c.send(x.parse('', 'SELECT status FROM orders WHERE id = 1'), x.describe('S', ''), x.sync); show('parse', await c.ready());
show('ddl', await r.query('CREATE TABLE fresh (a int)'));
c.send(x.bind('', ''), x.execute(''), x.sync); show('bind after a refresh', await c.ready());
// unsynced flush and refresh
c.send(x.parse('', "UPDATE orders SET status = 'open' WHERE id = 1"), x.bind('', ''), x.execute(''), x.flush); await c.until((p) => p.type === 'C');
show('ddl2', await r.query('CREATE TABLE fresh2 (a int)'));
c.send(x.parse('', 'SELECT status FROM orders WHERE id = 1'), x.bind('', ''), x.execute(''), x.sync); show('after flush', await c.ready());
console.log(await lab.direct('select status from orders where id=1'));
// unsynced Query
c.send(x.parse('', 'SELECT email FROM customers'), x.bind('p', ''), x.flush); await c.until((p) => p.type === '2');
show('query in the middle', await c.query('SELECT 1'));
// suspended portal then SQL
await c.query('BEGIN');
c.send(x.parse('q', 'SELECT email FROM customers'), x.bind('pq', 'q'), x.execute('pq', 1), x.sync); show('1 row', await c.ready());
show('fetch the rest by sql', await c.query('FETCH ALL FROM pq'));
await c.query('ROLLBACK');
// reuse name trick: parse "" between bind and execute
c.send(x.parse('', 'SELECT lower(email) FROM customers'), x.bind('', ''), x.parse('', 'SELECT lower(status) FROM orders'), x.describe('P', ''), x.execute('', 1), x.sync); show('re-parse between bind and execute', await c.ready());
c.send(x.parse('a', 'SELECT lower(status) FROM orders'), x.close('S', 'a'), x.parse('a', 'SELECT lower(email) FROM customers'), x.bind('', 'a'), x.execute('', 1), x.sync); show('name reuse', await c.ready());
c.send(x.bind('', 'a'), x.close('S', 'a'), x.parse('a', 'SELECT lower(status) FROM orders'), x.execute('', 1), x.sync); show('name reuse after bind', await c.ready());
// with hold
show('hold', await c.query('DECLARE h CURSOR WITH HOLD FOR SELECT lower(email) FROM customers')); show('fetch hold', await c.query('FETCH 2 FROM h'));
show('hold', await c.query('BEGIN; DECLARE h2 CURSOR WITH HOLD FOR SELECT lower(status) FROM orders; COMMIT; CLOSE h2')); 
show('two', await c.query('BEGIN; DECLARE h3 CURSOR WITH HOLD FOR SELECT lower(email) FROM customers; FETCH 1 FROM h3; COMMIT'));
// temp
show('temp', await r.query('CREATE TEMP TABLE customers (id int, email text, zed text)'));
show('temp ins', await r.query("INSERT INTO customers SELECT id, card, card FROM public.customers"));
show('temp ins', await r.query("INSERT INTO pg_temp.customers VALUES (1, (SELECT card FROM public.customers LIMIT 1), 'z')"));
show('temp ins', await r.query("SELECT * FROM customers"));
show('temp ins', await r.query("SELECT zed FROM customers"));
show('rename', await r.query('ALTER TABLE staff RENAME COLUMN salary TO x'));
show('search_path', await c.query("SET search_path = pg_temp, public"));
show('search_path', await c.query("SELECT set_config('search_path', 'other', false)"));
for (const s of ["COPY customers TO STDOUT", "COPY (SELECT email FROM customers) TO STDOUT", "COPY customers FROM STDIN", "COPY customers TO PROGRAM 'cat'", "COPY (SELECT 1) TO '/tmp/x'", "SELECT 1; COPY customers TO STDOUT", "LISTEN x; NOTIFY x, 'hello'", "SELECT pg_notify('x', email) FROM customers", "PREPARE p AS SELECT email FROM customers", "EXECUTE p", "BEGIN; UPDATE orders SET total=1 WHERE id=2; PREPARE TRANSACTION 'x'", "ROLLBACK", "COMMIT PREPARED 'x'", "SELECT $$a$$ || 'b'", "SELECT 'a\\'; DROP TABLE orders; --'", "SELECT U&'d\\0061t' || U&\"x\" FROM orders", "/* /* */ */ SELECT 1 /* x", "SELECT E'\\'' , email FROM customers; DROP TABLE x", "SELECT 1;;;SELECT 2;", ";", "-- x", "SELECT \u202e1", "SET client_encoding='LATIN1'", "SET NAMES 'SQL_ASCII'", "SELECT application_name FROM pg_stat_activity", "SELECT * FROM pg_stats", "TABLE pg_toast.pg_toast_1", "SELECT * FROM pg_largeobject", "SELECT lo_get(1)", "SELECT setval('x',1)", "DO $$ begin raise notice '%', (select email from customers limit 1); end $$", "CALL x()", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'", "SELECT query_to_xml('select * from customers', true, true, '')", "MERGE INTO orders o USING customers c ON c.id=o.id WHEN MATCHED THEN UPDATE SET status = c.email RETURNING o.status", "MERGE INTO customers c USING (VALUES (1)) v(id) ON c.id=v.id WHEN MATCHED THEN UPDATE SET notes='y' RETURNING c.*, merge_action()", "DELETE FROM payments WHERE id = 39 RETURNING *", "UPDATE customers SET notes = 'x' WHERE id=2 RETURNING old.*, new.*", "UPDATE customers SET notes = 'x' WHERE id=2 RETURNING WITH (OLD AS o, NEW AS n) o.email, n.notes", "INSERT INTO staff VALUES (99,'n','a@b.example', 1) RETURNING staff", "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) SELECT email, salary FROM customers, staff", "SELECT table_to_xml('customers', true,true,'')", "SELECT ts_stat('select to_tsvector(email) from customers')", "SHOW ALL", "SELECT * FROM pg_settings LIMIT 1", "SELECT current_query()", "SELECT xmlforest(email, card) FROM customers LIMIT 1", "SELECT xmlagg(xmlelement(name a, email)) FROM customers", "SELECT json_object(ARRAY['a', email]) FROM customers LIMIT 1", "SELECT JSON_OBJECT('a': email) FROM customers LIMIT 1", "SELECT JSON_ARRAYAGG(email) FROM customers", "SELECT * FROM JSON_TABLE((SELECT json_agg(c) FROM (SELECT email FROM customers LIMIT 2) c)::jsonb, '$[*]' COLUMNS (e text PATH '$.email'))", "SELECT * FROM customers c, XMLTABLE('/a' PASSING xmlelement(name a, c.email) COLUMNS e text PATH '.') LIMIT 1", "SELECT e FROM customers c, JSON_TABLE(to_jsonb(c), '$' COLUMNS (e text PATH '$.email')) j LIMIT 1", "SELECT x FROM customers c, LATERAL (SELECT c.email) s(x) LIMIT 1", "SELECT x.* FROM customers c, ROWS FROM (lower(c.email), generate_series(1,1)) AS x(a,b) LIMIT 1", "SELECT k FROM (SELECT email FROM customers LIMIT 1) t(k)", "SELECT (t).email FROM (SELECT c AS t FROM customers c LIMIT 1) q", "SELECT (t.c).email FROM (SELECT c FROM customers c LIMIT 1) t", "SELECT (array_agg(c))[1].email FROM customers c WHERE id=1", "SELECT (json_populate_record(null::customers, to_json(c))).email FROM customers c LIMIT 1", "SELECT (jsonb_populate_record(null::customers, to_jsonb(c))).* FROM customers c LIMIT 1", "SELECT c.email FROM customers c JOIN LATERAL json_to_record(to_json(c)) AS r(email text) ON true LIMIT 1", "SELECT r.email FROM customers c JOIN LATERAL json_to_record(to_json(c)) AS r(email text) ON true LIMIT 1", "SELECT min(card_) FROM (SELECT card AS card_ FROM customers) z", "SELECT first_value(email) OVER () FROM customers LIMIT 1", "SELECT lag(email) OVER (ORDER BY id) FROM customers LIMIT 3", "SELECT nth_value(id, salary-867530) OVER () FROM staff LIMIT 3", "SELECT lag(id, salary-867530) OVER () FROM staff LIMIT 3", "SELECT date_of_birth + 1 FROM customers LIMIT 1", "SELECT age(date_of_birth) FROM customers LIMIT 1", "SELECT to_char(salary, '999999') FROM staff LIMIT 1", "SELECT salary::text FROM staff LIMIT 1", "SELECT encode(convert_to(email,'UTF8'),'hex') FROM customers LIMIT 1", "SELECT translate(email,'z','z') FROM customers LIMIT 1", "SELECT email COLLATE \"C\" FROM customers LIMIT 1", "SELECT overlay(email placing 'x' from 1) FROM customers LIMIT 1", "SELECT format('%s', email) FROM customers LIMIT 1", "SELECT pg_input_error_info(email, 'integer') FROM customers LIMIT 1", "SELECT * FROM customers c LEFT JOIN LATERAL pg_input_error_info(c.email, 'integer') e ON true LIMIT 1", "SELECT message FROM customers c, pg_input_error_info(c.email, 'integer') LIMIT 1", "SELECT ts_headline(email, to_tsquery('a')) FROM customers LIMIT 1", "SELECT to_tsvector('simple', email) FROM customers LIMIT 1", "SELECT word FROM customers c, LATERAL (SELECT alias FROM ts_debug(c.email)) q(word) LIMIT 1", "SELECT q.token FROM customers c, LATERAL ts_debug('simple', c.email) q LIMIT 1", "SELECT t.word FROM customers c, LATERAL ts_parse('default', c.email) AS t(a,word) LIMIT 1", "INSERT INTO orders SELECT 900, 1, email, 1, null FROM customers LIMIT 1", "WITH w AS (UPDATE customers SET notes='x' WHERE id=3 RETURNING email) SELECT lower(email) FROM w", "WITH w AS (DELETE FROM payments WHERE id=40 RETURNING iban) SELECT iban FROM w", "SELECT everybody FROM everybody LIMIT 1", "SELECT row_to_json(everybody) FROM everybody LIMIT 1", "SELECT ctid, tableoid, xmin FROM customers LIMIT 1", "SELECT c.* FROM events c", "SELECT md5(email) FROM customers LIMIT 1", "SELECT hashtext(email) FROM customers LIMIT 1", "SELECT random() < 2 AND email IS NOT NULL FROM customers LIMIT 1", "SELECT coalesce(null, email), nullif(email, ''), greatest(email, 'a') FROM customers LIMIT 1", "VALUES ((SELECT email FROM customers LIMIT 1))", "SELECT (VALUES ((SELECT email FROM customers LIMIT 1)))", "SELECT ARRAY(SELECT email FROM customers)", "SELECT string_agg(email, ',') FROM customers", "FETCH 1 FROM nosuch", "SELECT attmissingval FROM pg_attribute WHERE attmissingval IS NOT NULL", "SELECT pg_get_viewdef('customer_contact'::regclass)", "SELECT lastval()"]) {
  try { show(s, await c.query(s)); } catch (e) { console.log('DIED ' + s + String(e).slice(0, 300)); c = await login('engineer'); }
}
console.log(lab.logged.slice(0, 10));
await lab.close();
process.exit(0);
