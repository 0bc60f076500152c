//! Who people are: many of them, circles, and a directory that is wrong or cannot be read.

use crate::support::gate::Gate;
use crate::support::policies::{directory, source};
use crate::support::raw::{Raw, command};
use crate::support::{Database, connect, data, login_at, one, try_connect};
use rowgate::identity::directory::{Answer, AnswerColumn, Directory};
use rowgate::keeper::Keeper;
use rowgate::world::{World, WorldHandle};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TABLES: &str = "[defaults]\nunprotected = \"open\"\n[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\n";
const REP: &str = "[customers]\nview = [\"own\"]\n[rights]\nsleep = true\n";

fn people(keep: &str) -> String {
    format!(
        "[directory]\nrefresh = \"100ms\"\n{keep}users = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n"
    )
}

async fn gate(database: &Database, keep: &str) -> Gate {
    let people = people(keep);
    let files = [
        ("tables.toml", TABLES),
        ("directory.toml", people.as_str()),
        ("roles/rep.toml", REP),
    ];
    Gate::with(database, &files, "").await
}

async fn within(handle: &WorldHandle, limit: Duration, what: &str, holds: impl Fn(&WorldHandle) -> bool) {
    let begun = Instant::now();
    while !holds(handle) {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn people_who_cannot_be_read_stay_for_a_while_and_then_nobody_new_comes() {
    let database = Database::new().await;
    let admin = database.superuser().await;
    let gate = gate(&database, "keep = \"2s\"\n").await;
    let config = login_at(gate.port(), "alice", &database.name);
    let alice = connect(&config).await;
    let own = one(&alice, "SELECT count(*) FROM customers").await;
    // a query that fails, and a changed schema beside it
    admin
        .batch_execute("ALTER TABLE crm.users RENAME manager_id TO boss; CREATE TABLE public.another (x int)")
        .await
        .unwrap();
    within(gate.world(), Duration::from_secs(5), "the new table", |w| {
        w.current().catalog.relations.values().any(|r| r.name.name == "another")
    })
    .await;
    assert_eq!(gate.world().current().directory.count(), 59);
    assert_eq!(one(&alice, "SELECT count(*) FROM customers").await, own);
    within(
        gate.world(),
        Duration::from_secs(5),
        "no logins",
        WorldHandle::people_outdated,
    )
    .await;
    let refused = try_connect(&config).await.err().unwrap();
    assert_eq!(
        refused.as_db_error().map(|e| e.code().code()),
        Some("57P03"),
        "{refused:?}"
    );
    assert_eq!(one(&alice, "SELECT count(*) FROM customers").await, own);
    admin
        .batch_execute("ALTER TABLE crm.users RENAME boss TO manager_id")
        .await
        .unwrap();
    within(gate.world(), Duration::from_secs(5), "logins", |w| !w.people_outdated()).await;
    connect(&config).await;
    gate.stop().await;
}

#[tokio::test]
async fn a_directory_without_anybody_is_not_believed() {
    let database = Database::new().await;
    let admin = database.superuser().await;
    let gate = gate(&database, "").await;
    let config = login_at(gate.port(), "alice", &database.name);
    let alice = connect(&config).await;
    let generation = gate.world().current().generation;
    admin
        .batch_execute("BEGIN; CREATE TABLE crm.was AS TABLE crm.users; UPDATE crm.users SET active = false; COMMIT; NOTIFY rowgate_directory")
        .await
        .unwrap();
    // when they are read for the second time, it shows what came of the first
    for _ in 0..2 {
        let users = database.lock("crm.users").await;
        users.until_wanted().await;
        users.let_go().await;
    }
    assert_eq!(gate.world().current().generation, generation);
    one(&alice, "SELECT 1").await;
    // one who stays is enough to believe it
    admin
        .batch_execute("UPDATE crm.users SET active = true WHERE login = 'bob'; NOTIFY rowgate_directory")
        .await
        .unwrap();
    within(gate.world(), Duration::from_secs(2), "bob alone", |w| {
        w.current().directory.count() == 1
    })
    .await;
    assert!(alice.simple_query("SELECT 1").await.is_err());
    gate.stop().await;
}

async fn kept(database: &Database, users: &str) -> (Arc<World>, Vec<String>) {
    let people = format!("[directory]\nusers = \"{users}\"\n");
    let files = directory(&[
        ("tables.toml", TABLES),
        ("directory.toml", &people),
        ("roles/rep.toml", REP),
    ]);
    let keeper = Keeper::begin(source(database, files.path()))
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    (keeper.handle().current(), keeper.warnings().to_vec())
}

#[tokio::test]
async fn what_is_odd_in_the_data_is_told_and_gives_nothing() {
    let database = Database::new().await;
    let (world, warnings) = kept(
        &database,
        "SELECT * FROM (VALUES ('ann', 1, 'rep', 1), ('ann', 2, 'rep', 1), (NULL, 3, 'rep', 1), ('bea', 4, 'rap', 1), ('cid', 5, 'rep', 6), ('dan', 6, 'rep', 5), ('eve', 7, NULL, 5)) AS p (login, user_id, role, manager_id)",
    )
    .await;
    for said in [
        "login \"ann\" stands for different people in the directory: nobody may use it",
        "the directory has 1 people without a login: they are left out",
        "no file describes the role \"rap\", which 1 people have: it gives nothing",
        "person 5 comes back to itself through 6: this step is left out",
        "person 6 comes back to itself through 5: this step is left out",
        "person 1 comes back to itself through 1: this step is left out",
    ] {
        assert!(warnings.iter().any(|w| w == said), "{said}: {warnings:?}");
    }
    assert!(world.directory.principal("ann").is_none());
    assert_eq!(world.directory.count(), 4);
    let reports = |login: &str| {
        world
            .directory
            .principal(login)
            .unwrap()
            .reports
            .clone()
            .unwrap()
            .values
    };
    assert_eq!(reports("cid"), ["7"]);
    assert_eq!(reports("dan"), [""; 0]);
}

/// 100,000 people in 10,000 teams: `script/test` says how long a refresh takes, and how much memory the people need.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_people() {
    const PEOPLE: usize = 100_000;
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin
        .batch_execute(&format!(
            "CREATE TABLE crm.many AS SELECT 'p' || n AS login, n AS user_id, 'rep'::text AS role, n / 10 AS team_id,
               nullif(n / 8, n) AS manager_id, true AS active, 'region ' || n % 50 AS region FROM generate_series(0, {PEOPLE} - 1) AS n;
             INSERT INTO crm.many SELECT login, user_id, 'rep', team_id, manager_id, active, 'region 1' FROM crm.users WHERE login = 'alice';
             CREATE TABLE crm.many_teams AS SELECT n AS team_id, nullif(n / 5, n) AS parent_id FROM generate_series(0, 9999) AS n;
             GRANT SELECT ON crm.many, crm.many_teams TO rowgate"
        ))
        .await
        .unwrap();
    let files = [
        ("tables.toml", TABLES),
        (
            "directory.toml",
            "[directory]\nrefresh = \"1min\"\nusers = \"SELECT * FROM crm.many\"\nteams = \"SELECT * FROM crm.many_teams\"\n",
        ),
        ("roles/rep.toml", REP),
    ];
    let before = resident();
    let gate = Gate::with(&database, &files, "").await;
    assert_eq!(gate.world().current().directory.count(), PEOPLE + 1);
    let memory = resident().saturating_sub(before) >> 20;
    let more = [("database", database.name.as_str())];
    let mut raw = Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap();
    // a statement that runs while people are read again notices nothing of it
    let generation = gate.world().current().generation;
    let begun = Instant::now();
    admin
        .batch_execute("UPDATE crm.many SET region = 'another' WHERE user_id = 5; NOTIFY rowgate_directory")
        .await
        .unwrap();
    let mut slowest = Duration::ZERO;
    while gate.world().current().generation == generation {
        let asked = Instant::now();
        raw.send(&command("Q select 1")).await;
        raw.until_ready(1).await;
        slowest = slowest.max(asked.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(60), "the refresh takes too long");
    }
    let refresh = begun.elapsed();
    let top = gate.world().current();
    let begun = Instant::now();
    let top = top.directory.principal("p1").unwrap();
    println!(
        "{PEOPLE} people: refresh {refresh:?}, slowest answer meanwhile {slowest:?}, memory {memory} MiB, {} reports in {:?}",
        top.reports.as_ref().unwrap().values.len(),
        begun.elapsed()
    );
    assert!(slowest < Duration::from_millis(500), "a pause of {slowest:?}");
    gate.stop().await;
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * 4_096
}

#[test]
fn a_chain_of_command_as_deep_as_there_are_people() {
    let column = |name: &str| AnswerColumn {
        name: name.to_owned(),
        type_oid: 23,
        type_sql: "\"pg_catalog\".\"int4\"".into(),
        is_list: false,
    };
    let text = |n: usize| Some(vec![n.to_string()]);
    let users = Answer {
        columns: ["login", "user_id", "manager_id"].map(column).to_vec(),
        rows: (0..50_000).map(|n| vec![text(n), text(n), text(n + 1)]).collect(),
    };
    let (directory, odd) = Directory::build(&users, &Answer::default(), &BTreeSet::new());
    assert!(odd.is_empty());
    let reports = |login: &str| {
        directory
            .principal(login)
            .unwrap()
            .reports
            .clone()
            .unwrap()
            .values
            .len()
    };
    assert_eq!((reports("49999"), reports("0")), (49_999, 0));
}
