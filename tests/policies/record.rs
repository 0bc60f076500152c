//! The record of policies: what a new set changes is counted, kept once for all instances, and listed; nothing about it
//! stands in the way of the new set.

use crate::support::gate::Gate;
use crate::support::{Database, connect, failure, login_at, one, rows, until};
use rowgate::rights::policies::{PolicyChange, keep};
use rowgate::rights::schema::{self, Done};
use std::time::SystemTime;

const REP: &str = "[customers]\nview = [\"own\"]\n[contacts]\nview = [\"parent\"]\n\
    [contacts.columns]\nphone = { mask = \"partial\", keep = [3, 4] }\n";
const FILES: [(&str, &str); 6] = [
    (
        "tables.toml",
        "[defaults]\ncolumns = \"clear\"\n\
         [customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n\
         [contacts]\nrelation = \"public.contacts\"\nkey = \"id\"\nparent = { table = \"customers\", column = \"customer_id\" }\n",
    ),
    (
        "directory.toml",
        "[directory]\nrefresh = \"1min\"\nusers = \"SELECT login, user_id, CASE login WHEN 'grace' THEN '{dba}' ELSE roles::text[] END AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    ("roles/sales_rep.toml", REP),
    ("roles/sales_manager.toml", "[customers]\nview = [\"team_tree\"]\n"),
    ("roles/auditor.toml", "[customers]\nview = [\"all\"]\n"),
    ("roles/dba.toml", "bypass = true\n"),
];

async fn gate(database: &Database) -> Gate {
    Gate::with(database, &FILES, "[rights]\n").await
}

fn write(gate: &Gate, name: &str, text: &str) {
    std::fs::write(gate.files.path().join("policies").join(name), text).unwrap();
}

const KEPT: &str = "SELECT count(*) FROM rowgate.policies";
const LAST: &str = "SELECT array_to_string(changes, '|') FROM rowgate.policies ORDER BY id DESC LIMIT 1";

#[tokio::test]
async fn two_instances_keep_a_change_once_and_with_its_rows() {
    let database = Database::new().await;
    let owner = crate::support::rights::prepared(&database).await;
    let gates = [gate(&database).await, gate(&database).await];
    until(&owner, KEPT, "1").await;
    assert_eq!(one(&owner, LAST).await, "rowgate begins with this set");

    let null = REP.replace("{ mask = \"partial\", keep = [3, 4] }", "{ mask = \"null\" }");
    let change = async |role: &str, text: &str| {
        for gate in &gates {
            let generation = gate.world().current().generation;
            write(gate, role, text);
            gate.until("the new set", |w| w.generation > generation).await;
        }
    };
    change("roles/sales_rep.toml", &null).await;
    until(&owner, KEPT, "2").await;
    assert_eq!(
        one(&owner, LAST).await,
        "sales_rep: contacts.phone partial (3, 4) → null; loses 0 rows, 1 column"
    );
    // what one role of one person loses and gains, exactly, through parents too
    let most = async |what: &str, whose: &str| {
        one(
            &owner,
            &format!(
                "SELECT coalesce(max(n), 0) FROM (SELECT u.login, count(r.*) AS n FROM crm.users AS u LEFT JOIN ({what}) AS r ON {whose} \
                 WHERE 'sales_rep' = ANY (u.roles::text[]) AND u.active GROUP BY u.login) AS x"
            ),
        )
        .await
    };
    let customers = "SELECT owner_id FROM customers";
    let contacts = "SELECT c.owner_id FROM contacts JOIN customers AS c ON c.id = customer_id";
    let (mine, theirs) = (
        most(customers, "r.owner_id = u.user_id").await,
        most(contacts, "r.owner_id = u.user_id").await,
    );
    change("roles/sales_rep.toml", &null.replace("[\"own\"]", "[]")).await;
    until(&owner, KEPT, "3").await;
    let people: i64 = owner
        .query_one(
            "SELECT count(*) FROM crm.users WHERE 'sales_rep' = ANY (roles::text[]) AND active",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let told = one(&owner, LAST).await;
    let words = format!(
        "sales_rep: contacts has other rows; loses up to {theirs} rows a person, 0 columns{sample}|\
         sales_rep: customers view own → nothing; loses up to {mine} rows a person, 0 columns{sample}",
        sample = if people > 20 {
            format!("; 20 of {people} people were counted")
        } else {
            String::new()
        }
    );
    assert_eq!(told, words);
    // a set that comes back is a change again
    change("roles/sales_rep.toml", &null).await;
    until(&owner, KEPT, "4").await;
    change(
        "roles/sales_manager.toml",
        "[customers]\nview = [\"team_tree\"]\n[rights.temporary]\nlongest = \"1 day\"\n",
    )
    .await;
    until(&owner, KEPT, "5").await;
    assert_eq!(
        one(&owner, LAST).await,
        "sales_manager: rights.temporary.longest 7 d → 1 d"
    );
    assert_eq!(
        one(&owner, "SELECT count(*) FROM rowgate.policies AS a JOIN rowgate.policies AS b ON b.id = a.id + 1 WHERE b.before = a.hash AND length(b.hash) = 64").await,
        "4"
    );

    // listed, for whoever sees everything
    let grace = connect(&login_at(gates[0].port(), "grace", "rowgate")).await;
    let listed = rows(&grace, "SHOW POLICY CHANGES").await;
    assert_eq!(listed.len(), 7);
    assert_eq!(
        listed[1][3].as_deref(),
        Some("sales_rep: contacts.phone partial (3, 4) → null; loses 0 rows, 1 column")
    );
    let alice = connect(&login_at(gates[0].port(), "alice", "rowgate")).await;
    assert_eq!(failure(&alice, "SHOW POLICY CHANGES").await.0, "42501");

    // it is added to, and by nothing but its function
    for sql in [
        "UPDATE rowgate.policies SET hash = ''",
        "DELETE FROM rowgate.policies",
        "TRUNCATE rowgate.policies",
    ] {
        assert_eq!(
            failure(&owner, sql).await.1,
            "the history of rights and policies is only added to"
        );
    }
    let serving = connect(&database.straight("rowgate")).await;
    let sql = "INSERT INTO rowgate.policies (at, hash, changes) VALUES (now(), 'x', '{}')";
    assert_eq!(failure(&serving, sql).await.0, "42501");
    for gate in gates {
        gate.stop().await;
    }
    // the same set once more is none
    let again = gate(&database).await;
    write(&again, "roles/sales_rep.toml", &null);
    again.until("the new set", |w| w.generation > 1).await;
    until(&owner, KEPT, "7").await;
    again.stop().await;
}

#[tokio::test]
async fn a_schema_that_is_not_there_holds_nothing_up() {
    let database = Database::new().await;
    let owner = crate::support::rights::prepared(&database).await;
    let gate = gate(&database).await;
    until(&owner, KEPT, "1").await;
    for trouble in [
        "REVOKE ALL ON SCHEMA rowgate FROM rowgate",
        "UPDATE rowgate.state SET version = 1",
    ] {
        owner.batch_execute(trouble).await.unwrap();
        let generation = gate.world().current().generation;
        let text = format!("{REP}# {trouble}\n");
        write(&gate, "roles/sales_rep.toml", &text);
        gate.until("the new set all the same", |w| w.generation > generation)
            .await;
        let kept = one(&owner, KEPT).await;
        owner
            .batch_execute(&format!(
                "GRANT USAGE ON SCHEMA rowgate TO rowgate; UPDATE rowgate.state SET version = {}",
                schema::version()
            ))
            .await
            .unwrap();
        until(&owner, KEPT, &(kept.parse::<u32>().unwrap() + 1).to_string()).await;
        assert_eq!(
            one(&owner, LAST).await,
            "roles/sales_rep.toml has changed in what is not told here"
        );
    }
    gate.stop().await;
}

#[tokio::test]
async fn what_takes_too_long_to_count_is_told_without_its_rows() {
    let database = Database::new().await;
    let owner = crate::support::rights::prepared(&database).await;
    let gate = gate(&database).await;
    until(&owner, KEPT, "1").await;
    // nobody gets at the table for a while; the set takes force within a second
    owner
        .batch_execute("BEGIN; LOCK TABLE public.customers IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    write(&gate, "roles/sales_manager.toml", "[customers]\nview = [\"own\"]\n");
    let other = database.superuser().await;
    until(&other, KEPT, "2").await;
    owner.batch_execute("COMMIT").await.unwrap();
    let told = one(&owner, LAST).await;
    assert!(
        told.contains(
            "customers view team_tree → own; loses the rows of team_tree (not counted: error 55P03), 0 columns"
        ),
        "{told}"
    );
    gate.stop().await;
}

#[tokio::test]
async fn instances_at_once_and_behind_each_other() {
    let database = Database::new().await;
    let owner = crate::support::rights::prepared(&database).await;
    let source = rowgate::keeper::Source::from_config(&crate::support::gate::config(
        &database,
        std::path::Path::new("/"),
        "[rights]\n",
    ))
    .unwrap();
    let watch = source.rights.unwrap();
    let change = |before: Option<&str>, hash: &str| PolicyChange {
        at: SystemTime::now(),
        hash: hash.to_owned(),
        before: before.map(str::to_owned),
        author: None,
        changes: vec![format!("to {hash}")],
    };
    // all begin with a, and go to b, a, b: some at once, the last one far behind
    let steps = [
        change(None, "a"),
        change(Some("a"), "b"),
        change(Some("b"), "a"),
        change(Some("a"), "b"),
    ];
    // who begins when another has gone on begins with another set than the last one, which is a change
    let begin = async || keep(&watch, None, &steps[0]).await.unwrap();
    let (one_, two, three, late) = tokio::join!(begin(), begin(), begin(), begin());
    assert_eq!([one_, two, three], [late; 3]);
    let instance = async |mut seen| {
        let mut numbers = Vec::new();
        for step in &steps[1..] {
            seen = keep(&watch, Some(seen), step).await.unwrap();
            numbers.push(seen);
        }
        numbers
    };
    let (one_, two, three) = tokio::join!(instance(one_), instance(two), instance(three));
    assert_eq!((&one_, &one_), (&two, &three));
    let mut seen = late;
    for (step, number) in steps[1..].iter().zip(&one_) {
        seen = keep(&watch, Some(seen), step).await.unwrap();
        assert_eq!(seen, *number);
    }
    assert_eq!(one(&owner, KEPT).await, "4");
    // whoever begins with another set than the last one tells of it
    keep(&watch, None, &change(None, "b")).await.unwrap();
    assert_eq!(one(&owner, KEPT).await, "4");
    keep(&watch, None, &change(None, "c")).await.unwrap();
    assert_eq!(
        one(
            &owner,
            "SELECT before || ' ' || hash FROM rowgate.policies ORDER BY id DESC LIMIT 1"
        )
        .await,
        "b c"
    );
}

#[tokio::test]
async fn the_schema_of_version_1_is_brought_up_to_date() {
    let database = Database::new().await;
    let mut owner = database.superuser().await;
    owner
        .batch_execute(include_str!("../../src/rights/schema/1.sql"))
        .await
        .unwrap();
    owner
        .batch_execute(
            "GRANT USAGE ON SCHEMA rowgate TO rowgate; GRANT SELECT ON ALL TABLES IN SCHEMA rowgate TO rowgate; \
             INSERT INTO rowgate.rights (kind, login, role, until) VALUES ('role', 'alice', 'auditor', now() + '1 hour')",
        )
        .await
        .unwrap();
    let done = schema::prepare(&mut owner, "rowgate", false).await.unwrap();
    assert_eq!(done, Done::Migrated(1));
    assert_eq!(
        schema::prepare(&mut owner, "rowgate", false).await.unwrap(),
        Done::Nothing
    );
    assert_eq!(
        one(&owner, "SELECT version FROM rowgate.state").await,
        schema::version().to_string()
    );
    let gate = gate(&database).await;
    assert_eq!(
        gate.world().current().directory.roles("alice"),
        ["sales_rep", "auditor"]
    );
    until(&owner, KEPT, "1").await;
    gate.stop().await;
}
