//! Readable cases: statement, person, and the text that goes to the database (or the refusal) side by side, in
//! tests/judge/*.md. `UPDATE=1 cargo test --test judging cases::` writes what is sent today; a person reads the diff.
//!
//! A case is a fenced block: `sql` with the person behind it (`sql alice`), followed by a block `sent` or `refused`.
//! A guard is written short, as ⟨guard customers⟩, except where the block says `sent in full`.

use crate::support::{Database, shipped, stages};
use rowgate::world::World;
use std::path::PathBuf;

/// Where the alias of a guarded row follows the relation.
const HEAD: &str = " AS \"rowgate:row\"";

/// Statements that write.
const WRITES: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE TABLE"];

/// The text without the word that is another in every process.
fn without_nonce(text: &str) -> String {
    let mut parts = text.split("'rowgate:");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push_str("'rowgate:…");
        out.push_str(&part[part.find(':').unwrap()..]);
    }
    out
}

/// The text with every guard shortened to its relation and its peculiarities.
fn shortened(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(alias) = text.find(HEAD) {
        let from = text[..alias].rfind("FROM ").unwrap();
        let open = opening(&text, from);
        let close = closing(&text, alias);
        let guard = &text[open..close];
        let mut words = vec!["⟨guard".to_owned()];
        let relation = &text[from + 5..alias];
        words.push(
            relation
                .trim_start_matches("ONLY ")
                .replace("\"public\".", "")
                .replace('"', ""),
        );
        let mut marks = Vec::new();
        for (mark, sign) in [
            ("only", "FROM ONLY "),
            ("flag", "\"rowgate:ok:"),
            ("fenced", " OFFSET 0)"),
            ("sampled", " TABLESAMPLE "),
            ("no rows", " WHERE (FALSE)"),
            ("ctid", "\"rowgate:row\".ctid"),
            ("xmin", "\"rowgate:row\".xmin"),
            ("tableoid", "\"rowgate:row\".tableoid"),
        ] {
            if guard.contains(sign) {
                marks.push(mark);
            }
        }
        if !text[alias + HEAD.len()..close].contains(" WHERE ") {
            marks.push("every row");
        }
        let marks = if marks.is_empty() {
            String::new()
        } else {
            format!(": {}", marks.join(", "))
        };
        text.replace_range(open..close, &format!("{}{marks}⟩", words.join(" ")));
    }
    text
}

/// The bracket that is open at a place.
fn opening(text: &str, at: usize) -> usize {
    let (mut open, mut quoted) = (Vec::new(), false);
    for (place, c) in text[..at].char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => open.push(place),
            ')' if !quoted => drop(open.pop()),
            _ => {}
        }
    }
    *open.last().unwrap()
}

/// Behind the bracket that closes what is open at a place.
fn closing(text: &str, at: usize) -> usize {
    let (mut depth, mut quoted) = (1, false);
    for (place, c) in text[at..].char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + place + 1;
        }
    }
    panic!("a guard that does not close: {text}")
}

/// What rowgate answers, as a block of the file.
fn answer(sql: &str, login: &str, in_full: bool, world: &World) -> String {
    let who = stages::person(world, login);
    match stages::judge(sql, &who, world) {
        Ok(judged) => {
            let text = judged.text.text();
            // what is written stays where it stands, and shows as it is sent
            let writes = judged.statements.iter().any(|s| WRITES.contains(&s.kind)) || text.contains("rowgate:check");
            let text = if in_full || writes {
                text.to_owned()
            } else {
                shortened(text)
            };
            let text = without_nonce(&text);
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let word = if in_full { "sent in full" } else { "sent" };
            format!("```{word}\n{text}\n```\n")
        }
        Err(refusal) => {
            let mut lines = format!("{} {}", refusal.sqlstate.code(), refusal.message);
            for (word, more) in [("detail", &refusal.detail), ("hint", &refusal.hint)] {
                if let Some(more) = more {
                    lines.push_str(&format!("\n{word}: {more}"));
                }
            }
            format!("```refused\n{lines}\n```\n")
        }
    }
}

/// A file with today's answers, and how many cases it has.
fn answered(text: &str, world: &World) -> (String, usize) {
    let (mut out, mut cases) = (String::new(), 0);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(login) = line.strip_prefix("```sql ") else {
            continue;
        };
        let mut sql = Vec::new();
        for line in lines.by_ref() {
            out.push_str(line);
            out.push('\n');
            if line == "```" {
                break;
            }
            sql.push(line);
        }
        let mut in_full = false;
        if let Some(old) = lines.next_if(|l| l.starts_with("```sent") || l.starts_with("```refused")) {
            in_full = old == "```sent in full";
            lines.by_ref().find(|l| *l == "```").unwrap();
        }
        out.push_str(&answer(&sql.join("\n"), login, in_full, world));
        cases += 1;
    }
    (out, cases)
}

/// A line without what depends on the server: since version 16 PostgreSQL leaves qualifiers out of definitions of views
/// that read one relation, and since 18 it keeps conditions behind the grouping by itself.
fn on_any_server(line: &str) -> String {
    let mut out = String::new();
    for part in line
        .replace(": fenced", "")
        .split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
    {
        let is_qualifier = part.len() > 1 && part.ends_with('.') && part.starts_with(|c: char| c.is_ascii_lowercase());
        if !is_qualifier {
            out.push_str(part);
        }
    }
    out
}

#[tokio::test]
async fn every_case_is_sent_as_written() {
    let database = Database::new().await;
    let as_written = database.cluster.version().starts_with("15");
    let world = database.world_with(&shipped("policies")).await;
    let mut files: Vec<PathBuf> = std::fs::read_dir(shipped("tests/judge"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut total = 0;
    let mut wrong = Vec::new();
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let (today, cases) = answered(&written, &world);
        total += cases;
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &today).unwrap();
            continue;
        }
        for (old, new) in written
            .lines()
            .zip(today.lines())
            .filter(|(old, new)| old != new && (as_written || on_any_server(old) != on_any_server(new)))
            .take(1)
        {
            wrong.push(format!("{}\n  - {old}\n  + {new}", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nrun with UPDATE=1 and read the diff",
        wrong.join("\n")
    );
    assert!(total > 80, "{total} cases");
}
