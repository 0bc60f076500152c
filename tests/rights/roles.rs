//! What a role's rights beside tables do to a session: bypass, concurrent statements, functions that speak, EXPLAIN,
//! limits.

use crate::support::gate::Gate;
use crate::support::raw::{PATIENCE, Raw, command};
use crate::support::{Database, data};

const TABLES: &str = "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n";
const PEOPLE: &str = "[directory]\nusers = \"SELECT login, user_id, CASE login WHEN 'bob' THEN 'dba' ELSE 'rep' END AS role, team_id, manager_id, active FROM crm.users\"\n";

async fn gate(database: &Database, rights: &str, more: &str) -> Gate {
    let rep = format!("title = \"Rep\"\n[customers]\nview = [\"own\"]\n[rights]\nsleep = true\n{rights}");
    let files = [
        ("tables.toml", TABLES),
        ("directory.toml", PEOPLE),
        ("roles/rep.toml", rep.as_str()),
        ("roles/dba.toml", "title = \"DBA\"\nbypass = true\n"),
    ];
    Gate::with(database, &files, more).await
}

async fn login(gate: &Gate, database: &Database, login: &str) -> Raw {
    let more = [("database", database.name.as_str())];
    Raw::login(gate.port(), login, &data::password(login), &more)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_dba_goes_through_unparsed_and_is_recorded() {
    let database = Database::new().await;
    let gate = gate(
        &database,
        "",
        "[audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\n",
    )
    .await;
    let mut raw = login(&gate, &database, "bob").await;
    assert_eq!(raw.query("select count(*) from customers").await[1], "D 100");
    assert_eq!(
        raw.query("do $$ begin raise notice 'seen'; end $$").await[0],
        "N NOTICE 00000 seen"
    );
    raw.query("create temp table t(a int)").await;
    raw.send(&command("Q copy t from stdin")).await;
    assert_eq!(raw.message().await.unwrap().0, b'G');
    raw.send(b"d\0\0\0\x061\nd\0\0\0\x062\nc\0\0\0\x04").await;
    assert_eq!(raw.until_ready(1).await, ["C COPY 2", "Z I"]);
    raw.send(
        &[
            command("P s | select a from t where a > $1 | 23"),
            command("B | s | 1"),
            command("E"),
            command("S"),
        ]
        .concat(),
    )
    .await;
    assert_eq!(raw.until_ready(1).await, ["1", "2", "D 2", "C SELECT 1", "Z I"]);
    drop(raw);
    // what the DBA left is not there for anybody else
    let mut alice = login(&gate, &database, "alice").await;
    assert!(alice.query("select * from t").await[0].starts_with("E 42P01"));
    // hers is behind all of the DBA's
    let text = gate.audited("\"select * from t\"").await;
    assert_eq!(text.matches("\"bypassed\"").count(), 5, "{text}");
    gate.stop().await;
}

#[tokio::test]
async fn statements_of_one_person_at_once_are_bounded() {
    let database = Database::new().await;
    let gate = gate(&database, "concurrent_statements = 1\n", "").await;
    let mut one = login(&gate, &database, "alice").await;
    let mut two = login(&gate, &database, "alice").await;
    let customers = database.lock("public.customers").await;
    one.send(&command("Q select count(*) from customers")).await;
    customers.until_wanted().await;
    assert!(two.query("select 1").await[0].starts_with("E 53400"));
    customers.let_go().await;
    assert_eq!(one.until_ready(1).await.last().unwrap(), "Z I");
    for _ in 0..3 {
        assert_eq!(two.query("select 1 as x").await[1], "D 1");
        assert_eq!(two.query("select 1/0").await[0], "E 22012 division by zero");
    }
    // a batch of one connection runs one after the other
    two.send(&command("P b | select 2 as y")).await;
    for _ in 0..20 {
        two.send(&command("B | b")).await;
        two.send(&command("E")).await;
    }
    two.send(&command("S")).await;
    let batch = two.until_ready(1).await;
    assert_eq!(batch.iter().filter(|line| *line == "D 2").count(), 20, "{batch:?}");
    gate.stop().await;
}

#[tokio::test]
async fn only_listed_functions_speak() {
    let database = Database::new().await;
    let admin = database.superuser().await;
    for (name, body) in [("polite", "hello"), ("rude", "phone is 123")] {
        admin
            .batch_execute(&format!(
                "CREATE FUNCTION public.{name}(fail boolean) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
                   RAISE NOTICE '{body}'; IF fail THEN RAISE EXCEPTION '{body}' USING DETAIL = 'phone 123'; END IF; RETURN 1; END $$;
                 GRANT EXECUTE ON FUNCTION public.{name}(boolean) TO rowgate"
            ))
            .await
            .unwrap();
    }
    let rights = "functions = [\"public.polite\", \"public.rude\"]\nmessage_functions = [\"public.polite\"]\n";
    let gate = gate(&database, rights, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    let got = raw.query("select polite(false)").await;
    assert_eq!(got.last().unwrap(), "Z I");
    assert!(got.contains(&"N NOTICE 00000 hello".to_owned()), "{got:?}");
    assert!(
        raw.query("select polite(true)")
            .await
            .contains(&"E P0001 hello".to_owned())
    );
    for sql in ["select rude(false)", "select rude(true)"] {
        let got = raw.query(sql).await;
        assert!(!got.iter().any(|l| l.contains("123")), "{got:?}");
    }
    assert!(
        raw.query("select rude(true)")
            .await
            .contains(&"E P0001 a function or trigger of the database raised an error".to_owned())
    );
    gate.stop().await;
}

#[tokio::test]
async fn explain_shows_no_condition() {
    let database = Database::new().await;
    let gate = gate(&database, "explain = true\n", "").await;
    let mut raw = login(&gate, &database, "alice").await;
    let got = raw.query("explain select * from customers where name like 'x%'").await;
    assert!(got.iter().any(|l| l.contains("Scan on customers")), "{got:?}");
    for hidden in ["Filter", "owner_id", "Removed"] {
        assert!(!got.iter().any(|l| l.contains(hidden)), "{hidden}: {got:?}");
    }
    assert_eq!(got.last().unwrap(), "Z I");
    // its times and row counts would tell of hidden rows
    let got = raw.query("explain analyze select * from customers").await;
    assert!(got[0].starts_with("E 0A000"), "{got:?}");
    gate.stop().await;
}

#[tokio::test]
async fn limits_hold_from_the_start_and_after_reset() {
    let database = Database::new().await;
    let rights = "limits = { work_mem = \"2MB\", statement_timeout = \"500ms\" }\n";
    let gate = gate(&database, rights, "").await;
    let mut raw = login(&gate, &database, "alice").await;
    for sql in ["select 1", "reset all", "discard all"] {
        raw.query(sql).await;
        assert_eq!(raw.query("show work_mem").await[1], "D 2MB", "after {sql}");
        assert!(
            raw.query("select pg_sleep(5)")
                .await
                .iter()
                .any(|l| l.starts_with("E 57014"))
        );
    }
    assert!(raw.query("set work_mem to '1GB'").await[0].starts_with("E 42501"));

    let mut changed = gate.world().watch();
    let role = gate.files.path().join("policies/roles/rep.toml");
    let text = std::fs::read_to_string(&role).unwrap();
    std::fs::write(&role, text.replace("2MB", "1MB")).unwrap();
    let changed = tokio::time::timeout(PATIENCE, changed.changed()).await;
    changed.expect("another world").unwrap();
    assert_eq!(raw.query("show work_mem").await[1], "D 1MB");
    gate.stop().await;
}
