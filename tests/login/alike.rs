//! Nobody learns who exists: whoever is refused has the same conversation, and the same is asked for them behind it, by each
//! method. `ROWGATE_CLOCK=400` measures so many logins of each kind and prints how far they can be told apart by the clock.

use crate::support::gate::Gate;
use crate::support::proofs::{Secure, tls_gate, write};
use crate::support::raw::{print, sasl_initial, sasl_response, startup};
use crate::support::rights::{command, configured, prepared};
use crate::support::slapd::{SEARCHER, Slapd};
use crate::support::{Database, data};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const MANY: &str = "attempts = 1000000\nattempts_per_address = 1000000\n";
/// Whoever has a role is kept out, if it is bob: an unknown login has none.
const RULES: &str = "[[access]]\nlogin = \"bob\"\nrole = \"open\"\nmethod = \"reject\"\n[[access]]\n";

/// A login that fails: its name, and what it is tried with.
struct Try {
    what: &'static str,
    login: &'static str,
    secret: String,
}

fn of(what: &'static str, login: &'static str, secret: &str) -> Try {
    let secret = secret.to_owned();
    Try { what, login, secret }
}

/// The usual ones: the first is known, and its password wrong.
fn usual(secret: &str) -> Vec<Try> {
    vec![
        of("known", "alice", secret),
        of("unknown", "nobody-at-all", secret),
        of("inactive", "ruth", secret),
        of("kept out by a rule", "bob", secret),
    ]
}

/// What the server says to a try, its own words and numbers left out.
async fn conversation(gate: &Gate, database: &Database, files: &Path, one: &Try) -> (Vec<String>, f64) {
    let mut tls = Secure::open(gate, files).await;
    let begun = Instant::now();
    tls.send(&startup(&[("user", one.login), ("database", &database.name)]))
        .await;
    let mut scram = ScramSha256::new(one.secret.as_bytes(), ChannelBinding::unsupported());
    let mut said = Vec::new();
    while let Some((tag, body)) = tls.message().await {
        let code = body.first_chunk::<4>().map_or(0, |c| i32::from_be_bytes(*c));
        match (tag, code) {
            (b'R', 3) => {
                said.push("a password".to_owned());
                tls.send(&sasl_response(format!("{}\0", one.secret).as_bytes())).await;
            }
            (b'R', 10) => {
                said.push(String::from_utf8_lossy(&body[4..]).replace('\0', " "));
                tls.send(&sasl_initial(scram.message())).await;
            }
            (b'R', 11) => {
                let text = String::from_utf8_lossy(&body[4..]).into_owned();
                let part = |name: &str| text.split(',').find_map(|p| p.strip_prefix(name)).unwrap().to_owned();
                said.push(format!("a salt of {} and {} rounds", part("s=").len(), part("i=")));
                scram.update(&body[4..]).unwrap();
                tls.send(&sasl_response(scram.message())).await;
            }
            _ => said.push(print(tag, &body).replace(one.login, "LOGIN")),
        }
    }
    (said, begun.elapsed().as_secs_f64() * 1_000.0)
}

/// How often the second takes longer than the first: 0.5 where nobody could tell.
fn longer(first: &[f64], second: &[f64]) -> f64 {
    let pairs = second.iter().flat_map(|s| first.iter().map(move |f| (f, s)));
    let wins: f64 = pairs.map(|(f, s)| if s > f { 1.0 } else { 0.0 }).sum();
    wins / (first.len() * second.len()) as f64
}

/// How far that strays from 0.5 by chance where there is no difference (the deviation of Mann and Whitney's U): twice as far
/// in one of twenty cases.
fn by_chance(first: usize, second: usize) -> f64 {
    let (first, second) = (first as f64, second as f64);
    ((first + second + 1.0) / (12.0 * first * second)).sqrt()
}

/// All of them have the conversation of the first; which is given.
async fn alike(method: &str, gate: &Gate, database: &Database, files: &Path, tries: &[Try]) -> Vec<String> {
    let mut first = Vec::new();
    for one in tries {
        let (said, _) = conversation(gate, database, files, one).await;
        if first.is_empty() {
            first = said;
        } else {
            assert_eq!(said, first, "{method}: {}", one.what);
        }
    }
    let rounds = std::env::var("ROWGATE_CLOCK").ok().and_then(|n| n.parse().ok());
    let mut took: Vec<Vec<f64>> = tries.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds.unwrap_or(0) {
        // each after another one every time
        let mut order: Vec<usize> = (0..tries.len()).collect();
        order.sort_by_cached_key(|_| rand::random::<u64>());
        for at in order {
            took[at].push(conversation(gate, database, files, &tries[at]).await.1);
        }
    }
    for (one, times) in tries.iter().zip(&took).filter(|_| rounds.is_some()) {
        let mut sorted = times.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |part: usize| sorted[sorted.len() * part / 100];
        println!(
            "{method}: {}: {:.2} ms (quarters {:.2} and {:.2}); longer than the first {:.3} (by chance 0.5 ± {:.3})",
            one.what,
            at(50),
            at(25),
            at(75),
            longer(&took[0], times),
            2.0 * by_chance(took[0].len(), times.len())
        );
    }
    first
}

/// Stands before an LDAP server and writes down what is asked of it.
fn listening(to: u16) -> (u16, Arc<Mutex<Vec<&'static str>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(mut client), Ok(mut server)) = (client, TcpStream::connect(("127.0.0.1", to))) else {
                return;
            };
            let (mut back, mut forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count) = client.read(&mut bytes)
                    && count > 0
                {
                    // before it is passed on, so that it is written down when it is answered:
                    // SEQUENCE, its length, a number of one byte, and what is asked (RFC 4511)
                    heard.lock().unwrap().push(match bytes[5] {
                        0x60 => "bind",
                        0x63 => "search",
                        0x42 => "unbind",
                        other => panic!("{other:x}"),
                    });
                    if server.write_all(&bytes[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, asked)
}

#[tokio::test]
async fn by_ldap() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let people: Vec<(&str, &str)> = ["alice", "ruth", "bob", "stranger"]
        .map(|p| (p, "tarn violet gasket"))
        .into();
    let slapd = Slapd::start(&people, "");
    let found = format!(
        "basedn = \"dc=example,dc=com\"\nbinddn = \"{}\"\nbindpasswd = \"{}\"\n",
        SEARCHER.0, SEARCHER.1
    );
    let made = "prefix = \"uid=\"\nsuffix = \",ou=people,dc=example,dc=com\"\n".to_owned();
    for (names, expected) in [(made, &["bind"][..]), (found, &["bind", "search", "bind"])] {
        let (port, asked) = listening(slapd.port);
        let lines = format!(
            "[ldap]\nserver = \"127.0.0.1\"\nport = {port}\nin_clear = true\n{names}\
             [login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n{MANY}{RULES}method = \"ldap\"\n",
        );
        let gate = tls_gate(&database, files.path(), &lines).await;
        let mut tries = usual("guess");
        tries.push(of("known there alone", "stranger", "guess"));
        // with the right password too
        tries.push(of("kept out, with the password", "bob", "tarn violet gasket"));
        let said = alike("ldap", &gate, &database, files.path(), &tries).await;
        assert_eq!(
            said,
            [
                "a password",
                "E FATAL 28000 LDAP authentication failed for user \"LOGIN\""
            ]
        );
        for one in &tries {
            asked.lock().unwrap().clear();
            conversation(&gate, &database, files.path(), one).await;
            let asked: Vec<_> = asked
                .lock()
                .unwrap()
                .iter()
                .copied()
                .filter(|a| *a != "unbind")
                .collect();
            assert_eq!(asked, expected, "{}", one.what);
        }
        gate.stop().await;
    }
}

#[tokio::test]
async fn by_a_password_with_a_code() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let line = |login: &str, more: &str| {
        let verifier = postgres_protocol::password::scram_sha_256(b"tarn violet gasket");
        format!("\"{login}\" \"{verifier}\" {more}\n")
    };
    let with = format!("totp={secret}");
    let users = line("alice", &with) + &line("ruth", &with) + &line("bob", &with) + &line("carlos", "");
    write(files.path(), "users.txt", &users);
    let login = format!("[login]\nmethod = \"users_file\"\nusers_file = \"FILES/users.txt\"\n{MANY}");
    let gate = tls_gate(&database, files.path(), &format!("{login}{RULES}method = \"totp\"\n")).await;
    let mut tries = usual("a wrong one123456");
    for (what, login, secret) in [
        ("the right password, a wrong code", "alice", "tarn violet gasket00000x"),
        ("the right password alone", "alice", "tarn violet gasket"),
        ("who has no authenticator", "carlos", "tarn violet gasket123456"),
        ("kept out, with the password", "bob", "tarn violet gasket123456"),
        ("nothing", "alice", ""),
    ] {
        tries.push(of(what, login, secret));
    }
    let said = alike("totp", &gate, &database, files.path(), &tries).await;
    let denied = "E FATAL 28P01 password authentication failed for user \"LOGIN\"";
    assert_eq!(said, ["a password", denied]);
    gate.stop().await;
    // the same file by SCRAM
    let gate = tls_gate(&database, files.path(), &format!("{login}{RULES}method = \"scram\"\n")).await;
    let said = alike("users file", &gate, &database, files.path(), &usual("guess")).await;
    assert_eq!(said[0], "SCRAM-SHA-256-PLUS SCRAM-SHA-256  ");
    assert_eq!(said[1..], ["a salt of 24 and 4096 rounds", denied]);
    gate.stop().await;
}

/// The same where the schema keeps second factors: behind passwords of the database, of the schema, and of a directory.
#[tokio::test]
async fn by_a_code_that_rowgate_keeps() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let owner = prepared(&database).await;
    write(files.path(), "totp.key", "0123456789abcdef0123456789abcdef");
    let verifier = postgres_protocol::password::scram_sha_256(b"tarn violet gasket");
    for login in ["alice", "ruth", "bob", "grace"] {
        let set = "SELECT rowgate.set_password($1, $2, 'dora')";
        owner.execute(set, &[&login, &verifier]).await.unwrap();
    }
    let common = format!("totp_key = \"FILES/totp.key\"\n{MANY}[rights]\n");
    let common = common.replace("FILES", &files.path().to_string_lossy());
    let upstream = format!("[login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n{common}");
    let place = configured(&database, &upstream);
    for login in ["alice", "bob"] {
        assert!(command(place.path(), &["set-totp", login], "").0);
    }
    let people: Vec<(&str, &str)> = ["alice", "ruth", "bob", "grace"]
        .map(|p| (p, "tarn violet gasket"))
        .into();
    let slapd = Slapd::start(&people, "");
    let directory = format!(
        "{upstream}[ldap]\nserver = \"127.0.0.1\"\nport = {}\nin_clear = true\nprefix = \"uid=\"\n\
         suffix = \",ou=people,dc=example,dc=com\"\n{RULES}method = \"ldap+totp\"\n",
        slapd.port
    );
    let kept = format!("[login]\nmethod = \"rowgate\"\n{common}{RULES}method = \"totp\"\n");
    let upstream = format!("{upstream}{RULES}method = \"totp\"\n");
    for (method, lines, with) in [
        ("kept, with a code", kept, "tarn violet gasket"),
        ("upstream, with a code", upstream, "alice"),
        ("ldap, with a code", directory, "tarn violet gasket"),
    ] {
        let gate = tls_gate(&database, files.path(), &lines).await;
        let own = |login: &str| match with {
            "alice" => data::password(login),
            same => same.to_owned(),
        };
        let mut tries = usual("a wrong one123456");
        for (what, login, secret) in [
            (
                "the right password, a wrong code",
                "alice",
                format!("{}000000", own("alice")),
            ),
            ("the right password alone", "alice", own("alice")),
            ("who has no authenticator", "grace", format!("{}123456", own("grace"))),
            ("kept out, with the password", "bob", format!("{}123456", own("bob"))),
            ("nothing", "alice", String::new()),
        ] {
            tries.push(of(what, login, &secret));
        }
        let said = alike(method, &gate, &database, files.path(), &tries).await;
        assert_eq!(said[0], "a password");
        gate.stop().await;
    }
}

#[tokio::test]
async fn by_passwords_that_rowgate_keeps() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let owner = prepared(&database).await;
    for login in ["alice", "ruth", "bob"] {
        let verifier = postgres_protocol::password::scram_sha_256(b"tarn violet gasket");
        let set = "SELECT rowgate.set_password($1, $2, 'dora')";
        owner.execute(set, &[&login, &verifier]).await.unwrap();
    }
    let lines = format!("[login]\nmethod = \"rowgate\"\n{MANY}[rights]\n{RULES}method = \"scram\"\n");
    let gate = tls_gate(&database, files.path(), &lines).await;
    let mut tries = usual("guess");
    tries.push(of("kept out, with the password", "bob", "tarn violet gasket"));
    let said = alike("kept", &gate, &database, files.path(), &tries).await;
    assert_eq!(said[1], "a salt of 24 and 4096 rounds");
    gate.stop().await;
}

#[tokio::test]
async fn by_tokens() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let key = write(files.path(), "token.key", "0123456789abcdef0123456789abcdef");
    let other = write(files.path(), "other.key", "fedcba9876543210fedcba9876543210");
    let token = |login: &str, key: &Path| {
        let mut make = Command::new(env!("CARGO_BIN_EXE_rowgate"));
        let made = make.args(["token", "--as", login, "--key"]).arg(key).output().unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    let expired = |login: &str| {
        use jsonwebtoken::{EncodingKey, Header};
        let now = crate::support::proofs::now();
        let claims = serde_json::json!({"iss": "rowgate", "aud": "rowgate", "sub": login, "iat": now - 900,
            "exp": now - 300, "jti": "x"});
        let key = EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
        jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
    };
    let login = format!("[login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n{MANY}");
    let lines = format!("{login}[token]\nkey = \"FILES/token.key\"\n{RULES}method = \"token\"\n");
    let gate = tls_gate(&database, files.path(), &lines).await;
    let tries = [
        of("known, forged", "alice", &token("alice", &other)),
        of("unknown, forged", "nobody-at-all", &token("nobody-at-all", &other)),
        of("known, over", "alice", &expired("alice")),
        of("unknown, over", "nobody-at-all", &expired("nobody-at-all")),
        of("of another login", "alice", &token("bob", &key)),
        of("of another login, unknown", "nobody-at-all", &token("bob", &key)),
        of("kept out, with a token", "bob", &token("bob", &key)),
        of("no token", "alice", &data::password("alice")),
    ];
    alike("token", &gate, &database, files.path(), &tries).await;
    gate.stop().await;
}

/// From where somebody is kept out they see the salt that they see elsewhere; and an unknown one keeps theirs.
#[tokio::test]
async fn salts_tell_nothing() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let scram = "[login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n";
    let salt = async |gate: &Gate, login: &str| {
        let mut tls = Secure::open(gate, files.path()).await;
        tls.send(&startup(&[("user", login), ("database", &database.name)]))
            .await;
        let client = ScramSha256::new(b"x", ChannelBinding::unsupported());
        tls.message().await.unwrap();
        tls.send(&sasl_initial(client.message())).await;
        let body = tls.message().await.unwrap().1;
        let text = String::from_utf8_lossy(&body).into_owned();
        text.split(',').find_map(|p| p.strip_prefix("s=")).unwrap().to_owned()
    };
    let mut seen: Vec<(String, String)> = Vec::new();
    let rules = [
        "[[access]]\nmethod = \"scram\"\n",
        "[[access]]\naddress = \"10.9.8.7\"\nmethod = \"scram\"\n",
        "",
    ];
    write(files.path(), "decoy.key", "0123456789abcdef0123456789abcdef");
    let scram = format!("{scram}decoy_key = \"FILES/decoy.key\"\n");
    // three rowgates that share a key, each with a certificate of its own
    for rules in rules {
        let gate = tls_gate(&database, files.path(), &format!("{scram}{rules}")).await;
        seen.push((salt(&gate, "alice").await, salt(&gate, "nobody-at-all").await));
        gate.stop().await;
    }
    assert!(seen.iter().all(|salts| *salts == seen[0]), "{seen:?}");
    assert_ne!(seen[0].0, seen[0].1);
}
