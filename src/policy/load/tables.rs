//! `tables.toml`: what is protected, and whose each row is; `[defaults]` and `[scopes]` beside it.

use crate::name::QualifiedName;
use crate::policy::file::Word;
use crate::policy::section::{Section, Shape};
use crate::policy::written::{CustomScope, MembersRule, ParentRule, Scope, TableRule, Unprotected, Written};

pub(super) fn read(file: &Section<'_>, written: &mut Written) {
    for key in file.keys() {
        match key.text.as_str() {
            "defaults" => {
                if let Some(section) = file.section("defaults") {
                    defaults(&section, written);
                }
            }
            "scopes" => {
                if let Some(section) = file.section("scopes") {
                    scopes(&section, written);
                }
            }
            name => {
                let Some(section) = file.section(name) else { continue };
                if let Some(earlier) = written.tables.get(name) {
                    file.problems().error(
                        &key.at,
                        format!("table \"{name}\" is described twice"),
                        Some(format!("the first is at {}", earlier.name.at)),
                    );
                    continue;
                }
                if let Some(rule) = table(&section, key) {
                    written.tables.insert(rule.name.text.clone(), rule);
                }
            }
        }
    }
}

fn defaults(section: &Section<'_>, written: &mut Written) {
    if let Some(columns) = section.text("columns") {
        match columns.text.as_str() {
            "clear" => written.defaults.columns_clear = true,
            "hidden" => written.defaults.columns_clear = false,
            other => section.problems().error(
                &columns.at,
                format!("\"{other}\" is not a way to show columns by default"),
                Some("\"clear\" or \"hidden\"".to_owned()),
            ),
        }
    }
    if let Some(open) = unprotected(section, "unprotected", "are open") {
        written.defaults.unprotected = open;
    }
    if let Some(writable) = unprotected(section, "unprotected_writes", "may be written") {
        written.defaults.unprotected_writes = writable;
    }
    section.finish();
}

fn unprotected(section: &Section<'_>, key: &str, what: &str) -> Option<Unprotected> {
    match section.shape(key)? {
        Shape::Text(word) if word.text == "denied" => Some(Unprotected::Denied),
        Shape::Text(word) if word.text == "open" => Some(Unprotected::Open),
        _ => {
            let words = section.texts(key).unwrap_or_default();
            for word in &words {
                if word
                    .text
                    .split_once('.')
                    .is_none_or(|(schema, name)| schema.is_empty() || name.is_empty())
                {
                    section.problems().error(
                        &word.at,
                        format!("\"{}\" does not say which unprotected relations {what}", word.text),
                        Some(
                            "\"denied\", \"open\", or a list such as [\"public.countries\", \"reporting.*\"]"
                                .to_owned(),
                        ),
                    );
                }
            }
            Some(Unprotected::Listed(words.into_iter().map(|w| w.text).collect()))
        }
    }
}

fn scopes(section: &Section<'_>, written: &mut Written) {
    for key in section.keys() {
        let Some(one) = section.section(&key.text) else {
            continue;
        };
        if Scope::WORDS.contains(&key.text.as_str()) || key.text.contains(':') {
            section.problems().error(
                &key.at,
                format!(
                    "\"{}\" cannot be the name of a scope: it has a meaning already",
                    key.text
                ),
                None,
            );
        }
        let _ = one.text("title");
        if let Some(condition) = one.required_text("where", "\"level = 'vip' AND region = :region\"") {
            written.scopes.insert(key.text.clone(), CustomScope { condition });
        }
        one.finish();
    }
}

/// A relation by its schema and name.
fn relation(section: &Section<'_>, example: &str) -> Option<Word> {
    let relation = section.required_text("relation", example);
    if let Some(word) = &relation
        && word
            .text
            .split_once('.')
            .is_none_or(|(s, r)| s.is_empty() || r.is_empty() || r.contains('.'))
    {
        section.problems().error(
            &word.at,
            format!("\"{}\" must name schema and relation", word.text),
            Some(format!("such as \"public.{}\"", word.text)),
        );
    }
    relation
}

fn table(section: &Section<'_>, name: Word) -> Option<TableRule> {
    let _ = section.text("title");
    let relation = relation(section, "\"public.customers\"");
    let rule = TableRule {
        name,
        key: section.texts("key").unwrap_or_default(),
        owner: section.text("owner"),
        team: section.text("team"),
        members: section.section("members").and_then(|m| members(&m)),
        parent: section.section("parent").and_then(|p| parent(&p)),
        harmless_triggers: trigger_functions(section),
        relation: relation?,
    };
    section.finish();
    Some(rule)
}

fn trigger_functions(section: &Section<'_>) -> Vec<(QualifiedName, Word)> {
    let mut functions = Vec::new();
    for word in section.texts("harmless_triggers").unwrap_or_default() {
        match word.text.trim_end_matches("()").split_once('.') {
            Some((schema, name)) if !schema.is_empty() && !name.is_empty() => {
                functions.push((QualifiedName::new(schema, name), word));
            }
            Some(_) | None => section.problems().error(
                &word.at,
                format!("\"{}\" must name schema and function", word.text),
                Some(format!("such as \"public.{}\"", word.text)),
            ),
        }
    }
    functions
}

fn members(section: &Section<'_>) -> Option<MembersRule> {
    let relation = relation(section, "\"public.customer_members\"");
    let row = section.texts("row").unwrap_or_default();
    let user = section.text("user");
    let team = section.text("team");
    section.finish();
    if row.is_empty() {
        section.problems().error(
            section.at(),
            "\"row\" is missing: the column that names the row",
            Some("such as row = \"customer_id\"".to_owned()),
        );
    }
    if user.is_none() && team.is_none() {
        section.problems().error(
            section.at(),
            "\"user\" or \"team\" is missing: the column that names the collaborator",
            Some("such as user = \"user_id\"".to_owned()),
        );
    }
    Some(MembersRule {
        relation: relation?,
        row,
        user,
        team,
    })
}

fn parent(section: &Section<'_>) -> Option<ParentRule> {
    let table = section.required_text("table", "\"customers\"");
    let column = section.texts("column").unwrap_or_default();
    section.finish();
    if column.is_empty() {
        section.problems().error(
            section.at(),
            "\"column\" is missing: the column that holds the parent's key",
            Some("such as column = \"customer_id\"".to_owned()),
        );
    }
    Some(ParentRule { table: table?, column })
}
