set names 'utf8'
----------
set time zone 'Asia/Shanghai'
----------
select c.relname as name, n.nspname as schema, pg_total_relation_size(c.oid) as size, obj_description(c.oid, 'pg_class') as comment from pg_class c, pg_namespace n where c.relkind in ('r', 'p') and n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema') order by c.relname
----------
select a.attname as name, t.typname as type_name, format_type(a.atttypid, a.atttypmod) as type, (select tc.collcollate from pg_catalog.pg_collation tc where tc.oid = a.attcollation) as collation, not a.attnotnull as nullable, (select pg_get_expr(adbin, adrelid) from pg_attrdef where c.oid = pg_attrdef.adrelid and pg_attrdef.adnum = a.attnum) as default, a.attgenerated as generated, col_description(c.oid, a.attnum) as comment from pg_attribute a, pg_class c, pg_type t, pg_namespace n where c.relname = 'customers' and n.nspname = 'public' and a.attnum > 0 and a.attrelid = c.oid and a.atttypid = t.oid and n.oid = c.relnamespace order by a.attnum
----------
select ic.relname as name, string_agg(a.attname, ',' order by indseq.ord) as columns, am.amname as "type", i.indisunique as "unique", i.indisprimary as "primary" from pg_index i join pg_class tc on tc.oid = i.indrelid join pg_namespace tn on tn.oid = tc.relnamespace join pg_class ic on ic.oid = i.indexrelid join pg_am am on am.oid = ic.relam join lateral unnest(i.indkey) with ordinality as indseq(num, ord) on true left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = indseq.num where tc.relname = 'customers' and tn.nspname = 'public' group by ic.relname, am.amname, i.indisunique, i.indisprimary
----------
select * from "customers" where "name"::text ilike $1 and "level" in ($2, $3) and "created_at"::date = $4 order by "name" asc limit 15 offset 0
----------
select count(*) as aggregate from "customers" where extract(year from "created_at") = $1
----------
select exists(select * from "customers" where "id" = $1) as "exists"
----------
select * from "customers" where ("profile"->'tags')::jsonb @> $1 and "profile"->>'x' = $2 for update
