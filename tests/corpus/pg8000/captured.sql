SELECT id, name FROM customers WHERE id = $1
----------
START TRANSACTION
----------
COMMIT
----------
begin transaction
----------
SELECT $1::int
----------
commit
