//! MERGE as PostgreSQL 17 has it, RETURNING as 18 has it: rows that the source does not match, what a MERGE returns. On an
//! older server each is PostgreSQL's own error.
use crate::support::gate::{Gate, REPRESENTATIVES};
use crate::support::{Database, connect, failure, login_at, one, rows};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Alice is number 36: she sees her deals and open ones, changes and removes hers.
const POLICY: &[(&str, &str)] = &[
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [scopes]\nopen = { where = \"stage = 'open'\" }\n\
         [deals]\nrelation = \"public.deals\"\nkey = \"id\"\nowner = \"owner_id\"\n",
    ),
    REPRESENTATIVES,
    (
        "roles/rep.toml",
        "title = \"Representative\"\n\
         [deals]\nview = [\"own\", \"open\"]\ninsert = [\"own\"]\nedit = [\"own\"]\ndelete = [\"own\"]\n\
         [deals.columns]\nphone = { mask = \"partial\", keep = [3, 4] }\nhidden = \"hidden\"\nowner_id = { default = \"own\" }\n\
         [rights]\ntemp_tables = true\n",
    ),
];

/// 1 and 2 are alice's, 3 is open and somebody's, 4 and 5 are hidden.
const DEALS: &str = "CREATE TABLE deals (id int PRIMARY KEY, owner_id int, stage text, note text, phone text, hidden int);
    INSERT INTO deals VALUES (1, 36, 'won', '10', '13800001111', 7), (2, 36, 'lost', '20', '13800002222', 7),
        (3, 37, 'open', '30', '13800003333', 7), (4, 37, 'won', 'x', '13800004444', 7), (5, NULL, 'lost', 'y', '13800005555', 7);
    CREATE TABLE feed (id int, note text); INSERT INTO feed VALUES (1, 'a'), (9, 'b');
    GRANT ALL ON deals, feed TO rowgate";

async fn stage() -> (Client, Client, Gate, u32) {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin.batch_execute(DEALS).await.unwrap();
    let version = one(&admin, "SHOW server_version_num").await.parse().unwrap();
    let gate = Gate::start(&database, POLICY).await;
    let alice = connect(&login_at(gate.port(), "alice", &database.name)).await;
    (admin, alice, gate, version)
}

/// Everything that stands there, id, owner, note and phone.
async fn stored(admin: &Client) -> String {
    let sql = "SELECT string_agg(concat_ws(' ', id, owner_id, note, right(phone, 4)), ', ' ORDER BY id) FROM deals";
    one(admin, sql).await
}

/// How many rows a statement wrote.
async fn count(client: &Client, sql: &str) -> u64 {
    let answer = client
        .simple_query(sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let counts = answer.iter().filter_map(|m| match m {
        SimpleQueryMessage::CommandComplete(n) => Some(*n),
        _ => None,
    });
    counts.sum()
}

const UNTOUCHED: &str = "1 36 10 1111, 2 36 20 2222, 3 37 30 3333, 4 37 x 4444, 5 y 5555";

#[tokio::test]
async fn rows_that_are_not_in_the_source_are_those_that_show() {
    let (admin, alice, gate, version) = stage().await;
    let merge = "MERGE INTO deals AS d USING feed AS f ON d.id = f.id";
    if version < 170_000 {
        let sql = format!("{merge} WHEN NOT MATCHED BY SOURCE THEN DO NOTHING");
        assert_eq!(failure(&alice, &sql).await.0, "42601");
        let sql = format!("{merge} WHEN MATCHED THEN DO NOTHING RETURNING d.id");
        assert_eq!(failure(&alice, &sql).await.0, "42601");
        gate.stop().await;
        return;
    }
    for (clauses, wrote, then) in [
        // hidden rows are neither changed nor removed, and no condition is run on them: their notes are no numbers
        (
            "WHEN NOT MATCHED BY SOURCE AND d.owner_id = 36 THEN UPDATE SET note = 'gone'",
            1,
            "1 36 10 1111, 2 36 gone 2222, 3 37 30 3333, 4 37 x 4444, 5 y 5555",
        ),
        (
            "WHEN NOT MATCHED BY SOURCE AND d.note::int = 20 THEN DELETE",
            1,
            "1 36 10 1111, 3 37 30 3333, 4 37 x 4444, 5 y 5555",
        ),
        (
            "WHEN NOT MATCHED BY SOURCE AND d.note::int = 30 THEN DO NOTHING WHEN NOT MATCHED BY SOURCE THEN DELETE",
            1,
            "1 36 10 1111, 3 37 30 3333, 4 37 x 4444, 5 y 5555",
        ),
        // the value that shows leaves the stored one
        (
            "WHEN NOT MATCHED BY SOURCE AND d.phone = '138****2222' THEN UPDATE SET phone = '138****2222', note = d.phone",
            1,
            "1 36 10 1111, 2 36 138****2222 2222, 3 37 30 3333, 4 37 x 4444, 5 y 5555",
        ),
        // all three kinds at once, where the source's rows come first
        (
            "WHEN MATCHED THEN UPDATE SET note = f.note WHEN NOT MATCHED BY TARGET THEN INSERT (id, note) VALUES (f.id, f.note) \
             WHEN NOT MATCHED BY SOURCE AND d.stage = 'lost' THEN DELETE",
            3,
            "1 36 a 1111, 3 37 30 3333, 4 37 x 4444, 5 y 5555, 9 36 b",
        ),
    ] {
        let sql = format!("{merge} {clauses}");
        alice.simple_query("BEGIN").await.unwrap();
        assert_eq!(count(&alice, &sql).await, wrote, "{sql}");
        alice.simple_query("COMMIT").await.unwrap();
        assert_eq!(stored(&admin).await, then, "{sql}");
        reset(&admin).await;
    }
    // nor does a condition of ON run on them
    let sql = "MERGE INTO deals AS d USING feed AS f ON d.id = f.id AND d.note::int = 10 \
               WHEN NOT MATCHED BY SOURCE AND d.owner_id = 36 THEN UPDATE SET note = concat(d.note, '!')";
    assert_eq!(count(&alice, sql).await, 1);
    reset(&admin).await;
    // rows that show and may not be written fail the statement, as those that match
    for (clauses, code) in [
        ("WHEN NOT MATCHED BY SOURCE THEN UPDATE SET note = 'gone'", "42501"),
        ("WHEN NOT MATCHED BY SOURCE THEN DELETE", "42501"),
        (
            "WHEN NOT MATCHED BY SOURCE AND d.id = 2 THEN UPDATE SET owner_id = 37",
            "42501",
        ),
        (
            "WHEN NOT MATCHED BY SOURCE AND d.id = 2 THEN UPDATE SET phone = '1'",
            "42501",
        ),
        (
            "WHEN NOT MATCHED BY SOURCE AND d.id = 2 THEN UPDATE SET hidden = 1",
            "42703",
        ),
        ("WHEN NOT MATCHED BY SOURCE AND d.hidden = 7 THEN DELETE", "42703"),
        ("WHEN NOT MATCHED BY SOURCE AND f.id = 2 THEN DELETE", "42P01"),
    ] {
        let sql = format!("{merge} {clauses}");
        assert_eq!(failure(&alice, &sql).await.0, code, "{sql}");
        assert_eq!(stored(&admin).await, UNTOUCHED, "{sql}");
    }
    gate.stop().await;
}

/// A row that was taken from alice while her statement waited for it is not hers any more, whatever its source says.
#[tokio::test]
async fn a_row_that_left_meanwhile_is_left_alone() {
    let (mut admin, alice, gate, version) = stage().await;
    if version < 170_000 {
        gate.stop().await;
        return;
    }
    for (action, code) in [
        (
            "WHEN NOT MATCHED BY SOURCE AND d.id = 2 THEN UPDATE SET note = 'gone'",
            None,
        ),
        ("WHEN NOT MATCHED BY SOURCE AND d.id = 2 THEN DELETE", None),
        (
            "WHEN NOT MATCHED BY SOURCE AND d.id = 2 AND d.note::int = 20 THEN DELETE",
            None,
        ),
        ("WHEN MATCHED AND d.note::int > 0 THEN UPDATE SET note = 'gone'", None),
        (
            "WHEN MATCHED AND d.note::int > 0 THEN DELETE WHEN NOT MATCHED BY SOURCE AND d.note::int > 0 AND d.id = 2 THEN DELETE",
            None,
        ),
        (
            "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (f.id)",
            Some("23505"),
        ),
    ] {
        let source = if action.starts_with("WHEN MATCHED") { 2 } else { 99 };
        let sql = format!("MERGE INTO deals AS d USING (SELECT {source} AS id) AS f ON d.id = f.id {action}");
        let taken = admin.transaction().await.unwrap();
        taken
            .batch_execute("UPDATE deals SET owner_id = 37, note = 'z' WHERE id = 2")
            .await
            .unwrap();
        let waits = "SELECT count(*)::text FROM pg_locks WHERE NOT granted AND pid IN \
                     (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
        let (answer, ()) = tokio::join!(alice.simple_query(&sql), async {
            while taken.query_one(waits, &[]).await.unwrap().get::<_, String>(0) == "0" {
                tokio::task::yield_now().await;
            }
            taken.commit().await.unwrap();
        });
        match (answer, code) {
            (Ok(_), None) => {}
            (Err(error), Some(code)) => assert_eq!(error.code().unwrap().code(), code, "{sql}"),
            (answer, code) => panic!("{sql}: {answer:?} and not {code:?}"),
        }
        let then = "1 36 10 1111, 2 37 z 2222, 3 37 30 3333, 4 37 x 4444, 5 y 5555";
        assert_eq!(stored(&admin).await, then, "{sql}");
        reset(&admin).await;
    }
    gate.stop().await;
}

/// Puts everything back. The tables stay, as rowgate has read them.
async fn reset(admin: &Client) {
    let rows = DEALS.split("INSERT INTO deals").nth(1).unwrap();
    let rows = rows.split(';').next().unwrap();
    admin
        .batch_execute(&format!("DELETE FROM deals; INSERT INTO deals {rows}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_a_merge_returns_is_what_shows() {
    let (admin, alice, gate, version) = stage().await;
    if version < 170_000 {
        gate.stop().await;
        return;
    }
    let some = |values: &[&str]| values.iter().map(|v| Some((*v).to_owned())).collect::<Vec<_>>();
    let sql = "MERGE INTO deals AS d USING feed AS f ON d.id = f.id WHEN MATCHED THEN UPDATE SET note = f.note \
               WHEN NOT MATCHED THEN INSERT (id, note) VALUES (f.id, f.note) \
               WHEN NOT MATCHED BY SOURCE AND d.id = 2 THEN DELETE";
    let returned = [
        (
            "merge_action() AS did, d.id, d.phone",
            vec![
                some(&["DELETE", "2", "138****2222"]),
                vec![Some("INSERT".to_owned()), Some("9".to_owned()), None],
                some(&["UPDATE", "1", "138****1111"]),
            ],
        ),
        (
            "lower(merge_action()), d.owner_id, f.note",
            vec![
                vec![Some("delete".to_owned()), Some("36".to_owned()), None],
                some(&["insert", "36", "b"]),
                some(&["update", "36", "a"]),
            ],
        ),
    ];
    for (list, wanted) in returned {
        for sql in [
            format!("{sql} RETURNING {list}"),
            format!("WITH m AS ({sql} RETURNING {list}) SELECT * FROM m"),
        ] {
            let mut found = rows(&alice, &sql).await;
            found.sort();
            assert_eq!(found, wanted, "{sql}");
            assert_eq!(
                stored(&admin).await,
                "1 36 a 1111, 3 37 30 3333, 4 37 x 4444, 5 y 5555, 9 36 b"
            );
            reset(&admin).await;
        }
    }
    // a star is the source's columns and then the target's, without what is hidden
    let star = alice.query(&format!("{sql} RETURNING *"), &[]).await.unwrap();
    let names: Vec<&str> = star[0].columns().iter().map(|c| c.name()).collect();
    assert_eq!(names, ["id", "note", "id", "owner_id", "stage", "note", "phone"]);
    reset(&admin).await;
    for (list, code) in [
        ("d.hidden", "42703"),
        ("d::text", ""),
        ("(SELECT string_agg(phone, ' ') FROM deals)", ""),
        ("to_jsonb(d)", ""),
    ] {
        let sql = format!("{sql} RETURNING {list}");
        if code.is_empty() {
            let seen = format!("{:?}", rows(&alice, &sql).await);
            assert!(!seen.contains("13800"), "{seen}");
            reset(&admin).await;
        } else {
            assert_eq!(failure(&alice, &sql).await.0, code, "{sql}");
        }
    }
    // a row that its author would not see is not made for them to read
    let foreign = "MERGE INTO deals AS d USING feed AS f ON d.id = f.id WHEN NOT MATCHED THEN \
                   INSERT (id, owner_id) VALUES (f.id, 37) RETURNING d.id";
    assert_eq!(failure(&alice, foreign).await.0, "42501");
    // a call of that name is nothing elsewhere
    assert_eq!(failure(&alice, "SELECT merge_action()").await.0, "42601");
    assert_eq!(stored(&admin).await, UNTOUCHED);
    gate.stop().await;
}

/// PostgreSQL 18 gives rows before and after under names of their own, which rowgate does not secure.
#[tokio::test]
async fn old_and_new_rows_are_refused_by_name() {
    let (admin, alice, gate, version) = stage().await;
    for (list, older) in [
        ("old.phone", "42P01"),
        ("new.phone", "42P01"),
        ("old.*", "42P01"),
        ("OLD", "42703"),
        ("to_jsonb(new)", "42703"),
        ("(SELECT old.phone)", "42P01"),
        ("deals.id, Old.hidden IS NULL", "42P01"),
    ] {
        for sql in [
            format!("UPDATE deals SET note = 'z' RETURNING {list}"),
            format!("DELETE FROM deals RETURNING {list}"),
            format!("INSERT INTO deals (id) VALUES (7) RETURNING {list}"),
        ] {
            let (code, message) = failure(&alice, &sql).await;
            if version < 180_000 {
                assert_eq!(code, older, "{sql}");
            } else {
                assert_eq!(code, "0A000", "{sql}");
                assert!(message.contains("OLD and NEW"), "{message}");
            }
        }
    }
    let named = "UPDATE deals SET note = 'z' RETURNING WITH (OLD AS o) o.phone";
    let (code, message) = failure(&alice, named).await;
    assert!(code == "0A000" && message.contains("OLD and NEW"), "{message}");
    assert_eq!(stored(&admin).await, UNTOUCHED);
    // whoever calls a table so means the table
    let aliased = "UPDATE deals AS old SET note = 'z' WHERE old.id = 1 RETURNING old.phone, old.note";
    assert_eq!(
        rows(&alice, aliased).await,
        [[Some("138****1111".to_owned()), Some("z".to_owned())]]
    );
    let joined = "UPDATE deals SET note = 'w' FROM feed AS old WHERE deals.id = old.id RETURNING old.note, phone";
    assert_eq!(
        rows(&alice, joined).await,
        [[Some("a".to_owned()), Some("138****1111".to_owned())]]
    );
    gate.stop().await;
}
