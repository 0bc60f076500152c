//! A hostile person who wants to keep a right after it has ended: statements that were sent while it held and wait, behind
//! somebody's lock, until it is over.

use crate::support::gate::Gate;
use crate::support::raw::{Raw, command};
use crate::support::rights::prepared;
use crate::support::{Database, data, one};

const FILES: &[(&str, &str)] = &[
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/rep.toml",
        "title = \"Representative\"\n[customers]\nview = [\"own\"]\nedit = [\"own\"]\n",
    ),
];

const GIVEN: &str = "INSERT INTO rowgate.rights (kind, login, table_name, operations, scope, until) \
    VALUES ('grant', 'alice', 'customers', '{view,edit}', 'all', now() + '1 hour')";
const OUT: &str = "E FATAL 57P01 terminating connection because your rights have changed while statements were waiting";

async fn login(gate: &Gate, database: &Database, login: &str) -> Raw {
    let more = [("database", database.name.as_str())];
    let session = Raw::login(gate.port(), login, &data::password(login), &more).await;
    session.unwrap()
}

async fn send(raw: &mut Raw, messages: &[&str]) {
    let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
    raw.send(&bytes).await;
}

/// A customer that alice owns, one of bob's, and one of somebody else.
async fn customers(owner: &tokio_postgres::Client) -> [String; 3] {
    let of = |login: &str| {
        format!(
            "SELECT min(id)::text FROM customers WHERE owner_id = (SELECT user_id FROM crm.users WHERE login = '{login}')"
        )
    };
    [
        one(owner, &of("alice")).await,
        one(owner, &of("bob")).await,
        one(owner, &of("hao")).await,
    ]
}

/// COPY FROM lasts as long as the client sends data.
#[tokio::test]
async fn a_copy_that_never_ends_does_not_keep_a_right() {
    let database = Database::new().await;
    let owner = prepared(&database).await;
    let gate = Gate::with(&database, FILES, "[rights]\n").await;
    gate.change(&owner, &GIVEN.replace("edit", "insert")).await;
    let mut alice = login(&gate, &database, "alice").await;
    send(&mut alice, &["Q copy customers (name, owner_id) from stdin"]).await;
    assert!(alice.until_ready(1).await[0].starts_with('G'));
    gate.change(&owner, "DELETE FROM rowgate.rights").await;
    assert_eq!(alice.until_ready(1).await, [OUT, "closed"]);
    gate.stop().await;
}

#[tokio::test]
async fn what_waits_behind_a_lock_does_not_keep_a_right() {
    let database = Database::new().await;
    let owner = prepared(&database).await;
    let [hers, bobs, others] = customers(&owner).await;
    for pool in ["", "[pool]\nmode = \"transaction\"\nsize = 4\n"] {
        let gate = Gate::with(&database, FILES, &format!("[rights]\n{pool}")).await;
        let update = |id: &str, city: &str| format!("update customers set city = '{city}' where id = {id}");
        let (locked, stolen) = (update(&hers, "x"), update(&others, "stolen"));
        let (parse, steal) = (format!("P | {locked}"), format!("P | {stolen}"));
        let several = format!("Q {locked}; {stolen}");
        let ways: [&[&str]; 4] = [
            // in one transaction, in one after the other, in one Query, and once more behind another lock
            &[&parse, "B |", "E", &steal, "B |", "E", "S"],
            &[&parse, "B |", "E", "S", &steal, "B |", "E", "S"],
            &[&several],
            &[
                &parse, "B |", "E", "S", &parse, "B |", "E", "S", &steal, "B |", "E", "S",
            ],
        ];
        for way in ways {
            gate.change(&owner, GIVEN).await;
            let accomplice = database.superuser().await;
            let lock = format!("BEGIN; SELECT FROM customers WHERE id IN ({hers}, {bobs}) FOR UPDATE");
            accomplice.batch_execute(&lock).await.unwrap();
            let mut alice = login(&gate, &database, "alice").await;
            send(&mut alice, way).await;
            // somebody of whom nothing has changed waits as well
            let mut bob = login(&gate, &database, "bob").await;
            let parse = format!("P | {}", update(&bobs, "y"));
            let count = "P | select count(*) > 0 from customers";
            send(&mut bob, &[&parse, "B |", "E", "S", count, "B |", "E", "S"]).await;
            let waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
            while one(&owner, waiting).await != "2" {
                tokio::task::yield_now().await;
            }
            gate.change(&owner, "DELETE FROM rowgate.rights").await;
            // while the lock is still held
            let said = alice.until_ready(9).await;
            assert_eq!(
                said.iter().rev().take(2).rev().collect::<Vec<_>>(),
                [OUT, "closed"],
                "{said:?}"
            );
            while one(&owner, waiting).await != "1" {
                tokio::task::yield_now().await;
            }
            accomplice.batch_execute("ROLLBACK").await.unwrap();
            let said = bob.until_ready(2).await;
            assert_eq!(said[..3], ["1", "2", "C UPDATE 1"], "{said:?}");
            assert!(said.contains(&"D t".to_owned()), "{said:?}");
            let city = format!("SELECT city FROM customers WHERE id = {others}");
            assert_ne!(one(&owner, &city).await, "stolen", "{way:?}");
        }
        gate.stop().await;
    }
}

const LIMITED: &str = "[rights.limits]\nstatement_timeout = \"30s\"\nwork_mem = \"64MB\"\n";
const GENEROUS: (&str, &str) = (
    "roles/generous.toml",
    "title = \"Generous\"\n[rights.limits]\nstatement_timeout = \"600s\"\nwork_mem = \"1GB\"\n",
);
const GENEROSITY: &str =
    "INSERT INTO rowgate.rights (kind, login, role, until) VALUES ('role', 'alice', 'generous', now() + '1 hour')";

/// Limits that were others while a right held: no way back to them.
#[tokio::test]
async fn neither_rollback_nor_reset_brings_limits_back_that_have_ended() {
    let database = Database::new().await;
    let owner = prepared(&database).await;
    let rep = format!("{}{LIMITED}", FILES[2].1);
    let files = [FILES[0], FILES[1], (FILES[2].0, rep.as_str()), GENEROUS];
    const SHOW: &str = "show statement_timeout";
    for pool in ["", "[pool]\nmode = \"transaction\"\nsize = 6\n"] {
        let gate = Gate::with(&database, &files, &format!("[rights]\n{pool}")).await;
        gate.change(&owner, GENEROSITY).await;
        let asked = [
            ("database", database.name.as_str()),
            ("options", "-c statement_timeout=500s"),
        ];
        let secret = data::password("alice");
        let mut sessions = Vec::new();
        for _ in 0..4 {
            let session = Raw::login(gate.port(), "alice", &secret, &asked).await;
            sessions.push(session.unwrap());
        }
        let [rolled_back, saved, pipeline, reset] = &mut sessions[..] else {
            unreachable!()
        };
        rolled_back.query("begin").await;
        saved.query("begin; savepoint s").await;
        for session in [&mut *rolled_back, &mut *saved, &mut *pipeline, &mut *reset] {
            assert_eq!(session.query(SHOW).await[1], "D 500s");
        }
        send(pipeline, &[&format!("P | {SHOW}"), "B |", "E", "H"]).await;
        assert_eq!(pipeline.message().await.unwrap().0, b'1');
        gate.change(&owner, "DELETE FROM rowgate.rights").await;
        for session in [&mut *rolled_back, &mut *saved] {
            assert_eq!(session.query(SHOW).await[1], "D 30s");
        }
        rolled_back.query("rollback").await;
        saved.query("rollback to s").await;
        for statement in ["reset all", "discard all"] {
            reset.query(statement).await;
            assert_eq!(reset.query(SHOW).await[1], "D 30s", "{statement}");
        }
        // an error takes back what was put in force behind it in the same segment
        send(
            pipeline,
            &[&format!("P | {SHOW}"), "B |", "E", "P | select 1/0", "B |", "E", "S"],
        )
        .await;
        pipeline.until_ready(1).await;
        for session in [&mut *rolled_back, &mut *saved, &mut *pipeline] {
            assert_eq!(session.query(SHOW).await[1], "D 30s");
        }
        saved.query("rollback").await;
        assert_eq!(saved.query(SHOW).await[1], "D 30s");
        gate.stop().await;
    }
}
