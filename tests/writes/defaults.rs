//! Columns that an INSERT leaves out and the policy fills in: the new row is the person's own, in every form of INSERT, in MERGE and in COPY.

use crate::support::gate::{Gate, REPRESENTATIVES};
use crate::support::{Database, connect, login_at};
use rstest::rstest;
use tokio_postgres::{Client, SimpleQueryMessage};

const POLICY: &[(&str, &str)] = &[
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [activities]\nrelation = \"public.activities\"\nkey = \"id\"\nowner = \"owner_id\"\n",
    ),
    REPRESENTATIVES,
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
    stage_with(POLICY).await
}

async fn stage_with(policy: &[(&str, &str)]) -> (Client, Client, Gate) {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin
        .batch_execute("ALTER TABLE public.activities ADD COLUMN seconds integer; CREATE TABLE public.pairs (a integer, b text, c timestamptz)")
        .await
        .unwrap();
    let gate = Gate::start(&database, policy).await;
    let alice = connect(&login_at(gate.port(), "alice", &database.name)).await;
    (admin, alice, gate)
}

/// What alice owns among the new rows, and how many there are.
async fn new_rows(admin: &Client) -> (i64, i64) {
    let sql = "SELECT count(*)::int8, count(*) FILTER (WHERE owner_id = (SELECT user_id FROM crm.users WHERE login = 'alice'))::int8 \
               FROM public.activities WHERE summary = 'new'";
    let row = admin.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
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
        assert_eq!(new_rows(&admin).await, (2 * count as i64, 2 * count as i64), "{sql}");
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
#[case::short_rows(
    "INSERT INTO activities (customer_id, summary, happened_at) VALUES (1, 'new')",
    "42601"
)]
#[case::uneven_rows(
    "INSERT INTO activities (customer_id, summary, happened_at) VALUES (1, 'new', now()), (1, 'new')",
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
    assert_eq!(new_rows(&admin).await, (0, 0));
    gate.stop().await;
}

#[rstest]
#[case::left_out("INSERT (customer_id, summary, happened_at) VALUES (s.c, 'new', now())")]
#[case::by_default("INSERT (customer_id, summary, owner_id, happened_at) VALUES (s.c, 'new', DEFAULT, now())")]
#[case::in_other_words(
    "INSERT (\"happened_at\" , summary, customer_id -- )\n ) VALUES (now(), 'new' /* ) */, s.c -- )\n )"
)]
#[case::without_a_list("INSERT VALUES (4777777, s.c, DEFAULT, 'new', now())")]
#[tokio::test]
async fn a_merged_row_is_the_persons_own(#[case] action: &str) {
    let (admin, alice, gate) = stage().await;
    let sql = format!(
        "MERGE INTO activities AS a USING (SELECT 1 AS c) AS s ON a.id = -s.c \
         WHEN NOT MATCHED AND s.c = 2 THEN DO NOTHING WHEN NOT MATCHED THEN {action}"
    );
    assert_eq!(alice.execute(&sql, &[]).await.unwrap(), 1, "{sql}");
    assert_eq!(new_rows(&admin).await, (1, 1));
    gate.stop().await;
}

#[rstest]
#[case::somebody_elses(
    "INSERT (customer_id, summary, happened_at, owner_id) VALUES (1, 'new', now(), s.c)",
    "42501"
)]
#[case::nobodys(
    "INSERT (customer_id, summary, happened_at, owner_id) VALUES (1, 'new', now(), NULL)",
    "42501"
)]
#[case::too_many("INSERT (customer_id, summary, happened_at) VALUES (1, 'new', now(), 1)", "42601")]
#[case::too_few("INSERT (customer_id, summary, happened_at) VALUES (1, 'new')", "42601")]
#[case::a_hidden_column(
    "INSERT (customer_id, summary, happened_at, seconds) VALUES (1, 'new', now(), 1)",
    "42703"
)]
#[case::nothing_but_defaults("INSERT /* ( */ DEFAULT -- )\n VALUES", "23502")]
#[case::an_owner_of_the_sources(
    "INSERT (customer_id, summary, happened_at, owner_id) VALUES (1, 'new', now(), COALESCE(s.owner_id, 36))",
    "42501"
)]
#[case::a_volatile_value(
    "INSERT (customer_id, summary, happened_at) VALUES (1 + floor(random())::int, 'new', now())",
    "0A000"
)]
#[case::a_column_of_the_source_of_the_same_name(
    "INSERT (customer_id, summary, happened_at, owner_id) VALUES (1, 'new', now(), owner_id)",
    "42501"
)]
#[tokio::test]
async fn nothing_else_is_merged(#[case] action: &str, #[case] code: &str) {
    let (admin, alice, gate) = stage().await;
    let sql = format!(
        "MERGE INTO activities AS a USING (SELECT 1 AS c, 1 AS owner_id) AS s ON a.id = -s.c \
         WHEN NOT MATCHED THEN {action}"
    );
    let error = alice.execute(&sql, &[]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), code, "{error:?}");
    assert_eq!(new_rows(&admin).await, (0, 0));
    gate.stop().await;
}

/// The row `1, new, 2026-01-02` in COPY's binary format.
fn binary() -> Vec<u8> {
    let mut data = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    data.extend(3_i16.to_be_bytes());
    let when: i64 = 820_540_800 * 1_000_000;
    for value in [&1_i32.to_be_bytes()[..], b"new", &when.to_be_bytes()] {
        data.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
        data.extend(value);
    }
    data.extend((-1_i16).to_be_bytes());
    data
}

#[rstest]
#[case::text("", b"1\tnew\t2026-01-02\n2\tnew\t2026-01-02\n".to_vec(), 2)]
#[case::csv("(FORMAT csv, HEADER)", b"c,s,h\n1,new,2026-01-02\n\"2\",\"new\",\"2026-01-02\"\n".to_vec(), 2)]
#[case::binary("(FORMAT binary)", binary(), 1)]
#[tokio::test]
async fn a_copied_row_is_the_persons_own(#[case] options: &str, #[case] data: Vec<u8>, #[case] count: u64) {
    use futures::SinkExt as _;
    let (admin, alice, gate) = stage().await;
    let sql = format!("COPY activities ({COLUMNS}) FROM STDIN {options}");
    let sink = alice.copy_in(&sql).await.unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(bytes::Bytes::from(data)).await.unwrap();
    assert_eq!(sink.finish().await.unwrap(), count);
    // it is stored when the server is ready again
    alice.simple_query("").await.unwrap();
    assert_eq!(new_rows(&admin).await, (count as i64, count as i64));
    gate.stop().await;
}

#[rstest]
#[case::one_more_column("(customer_id, summary, happened_at)", "1\tnew\t2026-01-02\t1\n", "22P04")]
#[case::somebody_elses("(customer_id, summary, happened_at, owner_id)", "1\tnew\t2026-01-02\t1\n", "42501")]
#[case::nobodys(
    "(customer_id, summary, happened_at, owner_id)",
    "1\tnew\t2026-01-02\t\\N\n",
    "42501"
)]
#[case::a_hidden_column("(customer_id, summary, happened_at, seconds)", "1\tnew\t2026-01-02\t1\n", "42703")]
#[tokio::test]
async fn nothing_else_is_copied(#[case] columns: &str, #[case] data: &'static str, #[case] code: &str) {
    use futures::SinkExt as _;
    let (admin, alice, gate) = stage().await;
    let sql = format!("COPY activities {columns} FROM STDIN");
    let error = match alice.copy_in(&sql).await {
        Err(error) => error,
        Ok(sink) => {
            let mut sink = std::pin::pin!(sink);
            sink.send(bytes::Bytes::from_static(data.as_bytes())).await.unwrap();
            sink.finish().await.unwrap_err()
        }
    };
    assert_eq!(error.code().unwrap().code(), code, "{error:?}");
    assert_eq!(new_rows(&admin).await, (0, 0));
    gate.stop().await;
}

/// The person may not name an owner, and is it nevertheless.
#[tokio::test]
async fn a_column_that_may_not_be_set_is_filled_in() {
    use futures::SinkExt as _;
    let mut policy = POLICY.to_vec();
    let role = POLICY[2]
        .1
        .replace("default = \"own\"", "default = \"own\", edit = false");
    let role = role.replace("insert = [\"own\"]", "insert = [\"all\"]");
    policy[2].1 = &role;
    let (admin, alice, gate) = stage_with(&policy).await;
    for sql in [
        "INSERT INTO activities (customer_id, summary, happened_at) VALUES (1, 'new', now())",
        "INSERT INTO activities (customer_id, summary, owner_id, happened_at) VALUES (1, 'new', DEFAULT, now())",
        "INSERT INTO activities (customer_id, summary, happened_at) SELECT 1, 'new', now()",
        "MERGE INTO activities AS a USING (SELECT 1 AS c) AS s ON a.id = -s.c \
         WHEN NOT MATCHED THEN INSERT (customer_id, summary, happened_at) VALUES (1, 'new', now())",
    ] {
        assert_eq!(alice.execute(sql, &[]).await.unwrap(), 1, "{sql}");
    }
    let sink = alice
        .copy_in("COPY activities (customer_id, summary, happened_at) FROM STDIN")
        .await;
    let mut sink = std::pin::pin!(sink.unwrap());
    sink.send(bytes::Bytes::from_static(b"1\tnew\t2026-01-02\n"))
        .await
        .unwrap();
    assert_eq!(sink.finish().await.unwrap(), 1);
    alice.simple_query("").await.unwrap();
    assert_eq!(new_rows(&admin).await, (5, 5));
    for sql in [
        "INSERT INTO activities (customer_id, summary, happened_at, owner_id) VALUES (1, 'new', now(), 36)",
        "MERGE INTO activities AS a USING (SELECT 1 AS c) AS s ON a.id = -s.c \
         WHEN NOT MATCHED THEN INSERT (customer_id, summary, happened_at, owner_id) VALUES (1, 'new', now(), 36)",
    ] {
        let error = alice.execute(sql, &[]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{sql}");
    }
    assert_eq!(new_rows(&admin).await, (5, 5));
    gate.stop().await;
}
