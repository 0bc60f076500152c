select version();
----------
set search_path to "public","crm"
----------
select * from information_schema.columns where table_name = $1 and table_catalog = current_database() and table_schema = current_schema()
----------
select * from information_schema.tables where table_name = $1 and table_schema = current_schema()
----------
select * from information_schema.columns where table_name = $1 and column_name = $2 and table_schema = current_schema()
----------
select "c".*, count(*) over () from "customers" as "c" inner join "contacts" as "k" on "k"."customer_id" = "c"."id" where "c"."name" ilike $1 and "c"."id" in ($2, $3) order by "c"."name" asc limit $4
----------
select count(*) as "n" from "customers" limit $1
----------
BEGIN;
----------
select * from "customers" limit $1 for update skip locked
----------
COMMIT;
