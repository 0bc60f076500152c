//! Real mappers and batches write through rowgate as a representative: create, read, save every column, delete,
//! savepoints, optimistic locking by what was read; afterwards the database holds what it must.
use crate::support::{Database, one, shipped};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// What no mapper may change: masked dates and numbers, and everything of customers that are not alice's.
const KEPT: &str = "SELECT md5(concat((SELECT string_agg(concat(id, birthday), ',' ORDER BY id) FROM contacts WHERE id <= 300), \
    (SELECT string_agg(concat(id, tax_id, external_id, owner_id, team_id, level, credit_limit, phone, email, profile, tags), ',' ORDER BY id) \
     FROM customers), \
    (SELECT string_agg(c::text, ',' ORDER BY id) FROM customers c WHERE owner_id IS DISTINCT FROM 36), \
    (SELECT string_agg(o::text, ',' ORDER BY id) FROM contacts o WHERE customer_id NOT IN (SELECT id FROM customers WHERE owner_id = 36)), \
    (SELECT string_agg(o::text, ',' ORDER BY id) FROM opportunities o), \
    (SELECT string_agg(a::text, ',' ORDER BY id) FROM activities a WHERE owner_id IS DISTINCT FROM 36)))";

/// Runs a program and gives back what it printed; what must be kept was kept.
async fn run(program: &str, arguments: &[PathBuf]) -> String {
    let database = Database::new().await;
    let superuser = database.superuser().await;
    let before = one(&superuser, KEPT).await;
    let front = database.rowgate().await;
    let output = Command::new(program)
        .args(arguments)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", front.port().to_string())
        .env("PGDATABASE", &database.name)
        .env(
            "NODE_PATH",
            format!("/usr/share/nodejs:{}", shipped("target/clients/node_modules").display()),
        )
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), output)
        .await
        .unwrap_or_else(|_| panic!("{program} does not end"))
        .unwrap_or_else(|error| panic!("{program}: {error}; script/clients installs it"));
    front.stop().await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(before, one(&superuser, KEPT).await, "something changed in:\n{printed}");
    let spoilt = one(
        &superuser,
        "SELECT count(*) FROM customers WHERE city IN ('Koln', 'Nowhere')",
    )
    .await;
    assert_eq!(spoilt, "0", "{printed}");
    printed
}

#[track_caller]
fn says(output: &str, lines: &[&str]) {
    for line in lines {
        assert!(output.lines().any(|said| said == *line), "no \"{line}\" in:\n{output}");
    }
}

/// What every mapper's program must say.
const ALL: [&str; 8] = [
    "created +49 30 123",
    "changed CTO",
    "mask changed 42501",
    "optimistic 1 0",
    "given away 42501",
    "committed Nora Newer",
    "delete 42501",
    "bulk 3",
];

const PYTHON: &str = "/usr/bin/python3";

fn orm(name: &str) -> PathBuf {
    shipped("tests/orms").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn django() {
    let output = run(PYTHON, &[orm("django_orm.py")]).await;
    says(&output, &ALL);
    says(&output, &["masked 1 1 None", "saved Head Ulm", "others DatabaseError"]);
    says(&output, &["bulk changed 3", "or created False", "deleted 1 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlalchemy() {
    let output = run(PYTHON, &[orm("sqlalchemy_orm.py")]).await;
    says(&output, &ALL);
    says(
        &output,
        &[
            "masked 1 1 None",
            "saved Head Ulm",
            "others 0",
            "upsert Up",
            "deleted 0",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sequelize() {
    let output = run("node", &[orm("sequelize_orm.js")]).await;
    says(&output, &ALL);
    says(
        &output,
        &["masked 01-01 null", "saved 1 1 Head Ulm", "others 0", "deleted 0"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jdbc() {
    let arguments = ["-cp", "/usr/share/java/postgresql.jar"].map(PathBuf::from);
    let output = run("java", &[&arguments[..], &[orm("JdbcWriter.java")]].concat()).await;
    let modes: Vec<&str> = output.split("mode ").skip(1).collect();
    assert_eq!(modes.len(), 3, "{output}");
    for mode in modes {
        says(mode, &["batch 20", "changed 20", "masked 01-01", "grid Grid true"]);
        says(mode, &["mask changed 42501", "optimistic 1 0", "given away 42501"]);
        says(mode, &["committed kept!", "others 0", "delete 42501", "deleted 1"]);
        assert!(mode.contains("foreign batch 42501"), "{mode}");
    }
}
