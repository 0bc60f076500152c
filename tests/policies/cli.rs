//! `rowgate check`, `rowgate test` and `rowgate explain` as an operator runs them.

use crate::support::Database;
use crate::support::policies::directory;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");

/// A configuration for a test's database.
fn configuration(database: &Database, policies: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let text = format!(
        "[upstream]\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"{}\"\nuser = \"rowgate\"\npassword = \"rowgate-demo\"\n\
         [policies]\ndirectory = \"{policies}\"\n[passwords]\ndays = 30\n[[access]]\nmethod = \"reject\"\n",
        database.cluster.port(),
        database.name
    );
    std::fs::write(place.path().join("rowgate.toml"), text).unwrap();
    place
}

/// Runs rowgate; its status, and what it said.
fn rowgate(place: &Path, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_rowgate"))
        .current_dir(place)
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8(done.stdout).unwrap(),
        String::from_utf8(done.stderr).unwrap()
    );
    (done.status.success(), said)
}

#[tokio::test]
async fn check_tells_whether_the_set_would_be_taken() {
    let database = Database::new().await;
    let place = configuration(&database, SHIPPED);
    let (good, said) = rowgate(place.path(), &["check"]);
    assert!(
        good && said.contains("5 roles") && said.contains("are right for database"),
        "{said}"
    );

    let broken = directory(&[
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT login, roles AS role FROM crm.users\"\n",
        ),
        ("tables.toml", "[customers]\nrelation = \"public.customer\"\n"),
    ]);
    let (good, said) = rowgate(place.path(), &["check", "--policies", broken.path().to_str().unwrap()]);
    assert!(!good, "{said}");
    assert!(
        said.contains(
            "tables.toml:2:12: there is no relation public.customer\n  hint: did you mean \"public.customers\"?"
        ),
        "{said}"
    );
    assert!(
        said.contains("1 error: this set of policies would not be taken"),
        "{said}"
    );
}

#[tokio::test]
async fn check_refuses_a_role_that_may_do_too_much() {
    let database = Database::new().await;
    database
        .superuser()
        .await
        .batch_execute("GRANT CREATE ON SCHEMA public TO rowgate")
        .await
        .unwrap();
    let place = configuration(&database, SHIPPED);
    let (good, said) = rowgate(place.path(), &["check"]);
    assert!(!good && said.contains("may create objects in schema public"), "{said}");
}

#[tokio::test]
async fn test_fails_where_a_test_does_and_shows_both_answers() {
    let database = Database::new().await;
    let policies = directory(&[
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT login, user_id, 'r' AS role, active FROM crm.users\"\n",
        ),
        (
            "tables.toml",
            "[defaults]\ncolumns = \"clear\"\n[customers]\nrelation = \"public.customers\"\nowner = \"owner_id\"\n",
        ),
        (
            "roles/r.toml",
            "[customers]\nview = [\"own\"]\n[customers.columns]\nphone = \"null\"\n",
        ),
        (
            "tests/r.toml",
            "[[test]]\ntitle = \"only her own\"\nas = \"alice\"\nsql = \"SELECT DISTINCT owner_id, phone FROM customers\"\nrows = [[36, []]]\n\
             [[test]]\ntitle = \"wrong on purpose\"\nas = \"alice\"\nsql = \"SELECT 1 AS one\"\nrows = [[\"2\"]]\ncolumns = [\"two\"]\n\
             [[test]]\ntitle = \"not hers\"\nas = \"alice\"\nsql = \"SELECT * FROM contacts\"\nerror = \"42501\"\n\
             [[test]]\ntitle = \"nobody\"\nas = \"mallory\"\nsql = \"SELECT 1\"\nerror = \"28000\"\n",
        ),
    ]);
    let place = configuration(&database, policies.path().to_str().unwrap());
    let (good, said) = rowgate(place.path(), &["test"]);
    assert!(!good, "{said}");
    for line in [
        "ok    alice: only her own",
        "FAIL  alice: wrong on purpose",
        "expected  columns two",
        "got       columns one",
        "expected  [\"2\"]",
        "got       [\"1\"]",
        "ok    alice: not hers",
        "ok    mallory: nobody",
        "3 passed, 1 failed",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let (good, said) = rowgate(place.path(), &["test", "not hers"]);
    assert!(good && said.contains("1 passed, 0 failed"), "{said}");
}

#[tokio::test]
async fn explain_tells_rows_masks_and_the_text_or_the_refusal() {
    let database = Database::new().await;
    let place = configuration(&database, SHIPPED);
    let (good, said) = rowgate(
        place.path(),
        &["explain", "--as", "alice", "SELECT name, phone FROM customers"],
    );
    assert!(good, "{said}");
    for line in [
        "person       alice with role sales_rep",
        "reads public.customers",
        "masked: phone:partial",
        "role sales_rep: view = own, member",
        "FROM \"public\".\"customers\" AS \"rowgate:row\"",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let (good, said) = rowgate(
        place.path(),
        &["explain", "--as", "alice", "SELECT credit_limit FROM customers"],
    );
    assert!(
        !good && said.contains("REFUSED  42703") && said.contains("         ^"),
        "{said}"
    );
    let (good, said) = rowgate(place.path(), &["explain", "--as", "nobody", "SELECT 1"]);
    assert!(
        !good && said.contains("nobody active has the login \"nobody\""),
        "{said}"
    );
}
