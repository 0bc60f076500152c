//! OAUTHBEARER: message by message, and by libpq 18.

use crate::support::gate::Gate;
use crate::support::proofs::{Pair, Secure, denied, now, psql, reheaded, tls_gate, write};
use crate::support::raw::{print, sasl_response, startup};
use crate::support::{Database, data, shipped};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, BytesMut};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rowgate::net::frame::{put, put_cstr};
use serde_json::{Value, json};
use std::path::Path;

const ISSUER: &str = "https://id.example.com";
const TOLD: &str = "{ \"status\": \"invalid_token\", \"openid-configuration\": \
    \"https://id.example.com/.well-known/openid-configuration\", \"scope\": \"openid crm\" }";

/// Tokens of one provider by OAUTHBEARER; whoever is not alice, bob or nobody is asked for a password.
async fn gate(database: &Database, files: &Path, more: &str) -> (Gate, Pair) {
    let pair = Pair::new("one");
    write(files, "jwks.json", &json!({"keys": [pair.jwk()]}).to_string());
    let rules = format!(
        "[jwt]\nissuer = \"{ISSUER}\"\naudience = \"rowgate\"\nalgorithms = [\"ES256\"]\nscope = \"openid crm\"\n\
         keys_file = \"FILES/jwks.json\"\n[[access]]\nlogin = [\"alice\", \"bob\", \"nobody\"]\nmethod = \"oauth\"\n\
         [[access]]\nmethod = \"scram\"\n\
         [login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n{more}"
    );
    (tls_gate(database, files, &rules).await, pair)
}

/// The first message with what the mechanism says.
fn initial(mechanism: &str, data: Option<&[u8]>) -> BytesMut {
    let mut out = BytesMut::new();
    put(&mut out, b'p', |out| {
        put_cstr(out, mechanism);
        out.put_i32(data.map_or(-1, |data| i32::try_from(data.len()).unwrap()));
        out.put_slice(data.unwrap_or_default());
    });
    out
}

fn bearer(token: &str) -> Vec<u8> {
    format!("n,,\x01auth=Bearer {token}\x01\x01").into_bytes()
}

/// Sends one message after the other, the next one whenever there is an answer; gives the answers.
async fn talk(gate: &Gate, files: &Path, login: &str, database: &Database, messages: &[BytesMut]) -> Vec<String> {
    let mut tls = Secure::open(gate, files).await;
    tls.send(&startup(&[("user", login), ("database", &database.name)]))
        .await;
    let mut messages = messages.iter();
    let mut said = Vec::new();
    while let Some((tag, body)) = tls.message().await {
        match (tag, body.first_chunk::<4>().map_or(0, |c| i32::from_be_bytes(*c))) {
            (b'R', 0) => said.push("in".to_owned()),
            (b'R', code) => {
                said.push(format!("R {code} {}", String::from_utf8_lossy(&body[4..])));
                if let Some(message) = messages.next() {
                    tls.send(message).await;
                }
            }
            (b'Z', _) => return said,
            (b'E', _) => said.push(print(tag, &body)),
            _ => {}
        }
    }
    said
}

#[tokio::test]
async fn what_is_said_is_what_postgresql_18_says() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let limits = "attempts = 3\nlock = \"1h\"\nlongest_lock = \"2h\"\n";
    let (gate, pair) = gate(&database, files.path(), limits).await;
    let talk = async |login: &str, messages: &[BytesMut]| talk(&gate, files.path(), login, &database, messages).await;
    let told = format!("R 11 {TOLD}");
    let (offered, told) = ("R 10 OAUTHBEARER\0\0", told.as_str());
    let wrong = |login: &str| format!("E FATAL 28000 OAuth bearer authentication failed for user \"{login}\"");
    let good = initial("OAUTHBEARER", Some(&bearer(&pair.sign(&[]))));
    assert_eq!(talk("alice", std::slice::from_ref(&good)).await, [offered, "in"]);
    // the words in the next message
    let nothing = initial("OAUTHBEARER", None);
    let later = [nothing, sasl_response(&bearer(&pair.sign(&[])))];
    assert_eq!(talk("alice", &later).await, [offered, "R 11 ", "in"]);
    // what a client asks that has no token, as often as it likes
    let asks = [
        initial("OAUTHBEARER", Some(b"n,,\x01auth=\x01\x01")),
        sasl_response(b"\x01"),
    ];
    for _ in 0..5 {
        assert_eq!(talk("alice", &asks).await, [offered, told, &wrong("alice")]);
    }
    assert_eq!(talk("alice", std::slice::from_ref(&good)).await, [offered, "in"]);
    // whoever is not there hears the same
    assert_eq!(talk("nobody", &asks).await, [offered, told, &wrong("nobody")]);
    let of_alice = [good.clone(), sasl_response(b"\x01")];
    assert_eq!(talk("nobody", &of_alice).await, [offered, told, &wrong("nobody")]);
    // a failed exchange ends by the one word
    let bad = initial("OAUTHBEARER", Some(&bearer("x.y.z")));
    let malformed = "E FATAL 08P01 malformed OAUTHBEARER message";
    for last in [b"".as_slice(), b"\x01\x01", b"n,,\x01auth=\x01\x01"] {
        let said = talk("bob", &[bad.clone(), sasl_response(last)]).await;
        assert_eq!(said, [offered, told, malformed]);
    }
    // three of them were tries: the right token does not help any more
    let of_bob = initial(
        "OAUTHBEARER",
        Some(&bearer(&pair.sign(&[("preferred_username", json!("bob"))]))),
    );
    let locked = talk("bob", &[of_bob, sasl_response(b"\x01")]).await;
    assert_eq!(locked, [offered, told, &wrong("bob")]);
    gate.stop().await;
}

#[tokio::test]
async fn what_is_no_message_and_no_token() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let (gate, pair) = gate(
        &database,
        files.path(),
        "attempts = 1000\nattempts_per_address = 1000\n",
    )
    .await;
    let talk = async |login: &str, messages: &[BytesMut]| talk(&gate, files.path(), login, &database, messages).await;
    let good = pair.sign(&[]);
    let mechanism = "E FATAL 08P01 client selected an invalid SASL authentication mechanism";
    let malformed = "E FATAL 08P01 malformed OAUTHBEARER message";
    // another mechanism than the one that was offered
    for other in ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER-PLUS", "PLAIN", ""] {
        let said = talk("alice", &[initial(other, Some(b"n,,n=,r=abcdefghijklmnopqr"))]).await;
        assert_eq!(said.last().unwrap(), mechanism, "{other}");
    }
    for message in [
        b"".to_vec(),
        [bearer(&good), b"\0".to_vec()].concat(),
        format!("p=tls-server-end-point,,\x01auth=Bearer {good}\x01\x01").into_bytes(),
        format!("n,,\x01auth=Bearer {good}\x01").into_bytes(),
        format!("n,,\x01auth=Bearer {good}\x01auth=Bearer {good}\x01\x01").into_bytes(),
        format!("\u{e9},,\x01auth=Bearer {good}\x01\x01").into_bytes(),
        [b"n,,\x01auth=Bearer \xff\xfe".as_slice(), good.as_bytes(), b"\x01\x01"].concat(),
    ] {
        let said = talk("alice", &[initial("OAUTHBEARER", Some(&message))]).await;
        assert_eq!(said.last().unwrap(), malformed, "{}", String::from_utf8_lossy(&message));
    }
    let as_bob = format!("n,a=bob,\x01auth=Bearer {good}\x01\x01");
    let said = talk("alice", &[initial("OAUTHBEARER", Some(as_bob.as_bytes()))]).await;
    assert_eq!(
        said.last().unwrap(),
        "E FATAL 0A000 client uses authorization identity, but it is not supported"
    );
    // longer than any token
    let long = initial("OAUTHBEARER", Some(&bearer(&"a".repeat(70_000))));
    let said = talk("alice", &[long]).await;
    assert!(said.last().unwrap().starts_with("E FATAL 08P01"), "{said:?}");

    let by_secret = |secret: &[u8]| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("one".to_owned());
        let claims = json!({"iss": ISSUER, "aud": "rowgate", "preferred_username": "alice", "exp": now() + 300});
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let others = URL_SAFE_NO_PAD
        .encode(json!({"iss": ISSUER, "aud": "rowgate", "preferred_username": "bob", "exp": now() + 300}).to_string());
    for (login, forged) in [
        ("alice", Pair::new("one").sign(&[])),
        ("bob", good.clone()),
        ("bob", format!("{head}.{others}.{signature}")),
        ("alice", format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 64]))),
        ("alice", reheaded(&good, &json!({"alg": "none", "kid": "one"}), true)),
        ("alice", reheaded(&good, &json!({"alg": "none", "kid": "one"}), false)),
        ("alice", by_secret(pair.pair.public_key_pem().as_bytes())),
        ("alice", pair.sign(&[("exp", json!(now() - 31))])),
        ("alice", pair.sign(&[("nbf", json!(now() + 100))])),
        ("alice", pair.sign(&[("aud", json!("another"))])),
        ("alice", pair.sign(&[("aud", Value::Null)])),
        ("alice", pair.sign(&[("iss", json!("https://id.example.com/"))])),
        ("alice", data::password("alice")),
        ("alice", "=".to_owned()),
    ] {
        let first = initial("OAUTHBEARER", Some(&bearer(&forged)));
        let said = talk(login, &[first, sasl_response(b"\x01")]).await;
        let wrong = format!("E FATAL 28000 OAuth bearer authentication failed for user \"{login}\"");
        assert_eq!(said[1..], [format!("R 11 {TOLD}"), wrong], "{forged}");
    }
    let basic = initial(
        "OAUTHBEARER",
        Some(format!("n,,\x01auth=Basic {good}\x01\x01").as_bytes()),
    );
    let said = talk("alice", &[basic, sasl_response(b"\x01")]).await;
    assert!(said[2].contains("28000"), "{said:?}");

    // in clear nothing is asked for that could be read on its way
    let said = psql(&gate, &database, "alice", &data::password("alice"), "sslmode=disable").await;
    assert_eq!(said, denied("alice"));
    assert_eq!(
        psql(&gate, &database, "grace", &data::password("grace"), "sslmode=require").await,
        "in"
    );
    gate.stop().await;
}

#[tokio::test]
async fn libpq_18() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let (gate, pair) = gate(&database, files.path(), "attempts = 1000\n").await;
    let tokens = format!(
        "good={} of-bob={} over={} forged={}",
        pair.sign(&[]),
        pair.sign(&[("preferred_username", json!("bob"))]),
        pair.sign(&[("exp", json!(now() - 60))]),
        Pair::new("one").sign(&[]),
    );
    let output = tokio::process::Command::new("/usr/bin/python3")
        .arg(shipped("tests/clients/oauth_client.py"))
        .env("PYTHONPATH", shipped("target/clients/python"))
        .env("PGHOST", "localhost")
        .env("PGPORT", gate.port().to_string())
        .env("PGDATABASE", &database.name)
        .env("PGUSER", "alice")
        .env("PGSSLROOTCERT", files.path().join("server.crt"))
        .env("ISSUER", ISSUER)
        .env("TOKENS", tokens)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let asked = format!("asked {ISSUER}/.well-known/openid-configuration openid crm");
    let wrong = "FATAL:  OAuth bearer authentication failed for user \"alice\"";
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "libpq 18", "{said}; script/clients installs it");
    assert_eq!(&lines[1..3], [&asked, "good in"], "{said}");
    for (at, label) in ["of-bob", "over", "forged"].into_iter().enumerate() {
        let (before, after) = (lines[3 + 2 * at], lines[4 + 2 * at]);
        assert_eq!(before, asked, "{said}");
        assert!(after.starts_with(label) && after.ends_with(wrong), "{said}");
    }
    gate.stop().await;
}
