//! Writes that return more than the policy lets out, and people who ask constraints which keys exist.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::time::Duration;
use support::gate::Gate;
use support::raw::{Raw, command};
use support::{Database, data, one};

const POLICY: &[(&str, &str)] = &[
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [products]\nrelation = \"public.products\"\nkey = \"code\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/rep.toml",
        "title = \"Representative\"\n\
         [products]\nview = [\"all\"]\ninsert = [\"all\"]\nedit = [\"all\"]\ndelete = [\"all\"]\nmax_rows = 3\n\
         [products.columns]\nlist_price = { mask = \"null\", edit = true }\n\
         [rights]\ntemp_tables = true\n",
    ),
];

const LIMIT: &str = "E 53400 the result has more rows than the 3 that the policy allows";

async fn login(gate: &Gate, database: &Database) -> Raw {
    let more = [("database", database.name.as_str())];
    Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap()
}

async fn batch(raw: &mut Raw, messages: &[&str]) -> Vec<String> {
    let bytes: Vec<u8> = messages.iter().flat_map(|m| command(m).to_vec()).collect();
    raw.send(&bytes).await;
    let ready = messages.iter().filter(|m| m.starts_with('Q') || **m == "S").count();
    raw.until_ready(ready).await
}

#[tokio::test]
async fn a_write_that_returns_too_much_stores_nothing() {
    let database = Database::new().await;
    let gate = Gate::start(&database, POLICY).await;
    let admin = database.superuser().await;
    let mut raw = login(&gate, &database).await;
    let changed = "select count(*)::text from public.products where name = 'x'";
    let all = "update products set name = 'x' returning 1 as one";
    let insert = "insert into products select concat('P', g), 'x', 1 from generate_series(1, 4) g returning 1 as one";
    let rows = ["D 1", "D 1", "D 1", LIMIT];
    for sql in [all, insert] {
        // by itself
        assert_eq!(raw.query(sql).await[1..], [&rows[..], &["Z I"]].concat());
        assert_eq!(one(&admin, changed).await, "0", "{sql}");
        // among others, of which nothing stays either
        let several = format!("insert into products values ('Q', 'x', 1); select 1 as one; {sql}; select 2 as two");
        let got = raw.query(&several).await;
        let expected = ["C INSERT 0 1", "T one:23", "D 1", "C SELECT 1", "T one:23"];
        assert_eq!(got, [&expected[..], &rows, &["Z I"]].concat());
        assert_eq!(one(&admin, changed).await, "0", "{sql}");
        // in the extended protocol, by itself and behind another
        let parse = format!("P | {sql}");
        let got = batch(&mut raw, &[&parse, "B |", "E", "S"]).await;
        assert_eq!(got, [&["1", "2"][..], &rows, &["Z I"]].concat());
        assert_eq!(one(&admin, changed).await, "0", "{sql}");
        let first = "P | insert into products values ('Q', 'x', 1)";
        let got = batch(
            &mut raw,
            &[first, "B |", "E", &parse, "B |", "E", "S", "Q select 1 as one"],
        )
        .await;
        let expected = ["1", "2", "C INSERT 0 1", "1", "2"];
        assert_eq!(got[..10], [&expected[..], &rows, &["Z I"]].concat());
        assert_eq!(got[10..], ["T one:23", "D 1", "C SELECT 1", "Z I"]);
        assert_eq!(one(&admin, changed).await, "0", "{sql}");
    }
    // what stays below the limit is stored
    let few = "update products set name = 'x' where code in (select code from products order by code limit 3) returning 1 as one";
    assert_eq!(
        raw.query(few).await,
        ["T one:23", "D 1", "D 1", "D 1", "C UPDATE 3", "Z I"]
    );
    assert_eq!(one(&admin, changed).await, "3");
    let got = batch(&mut raw, &[&format!("Q {few}"), "Q select 1 as one"]).await;
    assert_eq!(got.last().unwrap(), "Z I");
    // an error among the statements undoes them all, as ever
    let got = raw
        .query(&format!("update products set name = 'y'; {few}; select 1/0"))
        .await;
    assert_eq!(got[got.len() - 2..], ["E 22012 division by zero", "Z I"]);
    assert_eq!(one(&admin, changed).await, "3");
    // in a transaction of the client's it fails the transaction
    raw.query("begin").await;
    assert_eq!(raw.query(all).await.last().unwrap(), "Z E");
    assert_eq!(raw.query("commit").await, ["C ROLLBACK", "Z I"]);
    assert_eq!(one(&admin, changed).await, "3");
    gate.stop().await;
}

#[tokio::test]
async fn who_meets_many_constraints_is_noted() {
    let database = Database::new().await;
    let gate = Gate::with(
        &database,
        POLICY,
        "[audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\n",
    )
    .await;
    let admin = database.superuser().await;
    let known = one(&admin, "select min(code) from public.products").await;
    let mut raw = login(&gate, &database).await;
    let insert = format!("insert into products values ('{known}', 'x', 1)");
    for _ in 0..25 {
        let got = raw.query(&insert).await;
        assert!(got[0].starts_with("E 23505 duplicate key"), "{got:?}");
    }
    let path = gate.files.path().join("audit.jsonl");
    let mut text = String::new();
    for _ in 0..500 {
        text = std::fs::read_to_string(&path).unwrap();
        if text.matches("\"sqlstate\":\"23505\"").count() == 25 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let noted: Vec<serde_json::Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .filter(|l: &serde_json::Value| l["event"] == "repeated-violations")
        .collect();
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!(
        (&noted[0]["login"], &noted[0]["violations"], &noted[0]["seconds"]),
        (&"alice".into(), &20.into(), &60.into())
    );
    gate.stop().await;
}

#[tokio::test]
async fn a_judgement_that_was_made_for_another_session_restricts_this_one() {
    let database = Database::new().await;
    let gate = Gate::start(&database, POLICY).await;
    for _ in 0..3 {
        let mut raw = login(&gate, &database).await;
        raw.query("create temp table t as select code from products").await;
        let got = raw.query("select code from t").await;
        assert!(got.iter().any(|line| line == LIMIT), "{got:?}");
    }
}
