//! The catalogue queries but that of relations: everything qualified, independent of the session's settings.

/// What the reading transaction is set to: definitions print fully qualified under an empty search_path.
pub(super) const SESSION: &str = "SET LOCAL search_path = ''; SET LOCAL statement_timeout = '30s'";

/// Database name and version.
pub(super) const ABOUT: &str =
    "SELECT pg_catalog.current_database()::pg_catalog.text, pg_catalog.current_setting('server_version_num')::int4";

/// Schemas, temporary ones left out.
pub(super) const SCHEMAS: &str = "
SELECT nspname::text, oid FROM pg_catalog.pg_namespace
WHERE nspname !~ '^pg_(toast_)?temp_' AND nspname <> 'pg_toast'";

/// Types, with whether they have a default equality of their own, whether a domain has constraints of its own, and
/// the collation of their values (100 is the database's default).
pub(super) const TYPES: &str = "
SELECT t.oid, n.nspname::text, t.typname::text, t.typtype::text, t.typcategory::text,
       CASE WHEN t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc THEN t.typelem ELSE 0::oid END,
       t.typarray, t.typbasetype, t.typrelid,
       EXISTS (SELECT 1 FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am a ON a.oid = o.opcmethod
               WHERE o.opcdefault AND o.opcintype = t.oid AND a.amname IN ('btree', 'hash')),
       t.typtype = 'd' AND (t.typnotnull OR EXISTS (
           SELECT 1 FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid)),
       COALESCE((SELECT pg_catalog.array_agg(k.casttarget) FROM pg_catalog.pg_cast k
                 WHERE k.castsource = t.oid AND k.castmethod = 'b' AND k.castcontext = 'i'), '{}'),
       t.typcollation <> 0, cn.nspname::text, CASE WHEN cn.nspname IS NOT NULL THEN co.collname::text END
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     LEFT JOIN pg_catalog.pg_collation co ON co.oid = t.typcollation AND co.oid <> 100
     LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE n.nspname !~ '^pg_(toast_)?temp_' AND n.nspname <> 'pg_toast'";

/// Functions, aggregates, procedures.
pub(super) const FUNCTIONS: &str = "
SELECT p.oid, n.nspname::text, p.proname::text, p.proargtypes::oid[], p.pronargdefaults, p.provariadic <> 0,
       p.prorettype, p.proretset, p.provolatile::text, p.proleakproof, p.proisstrict, p.prokind::text,
       p.proargnames, p.proargmodes::text[], p.proallargtypes, p.prosecdef
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_(toast_)?temp_'
ORDER BY p.oid";

/// Operators with the function behind each.
pub(super) const OPERATORS: &str = "
SELECT n.nspname::text, o.oprname::text, o.oprleft, o.oprright, o.oprresult, p.oid, p.proleakproof,
       f.nspname::text, p.proname::text
FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
ORDER BY o.oid";

/// Casts with the function behind each.
pub(super) const CASTS: &str = "
SELECT k.castsource, k.casttarget, k.castcontext::text, k.castmethod::text, n.nspname::text, p.proname::text,
       k.castmethod = 'b' OR COALESCE(p.proleakproof, false)
FROM pg_catalog.pg_cast k
LEFT JOIN pg_catalog.pg_proc p ON p.oid = k.castfunc
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace";

/// One text that changes when any object a snapshot holds is made, changed or dropped.
pub(super) const FINGERPRINT: &str = "
WITH kept AS MATERIALIZED (
    SELECT oid FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(toast|temp_|toast_temp_)'),
rel AS MATERIALIZED (
    SELECT c.oid, c.xmin, c.ctid FROM pg_catalog.pg_class c
    WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.relnamespace IN (SELECT oid FROM kept))
SELECT pg_catalog.concat_ws('/',
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(xmin::text || ctid::text, 1)), 0) FROM rel),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(a.xmin::text || a.ctid::text, 2)), 0)
     FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.oid),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(p.xmin::text || p.ctid::text, 3)), 0)
     FROM pg_catalog.pg_proc p WHERE p.oid >= 16384),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(t.xmin::text || t.ctid::text, 4)), 0)
     FROM pg_catalog.pg_type t WHERE t.oid >= 16384 AND t.typnamespace IN (SELECT oid FROM kept)),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(c.xmin::text || c.ctid::text, 5)), 0)
     FROM pg_catalog.pg_constraint c WHERE c.oid >= 16384 AND c.connamespace IN (SELECT oid FROM kept)),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(r.xmin::text || r.ctid::text, 6)), 0)
     FROM pg_catalog.pg_rewrite r WHERE r.oid >= 16384 AND r.ev_class IN (SELECT oid FROM rel)),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(i.xmin::text || i.ctid::text, 7)), 0)
     FROM pg_catalog.pg_inherits i),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(o.xmin::text || o.ctid::text, 8)), 0)
     FROM pg_catalog.pg_operator o WHERE o.oid >= 16384),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(k.xmin::text || k.ctid::text, 9)), 0)
     FROM pg_catalog.pg_cast k WHERE k.oid >= 16384),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(n.xmin::text || n.ctid::text, 10)), 0)
     FROM pg_catalog.pg_namespace n WHERE n.oid IN (SELECT oid FROM kept)),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(t.xmin::text || t.ctid::text, 11)), 0)
     FROM pg_catalog.pg_trigger t WHERE t.tgrelid IN (SELECT oid FROM rel)),
    (SELECT pg_catalog.count(*) || ':' || COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(i.xmin::text || i.ctid::text, 12)), 0)
     FROM pg_catalog.pg_index i WHERE i.indrelid IN (SELECT oid FROM rel)))";
