//! The laws of the gate, tried with arbitrary texts and people: it never panics, denies by default, is deterministic,
//! sends only what PostgreSQL's grammar takes, and shows nobody more for having fewer roles.

use crate::support::{Database, shipped, stages};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rowgate::identity::Principal;
use rowgate::world::World;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const ROLES: [&str; 5] = ["sales_rep", "sales_manager", "finance", "service_agent", "executive"];
const RELATIONS: [&str; 13] = [
    "customers",
    "contacts",
    "opportunities",
    "contracts",
    "service_records",
    "service_records_2024",
    "activities",
    "customer_members",
    "products",
    "crm.users",
    "crm.teams",
    "open_opportunities",
    "key_customers",
];

/// One database and its world for all laws.
struct Stage {
    runtime: Runtime,
    database: Database,
    world: Arc<World>,
}

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let (database, world) = runtime.block_on(async {
            let database = Database::new().await;
            let world = database.world_with(&shipped("policies")).await;
            (database, world)
        });
        Stage {
            runtime,
            database,
            world,
        }
    })
}

/// Statements that are valid for somebody: what the readable cases ask.
fn statements() -> &'static [String] {
    static STATEMENTS: OnceLock<Vec<String>> = OnceLock::new();
    STATEMENTS.get_or_init(|| {
        let mut found = Vec::new();
        for file in std::fs::read_dir(shipped("tests/judge")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for block in text.split("```sql ").skip(1) {
                let (_, rest) = block.split_once('\n').unwrap();
                found.push(rest.split("\n```").next().unwrap().to_owned());
            }
        }
        assert!(found.len() > 80);
        found
    })
}

/// Somebody of the directory, with another choice of roles, or nobody that it knows.
fn anybody() -> impl Strategy<Value = Principal> {
    let logins: Vec<String> = stage().world.directory.people().map(|p| p.login.clone()).collect();
    let known = (select(logins), subsequence(ROLES.to_vec(), 0..=ROLES.len()));
    prop_oneof![
        6 => known.prop_map(|(login, roles)| with_roles(&login, &roles)),
        1 => ("\\PC{0,8}", prop::collection::vec("\\PC{0,8}", 0..3)).prop_map(|(login, roles)| Principal {
            login,
            roles,
            ..Principal::default()
        }),
    ]
}

fn with_roles(login: &str, roles: &[&str]) -> Principal {
    Principal {
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        ..stages::person(&stage().world, login)
    }
}

/// A statement with tokens taken out, doubled, swapped or taken from another one.
fn mutated() -> impl Strategy<Value = String> {
    let change = (0..5u8, any::<Index>(), any::<Index>());
    let changes = prop::collection::vec(change, 1..6);
    (select(statements()), select(statements()), changes).prop_map(|(text, other, changes)| {
        let mut tokens = cut(&text);
        let others = cut(&other);
        for (how, one, two) in changes {
            if tokens.is_empty() {
                break;
            }
            let (one, two, theirs) = (
                one.index(tokens.len()),
                two.index(tokens.len()),
                two.index(others.len()),
            );
            match how {
                0 => drop(tokens.remove(one)),
                1 => tokens.insert(two, tokens[one].clone()),
                2 => tokens.swap(one, two),
                3 => tokens[one] = others[theirs].clone(),
                _ => tokens.insert(one, others[theirs].clone()),
            }
        }
        tokens.concat()
    })
}

/// Words, blanks and single signs.
fn cut(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for c in text.chars() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if word(c) && last.chars().all(word) => last.push(c),
            _ => tokens.push(c.to_string()),
        }
    }
    tokens
}

/// What must hold for any text and anybody.
fn holds(text: &str, who: &Principal) -> Result<(), TestCaseError> {
    let world = &stage().world;
    let first = stages::judge(text, who, world);
    let second = stages::judge(text, who, world);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            let sent = first.text.text();
            prop_assert_eq!(sent, second.text.text());
            let tree = pg_query::parse(sent, pg_query::ParserOptions::DEFAULT);
            prop_assert!(tree.is_ok(), "sent, but not SQL: {}", sent);
            prop_assert_eq!(tree.unwrap().protobuf.stmts.len(), first.statements.len());
            if who.roles.is_empty() {
                let read = first.statements.iter().any(|s| s.touches_protected);
                prop_assert!(!read, "nobody's role lets this read: {}", sent);
            }
        }
        (Err(first), Err(second)) => {
            prop_assert_eq!(&first, &second);
            prop_assert!(first.code != "not-verified", "the rewriter was wrong: {:?}", first.log);
            prop_assert!(first.offset.is_none_or(|at| at <= text.len()));
        }
        _ => prop_assert!(false, "judged in two ways"),
    }
    Ok(())
}

/// Tries a law; `LAWS=10000` tries it so often.
fn law<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = std::env::var("LAWS").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&strategy, test)
        .unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn arbitrary_text_is_judged_without_a_panic() {
    law(300, ("\\PC{0,200}", anybody()), |(text, who)| holds(&text, &who));
    let words = "SELECT|FROM|WHERE|customers|contacts|c|id|name|phone|\\(|\\)|,|\\.|\\*|=|1|'a'|AS|JOIN|ON|UNION|WITH|;|\\$1|--|/\\*|\"|'|::|int|TABLE|ONLY|LATERAL|GROUP BY|\\[|\\]|count";
    let text = prop::collection::vec(proptest::string::string_regex(words).unwrap(), 0..30).prop_map(|w| w.join(" "));
    law(300, (text, anybody()), |(text, who)| holds(&text, &who));
}

#[test]
fn mutated_statements_are_judged_without_a_panic() {
    law(600, (mutated(), anybody()), |(text, who)| holds(&text, &who));
}

#[test]
fn statements_are_judged_the_same_way_for_everybody_who_is_the_same() {
    law(300, (select(statements()), anybody()), |(text, who)| holds(&text, &who));
}

#[test]
fn whatever_is_deep_or_long_gets_an_answer_in_time() {
    let around = |open: &str, inner: &str, close: &str, n: usize| {
        format!("SELECT {}{inner}{} FROM customers", open.repeat(n), close.repeat(n))
    };
    let mut texts = Vec::new();
    for n in [150, 3_900, 100_000] {
        texts.extend([
            around("(", "id", ")", n),
            around("(SELECT ", "id", ")", n),
            around("NOT ", "true", "", n),
            around("- ", "id", "", n),
            around("", "id", " + 1", n),
            around("", "id", "::int", n),
            around("", "tags", "[1]", n),
            around("ARRAY[", "id", "]", n),
            around("lower(", "name", ")", n),
            around("CASE WHEN true THEN ", "id", " END", n),
            around("(", "c", ").x", n),
            around("", "id", ", id", n),
            around("", "1", " UNION ALL SELECT 1", n),
            around("", "id FROM (SELECT * FROM customers", ") AS x", n),
            format!(
                "SELECT * FROM {}customers{}",
                "(SELECT * FROM ".repeat(n),
                ") AS x".repeat(n)
            ),
            format!("SELECT 1 FROM customers{}", " NATURAL JOIN customers".repeat(n)),
            format!(
                "SELECT 1 FROM customers AS a0{}",
                (1..n.min(3_000))
                    .map(|i| format!(", contacts AS a{i}"))
                    .collect::<String>()
            ),
            format!(
                "SELECT id FROM customers{}",
                " UNION ALL SELECT id FROM customers".repeat(n)
            ),
            format!("SELECT id FROM customers WHERE id IN (1{})", ", 1".repeat(n)),
            format!("SELECT id FROM customers WHERE true{}", " AND id = 1".repeat(n)),
            format!("SELECT id FROM customers WHERE {}true", "name::int > 0 OR ".repeat(n)),
            format!(
                "WITH a0 AS (TABLE customers){} SELECT 1",
                (1..n.min(2_000))
                    .map(|i| format!(", a{i} AS (TABLE a{})", i - 1))
                    .collect::<String>()
            ),
            "SELECT 1;".repeat(n),
            ";".repeat(n),
            "(".repeat(n),
            "/*".repeat(n),
            format!("SELECT '{}'", "x".repeat(n * 20)),
            format!("SELECT \"{}\" FROM customers", "x".repeat(n * 20)),
        ]);
    }
    let who = with_roles("alice", &["sales_rep"]);
    for text in texts {
        let begun = Instant::now();
        // a thread with the stack that a session has
        let (text, who) = (text, who.clone());
        let head: String = text.chars().take(60).collect();
        let length = text.len();
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || stages::judge(&text, &who, &stage().world).map(drop).map_err(|r| r.code))
            .unwrap()
            .join()
            .unwrap_or_else(|_| panic!("a panic at {head} … ({length} bytes)"))
            .ok();
        let took = begun.elapsed();
        // a debug build on a busy machine
        assert!(took < Duration::from_secs(30), "{took:?} for {head} … ({length} bytes)");
    }
}

/// What somebody sees of a relation: names of columns, and rows by the relation's key; nothing where they are refused.
fn sight(who: &Principal, relation: &str) -> (BTreeSet<String>, Vec<String>) {
    let stage = stage();
    let Ok(star) = stages::judge(&format!("SELECT * FROM {relation}"), who, &stage.world) else {
        return Default::default();
    };
    stage.runtime.block_on(async {
        let client = stage.database.superuser().await;
        let sent = client.prepare(star.text.text()).await.unwrap();
        let columns: BTreeSet<String> = sent.columns().iter().map(|c| c.name().to_owned()).collect();
        let key = ["id", "code", "user_id", "team_id"]
            .into_iter()
            .find(|k| columns.contains(*k));
        let Some(key) = key else { return (columns, Vec::new()) };
        let text = format!("SELECT {key}::text FROM {relation}");
        let keys = stages::judge(&text, who, &stage.world).unwrap();
        let rows = client.query(keys.text.text(), &[]).await.unwrap();
        let mut rows: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
        rows.sort();
        (columns, rows)
    })
}

#[test]
fn fewer_roles_never_show_more() {
    let logins: Vec<String> = stage().world.directory.people().map(|p| p.login.clone()).collect();
    let roles = subsequence(ROLES.to_vec(), 0..=ROLES.len());
    let less = prop::collection::vec(any::<bool>(), ROLES.len());
    law(
        150,
        (select(logins), select(RELATIONS.to_vec()), roles, less),
        |(login, relation, more, less)| {
            let fewer: Vec<&str> = more
                .iter()
                .zip(&less)
                .filter(|(_, keep)| **keep)
                .map(|(r, _)| *r)
                .collect();
            let (columns, rows) = sight(&with_roles(&login, &fewer), relation);
            let (all_columns, all_rows) = sight(&with_roles(&login, &more), relation);
            prop_assert!(columns.is_subset(&all_columns), "{:?} and {:?}", columns, all_columns);
            let all: BTreeSet<&String> = all_rows.iter().collect();
            prop_assert!(
                rows.iter().all(|r| all.contains(r)),
                "{} of {}",
                rows.len(),
                all_rows.len()
            );
            if fewer.is_empty() {
                prop_assert!(columns.is_empty() && rows.is_empty());
            }
            Ok(())
        },
    );
}
