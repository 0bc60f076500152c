-- What PostgreSQL 17 has beside the rest.
SELECT JSON_ARRAY(SELECT x.v FROM § AS x ORDER BY x.v)
SELECT JSON_ARRAY(SELECT x.v FROM § AS x WHERE x.id = y.id RETURNING jsonb) FROM § AS y
SELECT x.v, t.k FROM § AS x, JSON_TABLE(x.j, '$' COLUMNS (k text PATH '$.k')) AS t
SELECT t.* FROM JSON_TABLE((SELECT jsonb_agg(x.j ORDER BY x.id) FROM § AS x), '$[*]' COLUMNS (n FOR ORDINALITY, NESTED PATH '$.k' COLUMNS (k text PATH '$'))) AS t
SELECT JSON_VALUE(x.j, '$.k' RETURNING text) FROM § AS x WHERE JSON_EXISTS(x.j, '$.k')
SELECT JSON_QUERY((SELECT to_jsonb(x.a) FROM § AS x WHERE x.id = 1), '$[*]' WITH WRAPPER)
SELECT JSON_VALUE(x.j, '$ ? ($z > 0).k' PASSING (SELECT max(y.id) FROM § AS y) AS z) FROM § AS x
SELECT JSON_OBJECT('v': x.v, 's': (SELECT max(y.v) FROM § AS y)) FROM § AS x
SELECT JSON_OBJECTAGG(x.v: x.m) FROM § AS x GROUP BY x.owner_id
SELECT JSON_ARRAYAGG(x.v ORDER BY x.v) FILTER (WHERE x.id IN (SELECT y.id FROM § AS y)) FROM § AS x
SELECT JSON_SERIALIZE(JSON_SCALAR(x.v)) FROM § AS x WHERE JSON(x.j::text)::text IS JSON OBJECT
