-- passwords that rowgate keeps: verifiers, which prove a password and do not tell it; of each login the last one counts
CREATE TABLE rowgate.passwords (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  login    text NOT NULL,
  verifier text NOT NULL CHECK (verifier LIKE 'SCRAM-SHA-256$%:%$%:%'),
  set_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  set_by   text NOT NULL
);
CREATE INDEX ON rowgate.passwords (login, id);

-- The role that serves clients reads no list of them: it asks for one login's, the last one first, and adds one.
CREATE FUNCTION rowgate.passwords_of(whose text, most integer) RETURNS TABLE (verifier text, set_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  SELECT p.verifier, p.set_at FROM rowgate.passwords AS p WHERE p.login = whose ORDER BY p.id DESC LIMIT most
$$;
REVOKE ALL ON FUNCTION rowgate.passwords_of FROM PUBLIC;

CREATE FUNCTION rowgate.set_password(whose text, new_verifier text, by_whom text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO rowgate.passwords (login, verifier, set_by) VALUES (whose, new_verifier, by_whom);
  -- no rule asks for more former ones
  DELETE FROM rowgate.passwords WHERE login = whose AND id IN
    (SELECT p.id FROM rowgate.passwords AS p WHERE p.login = whose ORDER BY p.id DESC OFFSET 101);
  INSERT INTO rowgate.history (who, why, what, login) VALUES (by_whom, '', 'password set', whose);
$$;
REVOKE ALL ON FUNCTION rowgate.set_password FROM PUBLIC;
