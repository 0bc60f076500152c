//! Each kind of temporary right: what it gives, from the next statement on, and that it ends by itself.

use crate::support::gate::Gate;
use crate::support::raw::{Raw, command};
use crate::support::{Database, connect, data, failure, login_at, one, try_connect};
use std::time::Duration;
use tokio_postgres::Client;

const FILES: [(&str, &str); 7] = [
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n\
         [contacts]\nrelation = \"public.contacts\"\nkey = \"id\"\nparent = { table = \"customers\", column = \"customer_id\" }\n",
    ),
    (
        "directory.toml",
        "[directory]\nrefresh = \"1min\"\nusers = \"SELECT login, user_id, roles::text[] AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/sales_rep.toml",
        "[customers]\nview = [\"own\", \"member\", \"delegated\"]\nedit = [\"own\", \"delegated\"]\n\
         [customers.columns]\nphone = { mask = \"null\", except = [\"own\"] }\ncredit_limit = \"hidden\"\n\
         [contacts]\nview = [\"parent\"]\n[rights]\nsleep = true\ntemp_tables = true\n",
    ),
    ("roles/sales_manager.toml", "[customers]\nview = [\"all\"]\n"),
    (
        "roles/listener.toml",
        "[customers]\nview = [\"own\"]\n[rights]\nlisten = [\"deals\"]\n",
    ),
    ("roles/auditor.toml", "[customers]\nview = [\"all\"]\n"),
    ("roles/dba.toml", "bypass = true\n"),
];

struct Stage {
    database: Database,
    owner: Client,
    gate: Gate,
}

impl Stage {
    async fn new() -> Self {
        let database = Database::new().await;
        let owner = crate::support::rights::prepared(&database).await;
        let gate = Gate::with(&database, &FILES, "[rights]\npatience = \"1s\"\n").await;
        Self { database, owner, gate }
    }

    async fn login(&self, login: &str) -> Client {
        connect(&login_at(self.gate.port(), login, &self.database.name)).await
    }

    async fn raw(&self, login: &str) -> Raw {
        let more = [("database", self.database.name.as_str())];
        Raw::login(self.gate.port(), login, &data::password(login), &more)
            .await
            .unwrap()
    }

    async fn give(&self, columns: &str, values: &str) {
        let sql = format!("INSERT INTO rowgate.rights ({columns}) VALUES ({values})");
        self.gate.change(&self.owner, &sql).await;
    }

    async fn count(&self, condition: &str) -> String {
        one(
            &self.owner,
            &format!("SELECT count(*) FROM public.customers WHERE {condition}"),
        )
        .await
    }
}

const COUNT: &str = "SELECT count(*) FROM customers";

#[tokio::test]
async fn a_delegation_gives_the_other_ones_rows_within_ones_own_role() {
    let stage = Stage::new().await;
    let alice = stage.login("alice").await;
    let prepared = alice.prepare(COUNT).await.unwrap();
    let count = async || {
        alice
            .query_one(&prepared, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            .to_string()
    };
    let own = stage.count("owner_id = 36").await;
    let both = stage.count("owner_id IN (36, 37)").await;
    assert_ne!(own, both);
    assert_eq!(count().await, own);
    stage
        .give(
            "kind, login, delegator, until",
            "'delegation', 'alice', 'hao', now() + '1 hour'",
        )
        .await;
    assert_eq!(count().await, both);
    // masks as the role says, editing as well, and contacts through their customers
    let shown = "SELECT count(phone) FROM customers WHERE owner_id = 37";
    assert_eq!(one(&alice, shown).await, "0");
    let edited = alice
        .execute("UPDATE customers SET city = 'X' WHERE owner_id = 37", &[])
        .await;
    assert!(edited.unwrap() > 0);
    let contacts = "SELECT count(*) FROM contacts WHERE customer_id IN (SELECT id FROM customers WHERE owner_id = 37)";
    assert_eq!(one(&alice, contacts).await, one(&stage.owner, contacts).await);
    // whoever stands in passes nothing on
    let chloe = stage.login("chloe").await;
    let before = one(&chloe, COUNT).await;
    stage
        .give(
            "kind, login, delegator, until",
            "'delegation', 'chloe', 'alice', now() + '1 hour'",
        )
        .await;
    let expected = stage.count("owner_id IN (36, 38)").await;
    assert_ne!(before, expected);
    assert_eq!(one(&chloe, COUNT).await, expected);
    // one that is for another table gives nothing here
    stage
        .gate
        .change(&stage.owner, "DELETE FROM rowgate.rights WHERE login = 'alice'")
        .await;
    assert_eq!(count().await, own);
    stage
        .give(
            "kind, login, delegator, table_name, until",
            "'delegation', 'alice', 'hao', 'contacts', now() + '1 hour'",
        )
        .await;
    assert_eq!(count().await, own);
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_right_ends_by_itself_at_its_time_even_in_the_middle_of_a_prepared_statement() {
    let stage = Stage::new().await;
    let mut raw = stage.raw("alice").await;
    raw.send(&[command(&format!("P s | {COUNT}")), command("S")].concat())
        .await;
    raw.until_ready(1).await;
    let mut execute = async || {
        raw.send(&[command("B | s"), command("E"), command("S")].concat()).await;
        raw.until_ready(1).await[1].clone()
    };
    let own = format!("D {}", stage.count("owner_id = 36").await);
    let all = format!("D {}", stage.count("true").await);
    assert_eq!(execute().await, own);
    stage
        .give(
            "kind, login, table_name, operations, scope, until",
            "'grant', 'alice', 'customers', '{view}', 'all', now() + '1500 ms'",
        )
        .await;
    assert_eq!(execute().await, all);
    let until: std::time::SystemTime = stage
        .owner
        .query_one("SELECT until FROM rowgate.rights", &[])
        .await
        .unwrap()
        .get(0);
    loop {
        let begun = std::time::SystemTime::now();
        let seen = execute().await;
        if begun >= until {
            assert_eq!(seen, own, "after its end");
            break;
        }
        let is_over = std::time::SystemTime::now() >= until;
        assert!(seen == all || is_over, "{seen}");
    }
    stage.gate.stop().await;
}

#[tokio::test]
async fn grants_of_rows_columns_and_roles() {
    let stage = Stage::new().await;
    let alice = stage.login("alice").await;
    stage
        .give(
            "kind, login, table_name, operations, scope, until",
            "'grant', 'alice', 'customers', '{view}', 'team', now() + '1 hour'",
        )
        .await;
    assert_eq!(
        one(&alice, COUNT).await,
        stage.count("owner_id = 36 OR team_id = 14").await
    );
    let phones = "SELECT count(phone) FROM customers WHERE owner_id <> 36";
    assert_eq!(one(&alice, phones).await, "0");
    let edit = "UPDATE customers SET city = 'X' WHERE owner_id <> 36";
    assert_eq!(alice.execute(edit, &[]).await.unwrap(), 0);
    // a column in clear is no right to write it where it was masked
    let columns = "kind, login, table_name, columns, until";
    let phone = "'grant', 'alice', 'customers', '{phone,credit_limit}', now() + '1 hour'";
    stage.give(columns, phone).await;
    assert_ne!(one(&alice, phones).await, "0");
    assert_ne!(one(&alice, "SELECT sum(credit_limit) FROM customers").await, "");
    let edits = "'grant', 'alice', 'customers', '{edit}', 'team', now() + '1 hour'";
    stage
        .give("kind, login, table_name, operations, scope, until", edits)
        .await;
    assert!(alice.execute(edit, &[]).await.unwrap() > 0);
    for set in ["phone = '1'", "credit_limit = 7"] {
        let (code, _) = failure(&alice, &format!("UPDATE customers SET {set} WHERE owner_id <> 36")).await;
        assert_eq!(code, "42501", "{set}");
    }
    // their own rows' phones as before
    alice
        .execute("UPDATE customers SET phone = '2' WHERE owner_id = 36", &[])
        .await
        .unwrap();
    // a role
    let role = "'role', 'alice', 'auditor', now() + '1 hour'";
    stage.give("kind, login, role, until", role).await;
    assert_eq!(one(&alice, COUNT).await, stage.count("true").await);
    // a role that nobody knows gives nothing
    stage
        .give("kind, login, role, until", "'raise', 'hao', 'nobody', now() + '1 hour'")
        .await;
    let hao = stage.login("hao").await;
    assert_eq!(one(&hao, COUNT).await, stage.count("owner_id = 37").await);
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_shared_record_counts_as_membership() {
    let stage = Stage::new().await;
    let alice = stage.login("alice").await;
    let others = "SELECT id FROM customers WHERE team_id <> 14 AND owner_id <> 36 ORDER BY id LIMIT 2";
    let ids: Vec<i32> = stage
        .owner
        .query(others, &[])
        .await
        .unwrap()
        .iter()
        .map(|r| r.get(0))
        .collect();
    let own: i64 = one(&alice, COUNT).await.parse().unwrap();
    stage
        .give(
            "kind, login, table_name, record",
            &format!("'share', 'alice', 'customers', '{{{}}}'", ids[0]),
        )
        .await;
    assert_eq!(one(&alice, COUNT).await, (own + 1).to_string());
    let team = format!("'share', '14', 'customers', '{{{}}}'", ids[1]);
    stage.give("kind, team, table_name, record", &team).await;
    assert_eq!(one(&alice, COUNT).await, (own + 2).to_string());
    // what can be no key of the table shares nothing and breaks nothing
    for key in ["{x}", "{1,2}", "{99999999999}", "{}"] {
        stage
            .give(
                "kind, login, table_name, record",
                &format!("'share', 'alice', 'customers', '{key}'"),
            )
            .await;
        assert_eq!(one(&alice, COUNT).await, (own + 2).to_string(), "{key}");
    }
    let contacts = format!("SELECT count(*) > 0 FROM contacts WHERE customer_id = {}", ids[0]);
    assert_eq!(one(&alice, &contacts).await, one(&stage.owner, &contacts).await);
    stage.gate.stop().await;
}

#[tokio::test]
async fn suspensions_of_people_roles_and_tables() {
    let stage = Stage::new().await;
    let alice = stage.login("alice").await;
    stage
        .give("kind, table_name, reason", "'suspension', 'customers', 'leak'")
        .await;
    assert_eq!(failure(&alice, COUNT).await.0, "42501");
    assert_eq!(one(&alice, "SELECT count(*) FROM contacts").await, "0");
    stage.gate.change(&stage.owner, "DELETE FROM rowgate.rights").await;
    assert_ne!(one(&alice, COUNT).await, "0");
    stage.give("kind, role", "'suspension', 'sales_rep'").await;
    assert_eq!(failure(&alice, COUNT).await.0, "42501");
    stage.gate.change(&stage.owner, "DELETE FROM rowgate.rights").await;
    // a person, until somebody lifts it
    stage.give("kind, login", "'suspension', 'hao'").await;
    let config = login_at(stage.gate.port(), "hao", &stage.database.name);
    assert!(try_connect(&config).await.is_err());
    stage.gate.change(&stage.owner, "DELETE FROM rowgate.rights").await;
    assert!(try_connect(&config).await.is_ok());
    let hao = stage.login("hao").await;
    // what somebody suspended has given rests as well
    let delegation = "'delegation', 'hao', 'alice', now() + '1 hour'";
    stage.give("kind, login, delegator, until", delegation).await;
    assert_eq!(one(&hao, COUNT).await, stage.count("owner_id IN (36, 37)").await);

    let mut raw = stage.raw("alice").await;
    raw.send(&command("Q select pg_sleep(60)")).await;
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    while one(&stage.owner, running).await == "0" {
        tokio::task::yield_now().await;
    }
    stage
        .give(
            "kind, login, until",
            "'suspension', 'alice', clock_timestamp() + '1500 ms'",
        )
        .await;
    let begun = std::time::Instant::now();
    let gone = raw.until_ready(1).await;
    assert_eq!(
        gone[0],
        "E FATAL 57P01 terminating connection because this login is suspended"
    );
    while one(&stage.owner, running).await != "0" {
        assert!(begun.elapsed() < Duration::from_secs(1), "the statement goes on");
        tokio::task::yield_now().await;
    }
    assert!(alice.simple_query("SELECT 1").await.is_err());
    assert_eq!(one(&hao, COUNT).await, stage.count("owner_id = 37").await);
    let config = login_at(stage.gate.port(), "alice", &stage.database.name);
    assert!(try_connect(&config).await.is_err());
    // until then
    stage
        .gate
        .world()
        .watch()
        .wait_for(|_| stage.gate.world().current().directory.principal("alice").is_some())
        .await
        .unwrap();
    assert_eq!(
        one(&stage.login("alice").await, COUNT).await,
        stage.count("owner_id = 36").await
    );
    stage.gate.stop().await;
}

#[tokio::test]
async fn somebody_who_leaves_loses_their_running_statement_too() {
    let stage = Stage::new().await;
    let mut raw = stage.raw("alice").await;
    raw.send(&command("Q select pg_sleep(60)")).await;
    stage
        .gate
        .change(
            &stage.owner,
            "UPDATE crm.users SET active = false WHERE login = 'alice'; NOTIFY rowgate_directory",
        )
        .await;
    assert_eq!(
        raw.until_ready(1).await[0],
        "E FATAL 57P01 terminating connection because this login has no access any more"
    );
    stage.gate.stop().await;
}

#[tokio::test]
async fn portals_and_cursors_of_reduced_rights_give_nothing_more() {
    let stage = Stage::new().await;
    let grant = "'grant', 'alice', 'customers', '{view}', 'all', now() + '1 hour'";
    stage
        .give("kind, login, table_name, operations, scope, until", grant)
        .await;
    let mut raw = stage.raw("alice").await;
    let mut cursor = stage.raw("alice").await;
    raw.send(
        &[
            command("Q begin"),
            command("P | select id from customers order by id"),
            command("B p |"),
            command("E p | 2"),
            command("H"),
        ]
        .concat(),
    )
    .await;
    raw.until_ready(1).await;
    for wanted in ["1", "2", "D 1", "D 2", "s"] {
        let (tag, body) = raw.message().await.unwrap();
        assert_eq!(crate::support::raw::print(tag, &body), wanted);
    }
    cursor.query("begin").await;
    cursor
        .query("declare c cursor for select id from customers order by id")
        .await;
    assert_eq!(cursor.query("fetch 1 from c").await[1], "D 1");
    stage.gate.change(&stage.owner, "DELETE FROM rowgate.rights").await;
    raw.send(&[command("E p | 2"), command("S")].concat()).await;
    assert!(raw.until_ready(1).await[0].starts_with("E 42501"));
    assert!(cursor.query("fetch 1 from c").await[0].starts_with("E 42501"));
    stage.gate.stop().await;
}

#[tokio::test]
async fn who_listens_hears_no_more_when_the_right_is_gone() {
    let stage = Stage::new().await;
    let mut alice = stage.raw("alice").await;
    stage
        .give(
            "kind, login, role, until",
            "'role', 'alice', 'listener', now() + '1 hour'",
        )
        .await;
    assert_eq!(alice.query("listen deals").await, ["C LISTEN", "Z I"]);
    let heard = async |alice: &mut Raw, payload: &str| {
        let notify = format!("NOTIFY deals, '{payload}'");
        stage.owner.batch_execute(&notify).await.unwrap();
        let said = alice.query("select 1").await;
        said.iter().any(|line| line.contains(payload))
    };
    assert!(heard(&mut alice, "won 4711").await);
    stage.gate.change(&stage.owner, "DELETE FROM rowgate.rights").await;
    assert!(!heard(&mut alice, "lost 4712").await);
    stage
        .give(
            "kind, login, role, until",
            "'role', 'alice', 'listener', now() + '1 hour'",
        )
        .await;
    assert!(heard(&mut alice, "won 4713").await);
    stage.gate.stop().await;
}

#[tokio::test]
async fn nobody_reads_or_writes_the_schema_through_rowgate() {
    let stage = Stage::new().await;
    let alice = stage.login("alice").await;
    for sql in [
        "SELECT * FROM rowgate.rights",
        "TABLE rowgate.history",
        "INSERT INTO rowgate.rights (kind, login, role, until) VALUES ('role', 'alice', 'auditor', now() + '1 h')",
        "DELETE FROM rowgate.rights",
        "UPDATE rowgate.state SET stamp = 0",
        "TRUNCATE rowgate.rights",
        "COPY rowgate.rights FROM STDIN",
        "SELECT rowgate.tell()",
        "NOTIFY rowgate_rights",
        "CREATE TEMP TABLE t (LIKE rowgate.rights)",
    ] {
        let (code, message) = failure(&alice, sql).await;
        assert!(
            matches!(code.as_str(), "42501" | "0A000" | "42883"),
            "{sql}: {code} {message}"
        );
    }
    stage.gate.stop().await;
}

#[tokio::test]
async fn what_is_given_is_kept_for_good() {
    let stage = Stage::new().await;
    stage
        .owner
        .batch_execute(
            "BEGIN; SET LOCAL rowgate.who = 'dora'; SET LOCAL rowgate.why = 'holiday';
             INSERT INTO rowgate.rights (kind, login, delegator, until) VALUES ('delegation', 'alice', 'hao', now() + '1 h');
             COMMIT; DELETE FROM rowgate.rights",
        )
        .await
        .unwrap();
    let history = "SELECT string_agg(who || ' ' || why || ' ' || what || ' ' || login || ' ' || coalesce(after ->> 'delegator', '-'), '; ' ORDER BY id) FROM rowgate.history";
    assert_eq!(
        one(&stage.owner, history).await,
        "dora holiday given alice hao; postgres  ended alice -"
    );
    for sql in [
        "DELETE FROM rowgate.history",
        "UPDATE rowgate.history SET who = 'x'",
        "TRUNCATE rowgate.history",
    ] {
        assert_eq!(
            failure(&stage.owner, sql).await.1,
            "the history of rights and policies is only added to"
        );
    }
    let mut served = stage.database.straight("rowgate");
    served.password(data::password("rowgate"));
    let served = connect(&served).await;
    for sql in [
        "INSERT INTO rowgate.history (who, why, what) VALUES ('x', 'x', 'x')",
        "UPDATE rowgate.rights SET until = NULL",
    ] {
        assert_eq!(failure(&served, sql).await.0, "42501", "{sql}");
    }
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_schema_out_of_reach_gives_nothing_more_and_ends_what_was_given() {
    let stage = Stage::new().await;
    let alice = stage.login("alice").await;
    let (own, all) = (stage.count("owner_id = 36").await, stage.count("true").await);
    let grant = "'grant', 'alice', 'customers', '{view}', 'all', now() + '1 hour'";
    stage
        .give("kind, login, table_name, operations, scope, until", grant)
        .await;
    stage
        .give(
            "kind, login, until",
            "'suspension', 'hao', clock_timestamp() + '1200 ms'",
        )
        .await;
    assert_eq!(one(&alice, COUNT).await, all);
    let revoked = "REVOKE ALL ON SCHEMA rowgate FROM rowgate";
    stage.owner.batch_execute(revoked).await.unwrap();
    stage
        .gate
        .until("the loss is noticed", |w| w.rights.lost.is_some())
        .await;
    let world = || stage.gate.world().current();
    let mut watch = stage.gate.world().watch();
    let over = world().rights.lost.unwrap().end;
    watch.wait_for(|_| std::time::SystemTime::now() >= over).await.unwrap();
    assert_eq!(one(&alice, COUNT).await, own);
    assert!(world().directory.is_suspended("hao"), "it may have been prolonged");
    let granted = "GRANT USAGE ON SCHEMA rowgate TO rowgate";
    stage.owner.batch_execute(granted).await.unwrap();
    stage.gate.until("it is read again", |w| w.rights.lost.is_none()).await;
    assert_eq!(one(&alice, COUNT).await, all);
    stage
        .gate
        .until("the suspension is over", |w| !w.directory.is_suspended("hao"))
        .await;
    // what a newer rowgate stores may mean something else
    let newer = "UPDATE rowgate.state SET version = version + 1";
    stage.owner.batch_execute(newer).await.unwrap();
    stage.gate.until("another version", |w| w.rights.lost.is_some()).await;
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_suspension_waits_for_no_clock() {
    let stage = Stage::new().await;
    // said where the clock is two minutes ahead
    let ahead = "now() + '2 minutes', now() + '1 hour'";
    stage
        .give(
            "kind, login, role, starts, until",
            &format!("'role', 'alice', 'auditor', {ahead}"),
        )
        .await;
    stage
        .give("kind, login, starts, until", &format!("'suspension', 'hao', {ahead}"))
        .await;
    let world = stage.gate.world().current();
    assert_eq!(world.directory.roles("alice"), ["sales_rep"]);
    assert!(world.directory.is_suspended("hao"));
    stage
        .give("kind, login, starts", "'suspension', 'chloe', now() + '1 hour'")
        .await;
    assert!(!stage.gate.world().current().directory.is_suspended("chloe"), "planned");
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_column_that_shows_anyway_stays_as_it_is_when_it_is_given() {
    let stage = Stage::new().await;
    let yun = stage.login("yun").await;
    let alice = stage.login("alice").await;
    let lines = "SELECT string_agg(contact_line, ',' ORDER BY id) FROM customers";
    let (all, own) = (one(&yun, lines).await, one(&alice, lines).await);
    for login in ["yun", "alice"] {
        let values = format!("'grant', '{login}', 'customers', '{{email}}', now() + '1 hour'");
        stage.give("kind, login, table_name, columns, until", &values).await;
    }
    // what is computed from it, and the right to write it
    assert_eq!(one(&yun, lines).await, all);
    assert_eq!(one(&alice, lines).await, own);
    let edited = alice.execute(
        "UPDATE customers SET email = 'new@example.com' WHERE owner_id = 36",
        &[],
    );
    assert!(edited.await.unwrap() > 0);
    stage.gate.stop().await;
}

#[tokio::test]
async fn serving_needs_the_schema_that_it_knows() {
    let database = Database::new().await;
    let refusal = async || {
        let files = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            let path = files.path().join("policies").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let config = crate::support::gate::config(&database, files.path(), "[rights]\n");
        rowgate::demo::front::Front::with_config(config).await.unwrap_err()
    };
    assert_eq!(
        refusal().await,
        "the database has no schema for temporary rights: run rowgate init"
    );
    let owner = crate::support::rights::prepared(&database).await;
    owner
        .batch_execute("UPDATE rowgate.state SET version = 0")
        .await
        .unwrap();
    assert_eq!(
        refusal().await,
        "the schema rowgate has version 0 and this rowgate needs 4: run rowgate migrate"
    );
    owner
        .batch_execute("UPDATE rowgate.state SET version = 7")
        .await
        .unwrap();
    assert_eq!(
        refusal().await,
        "the schema rowgate has version 7 and this rowgate knows 4: run a newer rowgate"
    );
}
