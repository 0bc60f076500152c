//! From files to [`Written`]: every file is read to its end, and every problem of every file is told at once.

mod columns;
mod directory;
mod roles;
mod tables;
mod temporary;

use super::file::{Problem, Problems, Severity, Spot};
use super::section::{Section, SourceText};
use super::written::{Scope, ScopeWord, Written};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The texts of a policies directory, by their path below it (`tables.toml`, `roles/sales_rep.toml` …).
pub type Texts = Vec<(String, String)>;

/// Reads every `.toml` file of a policies directory: at its top, and in `tables/`, `roles/` and `tests/`.
pub fn read_directory(directory: &Path) -> io::Result<Texts> {
    let mut texts = Vec::new();
    for below in ["", "tables", "roles", "tests"] {
        let place = directory.join(below);
        if !below.is_empty() && !place.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&place)? {
            let path = entry?.path();
            if path.extension().is_none_or(|e| e != "toml") || !path.is_file() {
                continue;
            }
            let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
                continue;
            };
            let shown = if below.is_empty() {
                name.to_owned()
            } else {
                format!("{below}/{name}")
            };
            texts.push((shown, fs::read_to_string(&path)?));
        }
    }
    texts.sort();
    Ok(texts)
}

/// Turns texts into words. `prefix` stands before file names in messages. The problems hold warnings as well;
/// the set is good if none of them is an error.
pub fn read_texts(prefix: &str, texts: &Texts) -> (Written, Vec<Problem>) {
    let problems = Problems::default();
    let mut written = Written::default();
    for (name, text) in texts {
        let shown = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{}/{name}", prefix.trim_end_matches('/'))
        };
        let source = SourceText::new(&shown, text.clone());
        let before = problems.errors();
        let section = source.parse(&problems);
        if problems.errors() > before {
            written.incomplete = true;
            continue;
        }
        match name.split_once('/') {
            None if name == "directory.toml" => directory::read(&section, &mut written),
            None | Some(("tables", _)) => tables::read(&section, &mut written),
            Some(("roles", file)) => roles::read(&section, file.trim_end_matches(".toml"), &mut written),
            Some(("tests", _)) => directory::read_tests(&section, &mut written),
            Some(_) => {}
        }
    }
    if texts.is_empty() {
        let at = Spot {
            file: Arc::from(prefix),
            line: 1,
            column: 1,
        };
        problems.error(
            &at,
            "there are no policy files here",
            Some("a policies directory holds tables.toml, directory.toml, roles/*.toml and tests/*.toml".to_owned()),
        );
    }
    (written, problems.into_sorted())
}

/// Is there an error among these problems?
pub fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|p| p.severity == Severity::Error)
}

/// `parent:own` and the like.
pub(super) fn scope_word(word: &super::file::Word) -> ScopeWord {
    let mut rest = word.text.as_str();
    let mut up = 0;
    while let Some(after) = rest.strip_prefix("parent:") {
        up += 1;
        rest = after;
    }
    ScopeWord {
        up,
        scope: Scope::from_word(rest),
        at: word.at.clone(),
    }
}

fn scope_words(section: &Section<'_>, key: &str) -> Option<Vec<ScopeWord>> {
    Some(section.texts(key)?.iter().map(scope_word).collect())
}
