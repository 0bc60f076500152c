SELECT 1

SELECT a, b AS c, t.d e, "T".*, s.t.x FROM s.t, "T" WHERE a = 1 AND b <> 'x' OR NOT c

SELECT ALL a FROM t

SELECT DISTINCT a, b FROM t

SELECT DISTINCT ON (a, lower(b)) a, b, c FROM t ORDER BY a, lower(b), c DESC NULLS LAST

SELECT FROM t

SELECT

SELECT count(*), count(DISTINCT a), count(ALL b), sum(a) FILTER (WHERE b > 1), string_agg(a, ',' ORDER BY b DESC) FROM t

TABLE t

TABLE s.t

TABLE ONLY t

TABLE t *

TABLE t ORDER BY a LIMIT 3

SELECT a FROM t UNION TABLE u

SELECT a FROM t UNION ALL TABLE ONLY u ORDER BY 1

TABLE t INTERSECT TABLE u

WITH x AS (TABLE t) SELECT * FROM x

SELECT * FROM (TABLE t) AS q

SELECT ARRAY(TABLE t)

SELECT * FROM ONLY t

SELECT * FROM ONLY (t)

SELECT * FROM ONLY s.t AS x (a, b) WHERE x.a = 1

SELECT * FROM t *

SELECT * FROM t * AS x JOIN u * ON x.a = u.a

SELECT * FROM t x, ONLY u y, s.v AS z (p, q)

SELECT * FROM a JOIN b ON a.id = b.id LEFT JOIN c USING (id) RIGHT OUTER JOIN d USING (id, x) FULL JOIN e ON true CROSS JOIN f NATURAL JOIN g NATURAL LEFT JOIN h

SELECT * FROM a JOIN b USING (id) AS j WHERE j.id = 1

SELECT * FROM (a JOIN b USING (id) AS j) AS k

SELECT * FROM (a CROSS JOIN b) k JOIN c ON k.x = c.x

SELECT * FROM a JOIN b JOIN c ON b.x = c.x ON a.x = b.x

SELECT * FROM a INNER JOIN (b LEFT JOIN c ON b.x = c.x) ON a.x = b.x

SELECT * FROM t, LATERAL (SELECT * FROM u WHERE u.a = t.a) q

SELECT * FROM t LEFT JOIN LATERAL (SELECT u.b FROM u WHERE u.a = t.a LIMIT 1) q ON true

SELECT * FROM t, LATERAL unnest(t.arr) WITH ORDINALITY AS x (v, n)

SELECT * FROM generate_series(1, 10) AS g (i)

SELECT * FROM generate_series(1, 10) WITH ORDINALITY

SELECT * FROM generate_series(1, 10, 2) g, pg_catalog.generate_series(1, g) h

SELECT * FROM json_to_recordset('[{"a":1}]') AS x (a int, b text)

SELECT * FROM json_to_recordset('[{"a":1}]') AS (a int, b text COLLATE "C")

SELECT * FROM jsonb_to_record('{"a":1}') x (a integer, b numeric(10, 2), c varchar(20)[])

SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3)) AS x (a, b)

SELECT * FROM ROWS FROM (json_to_record('{}') AS (a int, b text), generate_series(1, 3)) WITH ORDINALITY AS x (a, b, c)

SELECT * FROM t TABLESAMPLE SYSTEM (10)

SELECT * FROM t AS x TABLESAMPLE BERNOULLI (12.5) REPEATABLE (200) WHERE x.a = 1

SELECT * FROM s.t x TABLESAMPLE pg_catalog.system (1 + $1)

SELECT * FROM ONLY t TABLESAMPLE SYSTEM (10), u

SELECT a, count(*) FROM t GROUP BY a HAVING count(*) > 1

SELECT a, b, count(*) FROM t GROUP BY ROLLUP (a, b)

SELECT a, b, count(*) FROM t GROUP BY CUBE (a, (b, c))

SELECT a, b, count(*), GROUPING(a, b) FROM t GROUP BY GROUPING SETS ((a, b), (a), ())

SELECT a, b FROM t GROUP BY a, ROLLUP (b, (c, d)), GROUPING SETS (CUBE (a), (b))

SELECT a, count(*) FROM t GROUP BY DISTINCT ROLLUP (a), ROLLUP (a, b)

SELECT a FROM t GROUP BY ALL a

SELECT count(*) FROM t GROUP BY ()

SELECT a FROM t ORDER BY a USING >

SELECT a FROM t ORDER BY a USING OPERATOR(pg_catalog.>) NULLS FIRST

SELECT a FROM t ORDER BY 1 ASC NULLS FIRST, b DESC LIMIT 10 OFFSET 5

SELECT a FROM t LIMIT ALL OFFSET 3 ROWS

SELECT a FROM t OFFSET 2 LIMIT 3

SELECT a FROM t LIMIT NULL

SELECT a FROM t OFFSET $1 ROWS FETCH NEXT $2 ROWS ONLY

SELECT a FROM t FETCH FIRST ROW ONLY

SELECT a FROM t FETCH FIRST (1 + 2) ROWS ONLY

SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES

SELECT a FROM t FETCH NEXT 3 ROWS ONLY OFFSET 2 ROWS

SELECT a FROM t LIMIT (SELECT count(*) FROM u) OFFSET (SELECT 1)

SELECT a FROM t FOR UPDATE

SELECT a FROM t FOR NO KEY UPDATE

SELECT a FROM t FOR KEY SHARE NOWAIT

SELECT a FROM t JOIN u USING (id) FOR UPDATE OF t, u SKIP LOCKED

SELECT a FROM t x, u FOR SHARE OF x NOWAIT FOR UPDATE OF u

SELECT a FROM t ORDER BY a LIMIT 1 FOR UPDATE SKIP LOCKED

SELECT a FROM t FOR UPDATE LIMIT 1

SELECT a FROM t FOR READ ONLY

SELECT a, rank() OVER (PARTITION BY b ORDER BY c DESC) FROM t

SELECT sum(a) OVER w, avg(a) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t WINDOW w AS (PARTITION BY b ORDER BY c), v AS (w)

SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) FROM t

SELECT sum(a) OVER (ORDER BY b RANGE BETWEEN '1 day' PRECEDING AND '1 day' FOLLOWING EXCLUDE TIES) FROM t

SELECT sum(a) OVER (ORDER BY b RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW EXCLUDE GROUP) FROM t

SELECT sum(a) OVER (ORDER BY b GROUPS 2 PRECEDING EXCLUDE NO OTHERS) FROM t

SELECT first_value(a) OVER (PARTITION BY b, c ORDER BY d ROWS 1 + 1 PRECEDING), lag(a, 1, 0) OVER () FROM t

SELECT sum(a) FILTER (WHERE b) OVER (PARTITION BY c) FROM t

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), mode() WITHIN GROUP (ORDER BY b DESC) FROM t

SELECT rank(3) WITHIN GROUP (ORDER BY a) FILTER (WHERE b) FROM t

WITH a AS (SELECT 1), b (x, y) AS (SELECT 1, 2) SELECT * FROM a, b

WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (SELECT * FROM a) SELECT * FROM b

WITH RECURSIVE t (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t

WITH RECURSIVE t (a, b) AS (SELECT id, parent FROM tree UNION ALL SELECT tree.id, tree.parent FROM tree JOIN t ON tree.parent = t.a) SEARCH DEPTH FIRST BY a, b SET ord SELECT * FROM t ORDER BY ord

WITH RECURSIVE t (a) AS (SELECT id FROM tree UNION ALL SELECT tree.id FROM tree, t WHERE tree.parent = t.a) SEARCH BREADTH FIRST BY a SET ord CYCLE a SET is_cycle USING path SELECT * FROM t

WITH RECURSIVE t (a) AS (SELECT id FROM tree UNION ALL SELECT tree.id FROM tree, t WHERE tree.parent = t.a) CYCLE a SET is_cycle TO 'Y' DEFAULT 'N' USING path SELECT * FROM t

SELECT * FROM (WITH x AS (SELECT * FROM t) SELECT * FROM x) y

WITH x AS (VALUES (1, 'a'), (2, 'b')) SELECT * FROM x

SELECT a FROM t UNION SELECT b FROM u EXCEPT ALL SELECT c FROM v INTERSECT DISTINCT SELECT d FROM w

(SELECT a FROM t ORDER BY a LIMIT 1) UNION ALL (SELECT b FROM u ORDER BY b LIMIT 1) ORDER BY 1 OFFSET 1

((SELECT a FROM t))

((SELECT a FROM t) UNION (SELECT b FROM u)) EXCEPT SELECT c FROM v

VALUES (1, 'a'), (2, 'b')

VALUES (1), (2) ORDER BY 1 DESC LIMIT 1

SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (x, y)

SELECT * FROM (VALUES (1))

SELECT 1 UNION VALUES (2)

SELECT a INTO TEMP x FROM t

SELECT a, b INTO TEMPORARY TABLE x FROM t WHERE a > 1

SELECT a INTO LOCAL TEMP x FROM t

SELECT a INTO UNLOGGED TABLE s.x FROM t

SELECT a INTO x FROM t

SELECT * INTO TABLE x FROM t

CREATE TEMP TABLE x AS SELECT * FROM t

CREATE TEMPORARY TABLE IF NOT EXISTS x (a, b) ON COMMIT DROP AS SELECT a, b FROM t WITH NO DATA

CREATE TEMP TABLE x WITH (fillfactor = 70) ON COMMIT DELETE ROWS AS TABLE t WITH DATA

CREATE UNLOGGED TABLE x TABLESPACE y AS VALUES (1)

CREATE TEMP TABLE x AS EXECUTE p(1, a)

CREATE TEMP TABLE x (a int PRIMARY KEY, b text DEFAULT 'x', c numeric(10, 2) CHECK (c > 0))

CREATE TEMP TABLE x (LIKE t INCLUDING ALL)

DROP TABLE x

DROP TABLE IF EXISTS pg_temp.x CASCADE

COPY (SELECT * FROM t WHERE a > 1) TO STDOUT

COPY (SELECT a FROM t UNION TABLE u) TO STDOUT WITH (FORMAT csv, HEADER true, DELIMITER ';', NULL '', FORCE_QUOTE (a))

COPY t TO STDOUT

COPY s.t (a, b) TO STDOUT (FORMAT binary)

COPY t TO STDOUT WITH CSV HEADER DELIMITER ',' NULL AS 'x' QUOTE '"'

COPY t TO STDOUT BINARY

COPY t FROM STDIN

COPY (VALUES (1)) TO STDOUT

DECLARE c CURSOR FOR SELECT * FROM t

DECLARE c BINARY INSENSITIVE SCROLL CURSOR WITH HOLD FOR SELECT a FROM t ORDER BY a

DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR TABLE t

DECLARE "C" CURSOR FOR WITH x AS (SELECT 1) SELECT * FROM x FOR UPDATE

FETCH 10 FROM c

FETCH FORWARD ALL FROM "C"

FETCH NEXT c

FETCH BACKWARD 3 IN c

FETCH ABSOLUTE -1 FROM c

FETCH RELATIVE 2 FROM c

FETCH c

MOVE FORWARD 100 IN c

CLOSE c

CLOSE ALL

PREPARE p AS SELECT * FROM t WHERE a = $1

PREPARE p (int, text, numeric(10,2), s.typ[]) AS SELECT a FROM t WHERE a = $1 AND b = $2

PREPARE p AS TABLE t

EXECUTE p

EXECUTE p (1, 'x', ARRAY[1, 2], (SELECT max(a) FROM t))

EXECUTE p(a.b, f(x))

DEALLOCATE p

DEALLOCATE PREPARE p

DEALLOCATE ALL

EXPLAIN SELECT * FROM t

EXPLAIN ANALYZE SELECT * FROM t

EXPLAIN ANALYZE VERBOSE SELECT * FROM t

EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM t WHERE a = 1

EXPLAIN (COSTS off, TIMING false, SETTINGS, WAL 1, SUMMARY on) TABLE t

EXPLAIN (GENERIC_PLAN) SELECT * FROM t WHERE a = $1

EXPLAIN (VERBOSE, FORMAT 'json', SERIALIZE text, MEMORY) SELECT 1

EXPLAIN EXECUTE p(1)

EXPLAIN DECLARE c CURSOR FOR SELECT a FROM t

EXPLAIN CREATE TEMP TABLE x AS SELECT a FROM t

EXPLAIN (ANALYZE) (SELECT a FROM t) UNION (SELECT b FROM u)

SET search_path TO a, b, "C"

SET search_path = public

SET SESSION statement_timeout = 1000

SET LOCAL work_mem TO '64MB'

SET TIME ZONE 'UTC'

SET TIME ZONE LOCAL

SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE

SET TIME ZONE -7

SET datestyle = ISO, MDY

SET a.b = 'c'

SET extra_float_digits = -3

SET client_encoding TO DEFAULT

SET NAMES 'UTF8'

SET standard_conforming_strings TO on

SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE

SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, DEFERRABLE

SET TRANSACTION SNAPSHOT '00000003-0000001B-1'

SET CONSTRAINTS ALL DEFERRED

SET ROLE admin

SET SESSION AUTHORIZATION DEFAULT

SET XML OPTION DOCUMENT

SET SCHEMA 'x'

SET SEED TO 0.5

SHOW search_path

SHOW ALL

SHOW TIME ZONE

SHOW TRANSACTION ISOLATION LEVEL

SHOW SESSION AUTHORIZATION

SHOW a.b

RESET search_path

RESET ALL

RESET TIME ZONE

DISCARD ALL

DISCARD TEMP

DISCARD PLANS

BEGIN

BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, NOT DEFERRABLE

BEGIN WORK READ WRITE

START TRANSACTION ISOLATION LEVEL READ COMMITTED

COMMIT

COMMIT AND CHAIN

END TRANSACTION AND NO CHAIN

ROLLBACK

ABORT WORK

ROLLBACK TO SAVEPOINT a

ROLLBACK TO a

SAVEPOINT a

RELEASE SAVEPOINT a

RELEASE a

LISTEN ch

NOTIFY ch, 'payload'

NOTIFY "Ch"

UNLISTEN *

UNLISTEN ch

SELECT 1; SELECT 2;

BEGIN; SELECT a FROM t; COMMIT

;;SELECT 1;;

/* only a comment */

SELECT E'a\'b\\', 'it''s', U&'d\0061t', U&'d!0061t' UESCAPE '!', B'0101', X'1F', $$a'b$$, $tag$ $$ $tag$, N'x'

SELECT 'a'
'b'

SELECT E'a'
'b', 'c' AS "d
e"

SELECT 'a'  -- comment
'b'

SELECT 1, 1.5, .5, 1., 1e10, 1.5e-3, 1_000, 0x1F, 5e0

SELECT date '2020-01-01', timestamp '2020-01-01 00:00', timestamptz '2020-01-01', time with time zone '10:00+02', interval '1 day', interval '1' year, interval '1-2' year to month, interval '1 2:03:04.5' day to second(3), interval(3) '1 second', int '4', numeric(5, 2) '1.5', double precision '1.5', bit(3) '101', bit varying '1', char(3) 'abc', character varying(3) 'abc', bool 'true', json '{}', "char" 'a', pg_catalog.text 'x', my.type 'x'

SELECT 1::int, '1'::numeric(10, 2), a::text[], a::int[3][], a::s.typ, a::"Typ", CAST(a AS double precision), CAST(b AS varchar(10)), c::timestamp(3) with time zone, d::time without time zone, e::interval day to second(2), f::bit varying(3), g::character varying, h::int array, i::int array[4], j::t.a%TYPE FROM t

SELECT a::int::text::int, -a::int, (a)::int, a COLLATE "C" < b COLLATE "de_DE", a COLLATE pg_catalog."default" FROM t

SELECT a + b, a - b, a * b, a / b, a % b, a ^ b, |/ a, ||/ a, @ a, ~ a, a & b, a | b, a # b, a << 1, b >> 1, - a, + b, a || b FROM t

SELECT a->'x', a->>'y', a#>'{a,b}', a#>>'{a}', a @> b, a <@ b, a ? 'k', a ?| array['a'], a ?& array['b'], a - 'k', a #- '{a}', a @? '$.a', a @@ '$.a == 1', a || b FROM t

SELECT a ~ 'x', a ~* 'x', a !~ 'x', a !~* 'x', a ~~ 'x', a !~~ 'x', a ~~* 'x', a !~~* 'x', a ^@ 'x', a LIKE 'x%', a NOT LIKE 'y' ESCAPE '!', a ILIKE 'x', a NOT ILIKE 'x', a SIMILAR TO 'x', a NOT SIMILAR TO 'x' ESCAPE '#' FROM t

SELECT a = ANY (ARRAY[1, 2]), a <> ALL ($1), a = SOME (SELECT b FROM u), a LIKE ANY (ARRAY['x']), a NOT LIKE ALL (b), a ILIKE ANY ($1), a > ANY ('{1}'::int[]), a ~ ANY (b) FROM t

SELECT a && b, a -|- b, a << b, a >> b, a &< b, a &> b, a <-> b, a @-@ b, a ?# b, a ## b, a <^ b, a >^ b, a ?- b, a ?| b, a ?-| b, a ?|| b, a ~= b, a <<| b, a |>> b, a &<| b, a |&> b, a @@ b, a @@@ b, !! a, a !! b, @-@ a, # a, ?- a, ?| a FROM t

SELECT a OPERATOR(pg_catalog.+) b, a OPERATOR(pg_catalog.~) 'x', OPERATOR(pg_catalog.-) a, a OPERATOR(s.@@) b, a OPERATOR(=) ANY (b), a OPERATOR(pg_catalog.=) ANY (SELECT 1) FROM t

SELECT a=-1, a<-1, a>-b, a*-1, a<>-1, a>=-1, a+-1, a||-1, a/-1, b=+1, c=@d, e<@f, g-@h FROM t

SELECT a BETWEEN 1 AND 2, a NOT BETWEEN SYMMETRIC 1 AND 2, a BETWEEN ASYMMETRIC 1 AND 2, a IN (1, 2), a NOT IN (SELECT 1), (a, b) IN ((1, 2), (3, 4)), (a, b) = (SELECT 1, 2), ROW(a, b) < ROW(1, 2), (a, b) OVERLAPS (c, d) FROM t

SELECT a IS NULL, a IS NOT NULL, a ISNULL, a NOTNULL, a IS TRUE, a IS NOT TRUE, a IS FALSE, a IS NOT FALSE, a IS UNKNOWN, a IS NOT UNKNOWN, a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b, a IS DOCUMENT, a IS NOT DOCUMENT, a IS NORMALIZED, a IS NFC NORMALIZED, a IS NOT NFKD NORMALIZED FROM t

SELECT a IS JSON, a IS NOT JSON, a IS JSON OBJECT, a IS JSON ARRAY WITH UNIQUE KEYS, a IS JSON SCALAR WITHOUT UNIQUE, a IS NOT JSON VALUE FROM t

SELECT CASE WHEN a THEN b ELSE c END, CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' END, COALESCE(a, b), NULLIF(a, b), GREATEST(a, b), LEAST(a, b) FROM t

SELECT EXTRACT(year FROM a), EXTRACT('epoch' FROM b), extract(timezone_hour from c), date_part('day', d) FROM t

SELECT POSITION('a' IN b), SUBSTRING(a FROM 1 FOR 2), SUBSTRING(a FROM 'x'), SUBSTRING(a FOR 2), SUBSTRING(a, 1, 2), SUBSTRING(a SIMILAR 'x' ESCAPE '#'), substring(a from b for c), OVERLAY(a PLACING b FROM 1), OVERLAY(a PLACING b FROM 1 FOR 2), overlay(a, b, 1, 2), TRIM(a), TRIM(BOTH FROM a), TRIM(LEADING 'x' FROM a), TRIM(TRAILING FROM a), TRIM(BOTH 'x' FROM a), TRIM('x' FROM a), TRIM(a, 'x'), TRIM(BOTH a, 'x'), btrim(a), COLLATION FOR (a), NORMALIZE(a), NORMALIZE(a, NFKC), TREAT(a AS int) FROM t

SELECT a AT TIME ZONE 'UTC', a AT TIME ZONE b, now() AT LOCAL, (a AT TIME ZONE INTERVAL '1 hour') FROM t

SELECT CURRENT_DATE, CURRENT_TIME, CURRENT_TIME(3), CURRENT_TIMESTAMP, CURRENT_TIMESTAMP(0), LOCALTIME, LOCALTIME(1), LOCALTIMESTAMP, LOCALTIMESTAMP(2), CURRENT_USER, SESSION_USER, USER, CURRENT_ROLE, CURRENT_CATALOG, CURRENT_SCHEMA, SYSTEM_USER, current_schema(), current_database()

SELECT ARRAY[1, 2, 3], ARRAY[[1, 2], [3, 4]], ARRAY[]::int[], ARRAY(SELECT a FROM t), ARRAY(VALUES (1)), a[1], a[1:2], a[:2], a[1:], a[:], a[1][2], a[b + 1], (ARRAY[1, 2])[1], ((SELECT array_agg(x) FROM u))[1:2], t.a[1], s.t.a[2:3], (f(x))[1], (f(x)).y, (c).field, (t.c).field, (t).*, (f(a)).*, (c.d).e[1].f, c.d[1].e FROM s.t

SELECT ROW(1, 2), ROW(), ROW(t.*), (1, 2), (a, t.b), ROW(t.*, 1), (ROW(1, 2)).f1, row(a) FROM t

SELECT t.*::text, f(t.*), count(t.*), (t.*) IS NULL, t.* IS NOT NULL, t.* = u.*, coalesce(t.*), row_to_json(t), to_jsonb(t.*), array_agg(t.*), t FROM t, u

SELECT t IS NULL, t = u, t::text, (t).a, t.a, s.t.a, db.s.t.a, db.s.t.* FROM db.s.t, u

SELECT EXISTS (SELECT 1 FROM t), NOT EXISTS (SELECT FROM u), (SELECT a FROM t LIMIT 1), ((SELECT 1)), (SELECT 1) + (SELECT 2)

SELECT f(a => 1, b := 2), f(VARIADIC ARRAY[1, 2]), f(1, VARIADIC a), s.f(x), "F"(1), s."F"(DISTINCT a), db.s.f(), f(a ORDER BY b) FROM t

SELECT left(a, 1), right(b, 2), replace(a, 'x', 'y'), char_length(a), format('%s', a), date(a), "time"(b), "char"(e), "left"(a, 1), name(x), year(x), day(x), if(a, b), int4(a), float8(b), text(a), bool(a) FROM t

SELECT a AS select, b AS "from", c AS order, d AS year, e value, f AS name, g type, h AS user, i AS end, j text, k date, l timestamp FROM t

SELECT value, name, type, key, date, time, year, month, text, status, level, user_id, "user", data, role, class, comment, temp, position, first, last, row, rows, range, window_, offset_, limit_, "order", action, content, options, owner, sequence, source, target, tag, title, version, zone, second, hour, minute, day, index, view, schema, language, label, location, method, mode, names, object, path, plan, policy, prior, public, rank, ref, release, replace, result, returns, rule, scope, search, share, show, start, statement, statistics, storage, system, tables, transaction, trigger, uncommitted, unknown, valid, work, xml, format, end_, session, set_, sets, skip, sql, state, ties, total, trim_, true_, without, within, wrapper, write, yes FROM t

SELECT t.order, t.user, t.select, t.from, t.group, t.table, t.type, t.limit, t.end, t.left, t.default, t.all, t.column, t.primary, t.check FROM t

SELECT year FROM date WHERE name = 'x' ORDER BY level

SELECT x.value FROM key AS x, data, role r, public.comment, "user" u, location l, source

SELECT a FROM t left_, u "right"

SELECT XMLELEMENT(NAME foo), XMLELEMENT(NAME foo, XMLATTRIBUTES(a AS b, c), 'x', d), XMLFOREST(a, b AS c), XMLCONCAT(a, b) FROM t

SELECT XMLPARSE(DOCUMENT a), XMLPARSE(CONTENT b PRESERVE WHITESPACE) FROM t

SELECT XMLPI(NAME php, 'x'), XMLROOT(a, VERSION '1.0', STANDALONE YES), XMLSERIALIZE(CONTENT a AS text), XMLEXISTS('//a' PASSING BY REF b), xpath('/a', c) FROM t

SELECT x.* FROM t, XMLTABLE('/rows/row' PASSING t.data COLUMNS id int PATH '@id', o FOR ORDINALITY, n text PATH 'name' DEFAULT 'none' NOT NULL) AS x

SELECT x.* FROM XMLTABLE(XMLNAMESPACES('http://x' AS y, DEFAULT 'http://z'), '/y:a' PASSING BY REF (SELECT doc FROM d) BY REF COLUMNS a text) x

SELECT jt.* FROM t, JSON_TABLE(t.js, '$.a[*]' COLUMNS (id FOR ORDINALITY, k text PATH '$.k', n int PATH '$.n' DEFAULT 0 ON EMPTY, NESTED PATH '$.x[*]' COLUMNS (y int PATH '$.y'))) AS jt

SELECT * FROM JSON_TABLE(jsonb '{}', '$' AS root PASSING 1 AS x COLUMNS (a int EXISTS PATH '$.a', b jsonb FORMAT JSON PATH '$.b' WITH WRAPPER OMIT QUOTES NULL ON ERROR) ERROR ON ERROR) jt

SELECT JSON_VALUE(a, '$.x'), JSON_VALUE(a, '$.x' RETURNING int DEFAULT 0 ON EMPTY ERROR ON ERROR), JSON_QUERY(a, '$.x' WITH WRAPPER), JSON_EXISTS(a, '$.x' PASSING b AS y), JSON_SCALAR(a), JSON_SERIALIZE(a RETURNING text), JSON(a WITH UNIQUE KEYS) FROM t

SELECT JSON_OBJECT('a': 1, 'b': c), JSON_OBJECT('a' VALUE 1 ABSENT ON NULL WITH UNIQUE RETURNING jsonb), JSON_OBJECT(), JSON_OBJECT('{a,b}'), JSON_ARRAY(1, a NULL ON NULL), JSON_ARRAY(SELECT a FROM u), JSON_ARRAYAGG(a ORDER BY b RETURNING jsonb), JSON_OBJECTAGG(k: v ABSENT ON NULL), json_object_agg(k, v) FROM t

SELECT a FROM t WHERE a = $1 AND b = $2::int OR c IN ($3, $4)

SELECT a FROM t WHERE (a, b) > ($1, $2) AND c @> $3::jsonb AND d = ANY ($4::int[])

SELECT a FROM t WHERE a IN (SELECT b FROM u WHERE u.c = t.c) AND EXISTS (SELECT 1 FROM v WHERE v.d = t.d)

SELECT (SELECT count(*) FROM u WHERE u.a = t.a) AS n, t.* FROM t ORDER BY (SELECT max(b) FROM u), n

SELECT -1, - 1, +1, - -1, 2 - -1, 2--1
, 3

SELECT 1 /* comment /* nested */ */ + 2 -- trailing

SELECT a/**/FROM/**/t

SELECT "a""b", "select", "Ünï" FROM "t.x"

SELECT ünï, straße, 名前 FROM 表 WHERE 客户 = '数据' AND x = 'é'

SELECT a	,b
FROM	t

SELECT current_setting('x'), set_config('search_path', 'x', false), version(), pg_catalog.version()

SELECT 'x' AS "a" , 'y' b

SELECT to_char(a, 'YYYY-MM') AS month, sum(b) FROM t GROUP BY 1 ORDER BY 1

SELECT date_trunc('month', a)::date AS m, count(*) AS n FROM t WHERE a >= now() - interval '30 days' GROUP BY 1 HAVING count(*) > 5

SELECT a, b FROM t WHERE lower(name) LIKE '%' || lower($1) || '%' ORDER BY similarity(name, $1) DESC LIMIT 10

SELECT NULL, TRUE, FALSE, NULL::int, 'infinity'::float8

SELECT DISTINCT ON (t.a) t.a, first_value(t.b) OVER w FROM t WINDOW w AS (PARTITION BY t.a ORDER BY t.c)

SELECT MERGE_ACTION()

SELECT x.a FROM (SELECT 1 AS a) x (b), LATERAL ROWS FROM (f(x.b)) y

SELECT * FROM f(1) AS x, g(2) y (a, b), s.h() z, LATERAL (VALUES (1)) w

SELECT * FROM f() WITH ORDINALITY x (a, o) LEFT JOIN t ON t.a = x.a

SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) WITH ORDINALITY AS u (a, b, n)

SELECT * FROM unnest($1::int[], $2::text[]) AS u (a, b)

SELECT * FROM current_date, CURRENT_USER u

SELECT * FROM coalesce(1, 2) AS c

SELECT * FROM CAST(1 AS int) AS c

SELECT * FROM t WHERE a = 1 AND (b = 2 OR (c = 3 AND NOT d)) IS TRUE

SELECT NOT a, NOT (a = b), a AND b OR c, NOT a IS NULL, NOT a IN (1), a = b IS TRUE FROM t

SELECT interval '1' day, interval '2' hour + a, b - interval '1 month', interval '10' second (2), now() - '1 day'::interval FROM t

SELECT 10 DIV, a MOD FROM t

SELECT a.b.c.d FROM a.b.c

SELECT count(*) FILTER (WHERE a IS NOT NULL) * 100.0 / nullif(count(*), 0) AS pct FROM t

INSERT INTO t (a, b) VALUES (1, DEFAULT) RETURNING *

INSERT INTO t AS x SELECT * FROM u ON CONFLICT (a) DO UPDATE SET b = excluded.b WHERE x.c RETURNING x.a

INSERT INTO t (a, b) VALUES (1, 2) ON CONFLICT (a) WHERE c AND lower(t.d) = 'x' DO UPDATE SET b = excluded.b, (c, d) = (true, (SELECT d FROM u)) WHERE t.c RETURNING a

INSERT INTO t (a) VALUES (1), (2) ON CONFLICT (a, b) WHERE c IS NOT NULL DO NOTHING RETURNING *

INSERT INTO t (a) SELECT a FROM u ON CONFLICT (lower(a), b COLLATE "C" text_pattern_ops, (c || d) text_ops) DO UPDATE SET b = 1

INSERT INTO t (a) SELECT a FROM u ON CONFLICT (f.lower(a)) WHERE (b) DO NOTHING

INSERT INTO t DEFAULT VALUES

UPDATE t SET a = 1, (b, c) = (SELECT 1, 2), d = DEFAULT FROM u WHERE t.id = u.id RETURNING t.*

UPDATE ONLY t AS x SET a = x.b + 1

DELETE FROM t USING u WHERE t.id = u.id RETURNING t.id

DELETE FROM ONLY t WHERE a = 1

MERGE INTO t USING u ON t.id = u.id WHEN MATCHED AND u.x THEN UPDATE SET a = u.a WHEN NOT MATCHED THEN INSERT (id, a) VALUES (u.id, u.a)

WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x

WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x

SELECT t.a FROM public.t AS t WHERE t.b &> 'x' AND t.c &< 'y'

SELECT a FROM t WHERE a::text = ANY (string_to_array($1, ',')::text[]) OR a = ANY (SELECT unnest(b) FROM u)

SELECT oid::regclass, 'pg_class'::regclass::oid, relname::name, relacl::aclitem[] FROM pg_class

SELECT a.* FROM (SELECT b.*, row_number() OVER () AS rn FROM b) a WHERE a.rn = 1

SELECT div, mod, match, regexp, rlike, xor, qualify, top, struct, map, pivot, minus, sample, cluster, sort, ceil, floor, convert, ceil(a), floor(b), div(a, b), mod(a, b), convert(a), insert, interval_, exclude, connect, prior, start, use_, force_, ignore, lock, keys, fields, limits, offsets, index, unnest, final, settings, prewhere, database, escape_ FROM t

SELECT * FROM final, settings, qualify AS prewhere, sample, minus m, top, pivot p, unpivot

SELECT * FROM t final WHERE final.a = 1

SELECT a FROM t sample, u pivot, v asof, w anti, x semi

SELECT a div FROM t

SELECT a qualify FROM t

SELECT t.a match, u.b rlike FROM t, u

SELECT try_cast(a), safe_cast(b), cast(a AS int4), if(a), iif(a, b), nvl(a, b), concat(a, b), convert(a, b), struct(a), array_agg(a), group_concat(a), listagg(a), map(a) FROM t

SELECT date(a), year(a), trunc(a), interval '1 day' FROM t WHERE a > date '2020-01-01' AND b < timestamptz '2020-01-01 00:00+00'

SELECT a FROM t WHERE a > (date '2020-01-01') + interval '1' month AND b <> (uuid '00000000-0000-0000-0000-000000000000')

SELECT point '(1,2)', box '((0,0),(1,1))', path '[(0,0)]', inet '10.0.0.1', "my type" 'x', s."my type" 'x', a.b.c 'x'

SELECT name 'x', text 'y', json '{}', xml '<a/>' FROM t

SELECT CASE WHEN a IS NULL THEN date '2020-01-01' ELSE b END, coalesce(a, date '2020-01-01') FROM t

SELECT a FROM t WHERE ts >= timestamp with time zone '2020-01-01' AND ts < timestamp without time zone '2021-01-01'

SELECT a FROM t WHERE x SIMILAR TO '%(b|d)%' AND y NOT ILIKE '%x%' ESCAPE '\' AND z LIKE 'a' || $1

SELECT a FROM s1.t1 LEFT OUTER JOIN s2.t2 ON t1.id = t2.id AND t2.deleted IS NOT TRUE WHERE t1.id BETWEEN $1 AND $2 ORDER BY t1.created_at DESC NULLS LAST, t1.id LIMIT 50 OFFSET 100

SELECT "public"."customers"."id" AS "id", "public"."customers"."name" AS "name" FROM "public"."customers" WHERE ("public"."customers"."name" = 'x') LIMIT 2000

SELECT CAST("t"."d" AS date), DATE_TRUNC('month', "t"."d"), CAST(EXTRACT(year FROM "t"."d") AS integer) FROM "t"

SELECT SUM("a"."b") AS "sum:b:ok", ("a"."c")::text FROM "public"."a" "a" GROUP BY 2

BEGIN;declare "SQL_CUR0x55" cursor with hold for select * from t;fetch 100 in "SQL_CUR0x55"

SELECT n.nspname = ANY(current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1

SELECT c.relname, a.attname, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, (i.keys).x, result.A FROM pg_class c, pg_attribute a, pg_index i

SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true), substring(pg_catalog.pg_get_expr(d.adbin, d.adrelid) for 128) FROM pg_attrdef d

SELECT pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.quote_ident(a) FROM unnest(b) AS a), E'\n') FROM t

SELECT pg_catalog.format_type(a.atttypid, a.atttypmod), a.attname::pg_catalog.text COLLATE pg_catalog.default FROM a WHERE a.x OPERATOR(pg_catalog.~) '^(t)$' COLLATE pg_catalog.default

SELECT a[1], a[i.x], (a.b)[1], ((a).b).c, a.b[1:2][3], (array_agg(x ORDER BY y))[1] FROM t a, u i

SELECT indkey[s.i], (string_to_array(a, ','))[array_upper(b, 1)], generate_subscripts(c, 1) FROM t, generate_series(0, 7) AS s (i)

SELECT * FROM t WHERE (a, b) IN (SELECT c, d FROM u) AND ROW(a, b) = ROW(1, 2) AND (a IS NULL) = (b IS NULL)

SELECT a FROM t GROUP BY a, b, () HAVING bool_and(c) AND NOT bool_or(d) ORDER BY count(*) FILTER (WHERE e) DESC

SELECT * FROM t1 NATURAL INNER JOIN t2 NATURAL FULL OUTER JOIN t3, LATERAL f(t1.a, t2.b) WITH ORDINALITY AS l (x, y)

SELECT * FROM (t1 JOIN t2 ON t1.a = t2.a) JOIN (t3 LEFT JOIN (t4 CROSS JOIN t5) ON t3.a = t4.a) ON t1.b = t3.b

SELECT * FROM (SELECT 1) AS x, (SELECT 2) y, LATERAL (SELECT x.*) z

SELECT * FROM ((SELECT a FROM t) UNION (SELECT b FROM u)) q

SELECT * FROM ((t1 JOIN t2 USING (a)) JOIN t3 USING (b)) AS j

WITH a AS (SELECT 1), b AS (WITH c AS (SELECT 2) SELECT * FROM c, a) SELECT (WITH d AS (SELECT * FROM b) SELECT * FROM d)

WITH "select" AS (SELECT 1), only_ AS (SELECT 2) SELECT * FROM "select", "only", "table"

WITH x AS (SELECT * FROM t FOR UPDATE) SELECT * FROM x LIMIT 1 FOR SHARE

WITH a AS NOT MATERIALIZED (TABLE t), b (c) AS MATERIALIZED (VALUES (1)) TABLE b

SELECT a FROM t ORDER BY b COLLATE "C" DESC, c::text USING ~<~ NULLS LAST

SELECT a IS NOT DISTINCT FROM b, (a IS DISTINCT FROM NULL) IS NOT UNKNOWN, NOT a IS DISTINCT FROM b FROM t

SELECT f(), f(a) FILTER (WHERE b) OVER w, f(DISTINCT a, b ORDER BY c, d DESC), f(*) , f(ALL a) FROM t WINDOW w AS ()

SELECT count(*) OVER (PARTITION BY (a, b), c ORDER BY d RANGE UNBOUNDED PRECEDING) FROM t

SELECT 'a' || 'b' || c::text || E'\n' || $q$x$q$ FROM t

SELECT !a, !!a, !! (a) FROM t

SELECT a FROM t WHERE a @> ARRAY['x']::text[] AND b ?| ARRAY['y'] AND c <@ d AND e && f AND g -|- h AND i @> ANY (ARRAY['{}'::jsonb])

SELECT a <=> b, a <#> b, a <-> '[1,2]', a <%> b, a %> b, a <<% b, a %>> b, a ~>=~ b, a ~<~ b, a |&| b, a ||| b, a ^ b, a *= b, a *<> b, a ### b FROM t

SELECT 1 -- comment with ' quote
, 2 /* comment with ' quote and $$ */ , $$ -- not a comment $$

SELECT a -- one
  , b -- two
FROM t -- three
;

SELECT/**/a/* x */./* y */b/**/FROM/**/s/* q */./**/t

select A, B, "C" from S.T t where T.a = 'X' and t.B is not null

SELECT a, b FROM very_long_identifier_that_is_longer_than_sixty_three_bytes_and_so_cut_here AS q

SELECT 数据 FROM 这是一个非常长的表名称超过六十三个字节所以它会被截断掉哦对的没错

SELECT '😀', a FROM "😀" WHERE 'é' = b

SELECT	a , b
,c
  FROM	t

SELECT '\', a FROM t

SELECT E'\'', a, E'\\', b, E'\x41\u0041\101' FROM t

SELECT a FROM t WHERE b = E'x\'y' AND c = 'z'

SHOW server_version; SELECT 1; SET a.b TO 'x'; SELECT b FROM t

SELECT pg_sleep(1); SELECT a FROM ONLY t; TABLE u

SELECT x.* FROM t, XMLTABLE('/r' PASSING t.d COLUMNS a text PATH t.p, b int PATH 'b' DEFAULT (SELECT c FROM u) NOT NULL, n FOR ORDINALITY) x

SELECT a AS isnull, b AS overlaps, c AS only, d AS collate, e AS variadic, t.collate, t.only, t.using, f AS using FROM t

SELECT * FROM t WHERE a ISNULL AND b NOTNULL ORDER BY ref.oid, value.x

SELECT sum(a) OVER (ORDER BY b RANGE BETWEEN '1 year'::interval PRECEDING AND '1 year'::interval FOLLOWING) FROM t

SELECT a FROM t WHERE b IN ((SELECT 1), (SELECT c FROM u)) AND d IN ((SELECT 1)) AND e <> ALL (VALUES (1), (2))

SELECT ((SELECT 2) UNION SELECT a FROM t), (((SELECT 1)) EXCEPT SELECT 2)

SELECT UNION SELECT

SELECT name 'x' = a, CAST(name 'x' AS text) FROM t
