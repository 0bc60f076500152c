SELECT extract(epoch from date_trunc('hour', created_at))::bigint AS "time", count(*) AS value FROM customers WHERE created_at BETWEEN '2024-01-01T00:00:00Z' AND '2024-12-31T00:00:00Z' GROUP BY 1 ORDER BY 1
----------
SELECT floor(extract(epoch from created_at)/300)*300 AS "time", avg(amount) AS "amount" FROM opportunities WHERE created_at >= to_timestamp(1700000000) GROUP BY 1 ORDER BY 1
----------
select quote_ident(table_name) as "table" from information_schema.tables where quote_ident(table_schema) not in ('information_schema', 'pg_catalog', '_timescaledb_cache') and table_type = 'BASE TABLE' and (quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'),','),1), array_upper(string_to_array(current_setting('search_path'),','),1)) as i, string_to_array(current_setting('search_path'),',') s))
----------
select quote_ident(column_name) as "column", data_type as "type" from information_schema.columns where quote_ident(table_name) = 'customers'
