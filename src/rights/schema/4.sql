-- Second factors: an authenticator's secret is made from the number here and a key that stands in no database, so that nothing
-- here tells a code. The last step of 30 seconds of which a code was taken is kept, and no code of it or before it is taken again.
CREATE TABLE rowgate.second_factors (
  login     text PRIMARY KEY,
  number    bytea NOT NULL CHECK (pg_catalog.octet_length(number) = 20),
  key_name  text NOT NULL,
  last_step bigint NOT NULL DEFAULT 0,
  set_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
  set_by    text NOT NULL
);

-- The role that serves clients reads no list of them, either.
CREATE FUNCTION rowgate.second_factor_of(whose text) RETURNS TABLE (number bytea, key_name text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  SELECT f.number, f.key_name FROM rowgate.second_factors AS f WHERE f.login = whose
$$;
REVOKE ALL ON FUNCTION rowgate.second_factor_of FROM PUBLIC;

CREATE FUNCTION rowgate.take_code(whose text, by_number bytea, step bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  WITH taken AS (UPDATE rowgate.second_factors AS f SET last_step = step
    WHERE f.login = whose AND f.number = by_number AND f.last_step < step RETURNING true)
  SELECT EXISTS (SELECT FROM taken)
$$;
REVOKE ALL ON FUNCTION rowgate.take_code FROM PUBLIC;

CREATE FUNCTION rowgate.set_second_factor(whose text, new_number bytea, new_key_name text, by_whom text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO rowgate.second_factors AS f (login, number, key_name, set_by)
    VALUES (whose, new_number, new_key_name, by_whom)
    ON CONFLICT (login) DO UPDATE SET number = excluded.number, key_name = excluded.key_name, last_step = 0,
      set_at = pg_catalog.now(), set_by = excluded.set_by;
  INSERT INTO rowgate.history (who, why, what, login) VALUES (by_whom, '', 'second factor set', whose);
$$;
REVOKE ALL ON FUNCTION rowgate.set_second_factor FROM PUBLIC;

CREATE FUNCTION rowgate.remove_second_factor(whose text, by_whom text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  WITH gone AS (DELETE FROM rowgate.second_factors AS f WHERE f.login = whose RETURNING f.login),
    told AS (INSERT INTO rowgate.history (who, why, what, login)
      SELECT by_whom, '', 'second factor removed', gone.login FROM gone)
  SELECT EXISTS (SELECT FROM gone)
$$;
REVOKE ALL ON FUNCTION rowgate.remove_second_factor FROM PUBLIC;

-- why something was given is not why it has ended
CREATE OR REPLACE FUNCTION rowgate.keep_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  one  jsonb := to_jsonb(coalesce(NEW, OLD));
  list text[];
BEGIN
  SELECT array_agg(v ORDER BY n) INTO list
    FROM jsonb_array_elements_text(nullif(one -> 'record', 'null'::jsonb)) WITH ORDINALITY AS e (v, n);
  INSERT INTO rowgate.history (who, why, what, login, table_name, record, before, after) VALUES (
    coalesce(nullif(current_setting('rowgate.who', true), ''), session_user),
    coalesce(nullif(current_setting('rowgate.why', true), ''), CASE WHEN TG_OP = 'INSERT' THEN one ->> 'reason' END, ''),
    CASE WHEN TG_TABLE_NAME = 'requests' THEN CASE WHEN TG_OP = 'INSERT' THEN 'requested' ELSE one ->> 'state' END
         WHEN TG_OP = 'INSERT' THEN 'given' WHEN TG_OP = 'UPDATE' THEN 'changed'
         WHEN OLD.until <= now() THEN 'expired' ELSE 'ended' END,
    one ->> 'login', one ->> 'table_name', list,
    CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
    CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
  RETURN NULL;
END $$;
