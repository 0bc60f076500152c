//! Single records that people share: what a key must be for it, and what becomes of it when the schema changes.

use crate::support::gate::Gate;
use crate::support::{Database, connect, failure, login_at, one};
use std::time::Duration;
use tokio_postgres::Client;

const PEOPLE: (&str, &str) = (
    "directory.toml",
    "[directory]\nrefresh = \"1min\"\nusers = \"SELECT login, user_id, roles::text[] AS role, team_id, manager_id, active FROM crm.users \
     UNION ALL SELECT 'alice_too', 36, '{sales_rep}'::text[], 14, 15, true\"\n",
);
const MANAGER: (&str, &str) = ("roles/sales_manager.toml", "[notes]\nview = [\"all\"]\n");

fn table(name: &str, key: &str) -> String {
    format!(
        "[defaults]\ncolumns = \"clear\"\n[{name}]\nrelation = \"public.{name}\"\nkey = {key}\nowner = \"owner_id\"\n"
    )
}

fn sharing(name: &str) -> String {
    format!(
        "[{name}]\nview = [\"own\", \"member\"]\ninsert = [\"own\"]\n\
         [rights.temporary]\nto = [\"team\"]\nshare = [\"{name}\"]\n"
    )
}

struct Stage {
    database: Database,
    owner: Client,
    gate: Gate,
}

impl Stage {
    /// With a table `notes` that is made like this.
    async fn of_notes(made: &str) -> Self {
        Self::with_role(made, &sharing("notes")).await
    }

    async fn with_role(made: &str, role: &str) -> Self {
        let database = Database::new().await;
        let owner = crate::support::rights::prepared(&database).await;
        owner.batch_execute(made).await.unwrap();
        owner
            .batch_execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO rowgate")
            .await
            .unwrap();
        let table = table("notes", "\"id\"")
            + if made.contains("team_id") {
                "team = \"team_id\"\n"
            } else {
                ""
            };
        let files = [
            ("tables.toml", table.as_str()),
            PEOPLE,
            MANAGER,
            ("roles/sales_rep.toml", role),
        ];
        let gate = Gate::with(&database, &files, "[rights]\n").await;
        Self { database, owner, gate }
    }

    async fn login(&self, login: &str) -> Client {
        connect(&login_at(self.gate.port(), login, &self.database.name)).await
    }

    async fn desk(&self, login: &str) -> Client {
        connect(&login_at(self.gate.port(), login, "rowgate")).await
    }

    /// Changes the schema and waits until rowgate knows.
    async fn alter(&self, sql: &str) {
        let mut changed = self.gate.world().watch();
        self.owner.batch_execute(sql).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(10), changed.changed()).await;
        heard.unwrap_or_else(|_| panic!("nobody heard of {sql}")).unwrap();
    }
}

#[tokio::test]
async fn a_key_that_does_not_name_one_row_is_not_shared() {
    let database = Database::new().await;
    let owner = database.superuser().await;
    owner
        .batch_execute("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        .await
        .unwrap();
    let check = async |made: &str, key: &str| {
        let made_anew = format!("DROP TABLE IF EXISTS notes CASCADE; {made}");
        owner
            .batch_execute(&made_anew)
            .await
            .unwrap_or_else(|e| panic!("{made}: {e:?}"));
        let (table, role) = (table("notes", key), sharing("notes"));
        let files = [
            ("tables.toml", table.as_str()),
            PEOPLE,
            MANAGER,
            ("roles/sales_rep.toml", &role),
        ];
        match crate::support::policies::begin(&database, &files).await {
            Ok(_) => "right".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    for (made, key) in [
        ("CREATE TABLE notes (id integer, owner_id integer)", "\"id\""),
        (
            "CREATE TABLE notes (id integer, owner_id integer); CREATE INDEX ON notes (id)",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id integer, owner_id integer); CREATE UNIQUE INDEX ON notes (id) WHERE owner_id > 36",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id text, owner_id integer); CREATE UNIQUE INDEX ON notes (lower(id))",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id integer UNIQUE DEFERRABLE, owner_id integer)",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id integer, owner_id integer, UNIQUE (id, owner_id))",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id integer, owner_id integer); CREATE UNIQUE INDEX ON notes (owner_id) INCLUDE (id)",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id text COLLATE ci, owner_id integer); CREATE UNIQUE INDEX ON notes (id COLLATE \"C\")",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id integer PRIMARY KEY, owner_id integer); CREATE TABLE notes_below () INHERITS (notes)",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id integer, owner_id integer) PARTITION BY LIST (owner_id); \
             CREATE TABLE notes_36 PARTITION OF notes (PRIMARY KEY (id)) FOR VALUES IN (36)",
            "\"id\"",
        ),
        ("CREATE TABLE notes (id date PRIMARY KEY, owner_id integer)", "\"id\""),
    ] {
        let said = check(made, key).await;
        assert!(
            said.contains("records of table \"notes\" cannot be shared"),
            "{made}: {said}"
        );
    }
    for (made, key) in [
        (
            "CREATE TABLE notes (id integer PRIMARY KEY, owner_id integer)",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id text, owner_id integer); CREATE UNIQUE INDEX ON notes (id) INCLUDE (owner_id)",
            "\"id\"",
        ),
        (
            "CREATE TABLE notes (id integer UNIQUE, part text, owner_id integer)",
            "[\"id\", \"part\"]",
        ),
        (
            "CREATE TABLE notes (id integer, owner_id integer, PRIMARY KEY (id, owner_id)) PARTITION BY LIST (owner_id); \
             CREATE TABLE notes_36 PARTITION OF notes FOR VALUES IN (36)",
            "[\"owner_id\", \"id\"]",
        ),
    ] {
        assert_eq!(check(made, key).await, "right", "{made}");
    }
}

#[tokio::test]
async fn a_key_that_stops_naming_one_row_shares_nothing_any_more() {
    let stage = Stage::of_notes(
        "CREATE TABLE notes (id integer CONSTRAINT one PRIMARY KEY, owner_id integer); \
         INSERT INTO notes VALUES (1, 36), (2, 40)",
    )
    .await;
    let (alice, chloe, desk) = (
        stage.login("alice").await,
        stage.login("chloe").await,
        stage.desk("alice").await,
    );
    let shown = async || one(&chloe, "SELECT count(*) FROM notes WHERE owner_id <> 38").await;
    desk.batch_execute("SHARE notes 1 WITH chloe").await.unwrap();
    assert_eq!(shown().await, "1");
    assert_eq!(failure(&desk, "SHARE notes 2 WITH chloe").await.0, "42704");
    // a row of the same key, whoever makes it, is not shared with the first
    stage.alter("ALTER TABLE notes DROP CONSTRAINT one").await;
    alice.batch_execute("INSERT INTO notes VALUES (2, 36)").await.unwrap();
    assert_eq!(shown().await, "0");
    let (state, said) = failure(&desk, "SHARE notes 2 WITH chloe").await;
    assert_eq!(state, "55000", "{said}");
    alice.batch_execute("DELETE FROM notes").await.unwrap_err();
    stage
        .owner
        .batch_execute("DELETE FROM notes WHERE id = 2 AND owner_id = 36")
        .await
        .unwrap();
    stage
        .alter("ALTER TABLE notes ADD CONSTRAINT one PRIMARY KEY (id)")
        .await;
    assert_eq!(shown().await, "1");
    // nor one of a table that inherits from it
    stage.alter("CREATE TABLE notes_below () INHERITS (notes)").await;
    assert_eq!(shown().await, "0");
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_share_with_ones_own_team_is_none_with_oneself() {
    let role = "[notes]\nview = [\"team\", \"member\"]\nedit = [\"own\", \"member\"]\n\
        [notes.columns]\nsaid = { mask = \"null\", except = [\"own\", \"member\"], edit = true }\n\
        [rights.temporary]\nto = [\"team\"]\nshare = [\"notes\"]\n";
    let stage = Stage::with_role(
        "CREATE TABLE notes (id integer PRIMARY KEY, owner_id integer, team_id integer, said text); \
         INSERT INTO notes VALUES (1, 37, 14, 'secret')",
        role,
    )
    .await;
    let (alice, chloe, desk) = (
        stage.login("alice").await,
        stage.login("chloe").await,
        stage.desk("alice").await,
    );
    let shown = "SELECT count(said) FROM notes WHERE id = 1";
    let written = "WITH w AS (UPDATE notes SET id = id WHERE id = 1 RETURNING id) SELECT count(*) FROM w";
    desk.batch_execute("SHARE notes 1 WITH TEAM 14").await.unwrap();
    assert_eq!(one(&chloe, shown).await, "1");
    assert_eq!(one(&chloe, written).await, "1");
    assert_eq!(one(&alice, shown).await, "0");
    assert_eq!(one(&alice, written).await, "0");
    // two logins with one user_id are one person
    let world = stage.gate.world().current();
    let held = |login: &str| world.directory.principal(login).unwrap().held.records.len();
    assert_eq!((held("chloe"), held("alice"), held("alice_too")), (1, 0, 0));
    // what somebody else shares with the team is hers as well
    let operator = "INSERT INTO rowgate.rights (kind, team, table_name, record) VALUES ('share', '14', 'notes', '{1}')";
    stage.gate.change(&stage.owner, operator).await;
    assert_eq!(one(&alice, shown).await, "1");
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_record_is_shared_as_long_as_whoever_shares_it_views_it() {
    let stage = Stage::of_notes(
        "CREATE TABLE notes (id integer PRIMARY KEY, owner_id integer); INSERT INTO notes VALUES (1, 36), (2, 36)",
    )
    .await;
    let (chloe, desk) = (stage.login("chloe").await, stage.desk("alice").await);
    let shown = async || one(&chloe, "SELECT count(*) FROM notes").await;
    for id in [1, 2] {
        desk.batch_execute(&format!("SHARE notes {id} WITH chloe"))
            .await
            .unwrap();
    }
    assert_eq!(shown().await, "2");
    // another row by the key of one that is no more
    let made = "DELETE FROM notes WHERE id = 2; INSERT INTO notes VALUES (2, 40)";
    stage.owner.batch_execute(made).await.unwrap();
    assert_eq!(shown().await, "1");
    let handed_over = async |to: i32| {
        let update = format!("UPDATE notes SET owner_id = {to} WHERE id = 1");
        stage.owner.batch_execute(&update).await.unwrap();
    };
    handed_over(40).await;
    assert_eq!(shown().await, "0");
    handed_over(36).await;
    assert_eq!(shown().await, "1");
    // what she sees for a time is not hers to share on, and what somebody suspended shares rests
    for (right, left) in [
        ("'role', 'alice', 'sales_manager', now() + '1 hour'", "1"),
        ("'suspension', 'alice', NULL, NULL", "0"),
    ] {
        let give = format!("INSERT INTO rowgate.rights (kind, login, role, until) VALUES ({right})");
        stage.gate.change(&stage.owner, &give).await;
        assert_eq!(shown().await, left, "{right}");
    }
    stage.gate.stop().await;
}

const TEAM: &str = "[notes]\nview = [\"team\", \"member\"]\n[rights.temporary]\nto = [\"team\"]\nshare = [\"notes\"]\n";
const NOTES: &str = "CREATE TABLE notes (id integer PRIMARY KEY, owner_id integer, team_id integer); \
    INSERT INTO notes SELECT n, 37, 14 FROM generate_series(1, 300) AS n";

#[tokio::test]
async fn several_share_one_record_each_for_themselves() {
    let stage = Stage::with_role(NOTES, TEAM).await;
    let (alice, hao) = (stage.desk("alice").await, stage.desk("hao").await);
    let left = async || {
        one(
            &stage.owner,
            "SELECT string_agg(given_by, ' ' ORDER BY id) FROM rowgate.rights",
        )
        .await
    };
    for (desk, text) in [
        (&alice, "SHARE notes 1 WITH chloe"),
        (&hao, "SHARE notes 1 WITH chloe"),
        // said again, it is given anew
        (&alice, "SHARE notes 1 WITH chloe FOR '1 h'"),
    ] {
        desk.batch_execute(text)
            .await
            .unwrap_or_else(|e| panic!("{text}: {e:?}"));
    }
    assert_eq!(left().await, "hao alice");
    alice.batch_execute("UNSHARE notes 1 WITH chloe").await.unwrap();
    assert_eq!(left().await, "hao");
    assert_eq!(failure(&alice, "UNSHARE notes 1 WITH chloe").await.0, "42501");
    // one that is over is in nobody's way
    stage
        .gate
        .change(
            &stage.owner,
            "UPDATE rowgate.rights SET starts = now() - '2 min'::interval, until = now() - '1 min'::interval",
        )
        .await;
    alice.batch_execute("SHARE notes 1 WITH chloe").await.unwrap();
    alice.batch_execute("UNSHARE notes 1 WITH chloe").await.unwrap();
    stage.gate.stop().await;
}

#[tokio::test]
async fn nobody_takes_the_room_of_all_others() {
    let stage = Stage::with_role(NOTES, TEAM).await;
    let (alice, hao) = (stage.desk("alice").await, stage.desk("hao").await);
    let many = "INSERT INTO rowgate.rights (kind, login, table_name, record, given_by) \
        SELECT 'share', 'chloe', 'notes', ARRAY[n::text], 'alice' FROM generate_series(1, 199) AS n";
    stage.gate.change(&stage.owner, many).await;
    alice.batch_execute("SHARE notes 200 WITH chloe").await.unwrap();
    alice.batch_execute("SHARE notes 200 WITH chloe").await.unwrap();
    let (state, said) = failure(&alice, "SHARE notes 201 WITH chloe").await;
    assert_eq!(
        (state.as_str(), said.as_str()),
        ("22023", "too many records of this table are shared with them")
    );
    hao.batch_execute("SHARE notes 201 WITH chloe").await.unwrap();
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_key_that_does_not_show_is_not_found_by_guessing() {
    let role = TEAM.replace(
        "[rights",
        "[notes.columns]\nid = { mask = \"fixed\", value = \"0\", except = [\"own\"] }\n[rights",
    );
    let stage = Stage::with_role(NOTES, &role).await;
    for desk in [stage.desk("alice").await, stage.desk("hao").await] {
        for id in [1, 999] {
            let (state, said) = failure(&desk, &format!("SHARE notes {id} WITH chloe")).await;
            let expected = "permission denied: the key of table notes does not show to you";
            assert_eq!((state.as_str(), said.as_str()), ("42501", expected));
        }
    }
    stage.gate.stop().await;
}

#[tokio::test]
async fn no_row_is_brought_into_a_share_by_its_key() {
    let role = "[notes]\nview = [\"team\", \"member\"]\nedit = [\"team\", \"member\"]\ninsert = [\"team\"]\ndelete = [\"team\"]\n\
        [notes.columns]\nsaid = { mask = \"null\", except = [\"own\", \"member\"], edit = true }\n\
        [rights.temporary]\nto = [\"team\"]\nshare = [\"notes\"]\n";
    let stage = Stage::with_role(
        "CREATE TABLE notes (id integer PRIMARY KEY, owner_id integer, team_id integer, said text); \
         INSERT INTO notes VALUES (1, 36, 14, 'shared'), (2, 37, 14, 'secret')",
        role,
    )
    .await;
    let (chloe, desk) = (stage.login("chloe").await, stage.desk("alice").await);
    desk.batch_execute("SHARE notes 1 WITH chloe").await.unwrap();
    let said = async || one(&chloe, "SELECT string_agg(said, ' ') FROM notes").await;
    assert_eq!(said().await, "shared");
    let _ = chloe.batch_execute("UPDATE notes SET id = 3 WHERE id = 1").await;
    let _ = chloe.batch_execute("DELETE FROM notes WHERE id = 1").await;
    assert_eq!(failure(&chloe, "UPDATE notes SET id = 1 WHERE id = 2").await.0, "42501");
    let swap = "UPDATE notes SET id = CASE id WHEN 1 THEN 5 WHEN 2 THEN 1 END WHERE id IN (1, 2)";
    assert!(chloe.batch_execute(swap).await.is_err());
    assert!(
        !one(&chloe, "SELECT coalesce(string_agg(said, ' '), '') FROM notes")
            .await
            .contains("secret")
    );
    stage.gate.stop().await;
}

#[tokio::test]
async fn what_a_giver_sees_through_a_parent_is_shared_for_every_statement() {
    const FILES: [(&str, &str); 4] = [
        (
            "tables.toml",
            "[defaults]\ncolumns = \"clear\"\n\
             [customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n\
             members = { relation = \"public.customer_members\", row = \"customer_id\", user = \"user_id\", team = \"team_id\" }\n\
             [contacts]\nrelation = \"public.contacts\"\nkey = \"id\"\nparent = { table = \"customers\", column = \"customer_id\" }\n",
        ),
        PEOPLE,
        ("roles/sales_manager.toml", "[customers]\nview = [\"all\"]\n"),
        (
            "roles/sales_rep.toml",
            "[customers]\nview = [\"own\", \"member\"]\n[contacts]\nview = [\"parent\", \"member\"]\nedit = [\"parent\", \"member\"]\n\
             [contacts.columns]\nphone = { mask = \"null\", except = [\"member\"] }\n\
             [rights.temporary]\nto = [\"team\"]\nshare = [\"contacts\"]\n",
        ),
    ];
    let database = Database::new().await;
    let owner = crate::support::rights::prepared(&database).await;
    let gate = Gate::with(&database, &FILES, "[rights]\n").await;
    let login = async |who: &str, at: &str| connect(&login_at(gate.port(), who, at)).await;
    let (chloe, desk) = (login("chloe", &database.name).await, login("alice", "rowgate").await);
    let before = one(&chloe, "SELECT count(*) FROM contacts").await;
    let hers = "SELECT min(c.id) FROM contacts c JOIN customers k ON k.id = c.customer_id WHERE k.owner_id = 36 \
        AND NOT EXISTS (SELECT FROM customer_members m WHERE m.customer_id = k.id) AND c.phone IS NOT NULL";
    let id = one(&owner, hers).await;
    desk.batch_execute(&format!("SHARE contacts {id} WITH chloe"))
        .await
        .unwrap();
    let more: i64 = before.parse::<i64>().unwrap() + 1;
    for (sql, expected) in [
        ("SELECT count(*) FROM contacts".to_owned(), more.to_string()),
        (
            format!("SELECT count(phone) FROM contacts WHERE id = {id}"),
            "1".to_owned(),
        ),
        (
            format!("SELECT count(*) FROM (SELECT id FROM contacts ORDER BY id LIMIT 5000) c WHERE id = {id}"),
            "1".to_owned(),
        ),
        (
            format!(
                "SELECT count(*) FROM contacts a JOIN contacts b USING (id) WHERE a.id = {id} AND b.name::text || '' <> ''"
            ),
            "1".to_owned(),
        ),
        (
            format!(
                "WITH w AS (UPDATE contacts SET title = 'x' WHERE id = {id} RETURNING phone) SELECT count(phone) FROM w"
            ),
            "1".to_owned(),
        ),
        (
            format!(
                "WITH w AS (UPDATE contacts c SET title = 'y' FROM contacts d WHERE d.id = c.id AND c.id = {id} RETURNING c.id) SELECT count(*) FROM w"
            ),
            "1".to_owned(),
        ),
    ] {
        assert_eq!(one(&chloe, &sql).await, expected, "{sql}");
    }
    // the parent goes to somebody else, and the contact with it
    owner
        .batch_execute(&format!(
            "UPDATE customers SET owner_id = 40 WHERE id = (SELECT customer_id FROM contacts WHERE id = {id})"
        ))
        .await
        .unwrap();
    assert_eq!(one(&chloe, "SELECT count(*) FROM contacts").await, before);
    assert_eq!(
        one(
            &chloe,
            &format!("WITH w AS (UPDATE contacts SET title = 'x' WHERE id = {id} RETURNING id) SELECT count(*) FROM w")
        )
        .await,
        "0"
    );
    gate.stop().await;
}
