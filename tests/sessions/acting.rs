//! Programs that act for people: ways to name somebody, what the person's own SQL cannot reach, what goes with the
//! person, the record; real clients as Superset, Metabase and Tableau use them.

use crate::support::gate::Gate;
use crate::support::proofs::server_certificate;
use crate::support::raw::{Raw, command};
use crate::support::{Database, data, rows, shipped};
use std::process::Command;

/// Representatives see their own customers; grace is a program that acts for them, and for nobody else.
fn policy(bi: &str) -> Vec<(&'static str, String)> {
    vec![
        (
            "tables.toml",
            "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n".to_owned(),
        ),
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT login, user_id, CASE login WHEN 'grace' THEN 'bi' WHEN 'fiona' THEN 'clerk' WHEN 'wei' THEN 'dba' ELSE 'rep' END::text AS role, team_id, manager_id, active FROM crm.users\"\n".to_owned(),
        ),
        (
            "roles/rep.toml",
            "title = \"Representative\"\n[customers]\nview = [\"own\"]\n[rights]\ntemp_tables = true\nlisten = [\"ch\"]\nexplain = true\n[rights.limits]\nwork_mem = \"8MB\"\n".to_owned(),
        ),
        ("roles/clerk.toml", "title = \"Clerk\"\n[customers]\nview = [\"all\"]\n".to_owned()),
        ("roles/dba.toml", "title = \"Administrator\"\nbypass = true\n".to_owned()),
        ("roles/bi.toml", format!("title = \"BI\"\n[customers]\nview = [\"all\"]\n[rights]\n{bi}")),
    ]
}

const ONCE: &str = "may_act_for = [\"role:rep\", \"wei\", \"gr*\"]\nact_by_application = \"superset:*\"\n";
const AGAIN: &str = "may_act_for = [\"role:rep\"]\nact_again = true\n";

async fn gate(database: &Database, bi: &str, more: &str) -> Gate {
    let files = policy(bi);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Gate::with(database, &files, more).await
}

async fn login(gate: &Gate, database: &Database, login: &str, more: &[(&str, &str)]) -> Result<Raw, String> {
    let parameters = [&[("database", database.name.as_str())], more].concat();
    Raw::login(gate.port(), login, &data::password(login), &parameters).await
}

/// Sends several messages at once and gives the answers up to the last ReadyForQuery.
async fn batch(raw: &mut Raw, messages: &[&str]) -> Vec<String> {
    let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
    raw.send(&bytes).await;
    let ready = messages.iter().filter(|m| m.starts_with('Q') || **m == "S").count();
    raw.until_ready(ready).await
}

const COUNT: &str = "select count(*) from customers";
const NOBODY: &str = "E 42501 permission denied for table customers @22";

/// The count that a session sees, or its error.
async fn count(raw: &mut Raw) -> String {
    let said = raw.query(COUNT).await;
    said.iter()
        .find(|l| l.starts_with("D ") || l.starts_with("E "))
        .unwrap()
        .clone()
}

/// How many customers people own.
async fn owned(database: &Database, login: &str) -> String {
    let sql = format!("SELECT count(*) FROM customers JOIN crm.users ON user_id = owner_id WHERE login = '{login}'");
    format!(
        "D {}",
        rows(&database.superuser().await, &sql).await[0][0].clone().unwrap()
    )
}

#[tokio::test]
async fn ways_to_name_somebody() {
    let database = Database::new().await;
    for pool in ["", "[pool]\nmode = \"transaction\"\nsize = 2\n"] {
        let gate = gate(&database, ONCE, pool).await;
        let (alice, bob) = (owned(&database, "alice").await, owned(&database, "bob").await);
        assert_ne!(alice, bob);
        for (statement, tag) in [
            ("SET rowgate.user = 'alice'", "C SET"),
            ("SET ROLE alice;", "C SET"),
            ("SET SESSION AUTHORIZATION 'alice';", "C SET"),
        ] {
            let mut raw = login(&gate, &database, "grace", &[]).await.unwrap();
            assert_eq!(count(&mut raw).await, NOBODY);
            assert_eq!(raw.query("select 1").await[1], "D 1");
            for text in [
                "select * from crm.teams",
                "with t as (table crm.teams) select 1",
                "copy crm.teams to stdout",
                "copy (select 1) to stdout",
                "prepare p as select * from crm.teams",
                "declare c cursor with hold for select * from crm.teams",
                "create temp table t (x int)",
            ] {
                assert_eq!(raw.query(text).await[0].get(..7), Some("E 42501"), "{text}");
            }
            assert!(raw.query("select count(*) from pg_class").await[1].starts_with("D "));
            assert_eq!(raw.query(statement).await, [tag, "Z I"]);
            assert_eq!(count(&mut raw).await, alice);
            assert_eq!(raw.query(statement).await, [tag, "Z I"]);
        }
        let mut raw = login(&gate, &database, "grace", &[]).await.unwrap();
        let parse = format!("P | {COUNT}");
        let messages = ["P | SET ROLE bob", "B |", "D P", "E", &parse, "B |", "E", "S"];
        let got = batch(&mut raw, &messages).await;
        assert_eq!(got[..4], ["1", "2", "n", "C SET"]);
        assert_eq!(got[6], bob, "{got:?}");
        for more in [
            ("options", "-c rowgate.user=alice"),
            ("rowgate.user", "alice"),
            ("role", "alice"),
            ("application_name", "superset:alice"),
        ] {
            let mut raw = login(&gate, &database, "grace", &[more]).await.unwrap();
            assert_eq!(count(&mut raw).await, alice, "{more:?}");
        }
        let mut raw = login(&gate, &database, "grace", &[("application_name", "other:alice")])
            .await
            .unwrap();
        assert_eq!(count(&mut raw).await, NOBODY);
        gate.stop().await;
    }
}

#[tokio::test]
async fn who_may_not_be_named_and_by_whom() {
    let database = Database::new().await;
    let gate = gate(&database, ONCE, "").await;
    // another role's, one who bypasses, nobody, the program itself
    for whom in ["fiona", "wei", "no-one", "grace"] {
        let refused = format!("42501 permission denied to act for \"{whom}\"");
        let mut raw = login(&gate, &database, "grace", &[]).await.unwrap();
        let got = raw.query(&format!("SET ROLE \"{whom}\"")).await;
        assert_eq!(got, [format!("E {refused}"), "Z I".to_owned()]);
        assert_eq!(count(&mut raw).await, NOBODY);
        let named = login(&gate, &database, "grace", &[("rowgate.user", whom)]).await;
        assert_eq!(named.err().unwrap(), format!("E FATAL {refused}"));
    }
    // whoever acts for nobody cannot name anybody
    let mut raw = login(&gate, &database, "alice", &[("application_name", "superset:bob")])
        .await
        .unwrap();
    let own = count(&mut raw).await;
    for text in [
        "SET ROLE bob",
        "SET SESSION AUTHORIZATION bob",
        "SET rowgate.user = 'bob'",
    ] {
        // rowgate.user is no name for PostgreSQL
        assert!(raw.query(text).await[0].starts_with("E 42"), "{text}");
    }
    assert_eq!(count(&mut raw).await, own);
    assert!(
        login(&gate, &database, "alice", &[("rowgate.user", "bob")])
            .await
            .is_err()
    );
    gate.stop().await;
}

#[tokio::test]
async fn what_a_persons_own_sql_cannot_reach() {
    let database = Database::new().await;
    let admin = database.superuser().await;
    let function = "CREATE FUNCTION public.become(who text) RETURNS text LANGUAGE sql AS 'SELECT pg_catalog.set_config(''rowgate.user'', who, false)'";
    admin.batch_execute(function).await.unwrap();
    let gate = gate(&database, ONCE, "").await;
    let alice = owned(&database, "alice").await;
    let mut raw = login(&gate, &database, "grace", &[("rowgate.user", "alice")])
        .await
        .unwrap();
    for text in [
        "SET ROLE bob",
        "SET rowgate.user = 'bob'",
        "SET SESSION AUTHORIZATION 'bob'",
        "SET LOCAL rowgate.user = 'bob'",
        "SET LOCAL ROLE bob",
        "select 1; SET ROLE bob",
        "SET ROLE bob; select count(*) from customers",
        "RESET ALL; SET ROLE bob",
        "RESET ROLE; SET ROLE bob",
        "select set_config('rowgate.user', 'bob', false)",
        "select set_config('role', 'bob', false)",
        "select pg_catalog.set_config('session_authorization', 'bob', true)",
        "select public.become('bob')",
        "update pg_settings set setting = 'bob' where name = 'role'",
        "do $$ begin set role bob; end $$",
        "prepare p as set role bob",
        "alter role current_user set rowgate.user = 'bob'",
        "create function pg_temp.f() returns int language sql set role = bob as 'select 1'",
        "explain set role bob",
    ] {
        let got = raw.query(text).await;
        assert!(got[0].starts_with("E "), "{text}: {got:?}");
        assert_eq!(count(&mut raw).await, alice, "{text}");
    }
    // not while a transaction is open, explicit or implicit
    raw.query("begin").await;
    assert!(raw.query("SET ROLE alice").await[0].starts_with("E 25001"));
    raw.query("rollback").await;
    let parse = format!("P | {COUNT}");
    let got = batch(&mut raw, &[&parse, "B |", "E", "P | RESET ROLE", "B |", "E", "S"]).await;
    assert!(got.iter().any(|l| l.starts_with("E 25001")), "{got:?}");
    assert_eq!(count(&mut raw).await, alice);
    // back to nobody, never to more, and never to anybody else
    for text in [
        "RESET ROLE",
        "DISCARD ALL",
        "RESET ALL",
        "SET ROLE NONE",
        "SET SESSION AUTHORIZATION DEFAULT",
    ] {
        let mut raw = login(&gate, &database, "grace", &[("rowgate.user", "alice")])
            .await
            .unwrap();
        assert_eq!(count(&mut raw).await, alice);
        let said = raw.query(text).await;
        assert!(said[0].starts_with("C "), "{text}: {said:?}");
        assert_eq!(count(&mut raw).await, NOBODY, "{text}");
        assert!(raw.query("SET ROLE bob").await[0].starts_with("E 42501"));
        assert_eq!(count(&mut raw).await, NOBODY, "{text}");
        raw.query("SET ROLE alice").await;
        assert_eq!(count(&mut raw).await, alice);
    }
    gate.stop().await;
}

#[tokio::test]
async fn what_goes_with_the_person() {
    let database = Database::new().await;
    for pool in ["", "[pool]\nmode = \"transaction\"\nsize = 1\n"] {
        let gate = gate(&database, AGAIN, pool).await;
        let (alice, bob) = (owned(&database, "alice").await, owned(&database, "bob").await);
        let mut raw = login(
            &gate,
            &database,
            "grace",
            &[("rowgate.user", "alice"), ("datestyle", "German")],
        )
        .await
        .unwrap();
        let parse = format!("P s | {COUNT}");
        batch(&mut raw, &[&parse, "D S s", "S"]).await;
        raw.query(&format!("prepare q as {COUNT}")).await;
        assert_eq!(batch(&mut raw, &["B | s", "E", "S"]).await[1], alice);
        for text in [
            "create temp table mine as select name from customers",
            "declare held cursor with hold for select name from customers",
            "listen ch",
            "set work_mem = '1MB'",
            "set timezone = 'Asia/Tokyo'",
        ] {
            let said = raw.query(text).await;
            assert!(said[0].starts_with("C "), "{text}: {said:?}");
        }
        assert_eq!(raw.query("SET ROLE bob").await, ["C SET", "Z I"]);
        assert_eq!(count(&mut raw).await, bob);
        assert_eq!(batch(&mut raw, &["B | s", "E", "S"]).await[1], bob);
        assert_eq!(raw.query("execute q").await[1], bob);
        for (text, code) in [
            ("select * from mine", "E 42P01"),
            ("select * from pg_temp.mine", "E 42P01"),
            ("fetch 1 from held", "E 34000"),
        ] {
            let said = raw.query(text).await;
            assert!(said[0].starts_with(code), "{text}: {said:?}");
        }
        assert_eq!(
            raw.query("select count(*) from pg_listening_channels()")
                .await
                .iter()
                .filter(|l| *l == "D 1")
                .count(),
            0
        );
        assert_eq!(raw.query("show work_mem").await[1], "D 8MB");
        assert_ne!(raw.query("show timezone").await[1], "D Asia/Tokyo");
        assert_eq!(raw.query("show datestyle").await[1], "D German, DMY");

        // a rollback does not bring the things of the person before back
        raw.query("create temp table bobs as select name from customers").await;
        let got = batch(
            &mut raw,
            &["P | SET ROLE alice", "B |", "E", "P | select 1 / 0", "B |", "E", "S"],
        )
        .await;
        assert_eq!(got.last().unwrap(), "Z I");
        assert!(
            got.contains(&"C SET".to_owned()) && got.iter().any(|l| l.starts_with("E 22012")),
            "{got:?}"
        );
        assert_eq!(count(&mut raw).await, alice);
        raw.query("create temp table others (x int)").await;
        for text in ["select * from bobs", "select * from pg_temp.bobs", "drop table bobs"] {
            assert!(raw.query(text).await[0].starts_with("E 42P01"), "{text}");
        }
        // portals of the person before
        let parse = format!("P | {COUNT}");
        let got = batch(
            &mut raw,
            &[&parse, "B one |", "P | SET ROLE bob", "B two |", "E two", "E one", "S"],
        )
        .await;
        assert!(got.iter().any(|l| l.starts_with("E 34000")), "{got:?}");
        assert!(!got.contains(&alice), "{got:?}");
        assert_eq!(count(&mut raw).await, bob);
        gate.stop().await;
    }
}

#[tokio::test]
async fn the_record_names_both_and_who_leaves_is_gone() {
    let database = Database::new().await;
    let audit = "[audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\n";
    let gate = gate(&database, AGAIN, audit).await;
    let mut raw = login(&gate, &database, "grace", &[]).await.unwrap();
    raw.query("SET ROLE alice").await;
    count(&mut raw).await;
    raw.query("SET ROLE fiona").await;
    raw.query("RESET ROLE").await;
    drop(raw);
    let path = gate.files.path().join("audit.jsonl");
    let lines: Vec<serde_json::Value> = loop {
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains("\"logout\"") {
            break text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        }
        tokio::task::yield_now().await;
    };
    let field =
        |line: &serde_json::Value, name: &str| line.get(name).and_then(|v| v.as_str()).unwrap_or("-").to_owned();
    let shown: Vec<String> = lines
        .iter()
        .map(|l| {
            ["event", "decision", "login", "through"]
                .map(|name| field(l, name))
                .join(" ")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "login allowed grace -",
            "act-for allowed alice grace",
            "statement allowed alice grace",
            "statement allowed alice grace",
            "act-for refused fiona grace",
            "statement refused alice grace",
            "act-for allowed grace -",
            "statement allowed grace -",
            "logout allowed grace -",
        ]
    );

    // the person leaves; the program may act for others no longer
    let mut acting = login(&gate, &database, "grace", &[("rowgate.user", "alice")])
        .await
        .unwrap();
    let mut idle = login(&gate, &database, "grace", &[]).await.unwrap();
    count(&mut acting).await;
    let admin = database.superuser().await;
    admin
        .batch_execute("UPDATE crm.users SET active = false WHERE login = 'alice'")
        .await
        .unwrap();
    gate.world().request_refresh();
    assert_eq!(
        acting.until_ready(1).await,
        [
            "E FATAL 57P01 terminating connection because the person for whom it acts has no access any more",
            "closed"
        ]
    );
    assert_eq!(idle.query("select 1").await[1], "D 1");
    let role = gate.files.path().join("policies/roles/bi.toml");
    std::fs::write(role, "title = \"BI\"\n").unwrap();
    assert_eq!(
        idle.until_ready(1).await,
        [
            "E FATAL 57P01 terminating connection because this login may act for nobody any more",
            "closed"
        ]
    );
    gate.stop().await;
}

/// Runs a client as the program.
async fn client(gate: &Gate, database: &Database, program: &str, arguments: Vec<std::path::PathBuf>) -> String {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", gate.port().to_string())
        .env("PGDATABASE", &database.name)
        .env("PGUSER", "grace")
        .env("PGPASSWORD", data::password("grace"))
        .env("LC_ALL", "C.UTF-8");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn as_superset_does() {
    let database = Database::new().await;
    let gate = gate(&database, ONCE, "").await;
    let script = shipped("tests/clients/acting_client.py");
    let said = client(&gate, &database, "/usr/bin/python3", vec![script]).await;
    let (alice, bob) = (owned(&database, "alice").await, owned(&database, "bob").await);
    let (alice, bob) = (&alice[2..], &bob[2..]);
    let expected = format!(
        "option alice {alice}\noption bob {bob}\napplication alice {alice}\nnobody 42501\nunknown True\n\
         in transaction 25001 42501\nown impersonation True\n\
         own script RESET ROLE passed\nown script SET ROLE bob 42501\nown script SET rowgate.user = 'bob' 42501\n\
         own script SET SESSION AUTHORIZATION bob 42501\nafter own script 42501\n"
    );
    assert_eq!(said, expected);
    gate.stop().await;
}

/// A program that logs in under people's names with its own password, as Superset does when it impersonates.
#[tokio::test(flavor = "multi_thread")]
async fn as_superset_does_by_itself() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    server_certificate(files.path());
    let at = files.path().display();
    let more = format!(
        "[tls]\nmode = \"allow\"\ncert = \"{at}/server.crt\"\nkey = \"{at}/server.key\"\n[rights]\n\
         [login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\nattempts = 3\nlock = \"1h\"\nlongest_lock = \"1h\"\n\
         [[access]]\naddress = \"127.0.0.1\"\ntls = true\nprogram = \"grace\"\nmethod = \"scram\"\n[[access]]\nmethod = \"scram\"\n\
         [audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\n"
    );
    crate::support::rights::prepared(&database).await;
    let gate = gate(&database, ONCE, &more).await;
    let script = shipped("tests/clients/superset_client.py");
    let arguments = vec![script, data::password("alice").into()];
    let said = client(&gate, &database, "/usr/bin/python3", arguments).await;
    let (alice, bob) = (owned(&database, "alice").await, owned(&database, "bob").await);
    let (alice, bob) = (&alice[2..], &bob[2..]);
    let expected = format!(
        "alice done {alice}\nbob done {bob}\nfiona permission denied to act for \"fiona\"\n\
         nobody permission denied to act for \"nobody\"\ngrace done 42501\n\
         names another 25001 {alice} 25001 {alice} 1\ntwo people permission denied to act for \"bob\"\n\
         own password password authentication failed for user \"alice\"\n"
    );
    assert_eq!(said, expected);
    // without TLS, and at another address, names are people's own
    let plain = Raw::login(gate.port(), "alice", &data::password("grace"), &[]).await;
    assert!(plain.err().unwrap().contains("28P01"));
    let mut own = login(&gate, &database, "alice", &[]).await.unwrap();
    assert_eq!(count(&mut own).await, format!("D {alice}"));
    // nothing is given away at the desk
    let psql = async |user: &str, password: &str, name: &str| {
        let url = format!(
            "host=127.0.0.1 port={} user={user} dbname={name} sslmode=require",
            gate.port()
        );
        let mut psql = Command::new("psql");
        psql.args([url.as_str(), "-X", "-At", "-w", "-c", "SHOW RIGHTS"]);
        psql.env("PGPASSWORD", password).env("PGSSLROOTCERT", "/nonexistent");
        let output = tokio::task::spawn_blocking(move || psql.output().unwrap())
            .await
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let said = psql("alice", &data::password("grace"), "rowgate").await;
    assert!(said.contains("permission denied to act for \"alice\""), "{said}");
    // guesses count for the program, whoever is named; once it is locked there, everybody is told the same
    for guess in ["one", "two", "three"] {
        psql(&format!("person_{guess}"), guess, &database.name).await;
    }
    let said = psql("alice", &data::password("grace"), &database.name).await;
    assert!(
        said.contains("password authentication failed for user \"alice\""),
        "{said}"
    );
    let text = std::fs::read_to_string(gate.files.path().join("audit.jsonl")).unwrap();
    let mut logins = text
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    let both = logins.any(|l| {
        l["event"] == "login" && l["decision"] == "allowed" && l["login"] == "alice" && l["through"] == "grace"
    });
    assert!(both, "{text}");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_metabase_and_tableau_do() {
    let database = Database::new().await;
    for pool in ["", "[pool]\nmode = \"transaction\"\nsize = 2\n"] {
        let gate = gate(&database, AGAIN, pool).await;
        let arguments = ["-cp", "/usr/share/java/postgresql.jar"].map(std::path::PathBuf::from);
        let arguments = [&arguments[..], &[shipped("tests/clients/ActingClient.java")]].concat();
        let said = client(&gate, &database, "java", arguments).await;
        let (alice, bob) = (owned(&database, "alice").await, owned(&database, "bob").await);
        let (alice, bob) = (&alice[2..], &bob[2..]);
        let expected: String = ["extended", "simple"]
            .map(|mode| {
                format!(
                    "mode {mode}\nmetabase alice {alice}\nmetabase bob {bob}\nmetabase \"alice\" {alice}\n\
                     metabase NONE 42501\nmetabase bob {bob}\ntableau bob {bob}\n"
                )
            })
            .concat();
        assert_eq!(said, expected);
        gate.stop().await;
    }
}
