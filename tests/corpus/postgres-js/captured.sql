      select b.oid, b.typarray
      from pg_catalog.pg_type a
      left join pg_catalog.pg_type b on b.oid = a.typelem
      where a.typcategory = 'A'
      group by b.oid, b.typarray
      order by b.oid
----------
SELECT id, level FROM customers WHERE id IN ($1,$2) AND $3
----------
SELECT "id","name" FROM "customers"
----------
begin
----------
SELECT 1
----------
savepoint "s0"
----------
commit
----------
SELECT id FROM customers
----------
listen "ch"
