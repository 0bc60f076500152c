//! The shipped policy on the demonstration's database: every person's view of every relation is SQL that runs,
//! keeps the columns' types, and shows what the policy says.

use crate::support::policies::{access, guard};
use crate::support::stages::{judge, person};
use crate::support::{Database, rows, shipped};
use rowgate::keeper::{Keeper, Source};
use rowgate::policy::{Access, ColumnView};
use rowgate::world::World;
use std::path::PathBuf;
use std::sync::Arc;

async fn world(database: &Database) -> Arc<World> {
    let mut upstream = database.straight("rowgate");
    upstream.ssl_mode(tokio_postgres::config::SslMode::Disable);
    let source = Source {
        upstream,
        tls: None,
        policies: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")),
        rights: None,
    };
    let keeper = Keeper::begin(source).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(keeper.warnings().is_empty(), "{:?}", keeper.warnings());
    keeper.handle().current()
}

#[tokio::test]
async fn every_view_of_everybody_runs_and_keeps_its_types() {
    let database = Database::new().await;
    let world = world(&database).await;
    let client = database.superuser().await;
    let mut guarded = 0;
    let mut seen = std::collections::HashSet::new();
    for who in world.directory.people() {
        for relation in world.catalog.relations.values() {
            let Access::Guarded(view) = world.policies.access(who, relation, &world.catalog) else {
                continue;
            };
            let sql = guard(relation, &view);
            guarded += 1;
            if !seen.insert(sql.clone()) {
                continue;
            }
            // a client's settings change nothing
            client
                .batch_execute("SET search_path = public; SET transform_null_equals = on; SET TimeZone = 'Asia/Tokyo'")
                .await
                .unwrap();
            let statement = client.prepare(&sql).await.unwrap_or_else(|e| panic!("{sql}\n{e:?}"));
            let plain = client
                .prepare(&format!("SELECT * FROM {}", relation.name.to_sql()))
                .await
                .unwrap();
            let shown = relation.columns.iter().zip(&view.columns).zip(plain.columns());
            let wanted: Vec<_> = shown
                .filter(|((_, shown), _)| !matches!(shown, ColumnView::Hidden))
                .map(|(_, column)| (column.name(), column.type_().clone(), column.type_modifier()))
                .collect();
            let found: Vec<_> = statement
                .columns()
                .iter()
                .map(|c| (c.name(), c.type_().clone(), c.type_modifier()))
                .collect();
            assert_eq!(wanted, found, "{sql}");
            client
                .query(&statement, &[])
                .await
                .unwrap_or_else(|e| panic!("{sql}\n{e:?}"));
        }
    }
    assert!(guarded > 300, "{guarded}");
}

#[tokio::test]
async fn partitions_and_children_answer_as_their_ancestor() {
    let database = Database::new().await;
    let world = world(&database).await;
    let parts: Vec<_> = world
        .catalog
        .relations
        .values()
        .filter(|r| r.is_partition && r.name.name.starts_with("service_records"))
        .collect();
    assert!(!parts.is_empty());
    let who = world.directory.principal("fiona").unwrap();
    for part in parts {
        assert_eq!(
            world.policies.access(who, part, &world.catalog),
            Access::Denied,
            "{}",
            part.name
        );
    }
    let (_, calls) = access(&world, "alice", "public", "calls");
    assert!(matches!(calls, Access::Guarded(_)), "{calls:?}");
    let (_, access) = access(&world, "grace", "rowgate", "hash_key");
    assert_eq!(access, Access::Denied);
}

#[tokio::test]
async fn alice_sees_what_the_policy_says() {
    let database = Database::new().await;
    let world = world(&database).await;
    let client = database.superuser().await;
    let (relation, access) = access(&world, "alice", "public", "customers");
    let Access::Guarded(view) = access else {
        panic!("{access:?}")
    };
    assert!(
        relation
            .columns
            .iter()
            .zip(&view.columns)
            .any(|(c, v)| c.name == "credit_limit" && *v == ColumnView::Hidden)
    );
    assert_eq!(view.max_rows.as_ref().map(|m| m.rows), Some(5000));
    assert!(!view.export);
    let sql = guard(&relation, &view);
    let seen = rows(
        &client,
        &format!("SELECT id, phone, email, tax_id, contact_line FROM ({sql}) AS c WHERE id IN (5, 9) ORDER BY id"),
    )
    .await;
    let text = |at: (usize, usize)| seen[at.0][at.1].clone();
    assert_eq!(text((0, 1)).as_deref(), Some("18638903272"));
    assert_eq!(text((1, 1)).as_deref(), Some("158****5192"));
    assert_eq!(text((1, 2)).as_deref(), Some("o***@c9.example.cn"));
    assert_eq!(text((1, 3)), None);
    assert!(text((1, 4)).unwrap().ends_with(" · 158****5192"), "{seen:?}");
    assert!(text((0, 4)).unwrap().ends_with(" · 18638903272"), "{seen:?}");
}

#[tokio::test]
async fn the_wording_for_few_rows_means_the_same() {
    let database = Database::new().await;
    let world = world(&database).await;
    let client = database.superuser().await;
    let mut compared = std::collections::HashSet::new();
    for who in world.directory.people() {
        for relation in world.catalog.relations.values() {
            let Access::Guarded(view) = world.policies.access(who, relation, &world.catalog) else {
                continue;
            };
            let Some(by_key) = &view.by_key else { continue };
            let (one, other) = (guard(relation, &view), guard(relation, by_key));
            assert!(other.contains("EXISTS"), "{other}");
            let lines = |sql: &str| format!("SELECT t::text FROM ({sql}) AS t");
            let (a, b) = (lines(&one), lines(&other));
            if compared.insert(a.clone()) {
                let differ = format!("({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a}) LIMIT 1");
                assert_eq!(
                    rows(&client, &differ).await,
                    Vec::<Vec<Option<String>>>::new(),
                    "{a}\n{b}"
                );
            }
        }
    }
    assert!(compared.len() > 50, "{}", compared.len());
}

/// The set of visible parents is an array that can drive an index, or hashed where it is most of a large table; both mean the
/// same.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_sees_much_of_a_table_gets_its_keys_hashed() {
    let database = Database::new().await;
    let superuser = database.superuser().await;
    superuser
        .batch_execute(
            "CREATE TABLE accounts (id int PRIMARY KEY, owner_id int);
             CREATE TABLE visits (id int PRIMARY KEY, account_id int, note text);
             INSERT INTO accounts SELECT i, CASE WHEN i % 2 = 0 THEN 36 ELSE 37 + i % 60 END FROM generate_series(1, 30000) i;
             INSERT INTO visits SELECT i, nullif(i % 40000, 7), 'n' || i FROM generate_series(1, 5000) i;
             GRANT SELECT ON accounts, visits TO rowgate",
        )
        .await
        .unwrap();
    let files = [
        (
            "tables.toml",
            "[defaults]\ncolumns = \"clear\"\n[accounts]\nrelation = \"public.accounts\"\nkey = \"id\"\nowner = \"owner_id\"\n\
             [visits]\nrelation = \"public.visits\"\nkey = \"id\"\nparent = { table = \"accounts\", column = \"account_id\" }\n",
        ),
        (
            "roles/reader.toml",
            "title = \"Reader\"\n[accounts]\nview = [\"own\", \"reports\"]\n[visits]\nview = [\"parent\"]\n",
        ),
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT login, user_id, ARRAY['reader'] AS role, \
             CASE WHEN user_id BETWEEN 37 AND 60 THEN 36 END AS manager_id FROM crm.users\"\n",
        ),
    ];
    let mut counts = Vec::new();
    for analyzed in [false, true] {
        if analyzed {
            superuser.batch_execute("ANALYZE accounts, visits").await.unwrap();
        }
        let keeper = crate::support::policies::begin(&database, &files)
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        let world = keeper.handle().current();
        for (login, hashed) in [("alice", analyzed), ("grace", false)] {
            let (relation, view) = crate::support::policies::view(&world, login, "public", "visits");
            let sql = guard(&relation, &view);
            assert_eq!(sql.contains("ANY (SELECT"), hashed, "{sql}");
            assert_eq!(sql.contains("ANY (ARRAY(SELECT"), !hashed, "{sql}");
            let count = rows(&superuser, &format!("SELECT count(*), sum(id) FROM ({sql}) AS g")).await;
            counts.push((login, count));
        }
    }
    assert_eq!(counts[0], counts[2]);
    assert_eq!(counts[1], counts[3]);
    assert_ne!(counts[0].1, counts[1].1);
}

/// Statistics of a large CRM: by them other words are found for the same rows.
const LARGE: &str = "
    ALTER TABLE customers SET (autovacuum_enabled = off);
    ALTER TABLE contacts SET (autovacuum_enabled = off);
    ALTER TABLE customers ALTER owner_id SET (n_distinct = 48), ALTER team_id SET (n_distinct = 15);
    ALTER TABLE customer_members SET (autovacuum_enabled = off);
    ANALYZE customers, customer_members;
    UPDATE pg_class SET reltuples = 100000 WHERE oid = 'customers'::regclass;
    UPDATE pg_class SET reltuples = 30000 WHERE oid = 'customer_members'::regclass;
    UPDATE pg_class SET reltuples = 300000 WHERE oid = 'contacts'::regclass";

/// Statistics of a small one.
const SMALL: &str =
    "UPDATE pg_class SET reltuples = 1 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')";

/// Lists whose rows' parents are looked up one by one.
const ROW_BY_ROW: &[&str] = &[
    "SELECT id, name FROM contacts ORDER BY id DESC LIMIT 50",
    "SELECT * FROM contacts k WHERE k.id > 3 ORDER BY k.id LIMIT 5 OFFSET 3",
    "SELECT id, customer_id FROM contacts ORDER BY 2, 1 FETCH FIRST 5 ROWS ONLY",
    "SELECT id AS number FROM contacts ORDER BY number DESC NULLS FIRST LIMIT 7::int",
    "SELECT k.id, c.name FROM contacts k LEFT JOIN customers c ON c.id = k.customer_id ORDER BY 1 LIMIT 5",
    "SELECT k.id, c.name FROM customers c JOIN contacts k ON c.id = k.customer_id ORDER BY k.id, c.name LIMIT 5",
    "SELECT k.id FROM contacts k, customers c WHERE c.id = k.customer_id ORDER BY k.id LIMIT 5",
    "SELECT * FROM (SELECT id, name FROM contacts ORDER BY id LIMIT 9) AS s WHERE name LIKE 'A%'",
    "WITH w AS (SELECT id FROM contacts ORDER BY id LIMIT 4) SELECT sum(id) FROM w",
    "SELECT count(*) FROM (SELECT id FROM contacts LIMIT 5) AS s",
    "SELECT id, title FROM opportunities WHERE stage = 'won' ORDER BY id LIMIT 5",
    "(SELECT id FROM contacts ORDER BY id LIMIT 3) UNION ALL SELECT 0 ORDER BY 1",
    "SELECT 1 WHERE 10 < (SELECT id FROM contacts ORDER BY id LIMIT 1)",
];

/// Lists for which all of a table's rows may be looked at.
const SETS: &[&str] = &[
    "SELECT id, name FROM contacts ORDER BY id",
    "SELECT id FROM contacts ORDER BY id LIMIT ALL",
    "SELECT id FROM contacts ORDER BY id LIMIT 100000",
    "SELECT id FROM contacts ORDER BY id LIMIT 5 OFFSET 100000",
    "SELECT id FROM contacts ORDER BY title, id LIMIT 5",
    "SELECT id FROM contacts ORDER BY id DESC NULLS LAST LIMIT 5",
    "SELECT id FROM contacts ORDER BY -id LIMIT 5",
    "SELECT DISTINCT id FROM contacts ORDER BY id LIMIT 5",
    "SELECT id, count(*) OVER () FROM contacts ORDER BY id LIMIT 5",
    "SELECT customer_id, count(*) FROM contacts GROUP BY 1 ORDER BY 1 LIMIT 5",
    "SELECT count(*) FROM contacts LIMIT 5",
    "SELECT c.id, (SELECT k.id FROM contacts k WHERE k.customer_id = c.id ORDER BY k.id LIMIT 1) FROM customers c ORDER BY 1",
    "SELECT c.id, k.id FROM contacts k RIGHT JOIN customers c ON c.id = k.customer_id ORDER BY k.id, c.id LIMIT 5",
    "SELECT id FROM contacts UNION SELECT 0 ORDER BY 1 LIMIT 5",
];

#[tokio::test]
async fn whatever_the_words_the_rows_are_the_same() {
    let database = Database::new().await;
    let client = database.superuser().await;
    client.batch_execute(SMALL).await.unwrap();
    let small = world(&database).await;
    client.batch_execute(LARGE).await.unwrap();
    let large = database.world_with(&shipped("policies")).await;
    for login in ["bob", "lukas"] {
        let text = |world: &World, sql: &str| {
            let judged = judge(sql, &person(world, login), world).unwrap_or_else(|r| panic!("{sql}\n{r:?}"));
            judged.text.text().to_owned()
        };
        for (list, row_by_row) in [(ROW_BY_ROW, true), (SETS, false)] {
            for sql in list {
                let (sets, words) = (text(&small, sql), text(&large, sql));
                assert!(!sets.contains(" OFFSET 0)"), "{sql}\n{sets}");
                assert_eq!(words.contains(" OFFSET 0)"), row_by_row, "{sql}\n{words}");
                assert_eq!(
                    rows(&client, &sets).await,
                    rows(&client, &words).await,
                    "{login}: {sql}"
                );
            }
        }
        for (sql, row_by_row) in [
            ("SELECT id FROM contacts ORDER BY id LIMIT $1 OFFSET $2", true),
            ("SELECT id FROM contacts ORDER BY id FOR UPDATE LIMIT 5", false),
        ] {
            assert_eq!(text(&large, sql).contains(" OFFSET 0)"), row_by_row, "{sql}");
        }
    }
    // a condition of the DBA's, and memberships
    for (login, sql) in [
        ("ewan", ROW_BY_ROW[0]),
        ("wei", ROW_BY_ROW[0]),
        ("alice", "SELECT id, name FROM customers ORDER BY name, id LIMIT 20"),
        ("alice", "SELECT id, city FROM customers ORDER BY id DESC LIMIT 20"),
    ] {
        let text = |world: &World| {
            let judged = judge(sql, &person(world, login), world).unwrap();
            judged.text.text().to_owned()
        };
        let (sets, words) = (text(&small), text(&large));
        assert!(!sets.contains(" OFFSET 0)"), "{login}: {sql}\n{sets}");
        assert!(words.contains(" OFFSET 0)"), "{login}: {sql}\n{words}");
        assert_eq!(
            rows(&client, &sets).await,
            rows(&client, &words).await,
            "{login}: {sql}"
        );
    }
}
