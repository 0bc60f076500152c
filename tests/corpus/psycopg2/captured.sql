BEGIN
----------
SELECT id, name, level FROM customers WHERE id = 1 AND name LIKE 'A%' ORDER BY name
----------
SELECT * FROM customers WHERE id IN (1, 2, 3)
----------
SELECT * FROM customers WHERE id = ANY(ARRAY[1,2,3])
----------
SELECT 'it''s \ x', '2020-01-01'::date, '2020-01-01T00:00:00+00:00'::timestamptz, 1.5, '\x00ff'::bytea, '{"a": 1}'
----------
SELECT t.oid, typarray
FROM pg_type t JOIN pg_namespace ns
    ON typnamespace = ns.oid
WHERE typname = 'hstore';
----------
ROLLBACK
----------
SELECT t.oid, typarray, attname, atttypid
FROM pg_type t
JOIN pg_namespace ns ON typnamespace = ns.oid
JOIN pg_attribute a ON attrelid = typrelid
WHERE typname = 'customers' AND nspname = 'public'
    AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;
----------
DECLARE "named" CURSOR WITHOUT HOLD FOR SELECT id FROM customers
----------
FETCH FORWARD 2 FROM "named"
----------
CLOSE "named"
----------
DECLARE "scrolled" SCROLL CURSOR WITH HOLD FOR SELECT id FROM customers
----------
FETCH FORWARD 2 FROM "scrolled"
----------
MOVE -1 FROM "scrolled"
----------
CLOSE "scrolled"
----------
COPY (SELECT id, name FROM customers) TO STDOUT WITH CSV HEADER
----------
COPY "products"("code","name") TO stdout WITH DELIMITER AS '	' NULL AS '\N'
----------
COMMIT
----------
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE
----------
SELECT 1
----------
BEGIN READ WRITE NOT DEFERRABLE
----------
LISTEN x
----------
UNLISTEN *
----------
DISCARD ALL
