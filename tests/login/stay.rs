//! How long somebody stays: to the end of their token, certificate or access rule; and access rules that change meanwhile.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::proofs::{Authority, Pair, Secure, now, server_certificate, tls_gate, write};
use crate::support::raw::{Raw, command, print, sasl_response, startup};
use crate::support::{Database, data};
use bytes::BytesMut;
use rowgate::net::frame::put;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const TOKEN_OVER: &str = "E FATAL 57P01 terminating connection because its token has expired";
const NO_RULE: &str = "E FATAL 57P01 terminating connection because no access rule lets this login in any more";

/// Tokens of one provider, with clocks that agree.
fn provider(files: &Path) -> (Pair, String) {
    let pair = Pair::new("one");
    write(files, "jwks.json", &json!({"keys": [pair.jwk()]}).to_string());
    let rules = "[jwt]\nissuer = \"https://id.example.com\"\naudience = \"rowgate\"\nalgorithms = [\"ES256\"]\n\
         leeway = \"1ms\"\nkeys_file = \"FILES/jwks.json\"\n[[access]]\nmethod = [\"jwt\"]\n\
         [login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n";
    (pair, rules.to_owned())
}

/// A session by a token that is good for some more seconds.
async fn by_token(gate: &Gate, files: &Path, pair: &Pair, database: &str, seconds: u64) -> Secure {
    let token = pair.sign(&[("exp", json!(now() + seconds))]);
    let mut tls = Secure::open(gate, files).await;
    tls.send(&startup(&[("user", "alice"), ("database", database)])).await;
    loop {
        let (tag, body) = tls.message().await.unwrap();
        match (tag, body.first_chunk::<4>().map_or(0, |c| i32::from_be_bytes(*c))) {
            (b'R', 3) => tls.send(&sasl_response(format!("{token}\0").as_bytes())).await,
            (b'Z', _) => return tls,
            (b'E', _) => panic!("{}", print(tag, &body)),
            _ => {}
        }
    }
}

/// The session's last words, and how long they took to come.
async fn last_words(tls: &mut Secure) -> (Vec<String>, Duration) {
    let begun = Instant::now();
    let mut said = Vec::new();
    while let Some((tag, body)) = tls.message().await {
        said.push(print(tag, &body));
    }
    (said, begun.elapsed())
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let (pair, rules) = provider(files.path());
    let gate = tls_gate(&database, files.path(), &rules).await;
    let name = database.name.as_str();
    let asleep = |seconds: u32| command(&format!("Q SELECT pg_sleep({seconds})"));
    // one that waits, one in a transaction, one whose statement runs
    let mut waiting = by_token(&gate, files.path(), &pair, name, 5).await;
    let mut within = by_token(&gate, files.path(), &pair, name, 5).await;
    within.send(&command("Q BEGIN")).await;
    let mut running = by_token(&gate, files.path(), &pair, name, 5).await;
    running.send(&asleep(600)).await;
    let mut longer = by_token(&gate, files.path(), &pair, name, 600).await;
    let (said, took) = last_words(&mut waiting).await;
    assert_eq!(said, [TOKEN_OVER]);
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (said, _) = last_words(&mut within).await;
    assert_eq!(said, ["C BEGIN", "Z T", TOKEN_OVER]);
    let (said, took) = last_words(&mut running).await;
    assert_eq!(said.last().unwrap(), TOKEN_OVER);
    assert!(took < Duration::from_secs(6), "{took:?}");
    longer.send(&command("Q SELECT 1")).await;
    while longer.message().await.unwrap().0 != b'Z' {}
    gate.stop().await;
}

#[tokio::test]
async fn a_session_that_asks_without_a_pause_ends_too() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let (pair, rules) = provider(files.path());
    let gate = tls_gate(&database, files.path(), &rules).await;
    let mut tls = by_token(&gate, files.path(), &pair, &database.name, 4).await;
    let begun = Instant::now();
    let mut batch = BytesMut::new();
    for _ in 0..20 {
        batch.extend_from_slice(&command("Q SELECT 1"));
    }
    let end = loop {
        assert!(begun.elapsed() < Duration::from_secs(15), "it goes on");
        tls.send(&batch).await;
        let mut ready = 0;
        let ended = loop {
            match tls.message().await {
                Some((b'Z', _)) => ready += 1,
                Some((b'E', body)) => break Some(print(b'E', &body)),
                Some(_) => {}
                None => break Some("closed".to_owned()),
            }
            if ready == 20 {
                break None;
            }
        };
        if let Some(ended) = ended {
            break ended;
        }
    };
    assert_eq!(end, TOKEN_OVER);
    gate.stop().await;
}

#[tokio::test]
async fn sessions_that_are_kept() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let (pair, rules) = provider(files.path());
    let gate = tls_gate(&database, files.path(), &format!("{rules}sessions = \"keep\"\n")).await;
    let mut kept = by_token(&gate, files.path(), &pair, &database.name, 3).await;
    kept.send(&command("Q SELECT pg_sleep(6)")).await;
    loop {
        match kept.message().await {
            Some((b'Z', _)) => break,
            Some((b'E', body)) => panic!("{}", print(b'E', &body)),
            Some(_) => {}
            None => panic!("closed"),
        }
    }
    gate.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_its_certificate() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    write(files.path(), "ca.crt", &ours.pem);
    let rules = "client_ca = \"FILES/ca.crt\"\n[[access]]\nmethod = \"cert\"\n";
    let gate = tls_gate(&database, files.path(), rules).await;
    let ends = std::time::SystemTime::now() + Duration::from_secs(6);
    let (cert, key) = ours.issue(files.path(), "alice", |params| params.not_after = ends.into());
    let url = format!(
        "host=localhost port={} user=alice dbname={} sslmode=require sslcert={} sslkey={}",
        gate.port(),
        database.name,
        cert.display(),
        key.display()
    );
    let mut psql = tokio::process::Command::new("psql");
    let command = ["-X", "-At", "-c", "SELECT 'in'", "-c", "SELECT pg_sleep(600)"];
    psql.arg(url).args(command).env("PGSSLROOTCERT", "/nonexistent");
    let output = psql.kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(20), output)
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "in\n");
    assert!(
        said.contains("terminating connection because its certificate has expired"),
        "{said}"
    );
    gate.stop().await;
}

#[tokio::test]
async fn access_rules_change_while_people_are_in() {
    let database = Database::new().await;
    let login = "[login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n";
    let rules = |rules: &str| format!("{login}{rules}");
    let gate = Gate::with(&database, OPEN_POLICY, login).await;
    let own = async |login: &str| {
        let tried = Raw::login(
            gate.port(),
            login,
            &data::password(login),
            &[("database", &database.name)],
        )
        .await;
        tried.map_err(|said| said.split_once(' ').unwrap().1.to_owned())
    };
    let denied = |login: &str| format!("FATAL 28P01 password authentication failed for user \"{login}\"");
    let (mut alice, mut bob) = (own("alice").await.unwrap(), own("bob").await.unwrap());
    // bob may not come in any more: he is out, in the middle of a statement
    bob.send(&command("Q SELECT pg_sleep(600)")).await;
    let without_bob = rules("[[access]]\nlogin = \"bob\"\nmethod = \"reject\"\n[[access]]\nmethod = \"scram\"\n");
    gate.reload(&database, &without_bob).await;
    assert_eq!(bob.until_ready(9).await.last().unwrap(), "closed");
    assert_eq!(
        alice.query("SELECT 1").await,
        ["T ?column?:23", "D 1", "C SELECT 1", "Z I"]
    );
    assert_eq!(own("bob").await.err().unwrap(), denied("bob"));
    // the hours of the rule that fits are over
    let hour = chrono::Timelike::hour(&chrono::Utc::now());
    let at_another_hour = rules(&format!(
        "[[access]]\nhours = \"{:02}:00-{:02}:00\"\ntime_zone = \"UTC\"\nmethod = \"scram\"\n",
        (hour + 3) % 24,
        (hour + 4) % 24
    ));
    gate.reload(&database, &at_another_hour).await;
    assert_eq!(alice.until_ready(1).await, [NO_RULE, "closed"]);
    assert_eq!(own("alice").await.err().unwrap(), denied("alice"));
    // back again; what cannot be read as a whole changes nothing
    gate.reload(&database, &without_bob).await;
    let mut alice = own("alice").await.unwrap();
    let broken = "[login]\nmethod = \"users_file\"\nusers_file = \"DIR/none.txt\"\n[[access]]\nmethod = \"reject\"\n";
    gate.reload(&database, broken).await;
    assert_eq!(alice.query("SELECT 1").await.last().unwrap(), "Z I");
    assert!(own("alice").await.is_ok());
    // the same method, with more asked for beside it
    let files = tempfile::tempdir().unwrap();
    server_certificate(files.path());
    write(files.path(), "ca.crt", &Authority::new("ours").pem);
    let by_certificate = "[tls]\nmode = \"allow\"\ncert = \"FILES/server.crt\"\nkey = \"FILES/server.key\"\nclient_ca = \"FILES/ca.crt\"\n";
    let by_certificate = by_certificate.replace("FILES", &files.path().to_string_lossy());
    let more = rules(&format!(
        "[[access]]\nmethod = \"scram\"\ncertificate = true\n{by_certificate}"
    ));
    gate.reload(&database, &more).await;
    assert_eq!(alice.until_ready(1).await, [NO_RULE, "closed"]);
    gate.stop().await;
}

#[tokio::test]
async fn the_database_of_rights_is_left_with_the_token() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    crate::support::rights::prepared(&database).await;
    let (pair, rules) = provider(files.path());
    let gate = tls_gate(&database, files.path(), &format!("{rules}[rights]\n")).await;
    let mut desk = by_token(&gate, files.path(), &pair, "rowgate", 5).await;
    let mut message = BytesMut::new();
    put(&mut message, b'Q', |out| out.extend_from_slice(b"SHOW PEOPLE\0"));
    desk.send(&message).await;
    while desk.message().await.unwrap().0 != b'Z' {}
    let (said, _) = last_words(&mut desk).await;
    assert_eq!(said, [TOKEN_OVER]);
    gate.stop().await;
}
