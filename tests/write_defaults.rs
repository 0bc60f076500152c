//! Columns that an INSERT leaves out and the policy fills in: the new row is the person's own, in every form of INSERT.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use rstest::rstest;
use support::gate::Gate;
use support::{Database, connect, login_at};
use tokio_postgres::{Client, SimpleQueryMessage};

const POLICY: &[(&str, &str)] = &[
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [activities]\nrelation = \"public.activities\"\nkey = \"id\"\nowner = \"owner_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/rep.toml",
        "title = \"Representative\"\n\
         [activities]\nview = [\"own\"]\ninsert = [\"own\"]\n\
         [activities.columns]\nowner_id = { default = \"own\" }\nseconds = \"hidden\"\n\
         [rights]\ntemp_tables = true\n",
    ),
];

/// What the rows of the statements say; everything else is filled in.
const COLUMNS: &str = "customer_id, summary, happened_at";

/// The owner of the database, alice through rowgate, and rowgate.
async fn stage() -> (Client, Client, Gate) {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin
        .batch_execute("ALTER TABLE public.activities ADD COLUMN seconds integer; CREATE TABLE public.pairs (a integer, b text, c timestamptz)")
        .await
        .unwrap();
    let gate = Gate::start(&database, POLICY).await;
    let alice = connect(&login_at(gate.port(), "alice", &database.name)).await;
    (admin, alice, gate)
}

#[rstest]
#[case::values("VALUES (1, 'new', '2026-01-02')", 1)]
#[case::rows("VALUES (1, 'new', '2026-01-02'), (2, 'new', now())", 2)]
#[case::literals_take_the_columns_types("SELECT 1, 'new', '2026-01-02'", 1)]
#[case::a_table("SELECT id, 'new' AS word, created_at FROM customers ORDER BY id LIMIT 3", 3)]
#[case::a_star("SELECT * FROM (SELECT id, 'new'::text, created_at FROM customers LIMIT 2) AS s", 2)]
#[case::a_star_of_ones_own_rows(
    "SELECT a.* FROM (SELECT customer_id, 'new'::text, happened_at FROM activities ORDER BY id LIMIT 2) AS a",
    2
)]
#[case::no_repetition("SELECT DISTINCT 1, 'new', now() FROM customers", 1)]
#[case::no_repetition_by_a_key(
    "SELECT DISTINCT ON (city) id, 'new', now() FROM customers WHERE id < 3 ORDER BY city, id LIMIT 1",
    1
)]
#[case::groups(
    "SELECT min(id), 'new', max(created_at) FROM customers WHERE id < 9 GROUP BY id % 2 HAVING count(*) > 1",
    2
)]
#[case::a_union(
    "SELECT 1, 'new', now() UNION ALL (SELECT 2, 'new', now()) UNION SELECT 2, 'new', now()",
    2
)]
#[case::what_is_in_both(
    "SELECT id, 'new', now() FROM customers WHERE id < 5 INTERSECT SELECT id, 'new', now() FROM customers WHERE id > 3",
    1
)]
#[case::with(
    "WITH c AS (SELECT id FROM customers WHERE id < 3) SELECT id, 'new', now() FROM c",
    2
)]
#[case::brackets("((SELECT 1, 'new', now()))", 1)]
#[case::keywords(
    "SELECT 1 AS from, CASE WHEN true THEN 'new' ELSE 'from' END, now() \"where\" FROM customers WHERE id = 1",
    1
)]
#[case::a_comment("SELECT 1, 'new', now() -- , 4 FROM\n", 1)]
#[tokio::test]
async fn the_row_is_the_persons_own(#[case] rows: &str, #[case] count: u64) {
    let (admin, alice, gate) = stage().await;
    let own = "SELECT count(*)::int8, count(*) FILTER (WHERE owner_id = (SELECT user_id FROM crm.users WHERE login = 'alice'))::int8 \
               FROM public.activities WHERE summary = 'new'";
    let sql = format!("INSERT INTO activities ({COLUMNS}) {rows}");
    for (sql, returns) in [
        (sql.clone(), false),
        (format!("{sql} RETURNING owner_id, summary"), true),
    ] {
        // the simple protocol
        alice.simple_query("BEGIN").await.unwrap();
        let answer = alice.simple_query(&sql).await.unwrap();
        let written = answer.iter().find_map(|m| match m {
            SimpleQueryMessage::CommandComplete(n) => Some(*n),
            _ => None,
        });
        assert_eq!(written, Some(count), "{sql}");
        alice.simple_query("COMMIT").await.unwrap();
        // the extended one
        if returns {
            assert_eq!(alice.query(&sql, &[]).await.unwrap().len() as u64, count, "{sql}");
        } else {
            assert_eq!(alice.execute(&sql, &[]).await.unwrap(), count, "{sql}");
        }
        let row = admin.query_one(own, &[]).await.unwrap();
        let (all, owned) = (row.get::<_, i64>(0), row.get::<_, i64>(1));
        assert_eq!((all, owned), (2 * count as i64, 2 * count as i64), "{sql}");
        admin
            .batch_execute("DELETE FROM public.activities WHERE summary = 'new'")
            .await
            .unwrap();
    }
    gate.stop().await;
}

#[rstest]
#[case::somebody_elses(
    "INSERT INTO activities (customer_id, summary, happened_at, owner_id) SELECT 1, 'new', now(), 1",
    "42501"
)]
#[case::nobodys(
    "INSERT INTO activities (customer_id, summary, happened_at, owner_id) SELECT 1, 'new', now(), NULL",
    "42501"
)]
#[case::too_many(
    "INSERT INTO activities (customer_id, summary, happened_at) SELECT 1, 'new', now(), 1",
    "42601"
)]
#[case::too_few(
    "INSERT INTO activities (customer_id, summary, happened_at) SELECT 1, 'new'",
    "42601"
)]
#[case::a_foreign_owner_by_the_back_door(
    "INSERT INTO activities (customer_id, summary, happened_at) SELECT 1, 'new', now() UNION SELECT 1, 'new', now(), 1",
    "42601"
)]
#[case::twice(
    "INSERT INTO activities (customer_id, summary, happened_at, happened_at) SELECT 1, 'new', now(), now()",
    "42701"
)]
#[case::a_hidden_column(
    "INSERT INTO activities (customer_id, summary, happened_at, seconds) SELECT 1, 'new', now(), 1",
    "42703"
)]
#[case::table("INSERT INTO activities (customer_id, summary, happened_at) TABLE pairs", "0A000")]
#[case::values_among_queries(
    "INSERT INTO activities (customer_id, summary, happened_at) SELECT 1, 'new', now() UNION VALUES (2, 'new', now())",
    "0A000"
)]
#[tokio::test]
async fn nothing_else_is_stored(#[case] sql: &str, #[case] code: &str) {
    let (admin, alice, gate) = stage().await;
    let error = alice.execute(sql, &[]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), code, "{error:?}");
    let stored = "SELECT count(*)::int8 FROM public.activities WHERE summary = 'new'";
    let stored = admin.query_one(stored, &[]).await.unwrap();
    assert_eq!(stored.get::<_, i64>(0), 0);
    gate.stop().await;
}
