BEGIN;declare "SQL_CUR0x7f9a3c0b2a00" cursor with hold for SELECT "customers"."level" AS "level", SUM("customers"."credit_limit") AS "sum:credit_limit:ok" FROM "public"."customers" "customers" GROUP BY 1;fetch 2048 in "SQL_CUR0x7f9a3c0b2a00"
----------
close "SQL_CUR0x7f9a3c0b2a00"
----------
SELECT CAST("customers"."name" AS TEXT) AS "name", CAST(TRUNC(EXTRACT(YEAR FROM "customers"."created_at")) AS INTEGER) AS "yr:created_at:ok", DATE_TRUNC( 'MONTH', CAST("customers"."created_at" AS DATE) ) AS "tmn:created_at:ok" FROM "public"."customers" "customers" WHERE ((CAST("customers"."created_at" AS DATE) >= (DATE '2024-01-01')) AND ("customers"."created_at" < (TIMESTAMP '2025-01-01 00:00:00.000'))) GROUP BY 1, 2, 3
----------
SELECT SUM(1) AS "COL", MIN("t0"."X_measure__1") AS "m", COUNT(DISTINCT (CASE WHEN ("t0"."level" = 'gold') THEN "t0"."id" ELSE NULL END)) AS "ctd:x:ok" FROM (SELECT "c"."id" AS "id", CAST("c"."level" AS TEXT) AS "level", MIN("o"."amount") AS "X_measure__1" FROM "public"."customers" "c" INNER JOIN "public"."opportunities" "o" ON ("c"."id" = "o"."customer_id") GROUP BY 1, 2) "t0" HAVING (COUNT(1) > 0)
----------
CREATE LOCAL TEMPORARY TABLE "#Tableau_1_1_Connect" (
	"COL" INTEGER
	)  ON COMMIT PRESERVE ROWS
----------
DROP TABLE "#Tableau_1_1_Connect"
----------
SELECT * INTO TEMPORARY TABLE "#Tableau_1_2_Connect" FROM (SELECT 1 AS COL) AS CHECKTEMP LIMIT 1
----------
SELECT "customers"."level" AS "level" FROM "public"."customers" "customers" WHERE (LOWER(CAST("customers"."name" AS TEXT)) LIKE '%' || LOWER('a') || '%') ORDER BY 1 ASC NULLS FIRST LIMIT 100
----------
select NULL, nspname, NULL from pg_catalog.pg_namespace n where true and nspname not in ('pg_catalog','information_schema', 'pg_toast', 'pg_temp_1') order by nspname
----------
SELECT relname, nspname, relkind FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE relkind IN ('r', 'v', 'm', 'f', 'p') AND nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1') AND n.oid = relnamespace ORDER BY nspname, relname
