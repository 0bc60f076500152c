//! The database `rowgate` through the proxy: commands by the person's own login, in both protocols.

use crate::support::gate::Gate;
use crate::support::raw::{Raw, command};
use crate::support::{Database, connect, data, failure, login_at, one, rows, try_connect};

const FILES: [(&str, &str); 6] = [
    (
        "tables.toml",
        "[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nrefresh = \"1min\"\nusers = \"SELECT login, user_id, CASE login WHEN 'grace' THEN '{dba}' ELSE roles::text[] END AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/sales_rep.toml",
        "[customers]\nview = [\"own\", \"delegated\"]\n[customers.columns]\n\"*\" = \"clear\"\n\
         [rights.temporary]\ndelegate = [\"own\"]\nto = [\"team\"]\nrequest = [\"ROLE auditor\"]\napprove = [\"manager\"]\nraise = [\"auditor\"]\n",
    ),
    (
        "roles/sales_manager.toml",
        "[customers]\nview = [\"all\"]\n[rights.temporary]\ngive = [\"ROLE auditor\"]\nto = [\"reports\"]\nsuspend = [\"reports\"]\n",
    ),
    (
        "roles/auditor.toml",
        "[customers]\nview = [\"all\"]\n[customers.columns]\n\"*\" = \"clear\"\n",
    ),
    ("roles/dba.toml", "bypass = true\n"),
];

const AUDIT: &str = "[rights]\n[audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\n";

#[tokio::test]
async fn from_a_request_to_a_right_and_its_end() {
    let database = Database::new().await;
    let owner = crate::support::rights::prepared(&database).await;
    let gate = Gate::with(&database, &FILES, AUDIT).await;
    let desk = async |login: &str| connect(&login_at(gate.port(), login, "rowgate")).await;
    let alice = connect(&login_at(gate.port(), "alice", &database.name)).await;
    let (asking, deciding) = (desk("alice").await, desk("yun").await);
    let count = async || one(&alice, "SELECT count(*) FROM customers").await;
    let own = count().await;
    let all = one(&owner, "SELECT count(*) FROM customers").await;

    asking
        .batch_execute("REQUEST ROLE auditor UNTIL '2026-13-01' REASON 'x'")
        .await
        .unwrap_err();
    asking
        .batch_execute("request role auditor for '1 h' reason 'the quarter''s end';")
        .await
        .unwrap();
    assert_eq!(count().await, own);
    let open = rows(&deciding, "SHOW REQUESTS").await;
    assert_eq!(open[0][4].as_deref(), Some("the quarter's end"));
    assert_eq!(failure(&asking, "APPROVE 1").await.0, "42501");
    // by the extended protocol, too
    deciding.execute("APPROVE 1", &[]).await.unwrap();
    assert_eq!(count().await, all);
    let held = asking.query("SHOW RIGHTS OF alice", &[]).await.unwrap();
    assert_eq!(held[0].get::<_, &str>("what"), "ROLE auditor");
    let number: &str = held[0].get("number");
    deciding.execute(&format!("REVOKE {number}"), &[]).await.unwrap();
    assert_eq!(count().await, own);
    let history = rows(&asking, "SHOW HISTORY OF alice").await;
    let words: Vec<_> = history
        .iter()
        .map(|row| (row[1].clone().unwrap(), row[2].clone().unwrap()))
        .collect();
    let words: Vec<_> = words.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(
        words,
        [
            ("alice", "requested"),
            ("yun", "given"),
            ("yun", "approved"),
            ("yun", "ended")
        ]
    );
    asking.batch_execute("RAISE FOR '5 min' REASON 'fire'").await.unwrap();
    assert_eq!(count().await, all);
    gate.stop().await;
}

#[tokio::test]
async fn it_is_a_well_behaved_server() {
    let database = Database::new().await;
    let owner = crate::support::rights::prepared(&database).await;
    let gate = Gate::with(&database, &FILES, AUDIT).await;
    let login = async |who: &str| {
        let more = [("database", "rowgate")];
        Raw::login(gate.port(), who, &data::password(who), &more).await.unwrap()
    };
    let mut raw = login("yun").await;
    assert_eq!(raw.query("").await, ["I", "Z I"]);
    assert_eq!(raw.query("SET extra_float_digits = 3").await, ["C SET", "Z I"]);
    assert_eq!(
        raw.query("GRANT ROLE auditor TO alise FOR '1 h'").await,
        ["E 42704 no such person: \"alise\" @23", "Z I"]
    );
    assert!(raw.query("SELECT 1").await[0].starts_with("E 42601"), "no SQL here");
    assert!(raw.query("SELECT * FROM rowgate.rights; SHOW HELP").await[0].starts_with("E 42601"));
    assert!(raw.query("SHOW POOLS").await[0].starts_with("E 42501"));
    let help = raw.query("SHOW HELP").await;
    assert_eq!(help[0], "T command:25");
    // an error in a pipeline: the rest of it is thrown away
    raw.send(
        &[
            command("P | SHOW HELP"),
            command("D S "),
            command("B |"),
            command("D P "),
            command("E | 2"),
            command("E | 1000"),
            command("S"),
            command("P a | REVOKE 99"),
            command("B p | a"),
            command("D P p"),
            command("E p"),
            command("P b | SHOW HELP"),
            command("S"),
            command("B | b"),
            command("S"),
        ]
        .concat(),
    )
    .await;
    let got = raw.until_ready(3).await;
    let tags: String = got.iter().filter_map(|line| line.chars().next()).collect();
    let help = help.len() - 3;
    assert_eq!(tags, format!("1tT2TDDs{}CZ12nEZEZ", "D".repeat(help - 2)), "{got:?}");
    assert!(got.iter().any(|l| l == "E 42704 there is no such right"), "{got:?}");
    assert!(got.iter().any(|l| l.starts_with("E 26000")), "{got:?}");

    // whoever is suspended leaves this database, too
    let mut alice = login("alice").await;
    assert_eq!(
        raw.query("SUSPEND PERSON alice REASON 'lost laptop'").await[1],
        "C SUSPEND"
    );
    assert_eq!(
        alice.until_ready(1).await,
        [
            "E FATAL 57P01 terminating connection because this login is suspended",
            "closed"
        ]
    );
    let mut dba = login("grace").await;
    assert_eq!(
        dba.query("SHOW POOLS").await[0],
        "T database:25 connections:25 idle:25 waiting:25 most:25"
    );
    let said = dba.query("RESUME PERSON alice").await;
    assert!(
        said[0].starts_with("E 42501"),
        "whoever bypasses the policy for data does not for rights: {said:?}"
    );
    assert_eq!(one(&owner, "SELECT count(*) FROM rowgate.rights").await, "1");
    gate.stop().await;
}

#[tokio::test]
async fn every_command_is_in_the_audit_and_without_the_section_there_is_no_such_database() {
    let database = Database::new().await;
    crate::support::rights::prepared(&database).await;
    let gate = Gate::with(&database, &FILES, AUDIT).await;
    let alice = connect(&login_at(gate.port(), "alice", "rowgate")).await;
    alice.batch_execute("RAISE REASON 'fire'").await.unwrap();
    failure(&alice, "SUSPEND PERSON yun").await;
    drop(alice);
    let files = gate.files.path().join("audit.jsonl");
    let kept = gate.stopped().await;
    let text = std::fs::read_to_string(files).unwrap();
    let line = |word: &str| {
        text.lines()
            .find(|l| l.contains(word))
            .unwrap_or_else(|| panic!("{word}: {text}"))
            .to_owned()
    };
    drop(kept);
    let raised = line("\"raise\"");
    assert!(
        raised.contains("RAISE REASON 'fire'") && raised.contains("\"allowed\""),
        "{raised}"
    );
    let refused = line("SUSPEND PERSON yun");
    assert!(
        refused.contains("right-not-given") && refused.contains("\"refused\""),
        "{refused}"
    );

    let gate = Gate::with(&database, &FILES, "").await;
    let refused = try_connect(&login_at(gate.port(), "alice", "rowgate")).await;
    assert_eq!(
        refused.err().unwrap().as_db_error().unwrap().message(),
        "database \"rowgate\" does not exist"
    );
    gate.stop().await;
}
