//! The reviewed lists agree with a real PostgreSQL's catalogue: nothing invented, nothing forgotten, nothing dangerous.

use crate::support::{Database, rows};
use rowgate::sql::lists::{FunctionRule, Setting, Totality, catalog_relation_is_open, function, setting, totality};
use std::collections::{BTreeSet, HashSet};
use tokio_postgres::Client;

/// A name of a list file with its section and the version that brought it.
struct Entry {
    section: String,
    name: String,
    since: u32,
}

fn entries(text: &str) -> Vec<Entry> {
    let mut section = String::new();
    let mut all = Vec::new();
    for line in text.lines() {
        let (body, comment) = line.split_once('#').unwrap_or((line, ""));
        if let Some(head) = body.trim().strip_prefix('[') {
            section = head.trim_end_matches(']').to_owned();
            continue;
        }
        let since = comment
            .trim()
            .strip_prefix("since ")
            .and_then(|rest| rest.get(..2))
            .map_or(0, |version| version.parse().unwrap());
        let body = body.split('=').next().unwrap();
        for name in body.split_ascii_whitespace() {
            let name = name.split(['/', '(']).next().unwrap().to_owned();
            all.push(Entry {
                section: section.clone(),
                name,
                since,
            });
        }
    }
    all
}

fn functions() -> Vec<Entry> {
    entries(include_str!("../../src/sql/lists/functions.txt"))
}

async fn column(client: &Client, sql: &str) -> HashSet<String> {
    rows(client, sql)
        .await
        .into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect()
}

async fn version(client: &Client) -> u32 {
    let number = &rows(client, "SHOW server_version_num").await[0][0];
    number.as_ref().unwrap().parse::<u32>().unwrap() / 10_000
}

/// A function of the catalogue.
struct Built {
    schema: String,
    name: String,
    arguments: Vec<u32>,
    volatile: bool,
    leakproof: bool,
    signature: String,
    language: String,
}

/// Every function of the system schemas.
async fn built(client: &Client) -> Vec<Built> {
    let sql = "SELECT n.nspname, proname, array_to_string(proargtypes, ' '), provolatile = 'v', proleakproof, \
               p.oid::regprocedure || ' → ' || prorettype::regtype, lanname \
               FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace JOIN pg_language l ON l.oid = prolang \
               WHERE n.nspname IN ('pg_catalog', 'information_schema')";
    rows(client, sql)
        .await
        .into_iter()
        .map(|row| {
            let cell = |at: usize| row[at].clone().unwrap_or_default();
            Built {
                schema: cell(0),
                name: cell(1),
                arguments: cell(2)
                    .split_ascii_whitespace()
                    .map(|oid| oid.parse().unwrap())
                    .collect(),
                volatile: cell(3) == "t",
                leakproof: cell(4) == "t",
                signature: cell(5),
                language: cell(6),
            }
        })
        .collect()
}

impl Built {
    fn rule(&self) -> FunctionRule {
        function(&self.schema, &self.name, self.arguments.len())
    }
}

#[tokio::test]
async fn every_listed_function_exists() {
    let database = Database::new().await;
    let client = database.superuser().await;
    let version = version(&client).await;
    let known = column(&client, "SELECT DISTINCT proname FROM pg_proc").await;
    let listed = functions()
        .into_iter()
        .chain(entries(include_str!("../../src/sql/lists/total.txt")));
    for entry in listed.filter(|entry| entry.since <= version) {
        assert!(
            known.contains(&entry.name),
            "{} does not exist in {version}",
            entry.name
        );
    }
}

#[tokio::test]
async fn nothing_dangerous_is_allowed() {
    const BEGINNINGS: &[&str] = &[
        "pg_read_",
        "pg_ls_",
        "lo_",
        "pg_stat_",
        "binary_upgrade_",
        "pg_logical_",
        "pg_replication_",
        "pg_current_wal",
        "pg_backup_",
        "pg_wal_replay",
        "pg_create_",
        "pg_drop_",
        "pg_copy_",
        "pg_log_",
        "pg_rotate_",
        "pg_control_",
        "pg_show_all_file",
        "pg_show_replication",
        "pg_event_trigger_",
        "pg_last_",
        "query_to_",
        "table_to_",
        "schema_to_",
        "database_to_",
        "cursor_to_",
        "dblink",
        "crosstab",
        "xpath_table",
        "inet_client_",
        "inet_server_",
        "brin_",
        "gin_",
        "pg_import_",
        "pg_extension_",
        "pg_clear_",
        "pg_restore_",
        "pg_get_wal_",
        "pg_get_replication_",
        "pg_input_",
    ];
    const NAMES: &[&str] = &[
        "ts_stat",
        "current_query",
        "pg_terminate_backend",
        "pg_cancel_backend",
        "pg_notify",
        "setval",
        "currtid2",
        "pg_cursor",
        "pg_prepared_statement",
        "pg_prepared_xact",
        "pg_sequence_last_value",
        "pg_get_sequence_data",
        "pg_mcv_list_items",
        "pg_export_snapshot",
        "pg_switch_wal",
        "pg_reload_conf",
        "pg_promote",
        "loread",
        "lowrite",
        "pg_lock_status",
        "pg_hba_file_rules",
        "pg_ident_file_mappings",
        "pg_config",
        "pg_get_backend_memory_contexts",
        "pg_get_shmem_allocations",
        "pg_blocking_pids",
        "pg_safe_snapshot_blocking_pids",
        "pg_stop_making_pinned_objects",
        "pg_nextoid",
        "pg_current_logfile",
        "pg_relation_filepath",
        "pg_tablespace_databases",
        "pg_listening_channels",
        "pg_get_multixact_members",
        "pg_xact_commit_timestamp",
        "pg_get_loaded_modules",
        "pg_get_aios",
        "xmlvalidate",
        "enum_in",
        "record_in",
        "shell_in",
        "domain_in",
        "int4in",
        "satisfies_hash_partition",
    ];
    let database = Database::new().await;
    let client = database.superuser().await;
    let dangerous = |name: &str| NAMES.contains(&name) || BEGINNINGS.iter().any(|start| name.starts_with(start));
    for one in built(&client).await {
        assert!(
            !dangerous(&one.name) || one.rule() == FunctionRule::Refused,
            "{} must not be allowed",
            one.signature
        );
    }
    for entry in functions() {
        assert!(!dangerous(&entry.name), "{} must not be listed", entry.name);
    }
}

#[tokio::test]
async fn no_allowed_function_works_on_internals() {
    const INTERNAL: u32 = 2281;
    const CSTRING: u32 = 2275;
    let database = Database::new().await;
    let client = database.superuser().await;
    for one in built(&client)
        .await
        .iter()
        .filter(|one| one.rule() != FunctionRule::Refused)
    {
        assert!(
            !one.arguments.contains(&INTERNAL) && !one.arguments.contains(&CSTRING),
            "{} works on internals",
            one.signature
        );
        for result in [
            "internal",
            "trigger",
            "event_trigger",
            "cstring",
            "language_handler",
            "fdw_handler",
        ] {
            assert!(!one.signature.ends_with(&format!("→ {result}")), "{}", one.signature);
        }
    }
}

#[tokio::test]
async fn volatile_functions_were_taken_one_by_one() {
    let database = Database::new().await;
    let client = database.superuser().await;
    let one_by_one: HashSet<String> = functions()
        .into_iter()
        .filter(|entry| entry.section != "allowed")
        .map(|entry| entry.name)
        .collect();
    // Stable in all but the lock or the status look-up that they need.
    let reviewed = ["pg_xact_status", "txid_status"];
    for one in built(&client).await.iter().filter(|one| one.volatile) {
        assert!(
            one.rule() == FunctionRule::Refused
                || one_by_one.contains(&one.name)
                || reviewed.contains(&one.name.as_str()),
            "{} is volatile",
            one.signature
        );
    }
}

#[tokio::test]
async fn functions_written_in_sql_were_read() {
    let database = Database::new().await;
    let client = database.superuser().await;
    if version(&client).await != 15 {
        return;
    }
    let names: BTreeSet<String> = built(&client)
        .await
        .into_iter()
        .filter(|one| one.language != "internal" && one.rule() != FunctionRule::Refused)
        .map(|one| format!("{} {}", one.language, one.signature.split('→').next().unwrap().trim()))
        .collect();
    insta::assert_snapshot!(names.into_iter().collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn every_leakproof_function_is_total() {
    // Geometry stays out: nobody has asked for it, and most of it raises.
    const GEOMETRY: &[u32] = &[601, 718];
    let database = Database::new().await;
    let client = database.superuser().await;
    for one in built(&client)
        .await
        .iter()
        .filter(|one| one.leakproof && one.rule() == FunctionRule::Allowed)
    {
        if one.arguments.iter().any(|oid| GEOMETRY.contains(oid)) {
            continue;
        }
        let types: Vec<_> = one.arguments.iter().map(|oid| Some(*oid)).collect();
        assert_eq!(totality(&one.name, &types), Totality::Total, "{}", one.signature);
    }
}

#[tokio::test]
async fn what_is_total_is_allowed() {
    for entry in entries(include_str!("../../src/sql/lists/total.txt")) {
        let allowed = (0..6).any(|count| function("pg_catalog", &entry.name, count) == FunctionRule::Allowed);
        assert!(allowed, "{} is total but not allowed", entry.name);
    }
}

#[tokio::test]
async fn every_system_relation_was_reviewed() {
    let database = Database::new().await;
    let client = database.superuser().await;
    let version = version(&client).await;
    let listed = entries(include_str!("../../src/sql/lists/catalog_relations.txt"));
    let names: HashSet<&str> = listed.iter().map(|entry| entry.name.as_str()).collect();
    let known = column(
        &client,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p', 'f') \
         AND relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)",
    )
    .await;
    for name in &known {
        assert!(names.contains(name.as_str()), "{name} was not reviewed");
    }
    for entry in listed.iter().filter(|entry| entry.since <= version) {
        assert!(
            known.contains(&entry.name),
            "{} does not exist in {version}",
            entry.name
        );
    }
}

#[tokio::test]
async fn open_views_show_nothing_that_is_closed() {
    let database = Database::new().await;
    let client = database.superuser().await;
    let reads = rows(
        &client,
        "SELECT DISTINCT v.relnamespace::regnamespace, v.relname, t.relnamespace::regnamespace, t.relname \
         FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class \
         JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass \
         JOIN pg_class t ON t.oid = d.refobjid AND t.oid <> v.oid \
         WHERE v.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND t.oid >= 0",
    )
    .await;
    // Names of roles without their passwords; servers without the secrets of their user mappings.
    let reviewed = [
        ("pg_roles", "pg_authid"),
        ("pg_roles", "pg_db_role_setting"),
        ("pg_group", "pg_authid"),
        ("pg_user", "pg_shadow"),
    ];
    for read in &reads {
        let [view_schema, view, schema, table] = [0, 1, 2, 3].map(|at| read[at].clone().unwrap());
        if !catalog_relation_is_open(&view_schema, &view) || catalog_relation_is_open(&schema, &table) {
            continue;
        }
        let is_names_only = schema == "pg_catalog" && table == "pg_authid" && view_schema == "information_schema";
        assert!(
            is_names_only || reviewed.contains(&(view.as_str(), table.as_str())),
            "{view_schema}.{view} reads {schema}.{table}"
        );
    }
}

#[tokio::test]
async fn every_listed_setting_exists_and_takes_its_values() {
    let database = Database::new().await;
    let client = database.superuser().await;
    let version = version(&client).await;
    for entry in entries(include_str!("../../src/sql/lists/settings.txt")) {
        if entry.since > version {
            continue;
        }
        let known = rows(&client, &format!("SELECT current_setting('{}', true)", entry.name)).await;
        assert!(known[0][0].is_some(), "{} does not exist in {version}", entry.name);
        if let Setting::Only(values) = setting(&entry.name) {
            for value in values {
                client
                    .batch_execute(&format!("SET {} = '{value}'", entry.name))
                    .await
                    .unwrap_or_else(|error| panic!("{} = {value}: {error:?}", entry.name));
            }
        }
    }
}

#[tokio::test]
async fn every_setting_that_prints_statements_or_changes_who_asks_is_refused() {
    let database = Database::new().await;
    let client = database.superuser().await;
    for name in column(&client, "SELECT name FROM pg_settings").await {
        let dangerous = [
            "debug_",
            "log_",
            "trace_",
            "track_",
            "ssl_",
            "wal_",
            "archive_",
            "backtrace_",
        ];
        let named = [
            "role",
            "session_authorization",
            "row_security",
            "session_replication_role",
            "exit_on_error",
            "local_preload_libraries",
            "session_preload_libraries",
            "zero_damaged_pages",
            "allow_system_table_mods",
            "ignore_checksum_failure",
            "lc_messages",
            "timezone_abbreviations",
            "restrict_nonsystem_relation_kind",
        ];
        if dangerous.iter().any(|start| name.starts_with(start)) || named.contains(&name.as_str()) {
            assert_eq!(setting(&name), Setting::Refused, "{name}");
        }
    }
}
