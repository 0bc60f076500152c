SELECT pg_catalog.version()
----------
select current_schema()
----------
show standard_conforming_strings
----------
SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' ORDER BY nspname
----------
SELECT DATE_TRUNC('day', created_at) AS __timestamp,
       COUNT(*) AS count,
       SUM(amount) AS "SUM(amount)"
FROM public.opportunities
WHERE created_at >= TO_TIMESTAMP('2024-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
  AND created_at < TO_TIMESTAMP('2024-12-31 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
GROUP BY DATE_TRUNC('day', created_at)
ORDER BY count DESC
LIMIT 10000
----------
SELECT level AS level,
       COUNT(DISTINCT id) AS "COUNT_DISTINCT(id)"
FROM
  (SELECT c.*, o.amount FROM customers c JOIN opportunities o ON o.customer_id = c.id) AS virtual_table
WHERE level IN ('gold', 'platinum')
GROUP BY level
ORDER BY "COUNT_DISTINCT(id)" DESC
LIMIT 100
OFFSET 0
----------
SELECT __time_anon.level, count(*) FROM (SELECT level, DATE_TRUNC('week', created_at AT TIME ZONE 'UTC') AS w FROM customers) AS __time_anon JOIN (SELECT level AS mme_level__, sum(credit_limit) AS mme_inner__ FROM customers GROUP BY level ORDER BY mme_inner__ DESC LIMIT 5) AS series_limit ON __time_anon.level = mme_level__ GROUP BY __time_anon.level
----------
SELECT COUNT(*) AS rowcount FROM (SELECT * FROM public.customers LIMIT 1001) AS rowcount_qry
----------
EXPLAIN SELECT * FROM customers
