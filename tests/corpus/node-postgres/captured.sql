SELECT id, name FROM customers WHERE id = $1
----------
SELECT $1::text AS x
----------
BEGIN
----------
SELECT NOW()
----------
ROLLBACK
----------
LISTEN ch
