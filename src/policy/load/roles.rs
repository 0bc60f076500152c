//! `roles/NAME.toml`: what a role may do with each table and beside tables.

use super::{columns, scope_words, temporary};
use crate::name::QualifiedName;
use crate::policy::decision::RoleRights;
use crate::policy::section::Section;
use crate::policy::temporary::Temporary;
use crate::policy::written::{OverMaxRows, RoleRule, RoleTable, Written};
use std::collections::BTreeMap;

pub(super) fn read(file: &Section<'_>, name: &str, written: &mut Written) {
    let mut role = RoleRule {
        name: name.to_owned(),
        at: file.at().clone(),
        title: file.text("title").map(|w| w.text),
        bypass: file.boolean("bypass").unwrap_or(false),
        tables: BTreeMap::new(),
        rights: RoleRights::default(),
        temporary: Temporary::default(),
    };
    for key in file.keys() {
        match key.text.as_str() {
            "title" | "bypass" => {}
            "rights" => {
                if let Some(section) = file.section("rights") {
                    if let Some(inner) = section.section("temporary") {
                        role.temporary = temporary::read(&inner);
                    }
                    role.rights = rights(&section);
                }
            }
            table => {
                if let Some(section) = file.section(table) {
                    role.tables.insert(table.to_owned(), role_table(&section, key));
                }
            }
        }
    }
    if role.bypass && !role.tables.is_empty() {
        file.problems().error(
            file.at(),
            format!("role \"{name}\" bypasses the policy, so what it says of tables has no effect"),
            Some("remove bypass = true, or the tables".to_owned()),
        );
    }
    if role.bypass && !role.rights.may_act_for.is_empty() {
        file.problems().error(
            file.at(),
            format!("role \"{name}\" bypasses the policy, so it may not act for others"),
            Some("remove bypass = true, or may_act_for".to_owned()),
        );
    }
    written.roles.insert(name.to_owned(), role);
}

fn role_table(section: &Section<'_>, table: crate::policy::file::Word) -> RoleTable {
    let scopes = |key: &str| scope_words(section, key).unwrap_or_default();
    let mut read = RoleTable {
        table,
        view: scopes("view"),
        insert: scopes("insert"),
        edit: scopes("edit"),
        delete: scopes("delete"),
        export: scopes("export"),
        max_rows: section.integer("max_rows").and_then(|n| {
            let rows = u64::try_from(n).ok().filter(|&n| n > 0);
            if rows.is_none() {
                section
                    .problems()
                    .error(&section.spot_of("max_rows"), "\"max_rows\" must be at least 1", None);
            }
            rows
        }),
        over_max_rows: over_max_rows(section),
        columns: BTreeMap::new(),
    };
    if let Some(inner) = section.section("columns") {
        for key in inner.keys() {
            if let Some(rule) = columns::read(&inner, &key) {
                read.columns.insert(key.text.clone(), rule);
            }
        }
    }
    section.finish();
    read
}

fn over_max_rows(section: &Section<'_>) -> OverMaxRows {
    let Some(word) = section.text("over_max_rows") else {
        return OverMaxRows::default();
    };
    if !section.has("max_rows") {
        let message = "\"over_max_rows\" has no effect without max_rows".to_owned();
        section.problems().error(&word.at, message, None);
    }
    match word.text.as_str() {
        "cut" => OverMaxRows::Cut,
        "refuse" => OverMaxRows::Refuse,
        other => {
            let message = format!("\"over_max_rows\" must be \"cut\" or \"refuse\", not \"{other}\"");
            section.problems().error(&word.at, message, None);
            OverMaxRows::Refuse
        }
    }
}

/// Settings that `[rights.limits]` may name: those that cost the server.
pub(super) const LIMITS: [&str; 15] = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "work_mem",
    "hash_mem_multiplier",
    "maintenance_work_mem",
    "temp_buffers",
    "temp_file_limit",
    "from_collapse_limit",
    "join_collapse_limit",
    "geqo_threshold",
    "geqo_effort",
    "max_parallel_workers_per_gather",
    "cursor_tuple_fraction",
    "transaction_timeout",
];

fn rights(section: &Section<'_>) -> RoleRights {
    let texts = |key: &str| -> Vec<String> {
        section
            .texts(key)
            .unwrap_or_default()
            .into_iter()
            .map(|w| w.text)
            .collect()
    };
    let names = |key: &str| -> Vec<QualifiedName> {
        let mut read = Vec::new();
        for word in section.texts(key).unwrap_or_default() {
            match word.text.split_once('.') {
                Some((schema, name)) if !schema.is_empty() && !name.is_empty() => {
                    read.push(QualifiedName::new(schema, name.trim_end_matches("()")));
                }
                _ => section.problems().error(
                    &word.at,
                    format!("\"{}\" must name its schema", word.text),
                    Some(format!("such as \"public.{}\"", word.text)),
                ),
            }
        }
        read
    };
    let mut limits = BTreeMap::new();
    if let Some(inner) = section.section("limits") {
        for name in LIMITS {
            if let Some(value) = inner.scalar_text(name) {
                limits.insert(name.to_owned(), value.text);
            }
        }
        inner.finish();
    }
    let read = RoleRights {
        functions: names("functions"),
        listen: texts("listen"),
        notify: texts("notify"),
        may_act_for: texts("may_act_for"),
        act_again: section.boolean("act_again").unwrap_or(false),
        act_by_application: section.text("act_by_application").and_then(|word| {
            if word.text.matches('*').count() == 1 && word.text.len() > 1 {
                return Some(word.text);
            }
            section.problems().error(
                &word.at,
                format!(
                    "\"{}\" must hold one *, where the login stands, and something else",
                    word.text
                ),
                Some("such as \"bi:*\"".to_owned()),
            );
            None
        }),
        explain: section.boolean("explain").unwrap_or(false),
        directory: section.boolean("directory").unwrap_or(false),
        sleep: section.boolean("sleep").unwrap_or(false),
        temp_tables: section.boolean("temp_tables").unwrap_or(false),
        derived_relations: names("derived_relations"),
        message_functions: names("message_functions"),
        limits,
        concurrent_statements: section.integer("concurrent_statements").and_then(|n| {
            let count = u32::try_from(n).ok().filter(|&n| n > 0);
            if count.is_none() {
                section.problems().error(
                    &section.spot_of("concurrent_statements"),
                    "\"concurrent_statements\" must be at least 1",
                    None,
                );
            }
            count
        }),
    };
    section.finish();
    read
}
