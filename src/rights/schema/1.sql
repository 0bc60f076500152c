CREATE SCHEMA IF NOT EXISTS rowgate;
REVOKE ALL ON SCHEMA rowgate FROM PUBLIC;

-- the version of what follows, and a number that every change counts up
CREATE TABLE rowgate.state (
  single  boolean PRIMARY KEY DEFAULT true CHECK (single),
  version integer NOT NULL,
  stamp   bigint NOT NULL DEFAULT 0
);

-- who holds what for how long; a row is a right, no row is no right
CREATE TABLE rowgate.rights (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind       text NOT NULL CHECK (kind IN ('grant', 'role', 'raise', 'delegation', 'share', 'suspension')),
  login      text,
  team       text,
  role       text,
  table_name text,
  operations text[],
  scope      text,
  columns    text[],
  record     text[],
  delegator  text,
  starts     timestamptz NOT NULL DEFAULT pg_catalog.now(),
  until      timestamptz CHECK (until > starts),
  reason     text NOT NULL DEFAULT '',
  given_by   text NOT NULL DEFAULT session_user,
  given_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  CHECK (CASE kind
    WHEN 'grant' THEN login IS NOT NULL AND table_name IS NOT NULL AND until IS NOT NULL
      AND (operations IS NOT NULL AND scope IS NOT NULL) <> (columns IS NOT NULL)
    WHEN 'delegation' THEN login IS NOT NULL AND delegator IS NOT NULL AND login <> delegator AND until IS NOT NULL
    WHEN 'share' THEN table_name IS NOT NULL AND record IS NOT NULL AND (login IS NOT NULL) <> (team IS NOT NULL)
    WHEN 'suspension' THEN pg_catalog.num_nonnulls(login, role, table_name) = 1
    ELSE login IS NOT NULL AND role IS NOT NULL AND until IS NOT NULL END)
);
CREATE INDEX ON rowgate.rights (until);

-- what people ask for, in the words of the command
CREATE TABLE rowgate.requests (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  login      text NOT NULL,
  wanted     text NOT NULL,
  until      timestamptz NOT NULL,
  reason     text NOT NULL,
  asked_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected')),
  decided_by text,
  decided_at timestamptz,
  CHECK ((state = 'open') = (decided_by IS NULL)),
  CHECK (decided_by <> login)
);

-- every change, for good
CREATE TABLE rowgate.history (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  who       text NOT NULL,
  why       text NOT NULL,
  what      text NOT NULL,
  login     text,
  table_name text,
  record    text[],
  before    jsonb,
  after     jsonb
);
CREATE INDEX ON rowgate.history (login);
CREATE INDEX ON rowgate.history (table_name, record);

CREATE FUNCTION rowgate.keep_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  one  jsonb := to_jsonb(coalesce(NEW, OLD));
  list text[];
BEGIN
  SELECT array_agg(v ORDER BY n) INTO list
    FROM jsonb_array_elements_text(nullif(one -> 'record', 'null'::jsonb)) WITH ORDINALITY AS e (v, n);
  INSERT INTO rowgate.history (who, why, what, login, table_name, record, before, after) VALUES (
    coalesce(nullif(current_setting('rowgate.who', true), ''), session_user),
    coalesce(nullif(current_setting('rowgate.why', true), ''), one ->> 'reason', ''),
    CASE WHEN TG_TABLE_NAME = 'requests' THEN CASE WHEN TG_OP = 'INSERT' THEN 'requested' ELSE one ->> 'state' END
         WHEN TG_OP = 'INSERT' THEN 'given' WHEN TG_OP = 'UPDATE' THEN 'changed'
         WHEN OLD.until <= now() THEN 'expired' ELSE 'ended' END,
    one ->> 'login', one ->> 'table_name', list,
    CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
    CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION rowgate.keep_history() FROM PUBLIC;
CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON rowgate.rights
  FOR EACH ROW EXECUTE FUNCTION rowgate.keep_history();
CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON rowgate.requests
  FOR EACH ROW EXECUTE FUNCTION rowgate.keep_history();

-- every instance hears at once; the number is for those that missed it
CREATE FUNCTION rowgate.tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE rowgate.state SET stamp = stamp + 1;
  PERFORM pg_notify('rowgate_rights', '');
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION rowgate.tell() FROM PUBLIC;
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rowgate.rights
  FOR EACH STATEMENT EXECUTE FUNCTION rowgate.tell();

CREATE FUNCTION rowgate.only_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the history of rights is only added to';
END $$;
REVOKE ALL ON FUNCTION rowgate.only_append() FROM PUBLIC;
CREATE TRIGGER only_append BEFORE UPDATE OR DELETE OR TRUNCATE ON rowgate.history
  FOR EACH STATEMENT EXECUTE FUNCTION rowgate.only_append();
CREATE TRIGGER only_delete BEFORE TRUNCATE ON rowgate.rights
  FOR EACH STATEMENT EXECUTE FUNCTION rowgate.only_append();

INSERT INTO rowgate.state (version) VALUES (1);
