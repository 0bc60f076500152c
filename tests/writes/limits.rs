//! Results and writes that return more than the policy lets out, and people who ask constraints which keys exist.

use crate::support::gate::{Gate, REPRESENTATIVES};
use crate::support::raw::{Raw, command};
use crate::support::{Database, data, one};
use std::time::Duration;

const POLICY: &[(&str, &str)] = &[
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [products]\nrelation = \"public.products\"\nkey = \"code\"\n",
    ),
    REPRESENTATIVES,
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
    let merge = "merge into products p using products q on p.code = q.code when matched then update set name = 'x' returning 1 as one";
    let rows = ["D 1", "D 1", "D 1", LIMIT];
    let version: u32 = one(&admin, "SHOW server_version_num").await.parse().unwrap();
    let returning = [all, insert, merge]
        .into_iter()
        .take(if version < 170_000 { 2 } else { 3 });
    for sql in returning {
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

const TOGETHER: &str = "select code from products order by code";

/// What came, rows counted.
fn counted(lines: &[String]) -> Vec<String> {
    let mut short = Vec::new();
    let mut rows = 0;
    for line in lines.iter().filter(|l| !l.starts_with("T ")) {
        if line.starts_with("D ") {
            rows += 1;
            continue;
        }
        if rows > 0 {
            short.push(format!("{rows} rows"));
        }
        rows = 0;
        short.push(line.clone());
    }
    short
}

#[tokio::test]
async fn cursors_and_portals_count_together() {
    let database = Database::new().await;
    let gate = Gate::start(&database, POLICY).await;
    let mut raw = login(&gate, &database).await;
    let declare = |name: &str, more: &str| format!("declare {name} scroll cursor {more} for {TOGETHER}");

    // two cursors of a transaction, the second of which goes on where the first has stopped
    for (second, fetch) in [
        (declare("d", ""), "fetch 2 from d"),
        (
            "declare d cursor for select * from products p order by code desc offset 2".to_owned(),
            "fetch 2 from d",
        ),
        (declare("d", ""), "fetch backward 2 from d"),
    ] {
        raw.query("begin").await;
        raw.query(&declare("c", "")).await;
        assert_eq!(
            counted(&raw.query("fetch 2 from c").await),
            ["2 rows", "C FETCH 2", "Z T"]
        );
        raw.query(&second).await;
        assert_eq!(counted(&raw.query("move 4 in d").await), ["C MOVE 4", "Z T"]);
        assert_eq!(counted(&raw.query(fetch).await), ["1 rows", LIMIT, "Z E"], "{second}");
        raw.query("rollback").await;
    }
    // closing one gives nothing back, the end of the transaction does; a result by itself is none of them
    raw.query("begin").await;
    for (name, expected) in [("c", &["3 rows", "C FETCH 3", "Z T"][..]), ("d", &[LIMIT, "Z E"])] {
        raw.query(&declare(name, "")).await;
        assert_eq!(counted(&raw.query(&format!("fetch 3 from {name}")).await), expected);
        if name == "c" {
            raw.query("close c").await;
            let by_itself = raw.query("select code from products limit 3").await;
            assert_eq!(counted(&by_itself), ["3 rows", "C SELECT 3", "Z T"]);
        }
    }
    raw.query("rollback").await;

    // portals of one statement, and a cursor beside them
    let parse = format!("P s | {TOGETHER}");
    let begun = batch(&mut raw, &["Q begin", &parse, "B p | s", "B q | s", "E p | 2", "S"]).await;
    assert_eq!(counted(&begun)[2..], ["1", "2", "2", "2 rows", "s", "Z T"]);
    let got = batch(&mut raw, &["E q | 2", "S"]).await;
    assert_eq!(counted(&got), ["1 rows", LIMIT, "Z E"]);
    raw.query("rollback").await;
    batch(&mut raw, &["Q begin", "B p | s", "E p | 2", "S"]).await;
    raw.query(&declare("c", "")).await;
    assert_eq!(counted(&raw.query("fetch all from c").await), ["1 rows", LIMIT, "Z E"]);
    raw.query("rollback").await;
    // what ends before its portion is full is a result by itself
    raw.query("begin").await;
    for _ in 0..3 {
        let few = "P | select code from products limit 2";
        let got = batch(&mut raw, &[few, "B |", "E | 50", "S"]).await;
        assert_eq!(counted(&got)[2..], ["2 rows", "C SELECT 2", "Z T"]);
    }
    raw.query("commit").await;

    // a cursor that outlives its transaction counts until it is closed
    raw.query(&declare("h", "with hold")).await;
    assert_eq!(
        counted(&raw.query("fetch 2 from h").await),
        ["2 rows", "C FETCH 2", "Z I"]
    );
    raw.query(&declare("i", "with hold")).await;
    assert_eq!(counted(&raw.query("fetch 2 from i").await), ["1 rows", LIMIT, "Z I"]);
    raw.query("close h").await;
    raw.query("close i").await;
    raw.query(&declare("i", "with hold")).await;
    assert_eq!(
        counted(&raw.query("fetch 3 from i").await),
        ["3 rows", "C FETCH 3", "Z I"]
    );
    raw.query("close all").await;
    assert!(raw.query("fetch 1 from i").await[0].starts_with("E 34000"));
    gate.stop().await;
}

#[tokio::test]
async fn a_result_that_is_too_large_can_be_refused_whole() {
    let database = Database::new().await;
    let policy: Vec<(&str, String)> = POLICY
        .iter()
        .map(|(file, text)| {
            (
                *file,
                text.replace("max_rows = 3\n", "max_rows = 3\nover_max_rows = \"refuse\"\n"),
            )
        })
        .collect();
    let policy: Vec<(&str, &str)> = policy.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let gate = Gate::start(&database, &policy).await;
    let admin = database.superuser().await;
    let mut raw = login(&gate, &database).await;
    assert_eq!(counted(&raw.query(TOGETHER).await), [LIMIT, "Z I"]);
    let few = format!("{TOGETHER} limit 3");
    assert_eq!(counted(&raw.query(&few).await), ["3 rows", "C SELECT 3", "Z I"]);
    // what came before an error comes
    let fails = "select 1 / (3 - row_number() over (order by code)), code from products limit 3";
    let got = raw.query(fails).await;
    assert_eq!(counted(&got), ["2 rows", "E 22012 division by zero", "Z I"]);
    // in several statements, and by messages of the extended protocol
    let got = raw
        .query(&format!("select 1 as one; {few}; {TOGETHER}; select 2 as two"))
        .await;
    assert_eq!(
        counted(&got),
        ["1 rows", "C SELECT 1", "3 rows", "C SELECT 3", LIMIT, "Z I"]
    );
    let parse = format!("P s | {TOGETHER}");
    let got = batch(&mut raw, &[&parse, "B | s", "E", "S", "Q select 1 as one"]).await;
    assert_eq!(counted(&got), ["1", "2", LIMIT, "Z I", "1 rows", "C SELECT 1", "Z I"]);
    // of what is read in portions, the portion that goes beyond
    batch(&mut raw, &["Q begin", "B p | s", "S"]).await;
    assert_eq!(
        counted(&batch(&mut raw, &["E p | 2", "S"]).await),
        ["2 rows", "s", "Z T"]
    );
    assert_eq!(counted(&batch(&mut raw, &["E p | 2", "S"]).await), [LIMIT, "Z E"]);
    raw.query("rollback").await;
    // a write that returns too much returns and stores nothing
    let write = "update products set name = 'x' returning 1 as one";
    assert_eq!(counted(&raw.query(write).await), [LIMIT, "Z I"]);
    assert_eq!(
        counted(&raw.query(&format!("{write}, repeat('y', 100000) as long")).await),
        [LIMIT, "Z I"]
    );
    let three = "update products set name = 'x' where code in (select code from products order by code limit 3) returning repeat('y', 100000) as long";
    assert_eq!(counted(&raw.query(three).await), ["3 rows", "C UPDATE 3", "Z I"]);
    assert_eq!(
        one(&admin, "select count(*)::text from public.products where name = 'x'").await,
        "3"
    );
    // rows that are too long to wait for the end
    let long = "select code, repeat('y', 9000000) from products order by code limit 3";
    let got = raw.query(long).await;
    assert_eq!(counted(&got), ["E 53400 the result is larger than 16 MB", "Z I"]);
    let longer = "select repeat('y', 40000000), code from products order by code limit 1";
    assert_eq!(
        counted(&raw.query(longer).await),
        ["E 53400 the result is larger than 16 MB", "Z I"]
    );
    assert_eq!(
        raw.query("select 1 as one").await,
        ["T one:23", "D 1", "C SELECT 1", "Z I"]
    );
    gate.stop().await;
}

#[tokio::test]
async fn a_deferred_constraint_fails_in_place_of_the_last_command_tag() {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin
        .batch_execute(
            "create table public.kinds (id int primary key);
             alter table public.products add kind int references public.kinds deferrable initially deferred;
             grant select on public.kinds to public;",
        )
        .await
        .unwrap();
    let gate = Gate::start(&database, POLICY).await;
    let mut raw = login(&gate, &database).await;
    let write = "update products set kind = 7 where code in (select code from products order by code limit 2) returning 1 as one";
    let broken =
        "E 23503 insert or update on table \"products\" violates foreign key constraint \"products_kind_fkey\"";
    // as PostgreSQL says it
    let cases: &[(&str, &[&str])] = &[
        ("W", &["2 rows", broken, "Z I"]),
        ("select 1 as one; W", &["1 rows", "C SELECT 1", "2 rows", broken, "Z I"]),
        ("W; select 1 as one", &["2 rows", "C UPDATE 2", "1 rows", broken, "Z I"]),
        (
            "W; select 1 / 0",
            &["2 rows", "C UPDATE 2", "E 22012 division by zero", "Z I"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            counted(&raw.query(&text.replace('W', write)).await),
            *expected,
            "{text}"
        );
    }
    let parse = format!("P | {write}");
    let got = batch(&mut raw, &[&parse, "B |", "E", "S"]).await;
    assert_eq!(counted(&got), ["1", "2", "2 rows", "C UPDATE 2", broken, "Z I"]);
    admin
        .batch_execute("insert into public.kinds values (7)")
        .await
        .unwrap();
    assert_eq!(counted(&raw.query(write).await), ["2 rows", "C UPDATE 2", "Z I"]);
    assert_eq!(
        one(&admin, "select count(*)::text from public.products where kind = 7").await,
        "2"
    );
    gate.stop().await;
}
