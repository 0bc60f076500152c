//! Sessions as people and the operator meet them: limits, refusals, cancel, rights that change, the record,
//! two people on one connection.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::raw::{PATIENCE, Raw, command};
use crate::support::{Database, data, rows, until_sleeping};
use std::time::{Duration, Instant};

const REP: &str = "title = \"Representative\"\n[customers]\nview = [\"own\"]\nmax_rows = 100\n[rights]\ntemp_tables = true\nexplain = true\nlisten = [\"ch\"]\nsleep = true\n";

/// Customers are protected; everything else is open.
fn policy(role: &str) -> Vec<(&'static str, String)> {
    vec![
        (
            "tables.toml",
            "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n".to_owned(),
        ),
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n".to_owned(),
        ),
        ("roles/rep.toml", role.to_owned()),
    ]
}

async fn gate(database: &Database, role: &str, more: &str) -> Gate {
    let files = policy(role);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Gate::with(database, &files, more).await
}

async fn login(gate: &Gate, database: &Database, login: &str) -> Raw {
    try_login(gate, database, login).await.unwrap()
}

async fn try_login(gate: &Gate, database: &Database, login: &str) -> Result<Raw, String> {
    Raw::login(
        gate.port(),
        login,
        &data::password(login),
        &[("database", &database.name)],
    )
    .await
}

/// Sends several messages at once and gives the answers up to the last ReadyForQuery.
async fn batch(raw: &mut Raw, messages: &[&str]) -> Vec<String> {
    let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
    raw.send(&bytes).await;
    let ready = messages.iter().filter(|m| m.starts_with('Q') || **m == "S").count();
    raw.until_ready(ready).await
}

fn shape(lines: &[String]) -> Vec<String> {
    let mut short: Vec<String> = Vec::new();
    let mut count = 0;
    for line in lines {
        if line.starts_with("D ") {
            count += 1;
            continue;
        }
        if count > 0 {
            short.push(format!("{count} rows"));
            count = 0;
        }
        short.push(line.clone());
    }
    short
}

const LIMIT: &str = "E 53400 the result has more rows than the 100 that the policy allows";

#[tokio::test]
async fn a_row_limit_ends_the_result_and_the_transaction_but_not_the_session() {
    let database = Database::new().await;
    let role = REP.replace("\"own\"", "\"all\"");
    let gate = gate(&database, &role, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    let all = "select c.id from customers c, generate_series(1, 1000) g";
    assert_eq!(shape(&raw.query(all).await)[1..], ["100 rows", LIMIT, "Z I"]);
    let exact = raw.query(&format!("{all} limit 100")).await;
    assert_eq!(shape(&exact)[1..], ["100 rows", "C SELECT 100", "Z I"]);

    raw.query("begin").await;
    assert_eq!(shape(&raw.query(all).await)[1..], ["100 rows", LIMIT, "Z E"]);
    assert!(raw.query("select 1").await[0].starts_with("E 25P02"));
    raw.query("rollback").await;

    // extended, with more in the pipeline behind it
    let parse = format!("P | {all}");
    let got = batch(&mut raw, &[&parse, "B |", "E", "P | select 2", "B |", "E", "S"]).await;
    assert_eq!(shape(&got), ["1", "2", "100 rows", LIMIT, "Z I"]);
    let got = batch(&mut raw, &[&parse, "B |", "E", "S", "Q select 3"]).await;
    assert_eq!(shape(&got)[2..5], ["100 rows", LIMIT, "Z I"]);
    assert_eq!(got.last().unwrap(), "Z I");

    // a portal's and a cursor's rows add up
    raw.query("begin").await;
    let got = batch(&mut raw, &[&parse, "B p |", "E p | 60", "S"]).await;
    assert_eq!(shape(&got)[2..], ["60 rows", "s", "Z T"]);
    assert_eq!(
        shape(&batch(&mut raw, &["E p | 60", "S"]).await),
        ["40 rows", LIMIT, "Z E"]
    );
    raw.query("rollback").await;
    raw.query(&format!("begin; declare c cursor for {all}")).await;
    assert_eq!(
        shape(&raw.query("fetch 60 from c").await)[1..],
        ["60 rows", "C FETCH 60", "Z T"]
    );
    assert_eq!(
        shape(&raw.query("fetch 60 from c").await)[1..],
        ["40 rows", LIMIT, "Z E"]
    );
    raw.query("rollback").await;

    raw.query(&format!("begin; declare c cursor for {all}")).await;
    for expected in [&["60 rows", "s", "Z T"][..], &["40 rows", LIMIT, "Z E"]] {
        assert_eq!(shape(&batch(&mut raw, &["E c | 60", "S"]).await), expected);
    }
    raw.query("rollback").await;

    // what a message has written goes with the result that is cut off, and stays where none is
    raw.query("create temp table t (x int)").await;
    let got = raw.query(&format!("insert into t values (1); {all}; select 1")).await;
    assert_eq!(shape(&got)[2..], ["100 rows", LIMIT, "Z I"]);
    let got = raw.query(&format!("{all}; insert into t values (2)")).await;
    assert_eq!(shape(&got)[1..], ["100 rows", LIMIT, "Z I"]);
    assert_eq!(raw.query("select count(*) from t").await[1], "D 0");
    let got = raw.query(&format!("insert into t values (3); {all} limit 5")).await;
    assert_eq!(shape(&got)[2..], ["5 rows", "C SELECT 5", "Z I"]);
    assert_eq!(raw.query("select x from t").await[1], "D 3");
    let got = raw
        .query(&format!("begin; insert into t values (4); {all}; commit"))
        .await;
    assert!(got[0].starts_with("E 0A000"), "{got:?}");
    let got = raw
        .query(&format!("insert into t values (5); {all} limit 5; select 1 / 0"))
        .await;
    assert_eq!(shape(&got)[4..], ["E 22012 division by zero", "Z I"]);
    assert_eq!(raw.query("select count(*) from t").await[1], "D 1");

    // a result that would go on for long is cancelled
    let started = Instant::now();
    let endless = raw
        .query("select c.id, generate_series(1, 100000000) from customers c")
        .await;
    assert_eq!(shape(&endless)[1..], ["100 rows", LIMIT, "Z I"]);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(raw.query("select 1 as x").await[1], "D 1");
    gate.stop().await;
}

#[tokio::test]
async fn a_refusal_aborts_the_transaction_as_an_error_would() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    let refused = "select pg_read_file('x')";
    assert_eq!(raw.query(refused).await.last().unwrap(), "Z I");
    raw.query("begin").await;
    assert_eq!(raw.query(refused).await.last().unwrap(), "Z E");
    raw.query("rollback").await;
    let parse = format!("P | {refused}");
    let got = batch(
        &mut raw,
        &[
            "P | select 1",
            "B |",
            "E",
            &parse,
            "B |",
            "E",
            "S",
            "P | select 2",
            "B |",
            "E",
            "S",
        ],
    )
    .await;
    assert_eq!(got.iter().filter(|l| l.starts_with("E ")).count(), 1);
    assert_eq!(got.last().unwrap(), "Z I");
    assert!(got.contains(&"D 2".to_owned()));
    // a refusal is told at Flush too
    raw.send(&[command(&parse), command("H")].concat()).await;
    assert!(raw.until_quiet().await[0].starts_with("E 42501"));
    assert_eq!(batch(&mut raw, &["S"]).await, ["Z I"]);
    gate.stop().await;
}

#[tokio::test]
async fn nothing_of_one_person_reaches_the_next_on_the_same_connection() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let mut alice = login(&gate, &database, "alice").await;
    for sql in [
        "create temp table secret as select * from customers",
        "set datestyle to 'SQL, DMY'",
        "set search_path to crm",
        "prepare p as select 1",
        "listen ch",
        "begin; declare c cursor with hold for select 1; commit",
        "begin",
    ] {
        let got = alice.query(sql).await;
        assert!(!got.iter().any(|l| l.starts_with("E ")), "{sql}: {got:?}");
    }
    alice.send(&command("X")).await;
    assert!(alice.message().await.is_none());
    let mut bob = login(&gate, &database, "bob").await;
    assert_eq!(bob.query("show datestyle").await[1], "D ISO, MDY");
    assert_eq!(bob.query("show search_path").await[1], "D \"public\"");
    for (sql, code) in [
        ("select * from secret", "E 42P01"),
        ("execute p", "E 26000"),
        ("fetch 1 from c", "E 34000"),
    ] {
        assert!(bob.query(sql).await[0].starts_with(code), "{sql}");
    }
    let names = "select count(*) from pg_prepared_statements";
    assert!(!bob.query(names).await.contains(&"D 1".to_owned()));
    gate.stop().await;
}

#[tokio::test]
async fn a_statement_can_be_cancelled() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    raw.send(&command("Q select pg_sleep(30)")).await;
    until_sleeping(&database, true).await;
    let (process, secret) = raw.key;
    for (process, secret) in [(process, secret.wrapping_add(1)), (process, secret)] {
        Raw::cancel(gate.port(), (process, secret)).await;
    }
    let started = Instant::now();
    let got = raw.until_ready(1).await;
    assert!(got.iter().any(|l| l.starts_with("E 57014")), "{got:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(raw.query("select 1 as x").await[1], "D 1");
    gate.stop().await;
}

#[tokio::test]
async fn rights_that_change_hold_for_the_next_statement() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    let count = |lines: &[String]| lines.iter().filter(|l| l.starts_with("D ")).count();
    let own = count(&raw.query("select id from customers").await);
    assert!(own > 0);
    batch(&mut raw, &["P s | select id, phone from customers", "D S s", "S"]).await;
    raw.query("prepare q as select id from customers").await;
    assert_eq!(count(&batch(&mut raw, &["B | s", "E", "S"]).await), own);
    raw.query("begin; declare c cursor for select id from customers").await;
    raw.query("fetch 1 from c").await;

    let generation = gate.world().current().generation;
    let role = gate.files.path().join("policies/roles/rep.toml");
    std::fs::write(&role, REP.replace("\"own\"", "\"all\"")).unwrap();
    wait_for(&gate, generation).await;
    assert!(raw.query("fetch 1 from c").await[0].starts_with("E 42501"));
    raw.query("rollback").await;
    let all = count(&raw.query("select id from customers").await);
    assert!(all > own);
    assert_eq!(count(&batch(&mut raw, &["B | s", "E", "S"]).await), all);
    assert_eq!(count(&raw.query("execute q").await), all);

    // a column that goes changes the result's shape
    let generation = gate.world().current().generation;
    batch(&mut raw, &["P star | select * from customers", "D S star", "S"]).await;
    std::fs::write(&role, format!("{REP}[customers.columns]\nphone = \"hidden\"\n")).unwrap();
    wait_for(&gate, generation).await;
    let got = batch(&mut raw, &["B | star", "E", "S"]).await;
    assert_eq!(got, ["E 0A000 cached plan must not change result type", "Z I"]);
    assert!(batch(&mut raw, &["B | s", "E", "S"]).await[0].starts_with("E 42703"));
    gate.stop().await;
}

#[tokio::test]
async fn who_leaves_is_disconnected() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    let generation = gate.world().current().generation;
    let admin = database.superuser().await;
    admin
        .batch_execute("UPDATE crm.users SET active = false WHERE login = 'alice'; NOTIFY rowgate_directory")
        .await
        .unwrap();
    wait_for(&gate, generation).await;
    let got = raw.until_ready(1).await;
    assert!(got[0].starts_with("E FATAL 57P01"), "{got:?}");
    let refused = try_login(&gate, &database, "alice").await.err().unwrap();
    assert!(refused.starts_with("E FATAL 28"), "{refused}");
    gate.stop().await;
}

#[tokio::test]
async fn who_leaves_does_not_wait_for_the_end_of_a_statement() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    raw.send(&command("Q select pg_sleep(600)")).await;
    until_sleeping(&database, true).await;
    let admin = database.superuser().await;
    admin
        .batch_execute("UPDATE crm.users SET active = false WHERE login = 'alice'; NOTIFY rowgate_directory")
        .await
        .unwrap();
    let got = raw.until_ready(1).await;
    assert!(got[0].starts_with("E FATAL 57P01"), "{got:?}");
    until_sleeping(&database, false).await;
    gate.stop().await;
}

async fn wait_for(gate: &Gate, generation: u64) {
    gate.world().request_refresh();
    for _ in 0..200 {
        if gate.world().current().generation > generation {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the world did not change");
}

#[tokio::test]
async fn the_audit_tells_who_did_what_without_constants() {
    let database = Database::new().await;
    let gate = gate(
        &database,
        REP,
        "[audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\nparameters = true\n",
    )
    .await;
    let mut raw = login(&gate, &database, "alice").await;
    raw.query("select id from customers where name = 'Secret name' limit 2")
        .await;
    batch(
        &mut raw,
        &["P | select id from customers where id = $1", "B | | 5", "E", "S"],
    )
    .await;
    raw.query("select pg_read_file('x')").await;
    raw.query("select 1/0").await;
    drop(raw);
    let text = gate.audited("\"sqlstate\":\"22012\"").await;
    assert!(!text.contains("Secret name"));
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let shown: Vec<String> = lines
        .iter()
        .map(|l| {
            let field = |name: &str| {
                l.get(name)
                    .map_or(String::new(), |v| v.as_str().map_or(v.to_string(), str::to_owned))
            };
            format!(
                "{} {} {} {}",
                field("event"),
                field("decision"),
                field("code"),
                field("sqlstate")
            )
            .trim()
            .to_owned()
        })
        .collect();
    assert_eq!(
        shown[..5],
        [
            "login allowed",
            "statement allowed",
            "statement allowed",
            "statement refused function-not-allowed 42501",
            "statement allowed  22012",
        ]
    );
    assert_eq!(lines[1]["reads"][0]["relation"], "public.customers");
    assert_eq!(
        lines[1]["statement"],
        "select id from customers where name = $1 limit $2"
    );
    assert_eq!(lines[2]["parameters"][0], "5");
    assert_eq!(lines[1]["roles"][0], "rep");
    gate.stop().await;
}

#[tokio::test]
async fn whoever_breaks_off_leaves_a_record_of_what_they_asked_for() {
    let database = Database::new().await;
    let gate = gate(
        &database,
        REP,
        "[audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\n",
    )
    .await;
    let much = "select repeat('x', 1000) from generate_series(1, 100000)";
    let name = "select name from customers";
    let ways: [(Vec<String>, &[&str]); 3] = [
        (vec![format!("Q {much}; {name}")], &["select repe", "select repe"]),
        (
            vec![
                format!("P | {much}"),
                "B |".into(),
                "E".into(),
                format!("P | {name}"),
                "B |".into(),
                "E".into(),
                "S".into(),
            ],
            &["select repe", "select name"],
        ),
        (
            vec![
                format!("P | {much}"),
                "B |".into(),
                "E".into(),
                "S".into(),
                format!("Q {name}"),
            ],
            &["select repe", "select name"],
        ),
    ];
    for (messages, _) in &ways {
        let mut raw = login(&gate, &database, "alice").await;
        let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
        raw.send(&bytes).await;
        while raw.message().await.unwrap().0 != b'D' {}
        socket2::SockRef::from(&raw.socket)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
    let files = gate.stopped().await;
    let text = std::fs::read_to_string(files.path().join("audit.jsonl")).unwrap();
    let lines = text
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    let mut sessions: std::collections::BTreeMap<u64, Vec<String>> = std::collections::BTreeMap::new();
    for line in lines.filter(|l| l["event"] == "statement") {
        assert_eq!(
            (line["decision"].as_str(), line["code"].as_str()),
            (Some("allowed"), Some("broken-off"))
        );
        let statement = line["statement"].as_str().unwrap().chars().take(11).collect::<String>();
        sessions
            .entry(line["session"].as_u64().unwrap())
            .or_default()
            .push(statement.trim().to_owned());
    }
    let wanted: Vec<Vec<&str>> = ways.iter().map(|(_, wanted)| wanted.to_vec()).collect();
    assert_eq!(sessions.into_values().collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn a_required_audit_that_cannot_be_written_stops_statements() {
    let database = Database::new().await;
    let gate = gate(
        &database,
        REP,
        "[audit]\noutput = \"file\"\nfile = \"/dev/full\"\nrequired = true\n",
    )
    .await;
    let mut raw = login(&gate, &database, "alice").await;
    // it shows when the line of the login is to be written
    let begun = Instant::now();
    while !raw.query("select 1").await[0].starts_with("E 58030") {
        assert!(begun.elapsed() < PATIENCE, "statements go on");
    }
    assert!(batch(&mut raw, &["P | select 1", "B |", "E", "S"]).await[2].starts_with("E 58030"));
    gate.stop().await;
}

#[tokio::test]
async fn one_client_too_many_is_told_so() {
    let database = Database::new().await;
    let gate = gate(
        &database,
        REP,
        "[limits]\nmax_connections = 2\nlogin_timeout = \"1s\"\n",
    )
    .await;
    let one = login(&gate, &database, "alice").await;
    let _two = login(&gate, &database, "bob").await;
    let full = "E FATAL 53300 sorry, too many clients already";
    let refused = try_login(&gate, &database, "alice").await.err().unwrap();
    assert_eq!(refused, full);
    drop(one);
    let begun = Instant::now();
    while let Err(refused) = try_login(&gate, &database, "alice").await {
        assert_eq!(refused, full);
        assert!(begun.elapsed() < PATIENCE, "the place does not come free");
    }
    gate.stop().await;
}

#[tokio::test]
async fn who_stays_silent_shuts_nobody_out_from_elsewhere() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "[limits]\nmax_connections = 3\n").await;
    let _alice = login(&gate, &database, "alice").await;
    let full = ["E FATAL 53300 sorry, too many clients already", "closed"];
    // these have the two places that are left, and all that only hear that there are too many
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(Raw::open_from(gate.port(), "127.0.0.2").await);
    }
    let _bob = login(&gate, &database, "bob").await;
    assert_eq!(silent[0].until_ready(1).await, full);
    let _again = login(&gate, &database, "alice").await;
    assert_eq!(silent[1].until_ready(1).await, full);
    // who has logged in stays
    let refused = try_login(&gate, &database, "alice").await.err().unwrap();
    assert_eq!(refused, full[0]);
    // nor do they keep rowgate from stopping
    gate.stop().await;
    assert_eq!(
        silent[40].until_ready(1).await,
        ["E FATAL 57P03 rowgate is shutting down", "closed"]
    );
}

#[tokio::test]
async fn logins_that_must_fail() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "[limits]\nlogin_timeout = \"1s\"\n").await;
    let attempt = async |login: &str, password: &str, more: &[(&str, &str)]| {
        Raw::login(gate.port(), login, password, more)
            .await
            .err()
            .unwrap_or_default()
    };
    let name = database.name.as_str();
    assert_eq!(
        attempt("alice", "wrong", &[("database", name)]).await,
        "E FATAL 28P01 password authentication failed for user \"alice\""
    );
    assert_eq!(
        attempt("nobody", "wrong", &[("database", name)]).await,
        "E FATAL 28P01 password authentication failed for user \"nobody\""
    );
    let own = data::password("alice");
    assert!(
        attempt("alice", &own, &[("database", "other")])
            .await
            .starts_with("E FATAL 3D000")
    );
    for (more, code) in [
        (("replication", "database"), "0A000"),
        (("client_encoding", "LATIN1"), "0A000"),
        (("options", "-c session_replication_role=replica"), "42501"),
        (("row_security", "off"), "42501"),
        (("DateStyle", "nonsense"), "22023"),
    ] {
        let got = attempt("alice", &own, &[("database", name), more]).await;
        assert!(got.starts_with(&format!("E FATAL {code}")), "{more:?}: {got}");
    }
    // a client that never finishes
    let started = Instant::now();
    assert!(Raw::open(gate.port()).await.message().await.is_none());
    assert!(started.elapsed() < Duration::from_secs(5));
    gate.stop().await;
}

#[tokio::test]
async fn startup_settings_are_in_force_and_come_back_after_reset() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let more = [
        ("database", database.name.as_str()),
        ("options", "-c search_path=crm,public"),
        ("DateStyle", "SQL, DMY"),
        ("TimeZone", "Asia/Shanghai"),
        ("client_encoding", "'utf-8'"),
        ("_pq_.whatever", "1"),
    ];
    let mut raw = Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap();
    assert_eq!(
        raw.query("select login from users where user_id = 1").await[1],
        "D grace"
    );
    raw.query("set timezone to 'UTC'").await;
    for sql in ["show datestyle", "reset datestyle", "set datestyle to default"] {
        raw.query("set datestyle to iso").await;
        raw.query(sql).await;
        let expected = if sql == "show datestyle" {
            "D ISO, DMY"
        } else {
            "D SQL, DMY"
        };
        assert_eq!(raw.query("show datestyle").await[1], expected, "after {sql}");
        assert_eq!(raw.query("show timezone").await[1], "D UTC", "after {sql}");
    }
    for sql in ["show datestyle", "reset all", "discard all"] {
        raw.query(sql).await;
        assert_eq!(raw.query("show datestyle").await[1], "D SQL, DMY", "after {sql}");
        assert_eq!(
            raw.query("select login from users where user_id = 1").await[1],
            "D grace"
        );
    }
    gate.stop().await;
}

#[tokio::test]
async fn the_database_going_away_is_told_and_survived() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    raw.send(&command("Q select pg_sleep(30)")).await;
    until_sleeping(&database, true).await;
    let admin = database.superuser().await;
    let killed = rows(
        &admin,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rowgate' AND query LIKE '%pg_sleep%' AND datname = current_database()",
    )
    .await;
    assert_eq!(killed.len(), 1);
    let got = raw.until_ready(1).await;
    assert!(got.iter().any(|l| l.starts_with("E FATAL 57P01")), "{got:?}");
    let mut again = login(&gate, &database, "alice").await;
    assert_eq!(again.query("select 1 as x").await[1], "D 1");
    gate.stop().await;
}

#[tokio::test]
async fn stopping_lets_statements_end() {
    let database = Database::new().await;
    let gate = gate(&database, REP, "").await;
    let mut busy = login(&gate, &database, "alice").await;
    let mut idle = login(&gate, &database, "bob").await;
    let customers = database.lock("public.customers").await;
    busy.send(&command("Q select 'finished' from customers limit 1")).await;
    customers.until_wanted().await;
    let stopping = tokio::spawn(gate.stop());
    assert!(idle.until_ready(1).await[0].starts_with("E FATAL 57P01"));
    customers.let_go().await;
    let got = busy.until_ready(2).await;
    assert!(got.contains(&"D finished".to_owned()), "{got:?}");
    assert!(got.iter().any(|l| l.starts_with("E FATAL 57P01")), "{got:?}");
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_users_file_can_hold_the_verifiers() {
    let database = Database::new().await;
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users.txt");
    let verifier = postgres_protocol::password::scram_sha_256(b"from the file");
    std::fs::write(&users, format!("\"alice\" \"{verifier}\"\n")).unwrap();
    let files: Vec<(&str, &str)> = OPEN_POLICY.to_vec();
    let text = format!("users_file = \"{}\"\n", users.display());
    let gate = Gate::with_login(&database, &files, &format!("method = \"users_file\"\n{text}")).await;
    let more = [("database", database.name.as_str())];
    assert!(Raw::login(gate.port(), "alice", "from the file", &more).await.is_ok());
    assert!(
        Raw::login(gate.port(), "alice", &data::password("alice"), &more)
            .await
            .is_err()
    );
    gate.stop().await;
}
