//! Two writers: what a statement finds after it has waited for a lock is judged as it then stands.

use crate::dprime::run;
use crate::schema::texts;
use crate::stage::{Server, Stage, TEMPLATE, shipped_policies};
use crate::wire::{Address, Answer, Client};
use std::time::{Duration, Instant};

/// A database of a test's own, rowgate before it, and a superuser beside it.
struct Scene {
    server: Server,
    admin: Client,
    watcher: Client,
    database: String,
}

impl Scene {
    fn set(stage: &Stage, database: &str) -> Self {
        let mut superuser = Client::connect(&stage.superuser).expect("superuser");
        run(
            &mut superuser,
            &format!("CREATE DATABASE {database} TEMPLATE {TEMPLATE}"),
        );
        let own = Address {
            database: database.to_owned(),
            ..stage.superuser.clone()
        };
        Self {
            server: Server::before(stage, database, &shipped_policies()),
            admin: Client::connect(&own).expect("superuser"),
            watcher: Client::connect(&own).expect("superuser"),
            database: database.to_owned(),
        }
    }

    /// Waits until somebody waits for a lock, or has no need to.
    fn until_blocked(&mut self, writer: &std::thread::JoinHandle<Answer>) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND cardinality(pg_blocking_pids(pid)) > 0",
            self.database
        );
        let started = Instant::now();
        while texts(&mut self.watcher, &sql)[0][0].as_deref() != Some("1") && !writer.is_finished() {
            assert!(started.elapsed() < Duration::from_secs(30), "nobody waits");
            std::thread::yield_now();
        }
    }

    /// What a statement comes to that waits for `other` to be committed.
    fn after(&mut self, other: &str, login: &str, before: &[&str], waiting: &str) -> Answer {
        let mut client = self.server.connect(login).expect("rowgate");
        for sql in before {
            let answer = client.simple(sql).expect("rowgate");
            assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        }
        run(&mut self.admin, "BEGIN");
        run(&mut self.admin, other);
        let text = waiting.to_owned();
        let writer = std::thread::spawn(move || {
            let answer = client.simple(&text).expect("rowgate");
            client.simple("ROLLBACK").expect("rowgate");
            answer
        });
        self.until_blocked(&writer);
        run(&mut self.admin, "COMMIT");
        writer.join().expect("a writer")
    }

    fn one(&mut self, sql: &str) -> String {
        texts(&mut self.watcher, sql)[0][0].clone().unwrap_or_default()
    }
}

fn told(answer: &Answer) -> String {
    match &answer.error {
        Some(e) => e.code().to_owned(),
        None => answer.results.last().map(|r| r.tag.clone()).unwrap_or_default(),
    }
}

const AWAY: &str = "UPDATE customers SET owner_id = 1, team_id = 1 WHERE id = 5";

/// READ COMMITTED: the row is another's by the time that the lock is there.
#[test]
fn a_row_that_left_meanwhile_is_not_written() {
    let stage = Stage::set();
    let mut scene = Scene::set(&stage, "w_left");
    let tries = [
        ("UPDATE customers SET city = 'late' WHERE id = 5", "UPDATE 0"),
        (
            "UPDATE customers SET city = 'late' WHERE id = 5 RETURNING *",
            "UPDATE 0",
        ),
        ("UPDATE customers SET city = 'late'", "UPDATE 4"),
        (
            "UPDATE customers SET city = 'late' FROM contacts o WHERE o.customer_id = customers.id AND o.id = 5",
            "UPDATE 0",
        ),
        (
            "WITH u AS (UPDATE customers SET city = 'late' WHERE id = 5 RETURNING id) SELECT id FROM u",
            "SELECT 0",
        ),
        (
            "INSERT INTO customers (id, external_id, name, owner_id, country, city, created_at) VALUES (5, \
             '00000000-0000-4000-8000-000000000001', 'x', 36, 'CN', 'x', '2024-01-01') ON CONFLICT (id) DO UPDATE SET city = 'late'",
            "42501",
        ),
        (
            "MERGE INTO customers c USING (VALUES (5)) s(id) ON c.id = s.id WHEN MATCHED THEN UPDATE SET city = 'late'",
            "MERGE 0",
        ),
        ("SELECT id FROM customers WHERE id = 5 FOR UPDATE", "SELECT 0"),
        (
            "UPDATE customers SET city = 'late' WHERE id = 5 AND name::text <> ''",
            "UPDATE 0",
        ),
        (
            "UPDATE customers SET owner_id = 36, city = 'late' WHERE id = 5",
            "UPDATE 0",
        ),
        (
            "UPDATE customers SET tax_id = NULL, city = 'late' WHERE id = 5",
            "UPDATE 0",
        ),
    ];
    for (sql, want) in tries {
        let answer = scene.after(AWAY, "alice", &[], sql);
        assert_eq!(told(&answer), want, "{sql}");
        assert!(answer.results.iter().all(|r| r.rows.is_empty()), "{sql}");
        assert_ne!(scene.one("SELECT city FROM customers WHERE id = 5"), "late", "{sql}");
        assert_eq!(scene.one("SELECT owner_id FROM customers WHERE id = 5"), "1", "{sql}");
        let back = "UPDATE customers SET owner_id = 36, team_id = 14 WHERE id = 5";
        run(&mut scene.admin, back);
    }
}

/// The same for rows that are deleted.
#[test]
fn a_row_that_left_meanwhile_is_not_deleted() {
    let stage = Stage::set();
    let mut scene = Scene::set(&stage, "w_deleted");
    run(
        &mut scene.admin,
        "INSERT INTO opportunities (id, customer_id, owner_id, team_id, title, amount, probability, expected_on, created_at, updated_at) \
         VALUES (900001, 5, 15, 14, 'x', 1, 1, '2024-01-01', '2024-01-01', '2024-01-01')",
    );
    let answer = scene.after(
        "UPDATE opportunities SET owner_id = 36 WHERE id = 900001",
        "yun",
        &[],
        "DELETE FROM opportunities WHERE id = 900001 RETURNING id",
    );
    assert_eq!(told(&answer), "DELETE 0");
    assert_eq!(scene.one("SELECT count(*) FROM opportunities WHERE id = 900001"), "1");
}

/// A mask that is written back is the mask of the row as it stands when it is written.
#[test]
fn a_mask_is_compared_with_the_row_as_it_stands() {
    let stage = Stage::set();
    let mut scene = Scene::set(&stage, "w_mask");
    let save = "UPDATE customers SET tax_id = '91*********005', city = 'saved' WHERE id = 5";
    let same = scene.after(
        "UPDATE customers SET tax_id = '91ABCDEFGHI005' WHERE id = 5",
        "yun",
        &[],
        save,
    );
    assert_eq!(told(&same), "UPDATE 1");
    assert_eq!(scene.one("SELECT tax_id FROM customers WHERE id = 5"), "91ABCDEFGHI005");
    let other = scene.after("UPDATE customers SET tax_id = '92X005' WHERE id = 5", "yun", &[], save);
    assert_eq!(told(&other), "42501");
    assert_eq!(scene.one("SELECT tax_id FROM customers WHERE id = 5"), "92X005");
    let stale = scene.after(
        "UPDATE customers SET city = 'elsewhere' WHERE id = 5",
        "yun",
        &[],
        "UPDATE customers SET name = 'lost' WHERE id = 5 AND city = 'saved'",
    );
    assert_eq!(told(&stale), "UPDATE 0");
}

/// Stricter isolation: the loser learns of it by PostgreSQL's own error.
#[test]
fn who_comes_second_is_told() {
    let stage = Stage::set();
    let mut scene = Scene::set(&stage, "w_serial");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let begin = format!("BEGIN ISOLATION LEVEL {level}");
        let answer = scene.after(
            "UPDATE customers SET city = 'first' WHERE id = 5",
            "alice",
            &[begin.as_str(), "SELECT count(*) FROM customers"],
            "UPDATE customers SET city = 'second' WHERE id = 5",
        );
        assert_eq!(told(&answer), "40001", "{level}");
        assert_eq!(scene.one("SELECT city FROM customers WHERE id = 5"), "first");
    }
    // each reads what the other writes
    let (mut a, mut b) = (
        scene.server.connect("alice").expect("rowgate"),
        scene.server.connect("yun").expect("rowgate"),
    );
    for client in [&mut a, &mut b] {
        client.simple("BEGIN ISOLATION LEVEL SERIALIZABLE").expect("rowgate");
        let read = client
            .simple("SELECT city FROM customers WHERE id IN (21, 22)")
            .expect("rowgate");
        assert!(read.error.is_none());
    }
    let first = a
        .simple("UPDATE customers SET city = 'a' WHERE id = 21")
        .expect("rowgate");
    let second = b
        .simple("UPDATE customers SET city = 'b' WHERE id = 22")
        .expect("rowgate");
    assert_eq!(
        (told(&first).as_str(), told(&second).as_str()),
        ("UPDATE 1", "UPDATE 1")
    );
    let ends = [
        a.simple("COMMIT").expect("rowgate"),
        b.simple("COMMIT").expect("rowgate"),
    ];
    let lost = ends.iter().filter(|e| told(e) == "40001").count();
    assert_eq!(lost, 1, "one of two must give way");
}

/// A row whose scope another row decides: the other has left meanwhile. In READ COMMITTED that other row is the one that
/// the statement began with, as in PostgreSQL's own row security; stricter isolation tells.
#[test]
fn a_row_whose_parent_left_meanwhile_is_told_of() {
    let stage = Stage::set();
    let mut scene = Scene::set(&stage, "w_parent");
    let away = "UPDATE customers SET owner_id = 1, team_id = 1 WHERE id = 5; UPDATE contacts SET title = 'theirs' WHERE id = 5";
    for sql in [
        "UPDATE contacts SET title = 'late' WHERE id = 5",
        "MERGE INTO contacts c USING (VALUES (5)) s(id) ON c.id = s.id WHEN MATCHED THEN UPDATE SET title = 'late'",
    ] {
        let begin = ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM contacts"];
        let answer = scene.after(away, "alice", &begin, sql);
        assert_eq!(told(&answer), "40001", "{sql}");
        assert_eq!(scene.one("SELECT title FROM contacts WHERE id = 5"), "theirs");
        let back = "UPDATE customers SET owner_id = 36, team_id = 14 WHERE id = 5";
        run(&mut scene.admin, back);
    }
    // afterwards it is not theirs any more
    run(
        &mut scene.admin,
        "UPDATE customers SET owner_id = 1, team_id = 1 WHERE id = 5",
    );
    let mut alice = scene.server.connect("alice").expect("rowgate");
    let late = alice
        .simple("UPDATE contacts SET title = 'late' WHERE id = 5")
        .expect("rowgate");
    assert_eq!(told(&late), "UPDATE 0");
}
