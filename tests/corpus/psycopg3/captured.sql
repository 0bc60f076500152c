BEGIN
----------
SELECT id, name FROM customers WHERE id = $1 AND name LIKE $2
----------
SELECT id FROM customers WHERE id = ANY($1)
----------
SAVEPOINT "_pg3_1"
----------
SELECT
    typname AS name, oid, typarray AS array_oid,
    oid::regtype::text AS regtype, typdelim AS delimiter
FROM pg_type t
WHERE t.oid = to_regtype($1)
ORDER BY t.oid
----------
RELEASE "_pg3_1"
----------
SELECT name, oid, array_oid, regtype, array_agg(label) AS labels
FROM (
    SELECT
        t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
        t.oid::regtype::text AS regtype, e.enumlabel AS label
    FROM pg_type t
    LEFT JOIN  pg_enum e
    ON e.enumtypid = t.oid
    WHERE t.oid = to_regtype($1)
    ORDER BY e.enumsortorder
) x
GROUP BY name, oid, array_oid, regtype
----------
SELECT
    t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    coalesce(a.fnames, '{}') AS field_names,
    coalesce(a.ftypes, '{}') AS field_types
FROM pg_type t
LEFT JOIN (
    SELECT
        attrelid,
        array_agg(attname) AS fnames,
        array_agg(atttypid) AS ftypes
    FROM (
        SELECT a.attrelid, a.attname, a.atttypid
        FROM pg_attribute a
        JOIN pg_type t ON t.typrelid = a.attrelid
        WHERE t.oid = to_regtype($1)
        AND a.attnum > 0
        AND NOT a.attisdropped
        ORDER BY a.attnum
    ) x
    GROUP BY attrelid
) a ON a.attrelid = t.typrelid
WHERE t.oid = to_regtype($1)
----------
SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    r.rngsubtype AS subtype_oid
FROM pg_type t
JOIN pg_range r ON t.oid = r.rngtypid
WHERE t.oid = to_regtype($1)
----------
SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    r.rngtypid AS range_oid, r.rngsubtype AS subtype_oid
FROM pg_type t
JOIN pg_range r ON t.oid = r.rngmultitypid
WHERE t.oid = to_regtype($1)
----------
DECLARE "named" CURSOR FOR SELECT id FROM customers
----------
FETCH FORWARD 2 FROM "named"
----------
CLOSE "named"
----------
DECLARE "s" SCROLL CURSOR FOR SELECT id FROM customers WHERE id > $1
----------
FETCH FORWARD 1 FROM "s"
----------
MOVE 1 FROM "s"
----------
CLOSE "s"
----------
COPY (SELECT id, name FROM customers) TO STDOUT (FORMAT BINARY)
----------
SELECT 1
----------
SAVEPOINT "sp"
----------
ROLLBACK TO "sp"
----------
RELEASE "sp"
----------
COMMIT
----------
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE
----------
SELECT name FROM customers WHERE id = $1
