-- Who may come in. A person's role holds a password and no right at all: what they see, they see through rowgate.
-- A role of that name that is not of our making stays as it is, and the demonstration does not start.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN SELECT login FROM crm.users UNION ALL SELECT 'rowgate' LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.login) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L',
                           wanted.login, wanted.login || '-demo');
            EXECUTE format('COMMENT ON ROLE %I IS %L', wanted.login, 'rowgate demonstration');
        ELSIF shobj_description((SELECT oid FROM pg_roles WHERE rolname = wanted.login), 'pg_authid')
              IS DISTINCT FROM 'rowgate demonstration' THEN
            RAISE EXCEPTION 'the role "%" exists already', wanted.login
                USING HINT = 'the demonstration makes sixty roles with well-known passwords: give it a server of its own';
        END IF;
    END LOOP;
END
$$;

-- rowgate's own role: reads and writes the tables, owns nothing, creates nothing.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public, crm TO rowgate;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO rowgate;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO rowgate;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO rowgate;

-- What rowgate needs to check a person's password, and nothing more: the verifier of one person of the directory.
CREATE SCHEMA rowgate;
CREATE FUNCTION rowgate.verifier(person text) RETURNS TABLE (login text, verifier text)
    LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT a.rolname::text, a.rolpassword FROM pg_catalog.pg_authid AS a
        WHERE a.rolname = person AND a.rolcanlogin AND NOT a.rolsuper
          AND (a.rolvaliduntil IS NULL OR a.rolvaliduntil > now())
          AND EXISTS (SELECT FROM crm.users AS u WHERE u.login = person AND u.active)
    $$;
REVOKE ALL ON FUNCTION rowgate.verifier(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA rowgate TO rowgate;
GRANT EXECUTE ON FUNCTION rowgate.verifier(text) TO rowgate;

-- The key of "hash" masks. rowgate reads it inside the statements that it sends; no policy opens this table, and a
-- new key (UPDATE) changes every hash.
CREATE TABLE rowgate.hash_key (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    key    bytea NOT NULL CHECK (length(key) >= 32)
);
INSERT INTO rowgate.hash_key (key)
VALUES (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
GRANT SELECT ON rowgate.hash_key TO rowgate;
