//! Passwords that rowgate keeps in its schema: set by the operator and by their owners, held to rules, and nowhere in clear.

use crate::support::proofs::{psql, tls_gate, write};
use crate::support::rights::{command, configured, prepared};
use crate::support::{Database, data};
use std::path::Path;
use std::process::Command;

const FIRST: &str = "tarn violet gasket moor";
const SECOND: &str = "lintel orbit spruce fen";
const THIRD: &str = "gravel heron ambit sedge";

/// `rowgate set-password`, with the password on standard input.
fn set_password(place: &Path, login: &str, password: &str) -> (bool, String) {
    command(place, &["set-password", login], password)
}

/// A place with a configuration for commands.
fn place(database: &Database, more: &str) -> tempfile::TempDir {
    configured(database, &format!("[login]\nmethod = \"rowgate\"\n{more}"))
}

/// What psql says to one command.
async fn say(port: u16, at: &str, password: &str, command: &str, verbosity: &str) -> String {
    let mut psql = Command::new("psql");
    psql.arg(format!("host=localhost port={port} {at}"));
    psql.args([
        "-X",
        "-At",
        "-w",
        "-v",
        &format!("VERBOSITY={verbosity}"),
        "-c",
        command,
    ]);
    psql.env("PGPASSWORD", password).env("PGSSLROOTCERT", "/nonexistent");
    let output = tokio::task::spawn_blocking(move || psql.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    said.trim().to_owned()
}

/// The same over TLS, as somebody in a database: the error alone.
fn psql_at(port: u16, database: &str, login: &str) -> impl AsyncFn(&str, &str) -> String + use<> {
    let at = format!("user={login} dbname={database} sslmode=require");
    async move |password: &str, command: &str| say(port, &at, password, command, "terse").await
}

fn denied(login: &str) -> String {
    format!("password authentication failed for user \"{login}\"")
}

#[tokio::test]
async fn set_and_changed() {
    let database = Database::new().await;
    let place = place(&database, "[rights]\n[passwords]\nhistory = 2\n");
    let (good, said) = set_password(place.path(), "alice", FIRST);
    assert!(!good && said.contains("run rowgate init"), "{said}");
    let owner = prepared(&database).await;
    for (login, password, expected) in [
        ("alice", "short", "the password must have at least 12 characters"),
        ("alice", "password1234", "the password is too easy to guess"),
        ("alice", "", "the password must have at least 12 characters"),
        ("alicia", FIRST, "no such person in the directory: alicia"),
    ] {
        let (good, said) = set_password(place.path(), login, password);
        assert!(!good && said.starts_with(expected), "{said}");
    }
    let set = |login: &str, password: &str| {
        let (good, said) = set_password(place.path(), login, password);
        assert!(good && said == format!("the password of {login} is set"), "{said}");
    };
    set("alice", FIRST);
    set("bob", SECOND);

    let files = tempfile::tempdir().unwrap();
    let lines = "[login]\nmethod = \"rowgate\"\nattempts = 1000\n[rights]\n[passwords]\nhistory = 2\n\
        [token]\nkey = \"FILES/token.key\"\n[[access]]\nlogin = \"grace\"\nmethod = \"token\"\n[[access]]\nmethod = \"scram\"\n\
        [audit]\noutput = \"file\"\nfile = \"FILES/audit.jsonl\"\n";
    let key = write(files.path(), "token.key", "0123456789abcdef0123456789abcdef");
    let gate = tls_gate(&database, files.path(), lines).await;
    let tls = async |login: &str, password: &str| psql(&gate, &database, login, password, "sslmode=require").await;
    assert_eq!(tls("alice", FIRST).await, "in");
    assert_eq!(tls("bob", SECOND).await, "in");
    assert_eq!(tls("bob", FIRST).await, denied("bob"));
    assert_eq!(tls("grace", &data::password("grace")).await, denied("grace"));

    // her own, in the database of rights
    let change = async |password: &str, mode: &str, command: &str| {
        let at = format!("user=alice dbname=rowgate sslmode={mode}");
        say(gate.port(), &at, password, command, "verbose").await
    };
    let to = |password: &str| format!("CHANGE PASSWORD TO '{password}'");
    let said = change(FIRST, "require", &to("short")).await;
    assert_eq!(said, "ERROR:  22023: the password must have at least 12 characters");
    let said = change(FIRST, "require", &to(FIRST)).await;
    assert_eq!(said, "ERROR:  22023: the password was used before");
    let said = change(FIRST, "disable", &to(SECOND)).await;
    assert_eq!(said, "ERROR:  55000: a password is changed over TLS alone");
    for wrong in [
        "CHANGE PASSWORD",
        "change password of bob to 'x'",
        "CHANGE PASSWORD TO x",
        "CHANGE PASSWORD TO 'x",
    ] {
        let said = change(FIRST, "require", wrong).await;
        assert!(
            said.starts_with("ERROR:  42601: this command is CHANGE PASSWORD TO"),
            "{said}"
        );
    }
    assert_eq!(change(FIRST, "require", &to(SECOND)).await, "CHANGE PASSWORD");
    assert_eq!(tls("alice", FIRST).await, denied("alice"));
    assert_eq!(tls("alice", SECOND).await, "in");
    // former ones come again once others stand between
    let said = change(SECOND, "require", &to(FIRST)).await;
    assert_eq!(said, "ERROR:  22023: the password was used before");
    assert_eq!(change(SECOND, "require", &to(THIRD)).await, "CHANGE PASSWORD");
    assert_eq!(change(THIRD, "require", &to(FIRST)).await, "CHANGE PASSWORD");
    // a token is no password, and makes none
    let mut make = Command::new(env!("CARGO_BIN_EXE_rowgate"));
    let token = make
        .args(["token", "--as", "grace", "--key"])
        .arg(&key)
        .output()
        .unwrap()
        .stdout;
    let url = format!(
        "host=localhost port={} user=grace dbname=rowgate sslmode=require",
        gate.port()
    );
    let mut by_token = tokio::process::Command::new("psql");
    by_token
        .args([url.as_str(), "-X", "-w", "-c", &to(SECOND)])
        .env("PGSSLROOTCERT", "/nonexistent");
    by_token.env("PGPASSWORD", String::from_utf8(token).unwrap().trim());
    let said = String::from_utf8(by_token.output().await.unwrap().stderr).unwrap();
    assert!(
        said.starts_with("ERROR:  permission denied: a password is changed by whoever"),
        "{said}"
    );
    // what psql's own command would send stands in no record either
    let verifier = postgres_protocol::password::scram_sha_256(b"x");
    let said = change(FIRST, "require", &format!("ALTER USER alice PASSWORD '{verifier}'")).await;
    assert!(said.starts_with("ERROR:  42601"), "{said}");

    // who set what when, and verifiers alone
    let rows = owner.query(
        "SELECT who, login FROM rowgate.history WHERE what = 'password set' ORDER BY id",
        &[],
    );
    let rows: Vec<(String, String)> = rows.await.unwrap().iter().map(|r| (r.get(0), r.get(1))).collect();
    let by = |who: &str, whose: &str| (who.to_owned(), whose.to_owned());
    let own = by("alice", "alice");
    assert_eq!(
        rows,
        [by("dora", "alice"), by("dora", "bob"), own.clone(), own.clone(), own]
    );
    let stored: String = owner
        .query_one("SELECT string_agg(p::text, ' ') FROM rowgate.passwords p", &[])
        .await
        .unwrap()
        .get(0);
    gate.stop().await;
    let written = std::fs::read_to_string(files.path().join("audit.jsonl")).unwrap();
    assert_eq!(written.matches("\"event\":\"password\"").count(), 12, "{written}");
    for secret in [FIRST, SECOND, THIRD, verifier.as_str(), "SCRAM-SHA-256$", "'x"] {
        assert!(!written.contains(secret), "{secret} in {written}");
    }
    for secret in [FIRST, SECOND, THIRD] {
        assert!(!stored.contains(secret), "{stored}");
    }
}

#[tokio::test]
async fn what_is_kept_is_asked_for_one_by_one() {
    let database = Database::new().await;
    let place = place(&database, "[rights]\n[passwords]\ndays = 30\n");
    let owner = prepared(&database).await;
    assert!(set_password(place.path(), "alice", FIRST).0 && set_password(place.path(), "bob", SECOND).0);
    // the role that serves clients reads no list, and changes none
    let serving = crate::support::connect(&database.straight("rowgate")).await;
    for sql in [
        "SELECT * FROM rowgate.passwords",
        "INSERT INTO rowgate.passwords (login, verifier, set_by) VALUES ('bob', 'SCRAM-SHA-256$1:a$b:c', 'x')",
        "UPDATE rowgate.passwords SET login = 'bob'",
        "DELETE FROM rowgate.passwords",
    ] {
        let error = serving.batch_execute(sql).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{sql}");
    }
    // an old one is told to whoever has proved it, and to nobody else
    owner
        .batch_execute("UPDATE rowgate.passwords SET set_at = now() - interval '31 days' WHERE login = 'bob'")
        .await
        .unwrap();
    let files = tempfile::tempdir().unwrap();
    let lines = "[login]\nmethod = \"rowgate\"\n[rights]\n[passwords]\ndays = 30\n";
    let gate = tls_gate(&database, files.path(), lines).await;
    let tls = async |login: &str, password: &str| psql(&gate, &database, login, password, "sslmode=require").await;
    assert_eq!(tls("alice", FIRST).await, "in");
    let said = tls("bob", SECOND).await;
    assert!(said.starts_with("the password of user \"bob\" has expired"), "{said}");
    assert!(said.contains("CHANGE PASSWORD TO"), "{said}");
    // nothing else is done with it, and only where rowgate itself answers
    let desk = psql_at(gate.port(), "rowgate", "bob");
    let refused = "ERROR:  permission denied: your password has expired";
    assert!(desk(SECOND, "SHOW RIGHTS").await.starts_with(refused));
    assert_eq!(
        desk(SECOND, "CHANGE PASSWORD TO 'short'").await,
        "ERROR:  the password must have at least 12 characters"
    );
    let change = format!("CHANGE PASSWORD TO '{THIRD}'");
    assert_eq!(desk(SECOND, &change).await, "CHANGE PASSWORD");
    assert_eq!(tls("bob", THIRD).await, "in");
    assert_eq!(tls("bob", SECOND).await, denied("bob"));
    assert_eq!(desk(THIRD, "SHOW REQUESTS").await, "");
    assert_eq!(tls("bob", FIRST).await, denied("bob"));
    // nobody's own SQL reaches them
    for sql in [
        "SELECT * FROM rowgate.passwords",
        "SELECT * FROM rowgate.passwords_of('bob', 9)",
        "SELECT rowgate.set_password('bob', 'x', 'y')",
        "SELECT rowgate.passwords_of('bob', 9)",
    ] {
        let said = psql_at(gate.port(), &database.name, "alice")(FIRST, sql).await;
        assert!(said.starts_with("ERROR"), "{sql}: {said}");
    }
    // the schema goes away: nobody comes in, and the reason is not the password
    owner
        .batch_execute("ALTER FUNCTION rowgate.passwords_of RENAME TO gone")
        .await
        .unwrap();
    let said = tls("alice", FIRST).await;
    assert!(
        said.starts_with("nobody may log in now: passwords cannot be read"),
        "{said}"
    );
    assert!(tls("no-one", FIRST).await.starts_with("nobody may log in now"));
    gate.stop().await;
}

#[tokio::test]
async fn whoever_had_a_password_does_not_take_the_login_back() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let database = Database::new().await;
    let place = place(&database, "[rights]\n");
    prepared(&database).await;
    let set = |password: &str| {
        let (good, said) = set_password(place.path(), "alice", password);
        assert!(good, "{said}");
    };
    set(FIRST);
    let files = tempfile::tempdir().unwrap();
    let lines = "[login]\nmethod = \"rowgate\"\nattempts = 1000\n[rights]\n";
    let gate = tls_gate(&database, files.path(), lines).await;
    let at = format!(
        "host=localhost port={} user=alice dbname=rowgate sslmode=require",
        gate.port()
    );
    let mut thief = tokio::process::Command::new("psql");
    thief.args([at.as_str(), "-X", "-At", "-w"]);
    thief.env("PGPASSWORD", FIRST).env("PGSSLROOTCERT", "/nonexistent");
    thief.stdin(std::process::Stdio::piped());
    thief
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut thief = thief.spawn().unwrap();
    let mut says = thief.stdin.take().unwrap();
    let mut hears = BufReader::new(thief.stdout.take().unwrap()).lines();
    says.write_all(b"SHOW PEOPLE;\n").await.unwrap();
    assert!(hears.next_line().await.unwrap().unwrap().starts_with("alice|"));
    set(SECOND);
    let take_back = format!("CHANGE PASSWORD TO '{THIRD}';\n");
    says.write_all(take_back.as_bytes()).await.unwrap();
    drop(says);
    let said = thief.wait_with_output().await.unwrap().stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let expected = "permission denied: your password was changed since you have logged in";
    assert!(said.contains(expected), "{said}");
    let own = psql_at(gate.port(), "rowgate", "alice");
    assert!(own(FIRST, "SHOW HELP").await.contains(&denied("alice")));
    // with the one that counts, as often as one likes
    let twice = format!("CHANGE PASSWORD TO '{THIRD}'");
    assert_eq!(own(SECOND, &twice).await, "CHANGE PASSWORD");
    assert_eq!(
        own(THIRD, "CHANGE PASSWORD TO 'thistle quorum lantern bay'").await,
        "CHANGE PASSWORD"
    );
    gate.stop().await;
}
