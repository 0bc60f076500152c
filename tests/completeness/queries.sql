-- Every position of a query in which a relation can stand, one query a line. § is the next numbered table, ¤ the last one again.
-- Visible rows have the ids 1 and 2, hidden ones 3 and 4.

-- FROM
SELECT * FROM §
SELECT x.v FROM § AS x
SELECT x.v FROM public.§ x
SELECT public.§.v FROM public.¤
SELECT x.* FROM § AS x (i, o)
SELECT * FROM ONLY §
SELECT * FROM ONLY (§) AS x
SELECT * FROM § *
SELECT x.v FROM § * AS x
SELECT * FROM § AS a, § AS b
SELECT 1 FROM §
SELECT FROM §
SELECT count(*) FROM §
SELECT x FROM § AS x
SELECT to_jsonb(x) FROM § AS x
SELECT * FROM § TABLESAMPLE BERNOULLI (100)
SELECT * FROM § AS x TABLESAMPLE SYSTEM (100) REPEATABLE (1)
SELECT ALL v FROM §
SELECT DISTINCT v FROM §

-- joins
SELECT * FROM § AS a JOIN § AS b ON a.id = b.id
SELECT a.v, b.m FROM § AS a INNER JOIN § AS b USING (id)
SELECT j.id, a.v FROM § AS a JOIN § AS b USING (id) AS j
SELECT * FROM § AS a LEFT JOIN § AS b ON a.id = b.id + 1
SELECT * FROM § AS a RIGHT OUTER JOIN § AS b ON a.id = b.id + 1
SELECT * FROM § AS a FULL JOIN § AS b ON a.id = b.id
SELECT a.id, b.id FROM § AS a FULL JOIN § AS b USING (id, owner_id)
SELECT * FROM § AS a CROSS JOIN § AS b
SELECT * FROM § AS a NATURAL JOIN § AS b
SELECT * FROM § AS a NATURAL LEFT JOIN § AS b
SELECT * FROM § AS a NATURAL FULL JOIN § AS b
SELECT a.v FROM (§ AS a JOIN § AS b ON a.id = b.id) LEFT JOIN § AS c ON c.id = b.id
SELECT a.v FROM § AS a LEFT JOIN (§ AS b CROSS JOIN § AS c) ON b.id = a.id AND c.id = a.id
SELECT j.* FROM (§ AS a JOIN § AS b USING (id, owner_id, v, m, a, j)) AS j
SELECT a.v FROM § AS a JOIN § AS b ON a.id = (SELECT max(c.id) FROM § AS c WHERE c.id = b.id)
SELECT a.v FROM § AS a LEFT JOIN § AS b ON EXISTS (SELECT FROM § AS c WHERE c.id = a.id AND c.id < b.id)
SELECT a.v FROM § AS a FULL JOIN § AS b ON a.id = b.id WHERE a.id IN (SELECT c.id FROM § AS c)

-- derived tables, LATERAL, functions in FROM
SELECT * FROM (SELECT * FROM §) AS s
SELECT * FROM (TABLE §) AS s
SELECT * FROM (SELECT * FROM (SELECT v FROM §) AS s) AS s
SELECT * FROM ((SELECT v FROM §)) AS s (renamed)
SELECT * FROM (VALUES ((SELECT max(v) FROM §)), ((SELECT min(v) FROM §))) AS s (v)
SELECT * FROM (SELECT v FROM § UNION ALL SELECT m FROM §) AS s
SELECT a.v, l.v FROM § AS a, LATERAL (SELECT b.v FROM § AS b WHERE b.id = a.id) AS l
SELECT a.v, l.v FROM § AS a LEFT JOIN LATERAL (SELECT b.v FROM § AS b WHERE b.id > a.id LIMIT 1) AS l ON true
SELECT a.id, g FROM § AS a, LATERAL generate_series(1, (SELECT count(*) FROM § AS b WHERE b.id <= a.id)) AS g
SELECT a.id, g FROM § AS a CROSS JOIN LATERAL unnest(ARRAY(SELECT b.v FROM § AS b WHERE b.id = a.id)) AS g
SELECT * FROM generate_series(1, (SELECT max(id) FROM §)) AS g
SELECT * FROM unnest((SELECT a FROM § WHERE id = 1)) WITH ORDINALITY AS u (x, n)
SELECT * FROM ROWS FROM (generate_series(1, (SELECT max(id) FROM §)), unnest(ARRAY(SELECT v FROM §))) AS r (a, b)
SELECT * FROM jsonb_array_elements((SELECT jsonb_agg(x.j) FROM § AS x)) AS e
SELECT * FROM jsonb_to_recordset((SELECT jsonb_agg(x) FROM § AS x)) AS r (id int, v text, s text)
SELECT t.* FROM XMLTABLE(XMLNAMESPACES('u' AS n), '/n:r' PASSING (SELECT xmlelement(name r, x.v) FROM § AS x LIMIT 1) COLUMNS a text PATH '.', o FOR ORDINALITY) AS t
SELECT a.id, t.p FROM § AS a, XMLTABLE('/r' PASSING (SELECT xmlelement(name r, count(*)) FROM § AS b WHERE b.id < a.id) COLUMNS p text PATH '@q' DEFAULT (SELECT min(c.v) FROM § AS c)) AS t

-- common table expressions
WITH c AS (SELECT * FROM §) SELECT * FROM c
WITH c AS MATERIALIZED (SELECT * FROM §) SELECT * FROM c
WITH c AS NOT MATERIALIZED (SELECT * FROM §) SELECT * FROM c AS x JOIN c AS y ON x.id = y.id
WITH c (p, q) AS (SELECT id, v FROM §) SELECT q FROM c
WITH c AS (SELECT * FROM §) SELECT 1
WITH c AS (TABLE §), d AS (SELECT c.v FROM c JOIN § AS x ON x.id = c.id) SELECT * FROM d
WITH c AS (WITH d AS (TABLE §) TABLE d) TABLE c
WITH § AS (SELECT v FROM ¤) SELECT * FROM ¤
WITH c AS (SELECT 1 AS id) SELECT x.v FROM § AS x JOIN c ON c.id = x.id
WITH c AS (VALUES ((SELECT max(v) FROM §))) SELECT * FROM c
WITH RECURSIVE r (n) AS (SELECT id FROM § WHERE id = 1 UNION ALL SELECT x.id FROM r JOIN § AS x ON x.id = r.n + 1) SELECT n FROM r
WITH RECURSIVE r (n) AS (SELECT id FROM § WHERE id = 1 UNION SELECT r.n + 1 FROM r WHERE EXISTS (SELECT FROM § AS x WHERE x.id = r.n + 1)) SELECT n FROM r
WITH RECURSIVE r (n) AS (SELECT id FROM § UNION ALL SELECT l.n FROM r, LATERAL (SELECT r.n + 1 AS n FROM § AS x WHERE x.id = r.n AND r.n < 5) AS l) SELECT n FROM r
WITH RECURSIVE r (n) AS (SELECT id FROM § WHERE id = 1 UNION ALL SELECT x.id FROM r JOIN § AS x ON x.id = r.n + 1) SEARCH DEPTH FIRST BY n SET o SELECT n, o FROM r
WITH RECURSIVE r (n) AS (SELECT id FROM § WHERE id = 1 UNION ALL SELECT x.id FROM r JOIN § AS x ON x.id = 3 - r.n) CYCLE n SET c USING p SELECT n, c FROM r
SELECT (WITH c AS (SELECT max(v) AS v FROM §) SELECT v FROM c)
SELECT * FROM § AS x WHERE x.id IN (WITH c AS (SELECT id FROM §) SELECT id FROM c)

-- set operations, TABLE, VALUES
SELECT v FROM § UNION SELECT v FROM §
SELECT v FROM § UNION ALL SELECT v FROM §
SELECT id FROM § INTERSECT SELECT id FROM §
SELECT id FROM § INTERSECT ALL SELECT id FROM §
SELECT v FROM § EXCEPT SELECT v FROM §
SELECT v FROM § EXCEPT ALL SELECT v FROM §
(SELECT v FROM § UNION SELECT v FROM §) EXCEPT (SELECT m FROM § INTERSECT SELECT m FROM §)
TABLE §
TABLE ONLY §
TABLE § UNION ALL TABLE §
SELECT v FROM § UNION (SELECT v FROM §)
SELECT * FROM § UNION TABLE §
TABLE § EXCEPT SELECT * FROM §
(TABLE § ORDER BY id LIMIT 1) UNION ALL (TABLE § ORDER BY id DESC LIMIT 1)
(((TABLE §)))
(WITH c AS (TABLE §) TABLE c) UNION ALL TABLE §
SELECT v FROM § UNION ALL VALUES ((SELECT max(v) FROM §))
VALUES ((SELECT max(v) FROM §)), ((SELECT min(v) FROM §))
VALUES (1), (2) ORDER BY (SELECT max(id) FROM §), 1 LIMIT (SELECT count(*) FROM §)

-- expressions of the select list
SELECT (SELECT max(v) FROM §)
SELECT ARRAY(SELECT v FROM § ORDER BY id)
SELECT ARRAY((SELECT v FROM § ORDER BY id) LIMIT 1) IS NULL FROM (SELECT v FROM §) AS s
SELECT ARRAY[(SELECT max(v) FROM §), (SELECT min(v) FROM §)]
SELECT ARRAY[[(SELECT max(id) FROM §)], [0]]
SELECT ROW((SELECT max(v) FROM §), 1)
SELECT ((SELECT max(v) FROM §), 1)
SELECT EXISTS (SELECT FROM § WHERE id > 2)
SELECT EXISTS (TABLE §)
SELECT NOT EXISTS (SELECT 1 FROM § WHERE id > 2)
SELECT 3 IN (SELECT id FROM §)
SELECT 3 NOT IN (SELECT id FROM §)
SELECT (3, 4) IN (SELECT id, id + 1 FROM §)
SELECT 3 = ANY (SELECT id FROM §)
SELECT 3 = ANY ((SELECT array_agg(id) FROM §)::int[])
SELECT 3 <> ALL (SELECT id FROM §)
SELECT 2 >= SOME (SELECT id FROM §)
SELECT (1, 'v') = (SELECT id, v FROM § WHERE id = 1)
SELECT 'x' LIKE ANY (SELECT v FROM §)
SELECT CASE WHEN (SELECT max(id) FROM §) > 2 THEN (SELECT max(v) FROM §) ELSE (SELECT min(v) FROM §) END
SELECT CASE (SELECT max(id) FROM §) WHEN (SELECT max(id) FROM §) THEN 1 END
SELECT coalesce((SELECT v FROM § WHERE id = 3), (SELECT max(v) FROM §))
SELECT nullif((SELECT max(id) FROM §), (SELECT min(id) FROM §))
SELECT greatest((SELECT max(id) FROM §), 1), least((SELECT min(id) FROM §), 1)
SELECT (SELECT max(id) FROM §)::text || CAST((SELECT max(id) FROM §) AS text)
SELECT (SELECT max(v) FROM §) COLLATE "C"
SELECT (timestamptz '2024-01-01 00:00+00' + (SELECT max(id) FROM §) * interval '1 day') AT TIME ZONE 'UTC'
SELECT -(SELECT max(id) FROM §), (SELECT max(id) FROM §) + (SELECT min(id) FROM §)
SELECT (SELECT max(id) FROM §) OPERATOR(pg_catalog.+) (SELECT min(id) FROM §)
SELECT NOT ((SELECT max(id) FROM §) > 2 AND (SELECT max(id) FROM §) > 2 OR (SELECT max(id) FROM §) > 2)
SELECT (SELECT max(v) FROM §) IS NULL, (SELECT max(v) FROM §) IS NOT NULL
SELECT ((SELECT max(id) FROM §) > 2) IS TRUE, ((SELECT max(id) FROM §) > 2) IS NOT UNKNOWN
SELECT (SELECT max(v) FROM §) IS DISTINCT FROM (SELECT min(v) FROM §)
SELECT 2 BETWEEN (SELECT min(id) FROM §) AND (SELECT max(id) FROM §)
SELECT 2 BETWEEN SYMMETRIC (SELECT max(id) FROM §) AND (SELECT min(id) FROM §)
SELECT (SELECT max(v) FROM §) LIKE (SELECT max(v) FROM §) ESCAPE (SELECT '#' FROM § LIMIT 1)
SELECT (SELECT max(v) FROM §) ~ '^v'
SELECT 2 IN ((SELECT max(id) FROM §), (SELECT min(id) FROM §))
SELECT length((SELECT max(v) FROM §)), make_interval(days => (SELECT max(id) FROM §))
SELECT concat_ws('-', VARIADIC (SELECT array_agg(v ORDER BY id) FROM §))
SELECT extract(day FROM date '2024-01-01' + (SELECT max(id) FROM §))
SELECT substring((SELECT max(v) FROM §) FROM (SELECT min(id) FROM §) FOR 3), trim(BOTH 'v' FROM (SELECT max(v) FROM §)), position('2' IN (SELECT max(v) FROM §))
SELECT (SELECT a FROM § WHERE id = 1)[(SELECT max(id) FROM §)]
SELECT (SELECT a FROM § WHERE id = 1)[(SELECT min(id) FROM §):(SELECT max(id) FROM §)]
SELECT x.a[(SELECT max(y.id) FROM § AS y)] FROM § AS x
SELECT (SELECT j FROM § WHERE id = 1) -> (SELECT 'k' FROM § LIMIT 1)
SELECT (SELECT j FROM § WHERE id = 1)['k']
SELECT (date '2024-01-01', date '2024-01-01' + (SELECT max(id) FROM §)) OVERLAPS (date '2024-01-02', date '2024-02-01')
SELECT (SELECT (SELECT (SELECT max(v) FROM §)))
SELECT (SELECT max(y.id) FROM § AS y WHERE y.id <= x.id AND EXISTS (SELECT FROM § AS z WHERE z.id = y.id AND z.id = x.id)) FROM § AS x

-- aggregates and windows
SELECT sum((SELECT max(y.id) FROM § AS y WHERE y.id <= x.id)) FROM § AS x
SELECT array_agg(x.v ORDER BY (SELECT max(-y.id) FROM § AS y WHERE y.id = x.id)) FROM § AS x
SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM § AS y WHERE y.id = x.id)) FROM § AS x
SELECT count(DISTINCT (SELECT max(y.v) FROM § AS y WHERE y.id = x.id)) FROM § AS x
SELECT percentile_disc((SELECT 0.5 FROM § LIMIT 1)) WITHIN GROUP (ORDER BY x.id) FROM § AS x
SELECT string_agg(x.v, (SELECT max(v) FROM §) ORDER BY x.id) FROM § AS x
SELECT row_number() OVER (PARTITION BY (SELECT max(y.id) FROM § AS y WHERE y.id = x.id) ORDER BY (SELECT max(y.id) FROM § AS y WHERE y.id = x.id)) FROM § AS x
SELECT sum(x.id) OVER (ORDER BY x.id ROWS BETWEEN (SELECT min(id) FROM §) PRECEDING AND (SELECT max(id) FROM §) FOLLOWING) FROM § AS x
SELECT sum(x.id) OVER w FROM § AS x WINDOW w AS (PARTITION BY x.owner_id ORDER BY (SELECT max(y.id) FROM § AS y WHERE y.id = x.id))
SELECT sum((SELECT max(id) FROM §)) FILTER (WHERE x.id IN (SELECT id FROM §)) OVER (ORDER BY x.id) FROM § AS x

-- clauses
SELECT v FROM § WHERE id = (SELECT max(id) FROM §)
SELECT v FROM § AS x WHERE EXISTS (SELECT FROM § AS y WHERE y.id = x.id)
SELECT v FROM § WHERE id IN (SELECT id FROM § UNION SELECT id FROM §)
SELECT v FROM § WHERE (id, owner_id) IN (SELECT id, owner_id FROM §)
SELECT v FROM § WHERE id = ANY (ARRAY(SELECT id FROM §))
SELECT 1 WHERE EXISTS (SELECT FROM § WHERE id > 2)
SELECT count(*) FROM § GROUP BY owner_id
SELECT count(*) FROM § AS x GROUP BY (SELECT max(y.id) FROM § AS y WHERE y.id = x.id)
SELECT id, v, m FROM § GROUP BY id
SELECT owner_id, v, count(*) FROM § GROUP BY GROUPING SETS ((owner_id), (v), ())
SELECT (SELECT max(y.id) FROM § AS y WHERE y.id = x.id), count(*) FROM § AS x GROUP BY ROLLUP (1)
SELECT grouping(x.id), count(*) FROM § AS x GROUP BY CUBE (x.id, x.owner_id)
SELECT owner_id FROM § GROUP BY owner_id HAVING count(*) > (SELECT min(id) FROM §)
SELECT 1 FROM § HAVING (SELECT max(id) FROM §) <= 2
SELECT v FROM § AS x ORDER BY (SELECT -max(y.id) FROM § AS y WHERE y.id = x.id)
SELECT v FROM § ORDER BY id USING >
SELECT v FROM § ORDER BY id LIMIT (SELECT min(id) FROM §)
SELECT v FROM § ORDER BY id OFFSET (SELECT min(id) FROM §)
SELECT v FROM § ORDER BY id FETCH FIRST (SELECT min(id) FROM §) ROWS ONLY
SELECT v FROM § ORDER BY owner_id OFFSET 0 ROWS FETCH NEXT (SELECT min(id) FROM §) ROWS WITH TIES
SELECT DISTINCT ON ((SELECT max(y.id) FROM § AS y WHERE y.id = x.id)) x.v FROM § AS x
SELECT DISTINCT ON (owner_id) v FROM § ORDER BY owner_id, id
