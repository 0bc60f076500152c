//! The demonstration's data is what the README says it is, and the throwaway server leaves nothing behind.

use crate::support::{Database, connect, failure, one, rows, try_connect};
use rowgate::cluster::Cluster;
use rowgate::demo::data::{self, Scale};

#[tokio::test]
async fn every_table_has_its_rows_at_a_twentieth_of_the_size() {
    let database = Database::new().await;
    let client = database.superuser().await;
    for (table, expected) in [
        ("crm.users", "60"),
        ("crm.teams", "19"),
        ("customers", "100"),
        ("contacts", "300"),
        ("opportunities", "200"),
        ("contracts", "100"),
        ("service_records", "400"),
        ("activities", "100"),
        ("ONLY activities", "50"),
    ] {
        assert_eq!(
            one(&client, &format!("SELECT count(*) FROM {table}")).await,
            expected,
            "{table}"
        );
    }
    assert_eq!(
        one(&client, "SELECT count(*) FROM customers WHERE owner_id = 36").await,
        "7"
    );
}

#[tokio::test]
async fn the_same_rows_come_every_time() {
    let database = Database::new().await;
    let client = database.superuser().await;
    // changes only when somebody changes the demonstration's SQL
    let digest = one(
        &client,
        "SELECT md5(string_agg(c::text, '' ORDER BY id)) || md5((SELECT string_agg(s::text, '' ORDER BY id) FROM service_records s)) FROM customers c",
    )
    .await;
    insta::assert_snapshot!(digest);
}

#[tokio::test]
async fn people_have_passwords_and_no_rights() {
    let database = Database::new().await;
    let alice = connect(&database.straight("alice")).await;
    assert_eq!(failure(&alice, "SELECT 1 FROM customers").await.0, "42501");
    assert_eq!(failure(&alice, "CREATE TABLE public.mine ()").await.0, "42501");
    let mut wrong = database.straight("alice");
    wrong.password("wrong");
    assert_eq!(try_connect(&wrong).await.err().unwrap().code().unwrap().code(), "28P01");
}

#[tokio::test]
async fn rowgates_role_can_work_and_owns_nothing() {
    let database = Database::new().await;
    let rowgate = connect(&database.straight("rowgate")).await;
    assert_eq!(one(&rowgate, "SELECT count(*) FROM customers").await, "100");
    assert!(
        one(&rowgate, "SELECT verifier FROM rowgate.verifier('alice')")
            .await
            .starts_with("SCRAM-SHA-256$")
    );
    for nobody in ["ruth", "postgres", "rowgate", "no_such_person"] {
        let found = rows(&rowgate, &format!("SELECT * FROM rowgate.verifier('{nobody}')")).await;
        assert!(found.is_empty(), "{nobody}");
    }
    assert_eq!(failure(&rowgate, "SELECT rolpassword FROM pg_authid").await.0, "42501");
    assert_eq!(failure(&rowgate, "CREATE TABLE public.mine ()").await.0, "42501");
    let owned = "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = 'rowgate'";
    assert_eq!(one(&rowgate, owned).await, "0");
    let powers = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
                  FROM pg_roles WHERE rolname = 'rowgate'";
    assert_eq!(one(&rowgate, powers).await, "f");
}

#[tokio::test]
async fn every_scope_column_has_an_index() {
    let database = Database::new().await;
    let client = database.superuser().await;
    let bare = "SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                  AND a.attname IN ('owner_id', 'team_id', 'customer_id')
                  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum)";
    assert!(rows(&client, bare).await.is_empty());
}

#[tokio::test]
async fn a_cluster_leaves_nothing_behind() {
    let cluster = Cluster::start("an empty one", async |_| Ok::<(), String>(()))
        .await
        .unwrap();
    let directory = cluster.socket_directory().to_owned();
    let client = connect(&cluster.superuser("postgres")).await;
    assert_eq!(one(&client, "SELECT current_user").await, "postgres");
    let server: u32 = std::fs::read_to_string(directory.join("data/postmaster.pid"))
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    drop(client);
    drop(cluster);
    assert!(!directory.exists());
    assert!(!std::path::Path::new(&format!("/proc/{server}")).exists());
}

#[test]
fn a_scale_is_a_sensible_number() {
    assert!(Scale::new(0.0).is_none() && Scale::new(f64::NAN).is_none() && Scale::new(1e9).is_none());
    assert!("2".parse::<Scale>().is_ok() && "-1".parse::<Scale>().is_err());
    assert!(!data::sql(Scale::new(2.0).unwrap()).contains(":scale"));
}
