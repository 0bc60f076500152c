select c1_0.id,c1_0.level,c1_0.name from customers c1_0 where c1_0.name like $1 escape ''
----------
select c1_0.id,c1_0.name,k1_0.customer_id,k1_0.id,k1_0.name from public.customers c1_0 left join public.contacts k1_0 on c1_0.id=k1_0.customer_id where c1_0.id=$1
----------
select c1_0.id from customers c1_0 where c1_0.id=$1 for no key update
----------
select c1_0.id,c1_0.name from customers c1_0 order by c1_0.name offset $1 rows fetch first $2 rows only
----------
select count(c1_0.id),c1_0.level from customers c1_0 group by c1_0.level having count(c1_0.id)>$1
----------
select sequence_catalog, sequence_name, sequence_schema, start_value, minimum_value, maximum_value, increment from information_schema.sequences
----------
select current_schema()
----------
select c1_0.id from customers c1_0 where exists(select 1 from contacts k1_0 where k1_0.customer_id=c1_0.id) and cast(c1_0.level as varchar) in ($1,$2) and (c1_0.created_at at time zone 'UTC')::date=$3
