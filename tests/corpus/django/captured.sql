SELECT set_config('TimeZone', 'UTC', false)
----------
            SELECT
                c.relname,
                CASE
                    WHEN c.relispartition THEN 'p'
                    WHEN c.relkind IN ('m', 'v') THEN 'v'
                    ELSE 't'
                END,
                obj_description(c.oid, 'pg_class')
            FROM pg_catalog.pg_class c
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v')
                AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
                AND pg_catalog.pg_table_is_visible(c.oid)
----------
            SELECT a1.attname, c2.relname, a2.attname
            FROM pg_constraint con
            LEFT JOIN pg_class c1 ON con.conrelid = c1.oid
            LEFT JOIN pg_class c2 ON con.confrelid = c2.oid
            LEFT JOIN
                pg_attribute a1 ON c1.oid = a1.attrelid AND a1.attnum = con.conkey[1]
            LEFT JOIN
                pg_attribute a2 ON c2.oid = a2.attrelid AND a2.attnum = con.confkey[1]
            WHERE
                c1.relname = 'activities' AND
                con.contype = 'f' AND
                c1.relnamespace = c2.relnamespace AND
                pg_catalog.pg_table_is_visible(c1.oid)
----------
            SELECT
                c.conname,
                array(
                    SELECT attname
                    FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx)
                    JOIN pg_attribute AS ca ON cols.colid = ca.attnum
                    WHERE ca.attrelid = c.conrelid
                    ORDER BY cols.arridx
                ),
                c.contype,
                (SELECT fkc.relname || '.' || fka.attname
                FROM pg_attribute AS fka
                JOIN pg_class AS fkc ON fka.attrelid = fkc.oid
                WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]),
                cl.reloptions
            FROM pg_constraint AS c
            JOIN pg_class AS cl ON c.conrelid = cl.oid
            WHERE cl.relname = 'activities' AND pg_catalog.pg_table_is_visible(cl.oid)
----------
            SELECT
                indexname,
                array_agg(attname ORDER BY arridx),
                indisunique,
                indisprimary,
                array_agg(ordering ORDER BY arridx),
                amname,
                exprdef,
                s2.attoptions
            FROM (
                SELECT
                    c2.relname as indexname, idx.*, attr.attname, am.amname,
                    CASE
                        WHEN idx.indexprs IS NOT NULL THEN
                            pg_get_indexdef(idx.indexrelid)
                    END AS exprdef,
                    CASE am.amname
                        WHEN 'btree' THEN
                            CASE (option & 1)
                                WHEN 1 THEN 'DESC' ELSE 'ASC'
                            END
                    END as ordering,
                    c2.reloptions as attoptions
                FROM (
                    SELECT *
                    FROM
                        pg_index i,
                        unnest(i.indkey, i.indoption)
                            WITH ORDINALITY koi(key, option, arridx)
                ) idx
                LEFT JOIN pg_class c ON idx.indrelid = c.oid
                LEFT JOIN pg_class c2 ON idx.indexrelid = c2.oid
                LEFT JOIN pg_am am ON c2.relam = am.oid
                LEFT JOIN
                    pg_attribute attr ON attr.attrelid = c.oid AND attr.attnum = idx.key
                WHERE c.relname = 'activities' AND pg_catalog.pg_table_is_visible(c.oid)
            ) s2
            GROUP BY indexname, indisunique, indisprimary, amname, exprdef, attoptions;
----------
            SELECT
                a.attname AS column_name,
                NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable,
                pg_get_expr(ad.adbin, ad.adrelid) AS column_default,
                CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation,
                a.attidentity != '' AS is_autofield,
                col_description(a.attrelid, a.attnum) AS column_comment
            FROM pg_attribute a
            LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
            LEFT JOIN pg_collation co ON a.attcollation = co.oid
            JOIN pg_type t ON a.atttypid = t.oid
            JOIN pg_class c ON a.attrelid = c.oid
            JOIN pg_namespace n ON c.relnamespace = n.oid
            WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v')
                AND c.relname = 'activities'
                AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
                AND pg_catalog.pg_table_is_visible(c.oid)
----------
SELECT * FROM "activities" LIMIT 1
----------
SELECT * FROM "calls" LIMIT 1
----------
SELECT * FROM "contacts" LIMIT 1
----------
SELECT * FROM "contracts" LIMIT 1
----------
SELECT * FROM "customer_members" LIMIT 1
----------
SELECT * FROM "customers" LIMIT 1
----------
SELECT * FROM "key_customers" LIMIT 1
----------
SELECT * FROM "monthly_revenue" LIMIT 1
----------
SELECT * FROM "open_opportunities" LIMIT 1
----------
SELECT * FROM "opportunities" LIMIT 1
----------
SELECT * FROM "pipeline" LIMIT 1
----------
SELECT * FROM "products" LIMIT 1
----------
SELECT * FROM "service_records" LIMIT 1
----------
SELECT * FROM "service_records_2023" LIMIT 1
----------
SELECT * FROM "service_records_other" LIMIT 1
----------
            SELECT
                s.relname AS sequence_name,
                a.attname AS colname
            FROM
                pg_class s
                JOIN pg_depend d ON d.objid = s.oid
                    AND d.classid = 'pg_class'::regclass
                    AND d.refclassid = 'pg_class'::regclass
                JOIN pg_attribute a ON d.refobjid = a.attrelid
                    AND d.refobjsubid = a.attnum
                JOIN pg_class tbl ON tbl.oid = d.refobjid
                    AND tbl.relname = 'activities'
                    AND pg_catalog.pg_table_is_visible(tbl.oid)
            WHERE
                s.relkind = 'S';
----------
SELECT "customers"."id", "customers"."name", "customers"."level", "customers"."created_at" FROM "customers" WHERE ((UPPER("customers"."name"::text) LIKE UPPER('%a%') OR "customers"."name"::text LIKE 'B%') AND "customers"."id" IN (1, 2, 3)) ORDER BY "customers"."name" DESC LIMIT 5
----------
SELECT "customers"."level" AS "level", COUNT("customers"."id") AS "n", MAX("customers"."name") AS "m" FROM "customers" GROUP BY 1 HAVING COUNT("customers"."id") > 1
----------
SELECT 1 AS "a" FROM "customers" WHERE "customers"."name"::text ~* '^a' LIMIT 1
----------
SELECT COUNT(*) AS "__count" FROM "customers"
----------
SELECT "customers"."id", "customers"."name", "customers"."level", "customers"."created_at" FROM "customers" ORDER BY "customers"."id" ASC LIMIT 1
----------
DECLARE "_django_curs_140272086006656_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "customers"."id", "customers"."name", "customers"."level", "customers"."created_at" FROM "customers"
----------
FETCH FORWARD 2 FROM "_django_curs_140272086006656_sync_1"
----------
CLOSE "_django_curs_140272086006656_sync_1"
----------
SELECT DISTINCT DATE_TRUNC('month', "customers"."created_at" AT TIME ZONE 'America/Chicago') AS "datefield" FROM "customers" WHERE "customers"."created_at" IS NOT NULL ORDER BY 1 ASC
----------
BEGIN
----------
SELECT "customers"."id", "customers"."name", "customers"."level", "customers"."created_at" FROM "customers" LIMIT 1 FOR UPDATE SKIP LOCKED
----------
SAVEPOINT "s140272086006656_x1"
----------
SELECT "customers"."id", "customers"."name", "customers"."level", "customers"."created_at" FROM "customers" WHERE "customers"."id" = 1 ORDER BY "customers"."id" ASC LIMIT 1
----------
RELEASE SAVEPOINT "s140272086006656_x1"
----------
COMMIT
----------
SELECT DATE_TRUNC('month', "customers"."created_at" AT TIME ZONE 'America/Chicago') AS "m", COUNT("customers"."id") AS "c" FROM "customers" GROUP BY 1
----------
EXPLAIN SELECT "customers"."id", "customers"."name", "customers"."level", "customers"."created_at" FROM "customers" WHERE "customers"."id" = 1
