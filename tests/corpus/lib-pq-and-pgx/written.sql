;
----------
-- ping
----------
select current_setting('server_version_num')::int
----------
select t.oid, t.typname, t.typtype, t.typelem from pg_type t where t.typname = $1 or t.oid = to_regtype($1)
----------
select typtype, typelem, typrelid, rngsubtype from pg_type left join pg_range on pg_type.oid=pg_range.rngtypid where pg_type.oid=$1
----------
select attname, atttypid from pg_attribute where attrelid=$1 and not attisdropped and attnum > 0 order by attnum
----------
begin isolation level serializable read only deferrable
----------
savepoint sp_1
----------
release savepoint sp_1
----------
SELECT description FROM pg_catalog.pg_description WHERE objsubid = (SELECT ordinal_position FROM information_schema.columns WHERE table_schema = CURRENT_SCHEMA() AND table_name = 'customers' AND column_name = 'name') AND objoid = (SELECT oid FROM pg_catalog.pg_class WHERE relname = 'customers' AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = CURRENT_SCHEMA()))
----------
SELECT c.column_name, c.is_nullable = 'YES', c.udt_name, c.character_maximum_length, c.numeric_precision, c.numeric_precision_radix, c.numeric_scale, c.datetime_precision, 8 * typlen, c.column_default, pd.description, c.identity_increment FROM information_schema.columns AS c JOIN pg_type AS pgt ON c.udt_name = pgt.typname LEFT JOIN pg_catalog.pg_description as pd ON pd.objsubid = c.ordinal_position AND pd.objoid = (SELECT oid FROM pg_catalog.pg_class WHERE relname = c.table_name AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = c.table_schema)) where table_catalog = $1 AND table_schema = $2 AND table_name = $3
----------
SELECT * FROM "customers" WHERE "customers"."id" = $1 ORDER BY "customers"."id" LIMIT 1
