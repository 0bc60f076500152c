//! The shipped policies are right for the demonstration's database, and their own tests pass.

use crate::support::{Database, shipped};
use rstest::rstest;
use std::process::Command;

/// Runs the program with the sample configuration, pointed at a test's database and at these policies.
fn rowgate(command: &str, database: &Database, policies: &str) -> String {
    let sample = std::fs::read_to_string(shipped("rowgate.toml")).unwrap();
    let ours = sample
        .replace("port     = 5432", &format!("port     = {}", database.cluster.port()))
        .replace("\"crm\"", &format!("\"{}\"", database.name))
        .replace("\"policies\"", &format!("\"{}\"", shipped(policies).display()));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rowgate.toml");
    std::fs::write(&file, ours).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rowgate"))
        .args([command, "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rowgate {command}:\n{told}");
    told
}

#[tokio::test]
async fn they_are_right_for_the_database() {
    let told = rowgate("check", &Database::new().await, "policies");
    assert!(!told.contains("warning"), "{told}");
}

#[tokio::test]
async fn their_own_tests_pass() {
    let told = rowgate("test", &Database::new().await, "policies");
    assert!(told.contains(" 0 failed"), "{told}");
}

#[rstest]
#[case("salesforce")]
#[case("dynamics365")]
#[case("zoho")]
#[case("fxiaoke")]
#[case("jiandaoyun")]
#[tokio::test]
async fn each_crm_model_can_be_said(#[case] model: &str) {
    let database = Database::new().await;
    let policies = format!("policies/examples/{model}");
    let told = rowgate("check", &database, &policies);
    assert!(!told.contains("warning"), "{told}");
    let told = rowgate("test", &database, &policies);
    assert!(told.contains(" 0 failed"), "{told}");
}
