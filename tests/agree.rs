//! The second opinion: what it must let through, and what it must stop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use rowgate::sql::agree::{Disagreement, agree};
use std::fmt::Write as _;
use std::path::Path;

fn opinion(text: &str) -> Result<(), Disagreement> {
    let tree = pg_query::parse(text, 0).unwrap_or_else(|error| panic!("{error}: {text}"));
    let tokens = pg_query::scan(text).unwrap();
    agree(text, &tree.protobuf, &tokens.tokens)
}

/// Statements are parted by empty lines. Refusals stand in `refused.txt`, which `UPDATE=1` rewrites.
#[test]
fn valid_statements_go_through() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agree");
    let statements = std::fs::read_to_string(folder.join("statements.sql")).unwrap();
    let mut refused = String::new();
    let mut count = 0;
    let mut bad = 0;
    for statement in statements.trim_end().split("\n\n") {
        count += 1;
        let parsed = pg_query::parse(statement, 0);
        if let Err(error) = parsed {
            writeln!(refused, "{statement}\n    NOT POSTGRESQL {error}\n").unwrap();
            continue;
        }
        if let Err(reason) = opinion(statement) {
            bad += 1;
            writeln!(refused, "{statement}\n    {reason}\n").unwrap();
        }
    }
    println!("{} of {count} statements go through", count - bad);
    let expected = folder.join("refused.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected, &refused).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&expected).unwrap_or_default(), refused, "run with UPDATE=1");
}
