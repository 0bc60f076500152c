\pset format unaligned
\pset tuples_only on
SELECT 'customers ' || count(*) FROM customers;
-- 36 is alice: phones of others' customers are masked
SELECT 'masked ' || bool_and(phone LIKE '%*%') FROM customers WHERE owner_id <> 36;
\d customers
\d+ contacts
\dt
\dv
\df
\dn
\du
\l
\dp
\di
\ds
\dT+
\dx
\set x %
SELECT count(*) AS n FROM customers WHERE name LIKE :'x' \gset
\echo variable :n
\set FETCH_COUNT 2
SELECT 'streamed ' || (id > 0) FROM customers;
\unset FETCH_COUNT
\set VERBOSITY sqlstate
SELECT credit_limit FROM customers;
COPY customers TO STDOUT;
\copy (SELECT 1) TO STDOUT
SELECT 'usable ' || 1;
