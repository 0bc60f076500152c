//! What real clients send: which share of it goes through, client by client, and why the rest does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::fmt::Write as _;
use std::path::Path;

/// Between the statements of a file.
const LINE: &str = "\n----------\n";

fn judge(text: &str) -> Result<(), String> {
    let tree = pg_query::parse(text, 0).map_err(|error| error.to_string())?;
    let tokens = pg_query::scan(text).map_err(|error| error.to_string())?;
    rowgate::sql::agree::agree(text, &tree.protobuf, &tokens.tokens).map_err(|reason| reason.to_string())
}

fn first_words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(110).collect()
}

#[test]
fn every_statement_of_every_client() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut clients: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    clients.sort();
    let (mut shares, mut refusals) = (String::new(), String::new());
    let (mut all, mut through) = (0, 0);
    for client in clients {
        let name = client.file_name().unwrap().to_string_lossy().into_owned();
        let (mut count, mut good) = (0, 0);
        for file in ["captured.sql", "written.sql"] {
            let Ok(statements) = std::fs::read_to_string(client.join(file)) else {
                continue;
            };
            for statement in statements.trim_end_matches('\n').split(LINE) {
                count += 1;
                match judge(statement) {
                    Ok(()) => good += 1,
                    Err(reason) => writeln!(refusals, "{name}: {reason}\n    {}", first_words(statement)).unwrap(),
                }
            }
        }
        writeln!(shares, "{name:<16}{good:>4} of {count:>4}").unwrap();
        all += count;
        through += good;
    }
    let found = format!("{shares}{:<16}{through:>4} of {all:>4}\n\n{refusals}", "all");
    println!("{found}");
    let expected = folder.join("expected.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(
        expected, found,
        "if this is meant, run with UPDATE=1 and read the difference"
    );
}
