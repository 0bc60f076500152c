//! `directory.toml`: where people come from; `tests/*.toml`: what a reviewer can run.

use crate::policy::file::Word;
use crate::policy::section::Section;
use crate::policy::written::{DirectoryRule, TestCase, Written};
use std::time::Duration;

const DEFAULT_REFRESH: Duration = Duration::from_secs(5);
const DEFAULT_KEEP: Duration = Duration::from_secs(600);

pub(super) fn read(file: &Section<'_>, written: &mut Written) {
    if let Some(section) = file.section("directory") {
        let users = section.required_text(
            "users",
            "\"SELECT login, user_id, role, team_id, manager_id, active FROM crm.users\"",
        );
        let teams = section.text("teams");
        let length = |key: &str, standard: Duration| {
            section.text(key).map_or(standard, |word| {
                duration(&word.text).unwrap_or_else(|| {
                    section.problems().error(
                        &word.at,
                        format!("\"{}\" is not a length of time", word.text),
                        Some("such as \"500ms\", \"5s\" or \"1min\"".to_owned()),
                    );
                    standard
                })
            })
        };
        let refresh = length("refresh", DEFAULT_REFRESH);
        let keep = length("keep", DEFAULT_KEEP);
        section.finish();
        if let Some(users) = users {
            written.directory = Some(DirectoryRule {
                users,
                teams,
                refresh,
                keep,
            });
        }
    }
    file.finish();
}

/// Reads `500ms`, `5s`, `1min`; nothing shorter than 100 ms.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text.get(..digits)?.parse().ok()?;
    let read = match text.get(digits..)?.trim() {
        "ms" => Duration::from_millis(count),
        "s" => Duration::from_secs(count),
        "min" => Duration::from_secs(count.checked_mul(60)?),
        _ => return None,
    };
    (read >= Duration::from_millis(100)).then_some(read)
}

pub(super) fn read_tests(file: &Section<'_>, written: &mut Written) {
    for section in file.sections("test") {
        let title = section.text("title").map(|w| w.text);
        let login = section.required_text("as", "\"alice\"");
        let sql = section.required_text("sql", "\"SELECT count(*) FROM customers\"");
        let rows = section.rows("rows");
        let columns = section
            .texts("columns")
            .map(|words| words.into_iter().map(|w: Word| w.text).collect());
        let error = section.text("error");
        section.finish();
        if rows.is_none() && columns.is_none() && error.is_none() {
            section.problems().error(
                section.at(),
                "this test expects nothing",
                Some("say rows = [[\"3\"]], columns = [\"id\"] or error = \"42501\"".to_owned()),
            );
        }
        if let Some(code) = &error
            && (code.text.len() != 5 || !code.text.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()))
        {
            section.problems().error(
                &code.at,
                format!("\"{}\" is not an SQLSTATE", code.text),
                Some("five characters, such as \"42501\"".to_owned()),
            );
        }
        if let (Some(login), Some(sql)) = (login, sql) {
            written.tests.push(TestCase {
                at: section.at().clone(),
                title,
                login: login.text,
                sql: sql.text,
                rows,
                columns,
                error: error.map(|w| w.text),
            });
        }
    }
    file.finish();
}
