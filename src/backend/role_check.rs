//! May this role stand behind rowgate? It must not be able to do what no policy could hold back.

use super::{ConnectError, Connection};
use crate::config::Upstream;

/// What is wrong with the role, a line each; empty is good. `protected` are the qualified names of the protected
/// tables (as `schema.name`), which the role may own only if the configuration says so.
pub async fn problems(
    connection: &mut Connection,
    upstream: &Upstream,
    protected: &[String],
) -> Result<Vec<String>, ConnectError> {
    let user = &upstream.user;
    let mut problems = Vec::new();

    let rows = connection.run(ATTRIBUTES, &[]).await?;
    for attribute in rows.into_iter().flatten().flatten() {
        problems.push(format!(
            "the role \"{user}\" is {attribute}: ALTER ROLE \"{user}\" NO{attribute}"
        ));
    }
    let rows = connection.run(SERVER_ROLES, &[]).await?;
    for role in rows.into_iter().flatten().flatten() {
        problems.push(format!(
            "the role \"{user}\" is a member of {role}: REVOKE {role} FROM \"{user}\""
        ));
    }
    let rows = connection.run(WRITABLE_SCHEMAS, &[]).await?;
    for schema in rows.into_iter().flatten().flatten() {
        problems.push(format!(
            "the role \"{user}\" may create objects in schema {schema}: REVOKE CREATE ON SCHEMA {schema} FROM \"{user}\", PUBLIC"
        ));
    }
    if !upstream.allow_table_owner && !protected.is_empty() {
        let names = format!(
            "{{{}}}",
            protected.iter().map(|n| array_item(n)).collect::<Vec<_>>().join(",")
        );
        let rows = connection.run(OWNED_TABLES, &[&names]).await?;
        for table in rows.into_iter().flatten().flatten() {
            problems.push(format!(
                "the role \"{user}\" owns the protected table {table}: give it another owner, or set upstream.allow_table_owner = true"
            ));
        }
    }
    Ok(problems)
}

fn array_item(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

const ATTRIBUTES: &str = "
SELECT a.word FROM pg_catalog.pg_roles r
CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb),
  ('REPLICATION', r.rolreplication)) a (word, has)
WHERE r.rolname OPERATOR(pg_catalog.=) session_user AND a.has";

const SERVER_ROLES: &str = "
SELECT r.rolname FROM pg_catalog.pg_roles r
WHERE r.rolname OPERATOR(pg_catalog.=) ANY ('{pg_read_server_files,pg_write_server_files,pg_execute_server_program,pg_signal_backend,pg_monitor,pg_read_all_settings,pg_read_all_stats,pg_stat_scan_tables,pg_checkpoint,pg_create_subscription,pg_maintain,pg_signal_autovacuum_worker,pg_use_reserved_connections}'::pg_catalog.name[])
  AND NOT (SELECT s.rolsuper FROM pg_catalog.pg_roles s WHERE s.rolname OPERATOR(pg_catalog.=) session_user)
  AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
ORDER BY 1";

const WRITABLE_SCHEMAS: &str = "
SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace n
WHERE NOT (SELECT s.rolsuper FROM pg_catalog.pg_roles s WHERE s.rolname OPERATOR(pg_catalog.=) session_user)
  AND n.nspname OPERATOR(pg_catalog.!~) '^pg_(toast|temp_|toast_temp_)'
  AND pg_catalog.has_schema_privilege(session_user, n.oid, 'CREATE')
ORDER BY 1";

const OWNED_TABLES: &str = "
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE (n.nspname::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) c.relname::pg_catalog.text) OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
  AND pg_catalog.pg_has_role(session_user, c.relowner, 'USAGE')
ORDER BY 1";
