/** A grammar of statements that try to bring labelled values past the masks, for fast-check. */
import fc from 'fast-check';

const secretColumns = [
  'c.email',
  'c.ssn',
  'c.phone',
  'c.card',
  'c.iban',
  'c.date_of_birth::text',
  's.email',
  's.salary::text',
  'c.note',
  "'x'",
];

/** Texts made of a text; `$` is the text, `%` another one. */
const wrappers = [
  'lower($)',
  'reverse($)',
  'substr($, 2, 9)',
  '$ || %',
  'coalesce($, %)',
  'CASE WHEN true THEN $ ELSE % END',
  '(ARRAY[$, %])[1]',
  'concat($, %)',
  "(ARRAY['a', 'b', 'c'])[1 + mod(length($), 3)]",
  '(ARRAY[%, $])[1:2]::text',
  "format('%s', $)",
  "replace($, 'o', '0')",
  '$::varchar(30)',
  '$::name::text',
  'to_json($)::text',
  "json_build_object('k', $)->>'k'",
  "encode(convert_to($, 'UTF8'), 'hex')",
  '(SELECT $)',
  '(SELECT $ UNION ALL SELECT % LIMIT 1)',
  'ROW($, %)::text',
  'xmlelement(name x, $)::text',
  'quote_literal($)',
  "greatest($, '')",
  "array_to_string(ARRAY[$, %], ',')",
  "(string_to_array($, '@'))[1]",
  'first_value($) OVER ()',
  'lag($) OVER (ORDER BY c.id)',
  'to_tsvector($)::text',
  '$ COLLATE "C"',
  '$::regclass::text',
  "split_part($, '@', 1)::regrole::text",
  "current_setting(split_part($, '@', 1))",
  "regexp_replace($, 'q', 'z')",
  "overlay($ placing '' from 1 for 0)",
  "translate($, '', '')",
  '$::int::text',
  '$::jsonb::text',
  '$::tsquery::text',
  'to_char(now(), $)',
  'date_trunc($, now())::text',
  '(VALUES ($))',
  "JSON_OBJECT('a': $)::text",
  "jsonb_path_query_first(to_jsonb($), '$')::text",
  '(ARRAY(SELECT $))::text',
  'left($, -1)',
  "lpad($, 40, 'x')",
  "(to_jsonb(c)->>'email') || $",
  '(c).email || $',
  'upper($)',
  'unistr($)',
  'nullif($, %)',
  'pg_typeof($)::text',
  '$::"char"::text || $',
  "has_table_privilege($, 'select')::text",
  'pg_size_bytes($)::text',
  'nextval($)::text',
  "pg_input_error_info($, 'integer')::text",
  'md5($)',
  'ascii($)::text',
];

const sources = [
  'customers c, staff s',
  'public.customers c CROSS JOIN staff s',
  '(SELECT * FROM customers) c, staff s',
  '(TABLE customers) c, (TABLE staff) s',
  'ONLY customers c, staff s',
  '(SELECT * FROM customers UNION ALL SELECT * FROM customers) c, staff s',
  'customers c TABLESAMPLE bernoulli (100), staff s',
  'staff s, LATERAL (SELECT * FROM customers WHERE id > 0) c',
  'customers c JOIN orders o ON o.customer_id = c.id, staff s',
  '(customers c LEFT JOIN orders o ON true) CROSS JOIN staff s',
  'staff s NATURAL JOIN (SELECT 1 AS one) z, customers c',
];

/** Whole statements; `$` is an expression, `%` another, `#` a FROM clause. */
const shapes = [
  'SELECT $ AS a, % AS b FROM # LIMIT 3',
  'SELECT c.*, $ FROM # LIMIT 2',
  'SELECT c, s, $ FROM # LIMIT 2',
  'SELECT to_jsonb(c), row_to_json(s) FROM # LIMIT 2',
  'WITH q AS (SELECT $ AS a, % AS b FROM # LIMIT 3) SELECT * FROM q',
  'WITH q(a) AS MATERIALIZED (SELECT $ FROM # LIMIT 3) SELECT upper(a), q FROM q',
  'WITH RECURSIVE q(n, a) AS (SELECT 1, $ FROM # UNION ALL SELECT n + 1, a FROM q WHERE n < 3) SELECT * FROM q LIMIT 5',
  'SELECT a, (q).b FROM (SELECT $, % FROM # LIMIT 3) AS q(a, b)',
  '(SELECT $ FROM # LIMIT 2) UNION ALL (SELECT % FROM # LIMIT 2)',
  "SELECT 'a' UNION ALL SELECT $ FROM #",
  '(SELECT $ FROM # LIMIT 2) INTERSECT (SELECT % FROM # LIMIT 2)',
  '(SELECT $ FROM # LIMIT 2) EXCEPT (SELECT % FROM # LIMIT 2)',
  'EXPLAIN (ANALYZE, VERBOSE) SELECT $, % FROM # LIMIT 3',
  'EXPLAIN (VERBOSE, FORMAT json) SELECT $ FROM #',
  'SELECT ARRAY(SELECT $ FROM # LIMIT 3)',
  'VALUES ((SELECT $ FROM # LIMIT 1), 1)',
  'SELECT array_agg($) FROM #',
  'SELECT json_agg(x) FROM (SELECT $ AS a FROM # LIMIT 3) x',
  "SELECT string_agg($, ',') FROM #",
  'SELECT max($) FROM #',
  'SELECT DISTINCT $ FROM #',
  'SELECT $ FROM # ORDER BY 1 LIMIT 2',
  "SELECT $ FROM # WHERE % LIKE 'z_'",
  'SELECT $ FROM # GROUP BY 1',
  'SELECT row_number() OVER (PARTITION BY $ ORDER BY %) FROM #',
  'SELECT x.a FROM #, LATERAL (SELECT $ AS a) x LIMIT 3',
  'SELECT e.* FROM #, jsonb_each_text(to_jsonb(c)) e LIMIT 9',
  'SELECT r.* FROM #, LATERAL json_to_record(to_json(c)) AS r(email text, card text) LIMIT 3',
  'SELECT t FROM #, unnest(ARRAY[$, %]) t LIMIT 3',
  "SELECT j.* FROM #, JSON_TABLE(to_jsonb(c), '$$' COLUMNS (e text PATH '$$.email')) j LIMIT 3",
  'SELECT $ FROM # OFFSET 1 LIMIT 1',
  'SELECT $ FROM # LIMIT 1 FOR UPDATE OF c',
  "UPDATE customers c SET note = 'x' FROM staff s WHERE c.id = 1 AND s.id = 1 RETURNING $, %",
  'UPDATE customers c SET note = $ FROM staff s WHERE c.id = 1 RETURNING c.note',
  "UPDATE customers c SET email = c.email || 'x' FROM staff s WHERE c.id = 1 AND s.id = 1 RETURNING c.email, $",
  'DELETE FROM customers c USING staff s WHERE c.id = 0 RETURNING $',
  'INSERT INTO orders (id, customer_id, status) SELECT 900, 1, $ FROM # LIMIT 1 RETURNING status',
  'INSERT INTO customers VALUES (1, $$a$$) RETURNING *',
  "MERGE INTO customers c USING staff s ON c.id = s.id WHEN MATCHED THEN UPDATE SET note = 'y' RETURNING $, merge_action()",
  'SELECT (SELECT $ FROM # LIMIT 1) FROM orders LIMIT 1',
  "WITH w AS (UPDATE customers SET note = 'x' WHERE id = 2 RETURNING *) SELECT $ FROM w c, staff s LIMIT 1",
  'DECLARE k CURSOR FOR SELECT $ FROM #; FETCH 2 FROM k; MOVE 1 IN k; FETCH ALL k; CLOSE k',
  'SELECT 1; SELECT $ FROM # LIMIT 1; SELECT 2',
  "SELECT count(*) FROM # WHERE $ = 'x'",
  'SELECT * FROM mails2, contact_turned LIMIT 2',
  'SELECT lower(email), reverse(card) FROM contact_turned LIMIT 2',
  'SELECT mail, x FROM customer_mails, viaf LIMIT 2',
  'SELECT everybody, upper(email) FROM everybody LIMIT 2',
  'SELECT email, id FROM events_2024 UNION ALL SELECT email, id FROM other.people',
];

function fillIn(template: string, parts: { readonly one: string; readonly other: string; readonly source?: string }): string {
  // Replacements are functions, so that a dollar sign in them means itself.
  return template.replace(/\$\$|\$(?![.'])|#|%(?!s)/g, (mark) =>
    mark === '$$' ? '$' : mark === '$' ? parts.one : mark === '%' ? parts.other : (parts.source ?? mark),
  );
}

const expression: fc.Arbitrary<string> = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom(...secretColumns),
    fc
      .tuple(fc.constantFrom(...wrappers), tie('text'), tie('text'))
      .map(([wrapper, one, other]) => `(${fillIn(wrapper, { one: `(${one})`, other: `(${other})` })})`),
  ),
})).text;

/** Statements over the tables of `canaries.ts`. Most are allowed; whether they run does not matter, only what they show. */
export const statement: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(...shapes), expression, expression, fc.constantFrom(...sources))
  .map(([shape, one, other, source]) => fillIn(shape, { one, other, source }));
