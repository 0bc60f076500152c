//! What a database of somebody's own may do to a write: triggers, rules, checks that raise, deferred constraints. None of
//! it tells of what is hidden, and none of it lets a row go where its author may not bring it.

use crate::support::gate::Gate;
use crate::support::raw::Raw;
use crate::support::raw::command;
use crate::support::{Database, data, one};

/// alice's first customer, of whom she sees no tax number and no credit limit.
const MINE: &str = "(SELECT min(id) FROM customers WHERE owner_id = 36)";

struct Scene {
    database: Database,
    front: rowgate::demo::front::Front,
    admin: tokio_postgres::Client,
}

impl Scene {
    async fn set(ddl: &str) -> Self {
        let database = Database::new().await;
        let admin = database.superuser().await;
        admin.batch_execute(ddl).await.unwrap();
        let front = database.rowgate().await;
        Self { database, front, admin }
    }

    async fn login(&self, login: &str) -> Raw {
        let more = [("database", self.database.name.as_str())];
        Raw::login(self.front.port(), login, &data::password(login), &more)
            .await
            .unwrap()
    }

    /// The first line that tells how a statement came out, everything that was said, and whether the secret was.
    async fn try_out(&self, login: &str, sql: &str, secret: &str) -> String {
        let mut raw = self.login(login).await;
        raw.send(&command(&format!("Q {sql}"))).await;
        let said = raw.until_ready(1).await;
        assert!(!said.iter().any(|line| line.contains(secret)), "{sql}: {said:?}");
        let ends = |line: &&String| line.starts_with("E ") || line.starts_with("C ");
        said.iter().find(ends).cloned().unwrap_or_default()
    }

    async fn mine(&self, column: &str) -> String {
        one(
            &self.admin,
            &format!("SELECT {column} FROM customers WHERE id = {MINE}"),
        )
        .await
    }
}

#[tokio::test]
async fn a_check_that_raises_tells_no_value() {
    let scene = Scene::set(
        "CREATE FUNCTION strict_number(v text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
           BEGIN IF v LIKE 'ok%' THEN RETURN true; END IF; RAISE EXCEPTION 'bad number %', v USING DETAIL = v, HINT = v; END $$;
         GRANT EXECUTE ON FUNCTION strict_number(text) TO PUBLIC;
         ALTER TABLE customers ADD CONSTRAINT casts CHECK (city <> 'cast' OR tax_id::int > 0) NOT VALID;
         ALTER TABLE customers ADD CONSTRAINT speaks CHECK (city <> 'speak' OR strict_number(tax_id)) NOT VALID;
         ALTER TABLE customers ADD CONSTRAINT divides CHECK (city <> 'divide' OR 1 / (credit_limit - credit_limit) > 0) NOT VALID;
         CREATE INDEX raises ON customers ((CASE WHEN city = 'index' THEN tax_id::int END));",
    )
    .await;
    let secret = scene.mine("tax_id").await;
    for (city, code) in [
        ("cast", "22P02"),
        ("speak", "P0001"),
        ("divide", "22012"),
        ("index", "22P02"),
    ] {
        for sql in [
            format!("UPDATE customers SET city = '{city}' WHERE owner_id = 36"),
            format!("UPDATE customers SET city = '{city}' WHERE owner_id = 36 RETURNING city"),
            format!(
                "MERGE INTO customers c USING (VALUES (36)) s(o) ON c.owner_id = s.o WHEN MATCHED THEN UPDATE SET city = '{city}'"
            ),
        ] {
            let said = scene.try_out("alice", &sql, &secret).await;
            assert!(said.starts_with(&format!("E {code}")), "{sql}: {said}");
        }
    }
    assert_ne!(scene.mine("city").await, "cast");
}

#[tokio::test]
async fn a_trigger_speaks_only_where_the_policy_lists_it() {
    let scene = Scene::set(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE NOTICE 'was % is %', OLD.tax_id, NEW.tax_id USING DETAIL = OLD.tax_id, HINT = OLD.credit_limit::text;
           IF NEW.city = 'fail' THEN RAISE EXCEPTION 'no % %', OLD.tax_id, OLD USING DETAIL = OLD.tax_id; END IF;
           PERFORM pg_notify('deals', OLD.tax_id);
           RETURN NULL; END $$;
         CREATE TRIGGER tell AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tell();
         CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.city = 'later' THEN RAISE EXCEPTION 'at the end %', OLD.tax_id USING DETAIL = OLD.tax_id; END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON customers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION later();",
    )
    .await;
    let secret = scene.mine("tax_id").await;
    let done = scene
        .try_out(
            "alice",
            "UPDATE customers SET city = 'told' WHERE owner_id = 36",
            &secret,
        )
        .await;
    assert!(done.starts_with("C UPDATE"), "{done}");
    for city in ["fail", "later"] {
        let sql = format!("UPDATE customers SET city = '{city}' WHERE owner_id = 36");
        let said = scene.try_out("alice", &sql, &secret).await;
        assert!(said.starts_with("E P0001"), "{said}");
        let sql = format!("BEGIN; UPDATE customers SET city = '{city}' WHERE owner_id = 36; COMMIT");
        let mut raw = scene.login("alice").await;
        raw.send(&command(&format!("Q {sql}"))).await;
        let said = raw.until_ready(1).await;
        assert!(said.iter().any(|l| l.starts_with("E P0001")), "{said:?}");
        assert!(!said.iter().any(|l| l.contains(&secret)), "{said:?}");
    }
    assert_eq!(scene.mine("city").await, "told");
}

#[tokio::test]
async fn a_trigger_takes_no_row_out_of_its_authors_scope() {
    let scene = Scene::set(
        "CREATE FUNCTION give() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.city = 'away' THEN NEW.owner_id := 1; END IF; RETURN NEW; END $$;
         CREATE TRIGGER give BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION give();",
    )
    .await;
    let insert = "INSERT INTO customers (external_id, name, owner_id, country, city, created_at) VALUES \
                  ('00000000-0000-4000-8000-000000000001', 'x', 36, 'CN', 'away', '2024-01-01')";
    for sql in [
        "UPDATE customers SET city = 'away' WHERE owner_id = 36".to_owned(),
        "UPDATE customers SET city = 'away' WHERE owner_id = 36 RETURNING *".to_owned(),
        "WITH u AS (UPDATE customers SET city = 'away' WHERE owner_id = 36) SELECT 1".to_owned(),
        "MERGE INTO customers c USING (VALUES (36)) s(o) ON c.owner_id = s.o WHEN MATCHED THEN UPDATE SET city = 'away'".to_owned(),
        insert.to_owned(),
        format!("{insert} RETURNING id"),
        format!("{insert} ON CONFLICT DO NOTHING"),
        format!("WITH i AS ({insert} RETURNING id) SELECT count(*) FROM i"),
    ] {
        let said = scene.try_out("alice", &sql, "no secret here").await;
        assert!(said.starts_with("E 42501") || said.starts_with("E 0A000"), "{sql}: {said}");
        let gone = one(&scene.admin, "SELECT count(*) FROM customers WHERE city = 'away'").await;
        assert_eq!(gone, "0", "{sql}");
    }
}

#[tokio::test]
async fn a_rule_is_no_way_round() {
    let scene = Scene::set(
        "CREATE TABLE log (tax_id text, credit numeric); GRANT ALL ON log TO rowgate;
         CREATE RULE keep AS ON UPDATE TO customers WHERE NEW.city = 'logged' DO ALSO
           INSERT INTO log VALUES (OLD.tax_id, OLD.credit_limit);
         CREATE RULE other AS ON INSERT TO activities DO INSTEAD UPDATE customers SET city = 'ruled' WHERE id = NEW.customer_id;
         CREATE RULE tell AS ON DELETE TO opportunities DO INSTEAD SELECT tax_id FROM customers;",
    )
    .await;
    let secret = scene.mine("tax_id").await;
    for (login, sql) in [
        ("alice", "UPDATE customers SET city = 'logged' WHERE owner_id = 36"),
        (
            "alice",
            "INSERT INTO activities (customer_id, owner_id, summary, happened_at) SELECT min(id), 36, 'x', '2024-01-01' FROM customers",
        ),
        ("yun", "DELETE FROM opportunities WHERE id = 1"),
    ] {
        let said = scene.try_out(login, sql, &secret).await;
        assert!(
            said.starts_with("E 0A000") || said.starts_with("E 42501"),
            "{sql}: {said}"
        );
    }
    assert_eq!(
        one(&scene.admin, "SELECT count(*) FROM customers WHERE city = 'ruled'").await,
        "0"
    );
}

#[tokio::test]
async fn a_deferred_constraint_tells_no_row() {
    let scene = Scene::set(
        "ALTER TABLE contacts ALTER CONSTRAINT contacts_customer_id_fkey DEFERRABLE INITIALLY DEFERRED;
         ALTER TABLE customers ADD CONSTRAINT once UNIQUE (email) DEFERRABLE INITIALLY DEFERRED;",
    )
    .await;
    let email = one(
        &scene.admin,
        "SELECT email FROM customers WHERE owner_id IS DISTINCT FROM 36 AND email IS NOT NULL ORDER BY id LIMIT 1",
    )
    .await;
    let sql = format!("BEGIN; UPDATE customers SET email = '{email}' WHERE id = {MINE}; COMMIT");
    let mut raw = scene.login("alice").await;
    raw.send(&command(&format!("Q {sql}"))).await;
    let said = raw.until_ready(1).await;
    assert!(said.iter().any(|l| l.starts_with("E 23505")), "{said:?}");
    assert!(!said.iter().any(|l| l.contains("Key (")), "{said:?}");
    let sql = "BEGIN; INSERT INTO contacts (customer_id, name, created_at) VALUES (777777, 'x', '2024-01-01'); COMMIT";
    raw.send(&command(&format!("Q {sql}"))).await;
    let said = raw.until_ready(1).await;
    assert!(
        said.iter()
            .any(|l| l.starts_with("E 42501") || l.starts_with("E 23503")),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_reference_action_is_the_databases_own() {
    let scene = Scene::set(
        "ALTER TABLE opportunities ADD COLUMN parent_deal integer REFERENCES opportunities ON DELETE SET NULL;
         UPDATE opportunities SET owner_id = 15, team_id = 14 WHERE id = 1;
         DELETE FROM contracts WHERE opportunity_id = 1;
         UPDATE opportunities SET parent_deal = 1 WHERE id = 3;",
    )
    .await;
    let said = scene
        .try_out("yun", "DELETE FROM opportunities WHERE id = 1", "no secret")
        .await;
    assert_eq!(said, "C DELETE 1");
    let left = one(&scene.admin, "SELECT count(*) FROM opportunities WHERE parent_deal = 1").await;
    assert_eq!(left, "0");
}

#[tokio::test]
async fn a_trigger_that_the_policy_calls_harmless_is_in_nobodys_way() {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin
        .batch_execute(
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$;
             CREATE FUNCTION give() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
             CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON products FOR EACH ROW EXECUTE FUNCTION touch();",
        )
        .await
        .unwrap();
    let policy = |harmless: &str| {
        let tables = format!(
            "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n[scopes]\ncheap = {{ where = \"list_price < 100\" }}\n\
             [products]\nrelation = \"public.products\"\nkey = \"code\"\n{harmless}"
        );
        let role = "title = \"R\"\n[products]\nview = [\"all\"]\ninsert = [\"cheap\"]\nedit = [\"cheap\"]\n";
        let directory = "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n";
        [
            ("tables.toml", tables),
            ("roles/rep.toml", role.to_owned()),
            ("directory.toml", directory.to_owned()),
        ]
    };
    let insert = |code: &str, price: u32| {
        format!(
            "MERGE INTO products p USING (VALUES ('{code}', {price})) s(c, n) ON p.code = s.c \
             WHEN MATCHED THEN UPDATE SET list_price = s.n WHEN NOT MATCHED THEN INSERT VALUES (s.c, 'low', s.n)"
        )
    };
    let refused = "E 0A000 MERGE into a table whose triggers change rows before they are stored is not supported";
    let denied = "E 42501 new row violates row-level policy for table \"products\"";
    let harmless = "harmless_triggers = [\"public.touch\"]\n";
    for (listed, more, expected) in [
        ("", "", [refused, refused]),
        (harmless, "", ["C MERGE 1", denied]),
        // another one is not listed
        (
            harmless,
            "CREATE TRIGGER give BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION give();",
            [refused, refused],
        ),
    ] {
        admin.batch_execute(more).await.unwrap();
        let files = policy(listed);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let gate = Gate::start(&database, &files).await;
        let mut raw = Raw::login(
            gate.port(),
            "alice",
            &data::password("alice"),
            &[("database", database.name.as_str())],
        )
        .await
        .unwrap();
        for (price, expected) in [50, 500].into_iter().zip(expected) {
            assert_eq!(
                raw.query(&insert("N1", price)).await[0],
                expected,
                "{listed} {more} {price}"
            );
        }
        gate.stop().await;
    }
    let stored = "SELECT concat(name, ' ', list_price::int) FROM products WHERE code = 'N1'";
    assert_eq!(one(&admin, stored).await, "LOW 50");
}

#[tokio::test]
async fn a_foreign_key_is_not_met_by_a_row_of_an_inheriting_table() {
    const FILES: [(&str, &str); 3] = [
        (
            "tables.toml",
            "[defaults]\ncolumns = \"clear\"\n\
             [activities]\nrelation = \"public.activities\"\nkey = \"id\"\nowner = \"owner_id\"\n\
             [visits]\nrelation = \"public.visits\"\nkey = \"id\"\n",
        ),
        crate::support::gate::REPRESENTATIVES,
        (
            "roles/rep.toml",
            "[activities]\nview = [\"own\"]\n[visits]\nview = [\"all\"]\ninsert = [\"all\"]\n",
        ),
    ];
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin
        .batch_execute(
            "CREATE TABLE visits (id int PRIMARY KEY, activity_id int REFERENCES activities);
             GRANT ALL ON visits TO rowgate;
             INSERT INTO activities SELECT n, (SELECT min(id) FROM customers), n - 990000, 'x', now() FROM unnest('{990036, 990040}'::int[]) AS n;
             INSERT INTO calls SELECT 990040, (SELECT min(id) FROM customers), 36, 'mine', now(), 1",
        )
        .await
        .unwrap();
    let gate = Gate::start(&database, &FILES).await;
    let alice = crate::support::connect(&crate::support::login_at(gate.port(), "alice", &database.name)).await;
    let seen = "SELECT count(*) FROM activities WHERE id IN (990036, 990040)";
    assert_eq!(
        one(&alice, seen).await,
        "2",
        "hers, and her call of the hidden one's number"
    );
    alice
        .batch_execute("INSERT INTO visits VALUES (1, 990036)")
        .await
        .unwrap();
    let refused = crate::support::failure(&alice, "INSERT INTO visits VALUES (2, 990040)").await;
    assert_eq!(refused.0, "23503", "{refused:?}");
    gate.stop().await;
}
