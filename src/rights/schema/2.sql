-- every set of policies that took force, for good
CREATE TABLE rowgate.policies (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at      timestamptz NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  hash    text NOT NULL,
  before  text,
  author  text,
  changes text[] NOT NULL
);
CREATE INDEX ON rowgate.policies (hash, id);

-- Any number of instances read the same files and each tells what it took: the first keeps it, the others find it.
-- `seen` is the change that the instance took last, so that a set that comes back later is a change again; unless told,
-- the instance begins, and a set that is that of the last change is none.
CREATE FUNCTION rowgate.keep_policy(seen bigint, at timestamptz, before text, hash text, author text, changes text[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  found bigint;
BEGIN
  LOCK TABLE rowgate.policies IN SHARE ROW EXCLUSIVE MODE;
  IF seen IS NULL THEN
    SELECT l.id INTO found FROM (SELECT id, hash FROM rowgate.policies ORDER BY id DESC LIMIT 1) AS l
      WHERE l.hash = keep_policy.hash;
  ELSE
    SELECT min(p.id) INTO found FROM rowgate.policies AS p WHERE p.hash = keep_policy.hash AND p.id > keep_policy.seen;
  END IF;
  IF found IS NULL THEN
    INSERT INTO rowgate.policies (at, hash, before, author, changes)
      VALUES (keep_policy.at, keep_policy.hash,
        coalesce(keep_policy.before, (SELECT l.hash FROM rowgate.policies AS l ORDER BY l.id DESC LIMIT 1)),
        keep_policy.author, keep_policy.changes)
      RETURNING id INTO found;
  END IF;
  RETURN found;
END $$;
REVOKE ALL ON FUNCTION rowgate.keep_policy FROM PUBLIC;

CREATE OR REPLACE FUNCTION rowgate.only_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the history of rights and policies is only added to';
END $$;
CREATE TRIGGER only_append BEFORE UPDATE OR DELETE OR TRUNCATE ON rowgate.policies
  FOR EACH STATEMENT EXECUTE FUNCTION rowgate.only_append();
