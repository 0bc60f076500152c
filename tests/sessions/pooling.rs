//! Sessions that share connections to the database: what is carried, what binds, what is cleaned, who waits.

use crate::support::gate::Gate;
use crate::support::raw::{Raw, command};
use crate::support::relay::{self, Relay};
use crate::support::{Database, data};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const POLICY: [(&str, &str); 3] = [
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\nunprotected_writes = \"open\"\ncolumns = \"clear\"\n[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/rep.toml",
        "title = \"Representative\"\n[customers]\nview = [\"own\"]\nexport = [\"own\"]\n[rights]\ntemp_tables = true\nlisten = [\"ch\"]\nnotify = [\"ch\"]\nsleep = true\nfunctions = [\"pg_catalog.pg_advisory_lock\", \"pg_catalog.pg_try_advisory_lock\", \"pg_catalog.nextval\", \"pg_catalog.setseed\"]\n",
    ),
];

async fn gate(database: &Database, pool: &str) -> Gate {
    Gate::with(database, &POLICY, &format!("[pool]\nmode = \"transaction\"\n{pool}\n")).await
}

async fn login(gate: &Gate, database: &Database, login: &str) -> Raw {
    let more = [("database", database.name.as_str())];
    Raw::login(gate.port(), login, &data::password(login), &more)
        .await
        .unwrap()
}

/// Sends several messages at once and gives the answers up to the last ReadyForQuery.
async fn batch(raw: &mut Raw, messages: &[&str]) -> Vec<String> {
    let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
    raw.send(&bytes).await;
    let ready = messages.iter().filter(|m| m.starts_with('Q') || **m == "S").count();
    raw.until_ready(ready).await
}

/// The only value of a query's answer.
async fn value(raw: &mut Raw, sql: &str) -> String {
    let got = raw.query(sql).await;
    let rows: Vec<&String> = got.iter().filter(|l| l.starts_with("D ")).collect();
    assert_eq!(rows.len(), 1, "{sql}: {got:?}");
    rows[0][2..].to_owned()
}

async fn all_well(raw: &mut Raw, sql: &str) {
    let got = raw.query(sql).await;
    assert!(!got.iter().any(|l| l.starts_with("E ")), "{sql}: {got:?}");
}

async fn backends(database: &Database) -> i64 {
    let admin = database.superuser().await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'rowgate'
               AND application_name <> 'rowgate keeper' AND pid <> ALL (SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%')";
    admin.query_one(sql, &[]).await.unwrap().get(0)
}

const PID: &str = "select pg_backend_pid()";

#[tokio::test]
async fn many_sessions_share_few_connections_and_each_sees_its_own() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 2").await;
    let mut sessions = Vec::new();
    for name in ["alice", "bob", "emma", "david"] {
        for _ in 0..3 {
            let mut raw = login(&gate, &database, name).await;
            let own = value(&mut raw, "select count(*) from customers").await;
            // the same name and the same text, and yet each one's own statement
            let got = batch(&mut raw, &["P s | select count(*) from customers where id > $1", "S"]).await;
            assert_eq!(got, ["1", "Z I"]);
            sessions.push((raw, own));
        }
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (mut raw, own) in sessions {
        tasks.spawn(async move {
            for _ in 0..50 {
                let got = batch(&mut raw, &["B | s | 0", "E", "S"]).await;
                assert_eq!(
                    got,
                    [
                        "2".to_owned(),
                        format!("D {own}"),
                        "C SELECT 1".to_owned(),
                        "Z I".to_owned()
                    ]
                );
                all_well(&mut raw, "begin").await;
                assert_eq!(value(&mut raw, "select count(*) from customers").await, own);
                all_well(&mut raw, "commit").await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert!(backends(&database).await <= 4);
    gate.stop().await;
}

#[tokio::test]
async fn a_flush_without_a_connection_answers_nothing() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1").await;
    let mut alice = login(&gate, &database, "alice").await;
    all_well(&mut alice, "select 1").await;
    assert_eq!(batch(&mut alice, &["H", "S", "H", "Q select 1"]).await.len(), 5);
    assert_eq!(
        batch(&mut alice, &["P s | select 2", "H", "S", "H", "H", "S"]).await,
        ["1", "Z I", "Z I"]
    );
    gate.stop().await;
}

#[tokio::test]
async fn settings_follow_their_session() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1").await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    assert_eq!(value(&mut alice, PID).await, value(&mut bob, PID).await);
    all_well(&mut alice, "set datestyle to 'SQL, DMY'").await;
    all_well(&mut alice, "set search_path to crm").await;
    all_well(&mut alice, "select set_config('application_name', 'hers', false)").await;
    all_well(&mut bob, "set timezone to 'Asia/Shanghai'").await;
    // one that is undone, and one for a transaction alone
    all_well(&mut bob, "begin; set datestyle to 'German'").await;
    all_well(&mut bob, "rollback").await;
    all_well(&mut bob, "begin; set local datestyle to 'German'; commit").await;
    for _ in 0..2 {
        assert_eq!(value(&mut alice, "show datestyle").await, "SQL, DMY");
        assert_eq!(value(&mut alice, "show application_name").await, "hers");
        assert_eq!(value(&mut alice, "select count(*) > 0 from users").await, "t");
        assert_ne!(value(&mut alice, "show timezone").await, "Asia/Shanghai");
        assert_eq!(value(&mut bob, "show datestyle").await, "ISO, MDY");
        assert_eq!(value(&mut bob, "show timezone").await, "Asia/Shanghai");
        assert!(bob.query("select count(*) from users").await[0].starts_with("E 42P01"));
    }
    all_well(&mut alice, "reset all").await;
    assert_eq!(value(&mut alice, "show datestyle").await, "ISO, MDY");
    assert_eq!(value(&mut bob, "show timezone").await, "Asia/Shanghai");
    gate.stop().await;
}

#[rstest]
#[case::temp_table(
    "create temp table secret as select id from customers",
    "select count(*) from secret"
)]
#[case::prepared("prepare p as select 41", "execute p")]
#[case::held_cursor("begin; declare c cursor with hold for select 41; commit", "fetch 1 from c")]
#[case::listen("listen ch", "notify ch")]
#[case::lock("select pg_advisory_lock(5)", "select pg_try_advisory_lock(5)")]
#[case::sequence("select lastval() from nextval('crm.pooling_seq')", "select lastval()")]
#[case::seed("select setseed(0.5)", "select random()")]
#[tokio::test]
async fn what_cannot_be_carried_binds_the_connection_until_the_session_ends(#[case] leaves: &str, #[case] uses: &str) {
    let database = Database::new().await;
    let admin = database.superuser().await;
    let sequence = "CREATE SEQUENCE crm.pooling_seq; GRANT ALL ON crm.pooling_seq TO rowgate";
    admin.batch_execute(sequence).await.unwrap();
    let gate = gate(&database, "size = 2").await;
    let mut alice = login(&gate, &database, "alice").await;
    all_well(&mut alice, leaves).await;
    let hers = value(&mut alice, PID).await;
    let mut bobs = Vec::new();
    for _ in 0..3 {
        let mut bob = login(&gate, &database, "bob").await;
        let his = value(&mut bob, PID).await;
        assert_ne!(his, hers, "{leaves}");
        bobs.push(bob);
    }
    all_well(&mut alice, uses).await;
    assert_eq!(value(&mut alice, PID).await, hers);
    // it is given back clean, whether she says goodbye or not
    drop(alice);
    let mut bob = bobs.remove(0);
    all_well(&mut bob, "begin").await;
    let other = &mut bobs[0];
    for sql in [
        "select count(*) from secret",
        "execute p",
        "fetch 1 from c",
        "select lastval()",
    ] {
        let got = other.query(sql).await;
        assert!(got.iter().any(|l| l.starts_with("E ")), "{sql}: {got:?}");
    }
    gate.stop().await;
}

#[tokio::test]
async fn an_ended_binding_gives_the_connection_back() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1\nwait = \"100ms\"").await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    for (binds, ends) in [
        ("prepare p as select 1", "deallocate p"),
        ("prepare p as select 1", "deallocate all"),
        ("create temp table t (x int)", "drop table t; select 1"),
        ("listen ch", "discard all"),
        ("listen ch", "unlisten *"),
        ("listen ch", "begin; unlisten *; commit"),
        ("begin; declare c cursor with hold for select 1; commit", "close c"),
        ("begin; declare c cursor with hold for select 1; commit", "close all"),
        (
            "begin; declare c cursor with hold for select 1; commit",
            "begin; close c; rollback",
        ),
    ] {
        all_well(&mut alice, binds).await;
        let got = bob.query("select 1").await;
        assert!(got[0].starts_with("E 53300"), "{binds}: {got:?}");
        for end in ends.split("; ") {
            all_well(&mut alice, end).await;
        }
        assert_eq!(value(&mut bob, "select 1").await, "1", "{ends}");
    }
    gate.stop().await;
}

#[rstest]
#[case::another_channel("unlisten other")]
#[case::rolled_back("begin; unlisten *; rollback")]
#[case::rolled_back_in_part("begin; savepoint s; unlisten *; rollback to s; commit")]
#[case::failed("begin; unlisten *; select 1 / 0; commit")]
#[case::failed_in_one_message("unlisten *; select 1 / 0")]
#[case::cut_off("unlisten *; select id, generate_series(1, 200) from customers")]
#[case::again("unlisten *; listen ch")]
#[tokio::test]
async fn a_binding_that_has_not_ended_keeps_the_connection(#[case] sql: &str) {
    let database = Database::new().await;
    let limited = POLICY[2].1.replace("export = [\"own\"]", "max_rows = 100");
    let policy = [POLICY[0], POLICY[1], (POLICY[2].0, limited.as_str())];
    let pool = "[pool]\nmode = \"transaction\"\nsize = 1\nwait = \"100ms\"\n";
    let gate = Gate::with(&database, &policy, pool).await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    let one_by_one = sql.split("; ").collect();
    for messages in [vec![sql], one_by_one] {
        if messages.len() == 2 && messages[0] == "unlisten *" && messages[1].starts_with("select") {
            continue;
        }
        all_well(&mut alice, "listen ch").await;
        for message in messages {
            alice.query(message).await;
        }
        alice.query("rollback").await;
        let got = bob.query("select 1").await;
        assert!(got[0].starts_with("E 53300"), "{sql}: {got:?}");
        let got = alice.query("notify ch").await;
        assert!(got.iter().any(|l| l.starts_with("A ")), "{sql}: {got:?}");
    }
    gate.stop().await;
}

#[tokio::test]
async fn waiting_has_an_end_and_the_session_goes_on() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1\nwait = \"100ms\"").await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    all_well(&mut alice, "begin").await;
    let full = "E 53300 no connection to the database came free within 100ms";
    assert_eq!(bob.query("select 1").await, [full, "Z I"]);
    assert_eq!(batch(&mut bob, &["P | select 1", "B |", "E", "S"]).await, [full, "Z I"]);
    assert_eq!(batch(&mut bob, &["S"]).await, ["Z I"]);
    all_well(&mut alice, "commit").await;
    assert_eq!(value(&mut bob, "select 2").await, "2");
    gate.stop().await;
}

#[tokio::test]
async fn who_logs_in_while_none_is_free_is_told_so_and_written_down() {
    let database = Database::new().await;
    let audit = "[audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"";
    let gate = gate(&database, &format!("size = 1\nwait = \"100ms\"\n{audit}")).await;
    let mut alice = login(&gate, &database, "alice").await;
    // it fails, and binds the connection
    let got = alice.query("select lastval()").await;
    assert!(got.iter().any(|l| l.starts_with("E 55000")), "{got:?}");
    let more = [("database", database.name.as_str())];
    let refused = Raw::login(gate.port(), "bob", &data::password("bob"), &more).await;
    let told = refused.err().unwrap();
    assert!(told.contains("53300"), "{told}");
    let path = gate.files.path().join("audit.jsonl");
    while !std::fs::read_to_string(&path).unwrap().contains("pool-full") {
        tokio::task::yield_now().await;
    }
    drop(alice);
    let password = data::password("bob");
    while Raw::login(gate.port(), "bob", &password, &more).await.is_err() {
        tokio::task::yield_now().await;
    }
    gate.stop().await;
}

#[tokio::test]
async fn a_connection_that_broke_while_nobody_held_it_is_given_to_nobody() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 2").await;
    let mut alice = login(&gate, &database, "alice").await;
    let pid = value(&mut alice, PID).await;
    let admin = database.superuser().await;
    let sql = "SELECT pg_terminate_backend($1::text::int, 10000)";
    assert!(admin.query_one(sql, &[&pid]).await.unwrap().get::<_, bool>(0));
    assert_ne!(value(&mut alice, PID).await, pid);
    gate.stop().await;
}

#[tokio::test]
async fn what_nobody_uses_is_closed_and_what_is_used_stays() {
    let database = Database::new().await;
    let config = "[pool]\nmode = \"transaction\"\nsize = 3\n";
    let idle = std::time::Duration::from_secs(1);
    let gate = Gate::with_changed(&database, &POLICY, config, |c| c.upstream.idle_timeout = idle).await;
    let mut sessions = Vec::new();
    for name in ["alice", "bob", "emma"] {
        let mut raw = login(&gate, &database, name).await;
        all_well(&mut raw, "begin").await;
        sessions.push(raw);
    }
    for raw in &mut sessions {
        all_well(raw, "commit").await;
    }
    assert_eq!(backends(&database).await, 3);
    let pid = value(&mut sessions[0], PID).await;
    // one connection is asked for all the time, and is the only one in the end
    while backends(&database).await > 1 {
        assert_eq!(value(&mut sessions[0], PID).await, pid);
    }
    assert_eq!(value(&mut sessions[0], PID).await, pid);
    gate.stop().await;
}

#[rstest]
#[case("per_login = 1")]
#[case("per_role = { rep = 1 }")]
#[tokio::test]
async fn a_share_is_not_exceeded(#[case] share: &str) {
    let database = Database::new().await;
    let gate = gate(&database, &format!("size = 3\nwait = \"100ms\"\n{share}")).await;
    let mut one = login(&gate, &database, "alice").await;
    let mut two = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    all_well(&mut one, "begin").await;
    assert!(two.query("select 1").await[0].starts_with("E 53300"));
    let others = bob.query("select 1").await;
    assert_eq!(
        others[0].starts_with("E 53300"),
        share.starts_with("per_role"),
        "{others:?}"
    );
    all_well(&mut one, "commit").await;
    all_well(&mut two, "select 1").await;
    gate.stop().await;
}

#[tokio::test]
async fn prepared_statements_keep_the_names_that_clients_gave() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1\nstatements = 2").await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    for n in 0..5 {
        let parse = format!("P s{n} | select {n} + $1::int");
        assert_eq!(batch(&mut alice, &[&parse, "S"]).await, ["1", "Z I"]);
        let parse = format!("P s{n} | select 10 * {n} + $1::int");
        assert_eq!(batch(&mut bob, &[&parse, "S"]).await, ["1", "Z I"]);
    }
    for n in 0..5 {
        let bind = format!("B | s{n} | 1");
        let got = batch(&mut alice, &[&bind, "E", "S"]).await;
        assert_eq!(got, ["2", &format!("D {}", n + 1), "C SELECT 1", "Z I"]);
        let got = batch(&mut bob, &[&bind, "E", "S"]).await;
        assert_eq!(got, ["2", &format!("D {}", 10 * n + 1), "C SELECT 1", "Z I"]);
    }
    let wrong = "E 08P01 bind message supplies 0 parameters, but prepared statement \"s1\" requires 1";
    assert_eq!(batch(&mut alice, &["B | s1", "S"]).await, [wrong, "Z I"]);
    let taken = batch(&mut alice, &["P s1 | select 1", "S"]).await;
    assert_eq!(taken, ["E 42P05 prepared statement \"s1\" already exists", "Z I"]);
    // a name that is closed is gone for its owner alone
    assert_eq!(batch(&mut alice, &["C S s1", "S"]).await, ["3", "Z I"]);
    assert_eq!(
        batch(&mut alice, &["B | s1 | 1", "S"]).await[0],
        "E 26000 prepared statement \"s1\" does not exist"
    );
    assert_eq!(batch(&mut bob, &["B | s1 | 1", "E", "S"]).await[1], "D 11");
    // in one batch with an error in its middle, and the unnamed one across transactions
    let got = batch(
        &mut alice,
        &["P a | select 1", "P b | select wrong", "P c | select 3", "S"],
    )
    .await;
    assert_eq!(got[0], "1");
    assert!(got[1].starts_with("E 42703"), "{got:?}");
    assert_eq!(batch(&mut alice, &["B | a", "E", "S"]).await[1], "D 1");
    assert!(batch(&mut alice, &["B | c", "E", "S"]).await[0].starts_with("E 26000"));
    assert_eq!(batch(&mut alice, &["P | select 7", "S"]).await, ["1", "Z I"]);
    assert_eq!(batch(&mut bob, &["P | select 8", "S"]).await, ["1", "Z I"]);
    assert_eq!(
        batch(&mut alice, &["D S ", "B |", "E", "S"]).await,
        ["t", "T ?column?:23", "2", "D 7", "C SELECT 1", "Z I"]
    );
    gate.stop().await;
}

#[tokio::test]
async fn a_literal_is_read_under_the_settings_of_whoever_prepared_it() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1").await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    all_well(&mut alice, "set datestyle to 'ISO, DMY'").await;
    let parse = "P s | select to_char('01/02/2026'::date, 'MM')";
    let run = ["B | s", "E", "S"];
    assert_eq!(batch(&mut alice, &[parse, "B | s", "E", "S"]).await[2], "D 02");
    assert_eq!(batch(&mut bob, &[parse, "B | s", "E", "S"]).await[2], "D 01");
    assert_eq!(batch(&mut alice, &run).await[1], "D 02");
    // what is prepared under the settings of one transaction stays there
    let parse = parse.replace(" s ", " t ");
    all_well(&mut bob, "begin; set local datestyle to 'ISO, DMY'").await;
    assert_eq!(batch(&mut bob, &[&parse, "B | t", "E", "S"]).await[2], "D 02");
    all_well(&mut bob, "commit").await;
    let mut emma = login(&gate, &database, "emma").await;
    assert_eq!(batch(&mut emma, &[&parse, "B | t", "E", "S"]).await[2], "D 01");
    gate.stop().await;
}

#[tokio::test]
async fn a_refusal_leaves_no_wrong_idea_of_the_unnamed_statement() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1").await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    all_well(&mut bob, "select 1").await;
    assert_eq!(batch(&mut bob, &["P | select 7", "S"]).await, ["1", "Z I"]);
    all_well(&mut alice, "begin").await;
    assert_eq!(batch(&mut alice, &["P | select 7", "S"]).await, ["1", "Z T"]);
    assert!(alice.query("select pg_read_file('x')").await[0].starts_with("E 42501"));
    all_well(&mut alice, "rollback").await;
    assert_eq!(
        batch(&mut bob, &["B |", "E", "S"]).await,
        ["2", "D 7", "C SELECT 1", "Z I"]
    );
    gate.stop().await;
}

#[tokio::test]
async fn commands_find_statements_that_messages_made() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1").await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    batch(&mut alice, &["P s | select 1 + $1::int", "S"]).await;
    batch(&mut bob, &["P s | select 10 + $1::int", "S"]).await;
    for _ in 0..2 {
        assert_eq!(value(&mut alice, "execute s(1)").await, "2");
        assert_eq!(value(&mut bob, "execute s(1)").await, "11");
    }
    let exists = "E 42P05 prepared statement \"s\" already exists";
    assert_eq!(alice.query("prepare s as select 1").await, [exists, "Z I"]);
    all_well(&mut alice, "deallocate s").await;
    assert!(alice.query("execute s(1)").await[0].starts_with("E 26000"));
    assert_eq!(value(&mut bob, "execute s(1)").await, "11");
    all_well(&mut alice, "deallocate all").await;
    assert_eq!(batch(&mut bob, &["B | s | 2", "E", "S"]).await[1], "D 12");
    gate.stop().await;
}

#[tokio::test]
async fn whatever_state_a_client_leaves_the_next_finds_a_clean_connection() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1").await;
    let copy = ["Q copy crm.teams (team_id, name) from stdin", "d 9001\\tghost\\n"];
    let cases: [&[&str]; 8] = [
        &["Q begin", "Q set local datestyle to 'German'"],
        &["Q begin", "Q select wrong"],
        &["Q begin", "Q set datestyle to 'German'"],
        &["P s | select pg_sleep(0.2)", "B | s", "E"],
        &["Q select * from generate_series(1, 100000)"],
        &["P | select 1", "P t | select wrong"],
        &["B | nothing"],
        &copy,
    ];
    for messages in cases {
        let mut alice = login(&gate, &database, "alice").await;
        let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
        alice.send(&bytes).await;
        // something of it has reached the database
        if messages[0].starts_with("Q begin") {
            alice.until_ready(messages.len()).await;
        }
        drop(alice);
        let mut bob = login(&gate, &database, "bob").await;
        assert_eq!(value(&mut bob, "show datestyle").await, "ISO, MDY", "{messages:?}");
        assert_eq!(
            value(&mut bob, "select now() = statement_timestamp()").await,
            "t",
            "{messages:?}"
        );
        assert_eq!(
            value(&mut bob, "select count(*) from crm.teams where team_id = 9001").await,
            "0"
        );
        assert!(batch(&mut bob, &["B | s", "S"]).await[0].starts_with("E 26000"));
    }
    gate.stop().await;
}

#[tokio::test]
async fn a_cancel_reaches_nobody_elses_statement() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 1").await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    assert_eq!(value(&mut alice, PID).await, value(&mut bob, PID).await);
    bob.send(&command("Q select pg_sleep(1)")).await;
    for _ in 0..5 {
        Raw::cancel(gate.port(), alice.key).await;
    }
    assert_eq!(bob.until_ready(1).await[1..], ["D ", "C SELECT 1", "Z I"]);
    gate.stop().await;
}

#[tokio::test]
async fn a_cancel_that_the_database_may_still_read_reaches_nobody_elses_statement() {
    let database = Database::new().await;
    let (port, cancels) = relay::start(database.cluster.port(), Relay::LosesCancels).await;
    let pool = "[pool]\nmode = \"transaction\"\nsize = 1\n";
    let gate = Gate::with_changed(&database, &POLICY, pool, |c| {
        c.upstream.port = port;
        c.upstream.connect_timeout = std::time::Duration::from_secs(2);
        c.upstream.sslmode = rowgate::config::SslMode::Disable;
    })
    .await;
    let mut alice = login(&gate, &database, "alice").await;
    let mut bob = login(&gate, &database, "bob").await;
    let (mut before, key) = (value(&mut alice, PID).await, alice.key);
    // it is given up while the statement runs, and behind its end
    for seconds in [4, 1] {
        alice.send(&command(&format!("Q select pg_sleep({seconds})"))).await;
        Raw::cancel(gate.port(), key).await;
        assert_eq!(alice.until_ready(1).await[1..], ["D ", "C SELECT 1", "Z I"]);
        let now = value(&mut bob, PID).await;
        assert_ne!(now, before, "a cancel request lies before this connection");
        before = now;
    }
    assert_eq!(cancels.load(std::sync::atomic::Ordering::SeqCst), 2);
    gate.stop().await;
}

/// What a path of the operator's side door gives.
async fn http(port: u16, path: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_operator_sees_who_holds_connections_and_why() {
    let database = Database::new().await;
    let gate = gate(&database, "size = 2\n[metrics]\naddress = \"127.0.0.1:0\"").await;
    let mut alice = login(&gate, &database, "alice").await;
    let _bob = login(&gate, &database, "bob").await;
    let port = gate.metrics_port();
    assert!(http(port, "/healthz").await.starts_with("HTTP/1.1 200"));
    let metrics = http(port, "/metrics").await;
    assert!(metrics.contains("\nrowgate_sessions 2\n"), "{metrics}");
    assert!(
        metrics.contains("\nrowgate_pool_pinned{reason=\"listen\"} 0\n"),
        "{metrics}"
    );
    all_well(&mut alice, "listen ch").await;
    // the answer to one more statement comes after the first has been counted
    all_well(&mut alice, "select 1").await;
    let metrics = http(port, "/metrics").await;
    assert!(
        metrics.contains("\nrowgate_pool_pinned{reason=\"listen\"} 1\n"),
        "{metrics}"
    );
    all_well(&mut alice, "discard all").await;
    all_well(&mut alice, "select 1").await;
    let metrics = http(port, "/metrics").await;
    assert!(
        metrics.contains("\nrowgate_pool_pinned{reason=\"listen\"} 0\n"),
        "{metrics}"
    );
    gate.stop().await;
}
