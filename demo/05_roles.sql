-- Who may come in. A person's role holds a password and no right at all: what they see, they see through rowgate.
DO $$
DECLARE
    person record;
BEGIN
    FOR person IN SELECT login, active FROM crm.users ORDER BY user_id LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = person.login) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', person.login);
        END IF;
        EXECUTE format('ALTER ROLE %I PASSWORD %L', person.login, person.login || '-demo');
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rowgate') THEN
        CREATE ROLE rowgate LOGIN;
    END IF;
    ALTER ROLE rowgate NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD 'rowgate-demo';
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
