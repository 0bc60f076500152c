-- What raises where it is run, and must not be run on a hidden row: one condition on customers c a line.
-- On a row that shows each is an error, on a hidden one it is as if the row were not there: tests/attacks.rs tries every
-- line in every place. A new clause or function is one more line.

-- rows that a query is cut to
EXISTS (SELECT FROM products LIMIT -1)
EXISTS (SELECT FROM products OFFSET -1)
EXISTS (SELECT FROM products FETCH FIRST -1 ROWS ONLY)
EXISTS (SELECT FROM products LIMIT (SELECT -1))
EXISTS (SELECT FROM products LIMIT 1 - c.id)
(SELECT x FROM (VALUES (1), (1)) z(x) ORDER BY x FETCH FIRST (CASE WHEN c.id > 0 THEN NULL::int8 END) ROWS WITH TIES) > 0
EXISTS (VALUES (1), (2) LIMIT -1)
EXISTS (SELECT 1 UNION ALL SELECT 2 LIMIT -1)
EXISTS (SELECT FROM (SELECT FROM products LIMIT -1) z)
EXISTS (WITH z AS (SELECT FROM products LIMIT -1) SELECT FROM z)
EXISTS (SELECT count(*) FROM products GROUP BY code HAVING EXISTS (SELECT FROM products LIMIT -1))
EXISTS (SELECT FROM products p JOIN products q ON p.code = q.code AND EXISTS (SELECT FROM products LIMIT -1))
(SELECT x FROM (VALUES (1)) z(x) LIMIT -1) = 1
c.id = (SELECT 1 FROM (VALUES (1)) z(x) OFFSET -1 LIMIT 1)
c.id IN (SELECT 1 FROM products LIMIT -1)
c.id <> ALL (SELECT 1 FROM products LIMIT -1)
ARRAY(SELECT 1 FROM products LIMIT -1) IS NOT NULL

-- samples
EXISTS (SELECT FROM products TABLESAMPLE BERNOULLI (-1))
EXISTS (SELECT FROM products TABLESAMPLE SYSTEM (101))
EXISTS (SELECT FROM products TABLESAMPLE SYSTEM (10) REPEATABLE (NULL))

-- window frames
(SELECT sum(x) OVER (ROWS -1 PRECEDING) FROM (VALUES (1)) z(x) LIMIT 1) > 0
(SELECT sum(x) OVER (ROWS NULL PRECEDING) FROM (VALUES (1)) z(x) LIMIT 1) > 0
(SELECT sum(x) OVER (ORDER BY x GROUPS -1 PRECEDING) FROM (VALUES (1)) z(x) LIMIT 1) > 0
(SELECT sum(x) OVER (ORDER BY x RANGE -1 PRECEDING) FROM (VALUES (1)) z(x) LIMIT 1) > 0
(SELECT sum(x) OVER w FROM (VALUES (1)) z(x) WINDOW w AS (ROWS -1 PRECEDING) LIMIT 1) > 0
(SELECT count(*) OVER (ORDER BY x RANGE '1000000 years' PRECEDING) FROM (VALUES (date '2000-01-01'), ('2001-01-01')) z(x) LIMIT 1) > 0

-- arrays of arrays
ARRAY[c.tags, ARRAY['a', 'b', 'c', 'd', 'e']] IS NOT NULL
ARRAY[ARRAY[c.id], NULL] IS NOT NULL
ARRAY[ARRAY[c.id], ARRAY[1, 2]] IS NOT NULL
ARRAY[[c.id], [c.id, 2]] IS NOT NULL
ARRAY(SELECT t FROM (VALUES (ARRAY[1]), (ARRAY[1, 2])) v(t)) IS NOT NULL
ARRAY(SELECT c.tags UNION ALL SELECT ARRAY['a', 'b', 'c', 'd', 'e']) IS NOT NULL
(SELECT array_agg(t) FROM (VALUES (ARRAY[1]), (ARRAY[1, 2])) v(t)) IS NOT NULL

-- more rows than one
(SELECT x FROM (VALUES (1), (2)) z(x)) > 0
(SELECT count(*) FROM products GROUP BY code) > 0
(SELECT count(*) + 0 * generate_series(1, 2) FROM products) > 0
(SELECT x FROM (VALUES (1), (1)) z(x) ORDER BY x FETCH FIRST 1 ROW WITH TIES) > 0

-- comparisons that sorting, grouping and telling apart bring with them
(SELECT x FROM (VALUES (1), (1)) z(x) ORDER BY ROW('{}'::json, x) LIMIT 1) > 0
num_nulls((SELECT ROW('{}'::json, x) FROM (VALUES (1), (1)) z(x) ORDER BY 1 LIMIT 1)) = 0
num_nulls((SELECT ROW('{}'::json, x) AS r FROM (VALUES (1), (1)) z(x) ORDER BY r LIMIT 1)) = 0
EXISTS (SELECT FROM (VALUES (ROW('{}'::json)), (ROW('{}'::json)) ORDER BY 1 OFFSET 1) z)
EXISTS (SELECT FROM (VALUES (ROW('{}'::json)), (ROW('{}'::json)) ORDER BY column1 OFFSET 1) z)
num_nulls((SELECT DISTINCT ROW('{}'::json, x) FROM (VALUES (1), (1)) z(x) LIMIT 1)) = 0
(SELECT DISTINCT ON (ROW('{}'::json, x)) x FROM (VALUES (1), (1)) z(x) LIMIT 1) > 0
EXISTS (SELECT count(*) FROM (VALUES (1), (1)) z(x) GROUP BY ROW('{}'::json, x))
EXISTS (SELECT count(*) FROM (VALUES (1), (1)) z(x) GROUP BY GROUPING SETS ((ROW('{}'::json, x)), (x)))
(SELECT count(*) FROM (SELECT ROW('{}'::json, x) FROM (VALUES (1), (1)) z(x)) q(r) GROUP BY r LIMIT 1) > 0
num_nulls((SELECT ROW('{}'::json, x) FROM (VALUES (1), (1)) z(x) GROUP BY 1 LIMIT 1)) = 0
(SELECT count(DISTINCT ROW('{}'::json, x)) FROM (VALUES (1), (1)) z(x)) > 0
(SELECT count(x ORDER BY ROW('{}'::json, x)) FROM (VALUES (1), (1)) z(x)) > 0
(SELECT row_number() OVER (PARTITION BY ROW('{}'::json, x)) FROM (VALUES (1), (1)) z(x) LIMIT 1) > 0
(SELECT row_number() OVER (ORDER BY ROW('{}'::json, x)) FROM (VALUES (1), (1)) z(x) LIMIT 1) > 0
EXISTS (SELECT ROW('{}'::json, 1) UNION SELECT ROW('{}'::json, 1))
EXISTS (SELECT ROW('{}'::json, 1) INTERSECT SELECT ROW('{}'::json, 1))
EXISTS (SELECT ROW('{}'::json, 1) EXCEPT SELECT ROW('{}'::json, 1))
EXISTS ((SELECT ROW('{}'::json, 1) UNION ALL SELECT ROW('{}'::json, 1)) ORDER BY 1 LIMIT 1)
EXISTS (WITH RECURSIVE r(n) AS (SELECT ROW('{}'::json, 1) UNION SELECT n FROM r) SELECT FROM r)
EXISTS (WITH RECURSIVE r(n) AS (SELECT '{}'::json UNION ALL SELECT n FROM r) CYCLE n SET m USING p SELECT FROM r OFFSET 5)

-- collations that come together
coalesce(c.name::text, (SELECT 'x' COLLATE "C" LIMIT 1)) = (SELECT 'y' COLLATE "POSIX" LIMIT 1)
coalesce(c.name::text, 'x'::name::text) < (SELECT 'y' COLLATE "POSIX" LIMIT 1)
current_database()::text < (SELECT 'y' COLLATE "POSIX" LIMIT 1)
(SELECT max('x' COLLATE "C")) = (SELECT 'y' COLLATE "POSIX" LIMIT 1)
(ARRAY(SELECT 'x' COLLATE "C"))[1] = (SELECT 'y' COLLATE "POSIX" LIMIT 1)
EXISTS (SELECT FROM (VALUES ('x' COLLATE "C"), ('x')) v(z), (SELECT 'y' COLLATE "POSIX" AS y) p WHERE v.z = p.y)
EXISTS (SELECT FROM lower(c.name::text COLLATE "C") f, (SELECT 'y' COLLATE "POSIX" AS y) p WHERE f = p.y)
EXISTS (SELECT FROM string_to_array(c.name::text COLLATE "C", ',') f, (SELECT 'y' COLLATE "POSIX" AS y) p WHERE f[1] = p.y)
EXISTS (SELECT FROM (VALUES ('x' COLLATE "C"), ('x')) v(z) JOIN (SELECT 'y' COLLATE "POSIX" AS z) p USING (z))
EXISTS (SELECT FROM (VALUES ('x' COLLATE "C"), ('x')) v(z) NATURAL JOIN (SELECT 'y' COLLATE "POSIX" AS z) p)
EXISTS (SELECT max(x) FROM (SELECT x FROM (SELECT 'a' COLLATE "C") y(x) UNION ALL SELECT x FROM (SELECT 'a' COLLATE "POSIX") z(x)) q)
EXISTS (WITH RECURSIVE r(n) AS (SELECT x FROM (SELECT 'x' COLLATE "C") y(x) UNION ALL SELECT n FROM r WHERE n < (SELECT 'y' COLLATE "POSIX" LIMIT 1)) SELECT FROM r OFFSET 1)
(SELECT 'x' COLLATE "C" LIMIT 1) IN (SELECT 'y' COLLATE "POSIX")

-- conversions to one type
EXISTS (SELECT FROM (VALUES (1e400), (2)) a(k) JOIN (VALUES (1::float8), (2)) b(k) USING (k))
EXISTS (SELECT FROM (VALUES (1::float8), (1e400 + c.id)) z(x) WHERE x > 5)
EXISTS (SELECT x FROM (SELECT 1::float8 UNION ALL SELECT 1e400 + c.id) z(x) WHERE x > 5)
(SELECT count(*) FROM products WHERE 5 IN (1::float8, CASE WHEN c.id > 0 THEN 1e400 END)) > 0

-- constraints of domains
(CASE WHEN c.id > 0 THEN -1 END)::information_schema.cardinal_number IS NOT NULL
(CASE WHEN c.id > 0 THEN 'x' END)::information_schema.yes_or_no IS NOT NULL
'x'::information_schema.yes_or_no IS NOT NULL AND c.id > 0

-- dates and times that the client made up
(CASE WHEN c.id > 0 THEN date '5000000-01-01' END)::timestamp IS NOT NULL
'5000000-01-01'::date::timestamptz IS NOT NULL
date_trunc('month', (CASE WHEN c.id > 0 THEN date '5000000-01-01' END)) IS NOT NULL
(SELECT d::timestamp FROM (VALUES ('5000000-01-01'::date), ('2000-01-01')) z(d) LIMIT 1) IS NOT NULL
(SELECT '5000000-01-01'::date FROM products LIMIT 1)::timestamp IS NOT NULL

-- numbers that the client made up
'9e131071'::numeric * c.id::numeric * 100::numeric > 0
(SELECT sum(x) FROM (VALUES ('9e131071'::numeric), ('9e131071'::numeric)) v(x)) > 0
(SELECT avg(x) FROM (VALUES ('9e131071'::numeric), ('9e131071'::numeric)) v(x)) > 0

-- functions in FROM and in select lists
EXISTS (SELECT FROM generate_series(1, 2, 0))
EXISTS (SELECT generate_series(1, 2, 0))
EXISTS (SELECT FROM ROWS FROM (generate_series(1, 2, 0), generate_series(1, 2)) WITH ORDINALITY)
(SELECT percentile_cont(2) WITHIN GROUP (ORDER BY x) FROM (VALUES (1)) z(x)) > 0
(SELECT rank(ROW('{}'::json)) WITHIN GROUP (ORDER BY ROW('{}'::json)) FROM (VALUES (1)) z(x)) > 0
(SELECT json_object_agg(NULL::text, 1) FROM (VALUES (1)) z(x)) IS NULL

-- operators, fields and subscripts
1 / (c.id - c.id) > 0
c.id BETWEEN SYMMETRIC 1 AND 1 / (c.id - c.id)
NULLIF(ROW('{}'::json, c.id), (SELECT ROW('{}'::json, c.id) LIMIT 1)) IS NULL
CASE WHEN random() < 2 THEN c.id END IN (SELECT 1 / (x - 1) FROM generate_series(1, 1) g(x))
c.id IN (SELECT 1 / (x - 1) FROM generate_series(1, 1) g(x))

-- what somebody has written into a row of their own (customer 5, before each of these) at the end of what its type can hold
EXISTS (SELECT FROM customers o WHERE o.id = 5 AND o.founded_on::timestamp IS NULL)
EXISTS (SELECT FROM customers o WHERE o.id = 5 AND date_trunc('month', o.founded_on) IS NULL)
EXISTS (SELECT FROM customers o WHERE o.id = 5 AND to_char(o.founded_on, 'YYYY-MM') IS NULL)
EXISTS (SELECT FROM customers o WHERE o.id = 5 AND date_part('year', o.founded_on) IS NULL)
(SELECT min(o.founded_on::timestamptz) FROM customers o WHERE o.id = 5) IS NULL
(SELECT count(*) FROM (SELECT FROM customers o WHERE o.id = 5 GROUP BY o.founded_on::timestamp) z) > 0
(SELECT min(o.founded_on) FROM customers o WHERE o.id = 5)::timestamp IS NULL
(SELECT o.founded_on::timestamp IS NULL FROM customers o WHERE o.id = 5)
(SELECT x FROM (SELECT o.founded_on::timestamp AS x FROM customers o WHERE o.id = 5) q) IS NULL
c.id IN (SELECT o.id FROM customers o WHERE o.id = 5 AND o.founded_on::timestamp IS NULL)
EXISTS (SELECT FROM customers o WHERE o.id = 5 AND o.profile @> o.profile)
(SELECT bool_or(o.profile <@ o.profile) FROM customers o WHERE o.id = 5)
EXISTS (WITH q AS (SELECT o.founded_on::timestamp AS x FROM customers o WHERE o.id = 5) SELECT FROM q WHERE x IS NULL)
