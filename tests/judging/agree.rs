//! The second opinion: what it must let through, and what it must stop.
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
    assert_eq!(
        std::fs::read_to_string(&expected).unwrap_or_default(),
        refused,
        "run with UPDATE=1"
    );
}

/// What sqlparser alone believes of a text, without any repair: the misreading that the comparison is there for.
fn believed(text: &str) -> String {
    use sqlparser::{dialect::PostgreSqlDialect, parser::Parser};
    match Parser::parse_sql(&PostgreSqlDialect {}, text) {
        Ok(statements) => {
            let mut relations = Vec::new();
            let _: std::ops::ControlFlow<()> = sqlparser::ast::visit_relations(&statements, |relation| {
                relations.push(relation.to_string());
                std::ops::ControlFlow::Continue(())
            });
            relations.join(" ")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn only_is_no_table() {
    assert_eq!(believed("SELECT * FROM ONLY secret"), "ONLY");
    assert_eq!(opinion("SELECT * FROM ONLY secret"), Ok(()));
}

#[test]
fn a_table_in_a_union_is_a_relation() {
    assert_eq!(believed("SELECT a FROM t UNION TABLE secret"), "t");
    assert_eq!(opinion("SELECT a FROM t UNION TABLE secret"), Ok(()));
}

#[test]
fn a_comment_behind_an_operator_is_a_comment() {
    let text = "SELECT a <>/* ' */ f(b) --' \n FROM t";
    assert_eq!(believed(text), "t");
    assert_eq!(opinion(text), Err(Disagreement::Tokens { offset: 9 }));
    assert!(opinion("SELECT a <>-- ' \n b FROM t").is_err());
    assert_eq!(opinion("SELECT a <> -- ' \n b FROM t"), Ok(()));
    assert_eq!(opinion("SELECT a <> /* ' */ f(b) --' \n FROM t"), Ok(()));
}

#[test]
fn a_string_that_goes_on_is_one_string() {
    assert_eq!(opinion("SELECT E'a'\n'b', c FROM t"), Ok(()));
    assert_eq!(opinion("SELECT 'a'\n  '\\', c FROM t"), Ok(()));
    // the second line is an escape string too: to sqlparser it ends before the call, to PostgreSQL after it
    let text = "SELECT E'a'\n'\\', f(secret) --' FROM t";
    assert_eq!(opinion(text), Err(Disagreement::Tokens { offset: 7 }));
}

#[test]
fn a_character_behind_an_operator_is_not_swallowed() {
    // sqlparser's `&>` takes one character more
    for text in [
        "SELECT a &>'x' FROM t WHERE b = '1' OR c = 'z'",
        "SELECT a &>\"b\", secret FROM t",
        "SELECT a &>(b) FROM t",
    ] {
        assert!(opinion(text).is_err(), "{text}");
    }
    assert_eq!(opinion("SELECT a &> b FROM t"), Ok(()));
}

#[test]
fn what_a_repair_drops_is_missed() {
    for text in [
        "SELECT * FROM t TABLESAMPLE SYSTEM ((SELECT a FROM secret))",
        "SELECT * FROM t TABLESAMPLE SYSTEM (f(1)) REPEATABLE (2)",
        "SELECT * FROM t TABLESAMPLE SYSTEM (1) REPEATABLE (u.secret)",
        "SELECT x.* FROM XMLTABLE(XMLNAMESPACES((SELECT a FROM secret) AS n), '/r' PASSING '<r/>' COLUMNS a text) x",
        "SELECT * FROM JSON_TABLE('{}'::jsonb, '$' COLUMNS (a int PATH '$' DEFAULT (SELECT secret FROM t) ON EMPTY)) j",
        "COPY t FROM STDIN WHERE secret",
    ] {
        assert!(opinion(text).is_err(), "{text}");
    }
}

#[test]
fn no_repair_invents_or_loses_a_statement() {
    assert_eq!(opinion("SELECT 1; ; SELECT a FROM t;"), Ok(()));
    assert_eq!(opinion("SET a.b = 1; SELECT a FROM t; SHOW a.b"), Ok(()));
}

/// The tree of one text with the tokens of another: whatever differs between them must be noticed.
#[test]
fn another_tree_is_noticed() {
    let said = "SELECT a, f(b) FROM t WHERE c = 1";
    let other = |text: &str| {
        let tree = pg_query::parse(text, 0).unwrap().protobuf;
        agree(said, &tree, &pg_query::scan(said).unwrap().tokens)
    };
    assert_eq!(other(said), Ok(()));
    let at = |text| other(text).unwrap_err();
    assert_eq!(
        at("SELECT a, f(b) FROM u WHERE c = 1"),
        Disagreement::Relations {
            name: "t".into(),
            offset: 20
        }
    );
    assert!(matches!(
        at("SELECT a, f(d) FROM t WHERE c = 1"),
        Disagreement::Columns { offset: 12, .. }
    ));
    assert!(matches!(
        at("SELECT a, g(b) FROM t WHERE c = 1"),
        Disagreement::Functions { offset: 10, .. }
    ));
    assert!(matches!(
        at("SELECT a, f(b) FROM t WHERE 0 = 1"),
        Disagreement::Columns { offset: 28, .. }
    ));
    assert!(matches!(
        at("DELETE FROM t"),
        Disagreement::StatementKind | Disagreement::StatementCount
    ));
    assert!(matches!(at("SELECT 1; SELECT 2"), Disagreement::StatementCount));
}

#[test]
fn deep_and_long_texts_end_in_an_answer() {
    let large = std::thread::Builder::new().stack_size(512 << 20);
    large.spawn(deep_and_long).unwrap().join().unwrap();
}

fn deep_and_long() {
    let deep = |open: &str, close: &str, n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
    for text in [
        deep("(", ")", 300),
        deep("(SELECT ", ")", 200),
        deep("f(", ")", 300),
        deep("- ", "", 500),
        deep("NOT ", "", 500),
        deep("ARRAY[", "]", 200),
        deep("CASE WHEN ", " THEN 1 END", 200),
        format!("SELECT 1{}", " + 1".repeat(3_000)),
        format!("SELECT a FROM t WHERE a = 1{}", " OR a = 1".repeat(3_000)),
        format!("SELECT 1{}", ", a".repeat(10_000)),
        format!("SELECT a FROM t WHERE a IN (1{})", ", 1".repeat(20_000)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1_000)),
        format!("SELECT * FROM t{}", " CROSS JOIN t".repeat(1_000)),
        format!("SELECT a{} FROM t", "::text".repeat(1_000)),
        format!("SELECT a{} FROM t", "[1]".repeat(1_000)),
    ] {
        let tree = pg_query::parse(&text, 0).map(|tree| tree.protobuf);
        let tokens = pg_query::scan(&text).unwrap().tokens;
        println!("{} tokens {text:.30}", tokens.len());
        let Ok(tree) = tree else {
            continue;
        };
        // as small a stack as a server's thread has
        std::thread::scope(|scope| {
            let small = std::thread::Builder::new().stack_size(2 << 20);
            let opinion = small.spawn_scoped(scope, || agree(&text, &tree, &tokens)).unwrap();
            println!("    {:?}", opinion.join().unwrap());
        });
    }
    let long = format!("SELECT a FROM t WHERE a IN (1{})", ", 1".repeat(70_000));
    let refused = opinion(&long).unwrap_err();
    assert!(matches!(refused, Disagreement::SecondParserCannot { .. }));
}

/// sqlparser tries some readings after others: none of them may make a short text take long.
#[test]
fn no_text_takes_long() {
    let large = std::thread::Builder::new().stack_size(512 << 20);
    large.spawn(slow_texts).unwrap().join().unwrap();
}

fn slow_texts() {
    let nested = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(180), close.repeat(180));
    for text in [
        format!("SELECT {}", nested("(", "1", ", 2)")),
        format!("SELECT {}", nested("ROW(", "1", ")")),
        format!("SELECT {}", nested("f(a, ", "1", ")")),
        format!("SELECT {}", nested("CAST(", "a", " AS text)")),
        format!("SELECT {}", nested("a -> (", "b", ")")),
        format!("SELECT {}", nested("CASE WHEN a THEN ", "b", " END")),
        format!("SELECT {}", nested("EXTRACT(year FROM ", "b", ")")),
        format!("SELECT {}", nested("substring(", "b", " from 1)")),
        format!("SELECT {}", nested("trim(both 'x' from ", "b", ")")),
        format!("SELECT {}", nested("a IN (", "b", ")")),
        format!("SELECT {}", nested("a IN ((1), ", "b", ")")),
        format!("SELECT {}", nested("NOT (", "b", ")")),
        format!("SELECT {}", nested("interval '1 day' * (", "2", ")")),
        format!("SELECT {}", nested("ARRAY[", "2", "]")),
        format!("SELECT {}", nested("a[", "2", "]")),
        format!("SELECT {}", nested("(SELECT ", "2", ")")),
        format!("SELECT {}", nested("EXISTS (SELECT 1 FROM t WHERE ", "a", ")")),
        format!("SELECT {}", nested("coalesce(a, ", "b", ")")),
        format!("SELECT 1 FROM {}", nested("(SELECT 1 FROM ", "t", ") x")),
        format!("SELECT 1 FROM {}", nested("(", "t", " JOIN u ON true)")),
        format!("SELECT 1 FROM {}", nested("(t JOIN ", "u", " ON true)")),
        format!("SELECT 1 FROM {}", nested("f(", "1", ")")),
        nested("(", "SELECT 1", ")"),
        nested("(", "SELECT 1", " UNION SELECT 2)"),
        nested("WITH x AS (", "SELECT 1", ") SELECT 2"),
        format!("SELECT {}", nested("xmlconcat(xmlroot(", "a", ", version '1'))")),
        format!("SELECT {}", nested("json_object('a': ", "b", ")")),
        format!("SELECT 1{}", ", search depth".repeat(9_000)),
        format!("SELECT 1{}", ", cycle a, cycle".repeat(9_000)),
        "SET a.b = 1; SELECT a;".repeat(5_000),
    ] {
        let Ok(tree) = pg_query::parse(&text, 0) else {
            panic!("not PostgreSQL: {text:.80}");
        };
        let tokens = pg_query::scan(&text).unwrap().tokens;
        let start = std::time::Instant::now();
        let result = agree(&text, &tree.protobuf, &tokens);
        let time = start.elapsed();
        println!("{time:?} {text:.50} {result:?}");
        assert!(time.as_secs() < 5, "{time:?}: {text:.80}");
    }
}
