//! Real drivers, by their Debian packages: what they print through rowgate under an open policy is what they print
//! straight. A driver that is not installed is said to be missing, and passes.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::{Database, data};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian's packages put the modules, whatever other Python comes first on the PATH.
const PYTHON: &str = "/usr/bin/python3";
const JDBC: &str = "/usr/share/java/postgresql.jar";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers").join(name)
}

/// Runs a client straight and through rowgate, and compares.
async fn same(url: impl Fn(u16, &str, &str, &str) -> String, client: impl Fn(&str) -> Command + Send + 'static) {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let urls = [
        url(
            database.cluster.port(),
            "rowgate",
            &data::password("rowgate"),
            &database.name,
        ),
        url(gate.port(), "alice", &data::password("alice"), &database.name),
    ];
    let outputs = tokio::task::spawn_blocking(move || {
        urls.map(|url| {
            let output = client(&url).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{said}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
    })
    .await
    .unwrap();
    assert!(!outputs[0].is_empty());
    for (number, (straight, through)) in outputs[0].lines().zip(outputs[1].lines()).enumerate() {
        assert_eq!(through, straight, "line {}", number + 1);
    }
    assert_eq!(outputs[0].lines().count(), outputs[1].lines().count());
    gate.stop().await;
}

fn is_there(mut probe: Command, what: &str) -> bool {
    let there = probe.output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("{what} is not installed: not tried");
    }
    there
}

fn conninfo(port: u16, user: &str, password: &str, database: &str) -> String {
    format!("host=127.0.0.1 port={port} user={user} password={password} dbname={database} sslmode=disable")
}

async fn python(module: &str, script: &'static str) {
    let mut probe = Command::new(PYTHON);
    probe.args(["-c", &format!("import {module}")]);
    if is_there(probe, module) {
        same(conninfo, move |url| {
            let mut command = Command::new(PYTHON);
            command.arg(file(script)).arg(url);
            command
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psycopg2() {
    python("psycopg2", "psycopg2_client.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psycopg3() {
    python("psycopg", "psycopg3_client.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jdbc() {
    let mut probe = Command::new("javac");
    probe.arg("-version");
    if !is_there(probe, "javac") || !Path::new(JDBC).exists() {
        return;
    }
    let classes = tempfile::tempdir().unwrap();
    let made = Command::new("javac")
        .args(["-cp", JDBC, "-d"])
        .arg(classes.path())
        .arg(file("JdbcClient.java"))
        .status()
        .unwrap();
    assert!(made.success());
    let path = format!("{JDBC}:{}", classes.path().display());
    same(
        |port, user, password, database| {
            format!("jdbc:postgresql://127.0.0.1:{port}/{database}?user={user}&password={password}&sslmode=disable")
        },
        move |url| {
            let mut command = Command::new("java");
            command.args(["-cp", &path, "JdbcClient", url]);
            command
        },
    )
    .await;
}
