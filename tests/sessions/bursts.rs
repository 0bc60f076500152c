//! Bursts of segments that give names, fail, and use names of each other, sent in one write: PostgreSQL and rowgate, with
//! connections of one's own and shared, have to answer alike whatever was known to rowgate when it forwarded them. And
//! what a name stands for can be made to seem something else by no burst.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::raw::{Raw, command};
use crate::support::{Database, data};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rstest::rstest;

const SHARED: &str = "[pool]\nmode = \"transaction\"\nsize = 1\n";
const OWN: &str = "[pool]\nmode = \"session\"\n";

async fn login(port: u16, database: &Database, login: &str) -> Raw {
    let more = [("database", database.name.as_str())];
    Raw::login(port, login, &data::password(login), &more).await.unwrap()
}

/// Sends all at once; the answers up to the last ReadyForQuery, errors by their SQLSTATE.
async fn burst(raw: &mut Raw, messages: &[String]) -> Vec<String> {
    let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
    raw.send(&bytes).await;
    // a Query within a segment that has failed is thrown away with it: a last one says that all is over
    raw.send(&command("Q select 'the end'")).await;
    let mut lines = Vec::new();
    while !lines.ends_with(&["D the end".to_owned(), "C SELECT 1".to_owned()]) {
        let Some((tag, body)) = raw.message().await else {
            panic!("closed after {lines:?}: {messages:?}");
        };
        let line = crate::support::raw::print(tag, &body);
        match tag {
            b'S' | b'N' => {}
            // PostgreSQL keeps what failed there under its name, so that it has more ways to say no
            b'E' if lines
                .iter()
                .rfind(|line| line.starts_with("Z "))
                .is_some_and(|z| z == "Z E") =>
            {
                lines.push("E in an aborted block".to_owned());
            }
            b'E' if !line.starts_with("E FATAL") => lines.push(line.split(' ').take(2).collect::<Vec<_>>().join(" ")),
            _ => lines.push(line),
        }
    }
    raw.until_ready(1).await;
    lines
}

/// Sends all at once; the answers up to as many ReadyForQuery as there are Syncs.
async fn segments(raw: &mut Raw, messages: &[String]) -> Vec<String> {
    let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
    raw.send(&bytes).await;
    raw.until_ready(messages.iter().filter(|m| *m == "S").count()).await
}

fn rows(answers: &[String]) -> usize {
    answers.iter().filter(|line| line.starts_with("D ")).count()
}

/// Some segments; each ends with a Sync, or is a Query.
fn made_up(random: &mut StdRng) -> Vec<String> {
    let names = ["", "s1", "s2"];
    let portals = ["", "", "p1", "c"];
    let texts = [
        "select 1",
        "select 2, 'two'",
        "select 1/0",
        "select g from generate_series(1, 5) g",
        "select g/(3-g) from generate_series(1, 4) g",
        "begin",
        "commit",
        "set timezone = 'UTC'",
        "show timezone",
        "execute s1",
        "fetch 1 from c",
    ];
    let queries = [
        "select 3",
        "select 1/0",
        "begin",
        "commit",
        "rollback",
        "savepoint a",
        "rollback to a",
        "declare c cursor with hold for select g from generate_series(1, 6) g",
        "close c",
        "prepare s2 as select 7",
        "execute s2",
        "execute s1",
        "deallocate s1",
        "fetch 2 from c",
        "fetch 1 from p1",
    ];
    let mut messages = Vec::new();
    for _ in 0..random.random_range(2..6) {
        if random.random_ratio(1, 5) {
            messages.push(format!("Q {}", queries.choose(random).unwrap()));
            continue;
        }
        for _ in 0..random.random_range(1..6) {
            let (name, portal) = (names.choose(random).unwrap(), portals.choose(random).unwrap());
            let max = random.random_range(0..3);
            messages.push(match random.random_range(0..9) {
                0 | 1 => format!("P {name} | {}", texts.choose(random).unwrap()),
                2 if random.random_ratio(1, 4) => format!("Q {}", queries.choose(random).unwrap()),
                2..4 => format!("B {portal} | {name}"),
                4..6 => format!("E {portal} | {max}"),
                6 => format!("C S {name}"),
                7 => format!("C P {portal}"),
                _ => format!("D P {portal}"),
            });
        }
        messages.push("S".to_owned());
    }
    // whatever is open ends, so that the next burst begins alike
    messages.extend(["S", "Q rollback"].map(str::to_owned));
    messages
}

/// How many bursts a run tries.
const BURSTS: u64 = 400;

#[rstest]
#[case(OWN)]
#[case(SHARED)]
#[tokio::test]
async fn bursts_are_answered_as_by_postgresql(#[case] pool: &str) {
    let database = Database::new().await;
    let gate = Gate::with(&database, OPEN_POLICY, pool).await;
    let seed: u64 = std::env::var("ROWGATE_SEED").map_or(1, |s| s.parse().unwrap());
    for case in seed..seed + BURSTS {
        let mut random = StdRng::seed_from_u64(case);
        let bursts: Vec<Vec<String>> = (0..3).map(|_| made_up(&mut random)).collect();
        let mut straight = login(database.cluster.port(), &database, "rowgate").await;
        let mut through = login(gate.port(), &database, "alice").await;
        for messages in &bursts {
            let expected = burst(&mut straight, messages).await;
            let got = burst(&mut through, messages).await;
            if got.iter().any(|line| line == "E 0A000") {
                // EXECUTE of a command: what follows differs
                break;
            }
            assert_eq!(got, expected, "seed {case}: {messages:?} of {bursts:?}");
        }
        through.send(&command("X")).await;
    }
    gate.stop().await;
}

/// alice sees her own customers, at most three at once; bob his.
const POLICY: [(&str, &str); 3] = [
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/rep.toml",
        "title = \"Representative\"\n[customers]\nview = [\"own\"]\nmax_rows = 3\n[rights]\ntemp_tables = true\n",
    ),
];

fn lines(messages: &[&str]) -> Vec<String> {
    messages.iter().map(|&m| m.to_owned()).collect()
}

/// What fails, and what is thrown away behind it, up to the Sync.
fn behind_an_error(thrown_away: &[&str]) -> Vec<String> {
    let mut all = lines(&["P bad | select 1/0", "B bad | bad", "E bad"]);
    all.extend(lines(thrown_away));
    all.push("S".to_owned());
    all
}

#[tokio::test]
async fn what_somebody_else_left_unnamed_is_run_by_nobody() {
    let database = Database::new().await;
    let gate = Gate::with(&database, &POLICY, SHARED).await;
    let mut bob = login(gate.port(), &database, "bob").await;
    // a named statement behind it, so that the unnamed one stays
    let his = "P | select name, current_user from customers order by id limit 1";
    let got = segments(&mut bob, &lines(&[his, "B |", "E", "S", "P named | select 1", "S"])).await;
    assert_eq!(rows(&got), 1, "{got:?}");
    let mut alice = login(gate.port(), &database, "alice").await;
    let mut messages = behind_an_error(&["P | select 1"]);
    messages.extend(lines(&["B |", "E", "S"]));
    let got = segments(&mut alice, &messages).await;
    assert_eq!(rows(&got), 0, "{got:?}");
    assert!(got.iter().any(|line| line.starts_with("E 26000")), "{got:?}");
    gate.stop().await;
}

#[rstest]
#[case("", OWN)]
#[case("", SHARED)]
#[case("s1", OWN)]
#[case("s1", SHARED)]
#[tokio::test]
async fn a_text_does_not_run_under_the_judgement_of_another(#[case] name: &str, #[case] pool: &str) {
    let database = Database::new().await;
    let gate = Gate::with(&database, &POLICY, pool).await;
    let mut alice = login(gate.port(), &database, "alice").await;
    let prepare = format!("P {name} | select id from customers");
    assert_eq!(segments(&mut alice, &lines(&[&prepare, "S"])).await, ["1", "Z I"]);
    let close = format!("C S {name}");
    let instead = format!("P {name} | select 1");
    let mut messages = behind_an_error(&[&close, &instead]);
    messages.extend(lines(&[&format!("B | {name}"), "E", "S"]));
    let got = segments(&mut alice, &messages).await;
    assert_eq!(rows(&got), 3, "{got:?}");
    assert!(got.iter().any(|line| line.starts_with("E 53400")), "{got:?}");
    gate.stop().await;
}

#[rstest]
#[case(OWN)]
#[case(SHARED)]
#[tokio::test]
async fn a_cursor_does_not_give_its_rows_as_another_portal(#[case] pool: &str) {
    let database = Database::new().await;
    let gate = Gate::with(&database, &POLICY, pool).await;
    let mut alice = login(gate.port(), &database, "alice").await;
    let declare = "Q declare h cursor with hold for select id from customers";
    burst(&mut alice, &lines(&["P one | select 1", "S", declare])).await;
    let mut given = 0;
    for _ in 0..3 {
        let mut messages = behind_an_error(&["C P h", "B h | one"]);
        messages.extend(lines(&["E h | 2", "S"]));
        given += rows(&segments(&mut alice, &messages).await);
    }
    assert_eq!(given, 3, "a cursor gives what its statement may give");
    gate.stop().await;
}

#[rstest]
#[case(OWN)]
#[case(SHARED)]
#[tokio::test]
async fn names_that_are_one_for_postgresql_are_one(#[case] pool: &str) {
    let database = Database::new().await;
    let gate = Gate::with(&database, &POLICY, pool).await;
    let mut alice = login(gate.port(), &database, "alice").await;
    let stem = "n".repeat(63);
    let (short, long) = (format!("{stem}1"), format!("{stem}2"));
    // a statement under one of the names is run by the other
    let other = format!("P {long} | select id from customers");
    let prepare = [
        format!("P {short} | select 1"),
        "S".to_owned(),
        format!("C S {long}"),
        "S".to_owned(),
        other,
        "S".to_owned(),
    ];
    let got = segments(&mut alice, &prepare).await;
    assert_eq!(got, ["1", "Z I", "3", "Z I", "1", "Z I"]);
    let run = [format!("B | {short}"), "E".to_owned(), "S".to_owned()];
    let got = segments(&mut alice, &run).await;
    assert_eq!(rows(&got), 3, "{got:?}");
    // a portal
    let portals = [
        "Q begin".to_owned(),
        "P a | select 1".to_owned(),
        format!("B {short} | a"),
        format!("C P {long}"),
        format!("B {long} | {stem}"),
        format!("E {short}"),
        "S".to_owned(),
    ];
    let got = segments(&mut alice, &portals).await;
    assert_eq!(rows(&got), 0, "BEGIN alone has been answered: {got:?}");
    let got = alice.until_ready(1).await;
    assert_eq!(rows(&got), 3, "{got:?}");
    gate.stop().await;
}

/// The error of a segment may come while a message of the next one, or a Query within it, is looked at: that is thrown away,
/// and the session goes on.
#[rstest]
#[case(OWN)]
#[case(SHARED)]
#[tokio::test]
async fn what_is_thrown_away_meanwhile_is_not_sent(#[case] pool: &str) {
    let database = Database::new().await;
    let gate = Gate::with(&database, OPEN_POLICY, pool).await;
    let mut alice = login(gate.port(), &database, "alice").await;
    for command in [
        "Q deallocate s1",
        "Q deallocate nope",
        "Q prepare s1 as select 1",
        "Q execute s1",
        "E p1",
    ] {
        let messages = ["P s1 | select 1", "S", "P | select 1; select 2", command, "S"];
        let got = segments(&mut alice, &lines(&messages)).await;
        assert_eq!(got.len(), 4, "{command}: {got:?}");
        assert!(got[2].starts_with("E 42601"), "{command}: {got:?}");
        // in a block that is aborted
        let messages = ["Q begin", "B p1 | s1", "S", "P bad | select 1/0", "B | bad", "E", "S"];
        segments(&mut alice, &lines(&messages)).await;
        alice.until_ready(1).await;
        segments(&mut alice, &lines(&["E p1", command, "S"])).await;
        assert_eq!(alice.query("rollback").await, ["C ROLLBACK", "Z I"], "{command}");
        segments(&mut alice, &lines(&["C S s1", "C S bad", "S"])).await;
    }
    gate.stop().await;
}

#[rstest]
#[case(OWN)]
#[case(SHARED)]
#[tokio::test]
async fn execute_runs_no_command(#[case] pool: &str) {
    let database = Database::new().await;
    let gate = Gate::with(&database, &POLICY, pool).await;
    let mut alice = login(gate.port(), &database, "alice").await;
    // a name that stands for something else afterwards, and rows that another statement gives
    let all = "declare h cursor with hold for select id from customers";
    for command in [
        "deallocate other",
        "prepare other as select id from customers",
        "fetch all from h",
        "move 1 in h",
        "close h",
        "discard all",
        "set search_path = pg_catalog",
        "begin",
        all,
        "execute other",
        "create temp table t as select 1",
    ] {
        let prepare = format!("P command | {command}");
        let got = segments(&mut alice, &lines(&["P other | select 1", "S", &prepare, "S"])).await;
        let got = if got[1..].iter().any(|line| line.starts_with("E ")) {
            got
        } else {
            alice.query("execute command").await
        };
        assert!(got.iter().any(|line| line.starts_with("E 0A000")), "{command}: {got:?}");
        segments(&mut alice, &lines(&["C S command", "C S other", "S"])).await;
    }
    gate.stop().await;
}
