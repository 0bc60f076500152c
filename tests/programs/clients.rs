//! Real clients through rowgate: connect, look around, ask with parameters, stream, be refused, cancel.
use crate::support::{Database, shipped};
use rowgate::demo::data;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// A sales representative: sees her own customers, phones masked but on her own rows, no credit limits.
const LOGIN: &str = "alice";

/// Runs a client against a rowgate of its own and gives back what it printed, standard error after it.
async fn run(program: &str, arguments: &[PathBuf]) -> String {
    let database = Database::new().await;
    let front = database.rowgate().await;
    let output = Command::new(program)
        .args(arguments)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", front.port().to_string())
        .env("PGDATABASE", &database.name)
        .env("PGUSER", LOGIN)
        .env("PGPASSWORD", data::password(LOGIN))
        .env(
            "NODE_PATH",
            format!("/usr/share/nodejs:{}", shipped("target/clients/node_modules").display()),
        )
        .env("LC_ALL", "C.UTF-8")
        .env("PSQLRC", "/dev/null")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), output)
        .await
        .unwrap_or_else(|_| panic!("{program} does not end"))
        .unwrap_or_else(|error| panic!("{program}: {error}; script/clients installs it"));
    front.stop().await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

const PYTHON: &str = "/usr/bin/python3";

fn client(name: &str) -> PathBuf {
    shipped("tests/clients").join(name)
}

#[track_caller]
fn says(output: &str, lines: &[&str]) {
    for line in lines {
        assert!(output.lines().any(|said| said == *line), "no \"{line}\" in:\n{output}");
    }
}

/// What every driver's program must say.
const ALL: [&str; 9] = [
    "customers 10",
    "quotes it's a \\ 'quote'",
    "streamed 10",
    "hidden 42703",
    "export 42501",
    "cancelled 57014",
    "usable 1",
    "masked true",
    "write refused true",
];

fn as_every_driver(output: &str) {
    says(&output.replace("True", "true"), &ALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn psycopg2() {
    let output = run(PYTHON, &[client("psycopg2_client.py")]).await;
    as_every_driver(&output);
    says(&output, &["list True", "catalogue True", "columns ['id', 'name']"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn psycopg3() {
    let output = run(PYTHON, &[client("psycopg3_client.py")]).await;
    as_every_driver(&output);
    says(&output, &["list True", "catalogue True", "columns ['id', 'name']"]);
    says(&output, &["binary datetime", "prepared 10", "pipeline 10 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_postgres() {
    let output = run("node", &[client("node_client.js")]).await;
    as_every_driver(&output);
    says(&output, &["list true", "catalogue true", "columns id name", "named 10"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn jdbc() {
    let arguments = ["-cp", "/usr/share/java/postgresql.jar"].map(PathBuf::from);
    let output = run("java", &[&arguments[..], &[client("JdbcClient.java")]].concat()).await;
    let (extended, simple) = output.split_once("mode simple").expect("both modes");
    for output in [extended, simple] {
        as_every_driver(output);
        says(
            output,
            &[
                "tables true",
                "columns true",
                "keys 1 true",
                "indexes true",
                "types true",
            ],
        );
        says(
            output,
            &["origin label name customers 0", "prepared 10", "after savepoint 1"],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn psql() {
    let output = run("psql", &["-f".into(), client("psql_client.sql")]).await;
    says(&output, &["customers 10", "masked true", "variable 10", "usable 1"]);
    assert_eq!(output.matches("streamed true").count(), 10, "{output}");
    assert!(output.contains("owner_id|integer"), "\\d shows columns: {output}");
    // a psql older than the server asks for what the catalogue no longer has
    let outdated = |line: &str| line.contains("column d.daticulocale") || line.contains("column c.colliculocale");
    let errors: Vec<_> = output
        .lines()
        .filter(|line| line.contains("ERROR") && !outdated(line))
        .collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].ends_with("42703") && errors[1].ends_with("42501"),
        "{errors:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_psql_cancels() {
    let endless = "SELECT count(*) FROM generate_series(1, 4000000000)";
    let arguments = ["--signal=INT", "1", "psql", "-c", endless].map(PathBuf::from);
    let output = run("timeout", &arguments).await;
    assert!(output.contains("canceling statement due to user request"), "{output}");
}
