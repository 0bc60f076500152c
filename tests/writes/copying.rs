//! COPY FROM STDIN into protected tables: rows that the person may make go in, with any other nothing does.

use crate::support::raw::{Raw, command};
use crate::support::{Database, data, one};

struct Copier {
    raw: Raw,
}

impl Copier {
    async fn login(port: u16, login: &str, database: &Database) -> Self {
        let more = [("database", database.name.as_str())];
        Self {
            raw: Raw::login(port, login, &data::password(login), &more).await.unwrap(),
        }
    }

    /// A COPY in the simple protocol with all of its data, line by line.
    async fn copy(&mut self, sql: &str, lines: &[&str]) -> Vec<String> {
        let mut got = self.raw.query(sql).await;
        if got.last().is_some_and(|l| l.starts_with('G')) {
            got.clear();
            let mut bytes = Vec::new();
            for line in lines {
                bytes.extend_from_slice(&command(&format!("d {line}\\n")));
            }
            bytes.extend_from_slice(&command("c"));
            self.raw.send(&bytes).await;
            got = self.raw.until_ready(1).await;
        }
        got
    }

    /// The same in the extended protocol.
    async fn copy_extended(&mut self, sql: &str, lines: &[&str]) -> Vec<String> {
        let ask = [
            command(&format!("P | {sql}")),
            command("B |"),
            command("D P"),
            command("E"),
            command("H"),
        ];
        self.raw.send(&ask.concat()).await;
        let mut got = Vec::new();
        while got.last().is_none_or(|l: &String| !l.starts_with(['G', 'E'])) {
            let (tag, body) = self.raw.message().await.unwrap();
            got.push(crate::support::raw::print(tag, &body));
        }
        if got.last().unwrap().starts_with('G') {
            for line in lines {
                self.raw.send(&command(&format!("d {line}\\n"))).await;
            }
            self.raw.send(&command("c")).await;
        }
        self.raw.send(&command("S")).await;
        got.extend(self.raw.until_ready(1).await);
        got
    }
}

const CUSTOMERS: &str =
    "copy customers (external_id, name, owner_id, team_id, country, city, phone, created_at) from stdin";

/// A line for [`CUSTOMERS`].
fn customer(number: u32, owner: &str) -> String {
    format!(
        "00000000-0000-4000-8000-{number:012}\\tNew {number}\\t{owner}\\t\\N\\tDE\\tUlm\\t+49 {number}\\t2026-01-01"
    )
}

fn refs(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn rows_are_held_to_the_policy_as_they_come_in() {
    let database = Database::new().await;
    let front = database.rowgate().await;
    let admin = database.superuser().await;
    let me = one(&admin, "select user_id::text from crm.users where login = 'alice'").await;
    let count = "select count(*)::text from public.customers where name like 'New %'";
    let mut alice = Copier::login(front.port(), "alice", &database).await;
    let mine = [customer(1, &me), customer(2, &me)];
    assert_eq!(alice.copy(CUSTOMERS, &refs(&mine)).await, ["C COPY 2", "Z I"]);
    assert_eq!(one(&admin, count).await, "2");
    let denied = "E 42501 new row violates row-level policy for table \"customers\"";
    for other in ["1", "\\N"] {
        let rows = [customer(3, &me), customer(4, other)];
        assert_eq!(alice.copy(CUSTOMERS, &refs(&rows)).await, [denied, "Z I"]);
        let extended = alice.copy_extended(CUSTOMERS, &refs(&rows)).await;
        assert_eq!(extended, ["1", "2", "n", "G 0 8", denied, "Z I"]);
        assert_eq!(one(&admin, count).await, "2");
    }
    let extended = alice.copy_extended(CUSTOMERS, &refs(&[customer(5, &me)])).await;
    assert_eq!(extended, ["1", "2", "n", "G 0 8", "C COPY 1", "Z I"]);
    // in a transaction, and among other statements
    alice.raw.query("begin").await;
    assert_eq!(
        alice.copy(CUSTOMERS, &refs(&[customer(6, &me)])).await,
        ["C COPY 1", "Z T"]
    );
    assert_eq!(alice.copy(CUSTOMERS, &refs(&[customer(7, "1")])).await, [denied, "Z E"]);
    alice.raw.query("rollback").await;
    let among = format!("{CUSTOMERS}; select 1 as x");
    assert_eq!(
        alice.copy(&among, &refs(&[customer(8, &me)])).await,
        ["C COPY 1", "T x:23", "D 1", "C SELECT 1", "Z I"]
    );
    assert_eq!(alice.copy(&among, &refs(&[customer(9, "1")])).await, [denied, "Z I"]);
    assert_eq!(one(&admin, count).await, "4");
    // columns that she may not set, or that are not there for her
    for (columns, error) in [
        (
            "name, level",
            "E 42501 permission denied for column level of table customers",
        ),
        (
            "name, credit_limit",
            "E 42703 column \"credit_limit\" of relation \"customers\" does not exist",
        ),
        (
            "name, contact_line",
            "E 42P10 column \"contact_line\" is a generated column",
        ),
    ] {
        let got = alice.copy(&format!("copy customers ({columns}) from stdin"), &[]).await;
        assert_eq!(got, [error, "Z I"]);
    }
    // her own data shows in errors, with its line; that of others does not
    let bad = customer(10, "x");
    let got = alice.copy(CUSTOMERS, &[&bad]).await;
    assert_eq!(got[0], "E 22P02 invalid input syntax for type integer: \"x\"");
    let twice = [customer(11, &me), customer(11, &me)];
    let got = alice.copy(CUSTOMERS, &refs(&twice)).await;
    assert!(got[0].starts_with("E 23505 duplicate key value"), "{got:?}");
    front.stop().await;
}

#[tokio::test]
async fn rows_that_hang_on_others_go_by_a_table_in_between() {
    let database = Database::new().await;
    let front = database.rowgate().await;
    let admin = database.superuser().await;
    let of = |login: &str| {
        format!(
            "select min(c.id)::text from public.customers c join crm.users u on u.user_id = c.owner_id \
             where u.login {login}"
        )
    };
    let mine = one(&admin, &of("= 'alice'")).await;
    let foreign = one(
        &admin,
        &of("<> 'alice' and c.id not in (select customer_id from public.customer_members)"),
    )
    .await;
    let sql = "copy contacts (customer_id, name, created_at) from stdin (format csv)";
    let count = "select count(*)::text from public.contacts where name like 'New %'";
    let row = |customer: &str, n: u32| format!("{customer},New {n},2026-01-01");
    let mut alice = Copier::login(front.port(), "alice", &database).await;
    let good = [row(&mine, 1), row(&mine, 2)];
    assert_eq!(alice.copy(sql, &refs(&good)).await, ["C COPY 2", "Z I"]);
    assert_eq!(
        alice.copy_extended(sql, &refs(&good)).await,
        ["1", "2", "n", "G 0 3", "C COPY 2", "Z I"]
    );
    assert_eq!(one(&admin, count).await, "4");
    let denied = "E 42501 new row violates row-level policy for table \"contacts\"";
    let bad = [row(&mine, 3), row(&foreign, 4)];
    assert_eq!(alice.copy(sql, &refs(&bad)).await, [denied, "Z I"]);
    assert_eq!(
        alice.copy_extended(sql, &refs(&bad)).await,
        ["1", "2", "n", "G 0 3", denied, "Z I"]
    );
    // a wrong value ends it while the data is still coming
    let wrong = [row("x", 5), row(&mine, 6)];
    let message = "E 22P02 invalid input syntax for type integer: \"x\"";
    assert_eq!(alice.copy(sql, &refs(&wrong)).await, [message, "Z I"]);
    assert_eq!(
        alice.copy_extended(sql, &refs(&wrong)).await,
        ["1", "2", "n", "G 0 3", message, "Z I"]
    );
    assert_eq!(
        alice.raw.query("select 1 as x").await,
        ["T x:23", "D 1", "C SELECT 1", "Z I"]
    );
    // a client that takes it back, or goes away
    assert_eq!(alice.raw.query(sql).await, ["G 0 3"]);
    alice
        .raw
        .send(&[command(&format!("d {}\\n", row(&mine, 7))), command("f enough")].concat())
        .await;
    assert_eq!(
        alice.raw.until_ready(1).await,
        ["E 57014 COPY from stdin failed: enough", "Z I"]
    );
    let mut gone = Copier::login(front.port(), "alice", &database).await;
    assert_eq!(gone.raw.query(sql).await, ["G 0 3"]);
    gone.raw.send(&command(&format!("d {}\\n", row(&mine, 8)))).await;
    drop(gone);
    assert_eq!(one(&admin, count).await, "4");
    // a transaction holds several of them, and ends with the first that fails
    alice.raw.query("begin").await;
    assert_eq!(alice.copy(sql, &refs(&good)).await, ["C COPY 2", "Z T"]);
    assert_eq!(alice.copy(sql, &refs(&good)).await, ["C COPY 2", "Z T"]);
    assert_eq!(alice.copy(sql, &refs(&bad)).await, [denied, "Z E"]);
    assert_eq!(alice.raw.query("commit").await, ["C ROLLBACK", "Z I"]);
    assert_eq!(one(&admin, count).await, "4");
    // a foreign key to a row that she does not see
    let me = one(&admin, "select user_id::text from crm.users where login = 'alice'").await;
    let sql = "copy activities (customer_id, owner_id, summary, happened_at) from stdin (format csv)";
    let activity = |customer: &str| format!("{customer},{me},New,2026-01-01");
    assert_eq!(alice.copy(sql, &[&activity(&mine)]).await, ["C COPY 1", "Z I"]);
    let dangling = "E 23503 insert or update on table \"activities\" violates foreign key constraint \
                    \"activities_customer_id_fkey\"";
    assert_eq!(alice.copy(sql, &[&activity(&foreign)]).await, [dangling, "Z I"]);
    // nothing is left of the tables in between
    let left = "select count(*)::text from pg_class where relname like 'rowgate%copy%'";
    assert_eq!(one(&admin, left).await, "0");
    let got = alice.copy(&format!("{sql}; select 1"), &[]).await;
    assert!(got[0].starts_with("E 0A000"), "{got:?}");
    front.stop().await;
}

#[tokio::test]
async fn ways_round_are_refused() {
    let database = Database::new().await;
    let front = database.rowgate().await;
    let mut alice = Copier::login(front.port(), "alice", &database).await;
    for (sql, expected) in [
        ("copy customers (name) from stdin where true", "E 0A000"),
        ("copy customers (name) from stdin where owner_id = 1 or true", "E 0A000"),
        ("copy customers (name) from stdin with (freeze)", "E 0A000"),
        ("copy customers (name) from stdin with (encoding 'latin1')", "E 0A000"),
        ("copy customers (name) from stdin with (default 'x')", "E 0A000"),
        ("copy customers (name) from stdin with (on_error ignore)", "E 0A000"),
        ("copy customers from '/etc/passwd'", "E 42501"),
        ("copy customers from program 'id'", "E 42501"),
        ("copy contracts (number) from stdin", "E 42501"),
        ("copy crm.users (login) from stdin", "E 42501"),
        ("copy pg_catalog.pg_authid from stdin", "E 42501"),
        ("copy key_customers from stdin", "E 42809"),
        ("copy public.no_such_table from stdin", "E 42P01"),
        ("copy customers (name, no_such_column) from stdin", "E 42703"),
        ("copy service_records_2024 (subject) from stdin", "E 42501"),
        ("explain copy customers (name) from stdin", "E 42601"),
        ("prepare x as copy customers (name) from stdin", "E 42601"),
        ("with x as (copy customers (name) from stdin) select 1", "E 42601"),
    ] {
        for got in [alice.raw.query(sql).await, alice.copy_extended(sql, &[]).await] {
            assert!(got.iter().any(|l| l.starts_with(expected)), "{sql}: {got:?}");
            assert!(!got.iter().any(|l| l.starts_with('G')), "{sql}: {got:?}");
        }
    }
    assert_eq!(
        alice.raw.query("select 1 as x").await,
        ["T x:23", "D 1", "C SELECT 1", "Z I"]
    );
    front.stop().await;
}

#[tokio::test]
async fn a_driver_copies_in_the_extended_protocol() {
    let database = Database::new().await;
    let front = database.rowgate().await;
    let admin = database.superuser().await;
    let me = one(&admin, "select user_id::text from crm.users where login = 'alice'").await;
    let alice = database.through(&front, "alice").await;
    let data = |n: u32| {
        let row = customer(n, &me).replace("\\t", "\t") + "\n";
        bytes::Bytes::from(row.into_bytes())
    };
    for (sql, row, count) in [
        (CUSTOMERS, data(1), 1),
        ("copy pg_temp.own from stdin", bytes::Bytes::from_static(b"1\n"), 1),
        (
            "copy activities (customer_id, owner_id, summary, happened_at) from stdin csv",
            bytes::Bytes::from(format!(
                "{},{me},New,2026-01-01\n",
                one(
                    &admin,
                    &format!("select min(id)::text from public.customers where owner_id = {me}")
                )
                .await
            )),
            1,
        ),
    ] {
        if sql.contains("pg_temp") {
            alice.batch_execute("create temp table own (a int)").await.unwrap();
        }
        let sink = alice.copy_in(sql).await.unwrap();
        futures::pin_mut!(sink);
        futures::SinkExt::send(&mut sink, row).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), count, "{sql}");
        assert_eq!(one(&alice, "select 'on'").await, "on");
    }
    front.stop().await;
}
