SELECT * FROM customers WHERE id = 1 AND name = 'it''s'
----------
SELECT "id","name" FROM "customers" WHERE id IN (1,2)
----------
begin
----------
SELECT 1
----------
savepoint sp_1_1
----------
release savepoint sp_1_1
----------
commit
