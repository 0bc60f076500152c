//! Proofs beside passwords, over TLS: client certificates, rowgate's own tokens, tokens of an identity provider; and
//! those that must not go through.

use crate::support::gate::Gate;
use crate::support::proofs::{Authority, Pair, Secure, denied, now, psql, reheaded, set, tls_gate, write};
use crate::support::raw::Raw;
use crate::support::{Database, data};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn client_certificates() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("ours"));
    write(files.path(), "ca.crt", &ours.pem);
    let rules = "client_ca = \"FILES/ca.crt\"\n[certificates]\n\"bob@example.com\" = \"bob\"\n\
        [[access]]\nlogin = \"wei\"\nmethod = \"scram\"\ncertificate = true\n\
        [[access]]\nlogin = \"grace\"\nmethod = \"scram\"\n\
        [[access]]\nmethod = \"cert\"\n";
    let gate = tls_gate(&database, files.path(), rules).await;
    let with = async |(cert, key): &(PathBuf, PathBuf), login: &str, password: &str| {
        let more = format!("sslmode=require sslcert={} sslkey={}", cert.display(), key.display());
        psql(&gate, &database, login, password, &more).await
    };
    let wrong = |login: &str| format!("certificate authentication failed for user \"{login}\"");
    let alice = ours.issue(files.path(), "alice", |_| {});
    assert_eq!(with(&alice, "alice", "").await, "in");
    assert_eq!(with(&alice, "bob", "").await, wrong("bob"));
    assert_eq!(with(&alice, "no-one", "").await, wrong("no-one"));
    // another name of the certificate, and one that the map gives to somebody else
    let by_mail = ours.issue(files.path(), "Bob B.", |params| {
        let mail = "bob@example.com".try_into().unwrap();
        params.subject_alt_names = vec![rcgen::SanType::Rfc822Name(mail)];
    });
    assert_eq!(with(&by_mail, "bob", "").await, "in");
    assert_eq!(with(&by_mail, "bob@example.com", "").await, wrong("bob@example.com"));
    // another authority of the same name, one that is over, and none at all
    let forged = other.issue(files.path(), "alice", |_| {});
    let said = with(&forged, "alice", "").await;
    assert!(said.contains("SSL error") || said.contains("alert"), "{said}");
    let over = ours.issue(files.path(), "alice", |params| {
        params.not_after = rcgen::date_time_ymd(2024, 1, 1)
    });
    let said = with(&over, "alice", "").await;
    assert!(said.contains("expired"), "{said}");
    let none = "sslmode=require sslcert=/nonexistent";
    assert_eq!(psql(&gate, &database, "alice", "", none).await, wrong("alice"));
    assert_eq!(
        psql(&gate, &database, "alice", "", "sslmode=disable").await,
        wrong("alice")
    );
    // a certificate beside the password: neither alone is enough
    let wei = ours.issue(files.path(), "wei", |_| {});
    assert_eq!(with(&wei, "wei", &data::password("wei")).await, "in");
    assert_eq!(with(&wei, "wei", "wrong").await, denied("wei"));
    assert_eq!(with(&alice, "wei", &data::password("wei")).await, denied("wei"));
    assert_eq!(
        psql(&gate, &database, "wei", &data::password("wei"), none).await,
        denied("wei")
    );
    // and a password alone where that is what the rule says
    assert_eq!(
        psql(&gate, &database, "grace", &data::password("grace"), none).await,
        "in"
    );
    gate.stop().await;
}

/// `rowgate token`, as a script runs it.
fn token(key: &Path, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rowgate"));
    command.args(["token", "--key"]).arg(key).args(more);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A token of our own making.
fn own_token(secret: &str, change: &[(&str, Value)]) -> String {
    let mut claims =
        json!({"iss": "rowgate", "aud": "rowgate", "sub": "alice", "iat": now(), "exp": now() + 60, "jti": "x"});
    set(&mut claims, change);
    jsonwebtoken::encode(
        &Header::default(),
        &claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .unwrap()
}

#[tokio::test]
async fn tokens_of_our_own() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let key = write(files.path(), "token.key", &format!("{SECRET}\n"));
    let rules = "[token]\nkey = \"FILES/token.key\"\nlongest = \"30min\"\n[[access]]\nmethod = \"token\"\n\
        [login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\nattempts = 1000\nattempts_per_address = 1000\n";
    let gate = tls_gate(&database, files.path(), rules).await;
    let tls = async |login: &str, password: &str| psql(&gate, &database, login, password, "sslmode=require").await;
    let good = token(&key, &["--as", "alice", "--for", "5m"]);
    assert_eq!(tls("alice", &good).await, "in");
    assert_eq!(tls("alice", &good).await, "in");
    assert_eq!(tls("bob", &good).await, denied("bob"));
    assert_eq!(
        tls("no-one", &token(&key, &["--as", "no-one"])).await,
        "login \"no-one\" has no access: it is not an active person of the directory\nHINT:  Ask the database administrator."
    );
    let once = token(&key, &["--as", "alice", "--once"]);
    assert_eq!(tls("alice", &once).await, "in");
    assert_eq!(tls("alice", &once).await, denied("alice"));
    // in clear nothing is asked for that could be read on its way
    let mut raw = Raw::open(gate.port()).await;
    raw.send(&crate::support::raw::startup(&[
        ("user", "alice"),
        ("database", &database.name),
    ]))
    .await;
    let (tag, body) = raw.message().await.unwrap();
    assert_eq!((tag, &body[..4]), (b'R', &[0, 0, 0, 10][..]));
    assert_eq!(
        psql(&gate, &database, "alice", &good, "sslmode=disable").await,
        denied("alice")
    );

    assert_eq!(tls("alice", &own_token(SECRET, &[])).await, "in");
    let (past, far) = (json!(now() - 3_600), json!(now() + 3_600));
    let another_key = own_token("another secret that is long enough", &[]);
    for forged in [
        another_key.clone(),
        own_token(SECRET, &[("exp", past.clone())]),
        own_token(SECRET, &[("exp", Value::Null)]),
        own_token(SECRET, &[("exp", json!("9999999999"))]),
        own_token(SECRET, &[("exp", far.clone())]),
        own_token(SECRET, &[("iat", Value::Null)]),
        own_token(SECRET, &[("iat", far.clone()), ("exp", json!(now() + 3_700))]),
        own_token(SECRET, &[("nbf", far.clone())]),
        own_token(SECRET, &[("nbf", json!("soon"))]),
        own_token(SECRET, &[("aud", json!("another"))]),
        own_token(SECRET, &[("aud", Value::Null)]),
        own_token(SECRET, &[("iss", json!("another"))]),
        own_token(SECRET, &[("sub", json!(["alice"]))]),
        own_token(SECRET, &[("sub", Value::Null)]),
        reheaded(&good, &json!({"alg": "none", "typ": "JWT"}), false),
        reheaded(&good, &json!({"alg": "none", "typ": "JWT"}), true),
        reheaded(&good, &json!({"alg": "HS512", "typ": "JWT"}), true),
        format!("{}x", good),
        good.replace('.', ".."),
        data::password("alice"),
        "..".to_owned(),
    ] {
        let said = tls("alice", &forged).await;
        assert_eq!(said, denied("alice"), "{forged}");
    }
    gate.stop().await;

    // Ed25519: the gate has the public key alone
    let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let private = write(files.path(), "private.pem", &pair.serialize_pem());
    write(files.path(), "public.pem", &pair.public_key_pem());
    let rules = rules.replace("token.key", "public.pem");
    let gate = tls_gate(&database, files.path(), &rules).await;
    let tls = async |password: &str| psql(&gate, &database, "alice", password, "sslmode=require").await;
    assert_eq!(tls(&token(&private, &["--as", "alice", "--for", "5m"])).await, "in");
    // what is public is no secret to sign with
    for secret in [
        pair.public_key_pem(),
        String::from_utf8_lossy(pair.public_key_raw()).into_owned(),
    ] {
        assert_eq!(tls(&own_token(&secret, &[])).await, denied("alice"));
    }
    assert_eq!(tls(&another_key).await, denied("alice"));
    gate.stop().await;
}

const PROVIDER: &str = "[jwt]\nissuer = \"https://id.example.com\"\naudience = \"rowgate\"\nalgorithms = [\"ES256\", \"RS256\"]\n\
    [[access]]\nmethod = [\"jwt\", \"token\"]\n[token]\nkey = \"FILES/token.key\"\n\
    [login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\nattempts = 1000\nattempts_per_address = 1000\n";

#[tokio::test]
async fn tokens_of_an_identity_provider() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let key = write(files.path(), "token.key", SECRET);
    let (ours, other) = (Pair::new("one"), Pair::new("one"));
    let secret = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    let strange = json!({"kty": "strange", "kid": "new"});
    let set = json!({"keys": [strange, secret, ours.jwk()]}).to_string();
    write(files.path(), "jwks.json", &set);
    let config = PROVIDER.replace("[[access]]", "keys_file = \"FILES/jwks.json\"\n[[access]]");
    let gate = tls_gate(&database, files.path(), &config).await;
    let tls = async |login: &str, password: &str| psql(&gate, &database, login, password, "sslmode=require").await;
    assert_eq!(tls("alice", &ours.sign(&[])).await, "in");
    assert_eq!(tls("alice", &token(&key, &["--as", "alice"])).await, "in");
    assert_eq!(tls("bob", &ours.sign(&[])).await, denied("bob"));
    assert_eq!(
        tls("bob", &ours.sign(&[("preferred_username", json!("bob"))])).await,
        "in"
    );

    let by_secret = |secret: &[u8], name: &str| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(name.to_owned());
        let claims = json!({"iss": "https://id.example.com", "aud": "rowgate", "preferred_username": "alice", "exp": now() + 300});
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let good = ours.sign(&[]);
    for forged in [
        other.sign(&[]),
        ours.sign(&[("iss", json!("https://evil.example.com"))]),
        ours.sign(&[("iss", json!(["https://id.example.com", "x"]))]),
        ours.sign(&[("aud", json!("account"))]),
        ours.sign(&[("aud", Value::Null)]),
        ours.sign(&[("exp", json!(now() - 31))]),
        ours.sign(&[("exp", Value::Null)]),
        ours.sign(&[("exp", json!("2099-01-01"))]),
        ours.sign(&[("nbf", json!(now() + 100))]),
        ours.sign(&[("preferred_username", Value::Null), ("sub", json!("alice"))]),
        // no algorithm, one that was not allowed, and a shared secret that everybody can read
        reheaded(&good, &json!({"alg": "none", "kid": "one"}), false),
        reheaded(&good, &json!({"alg": "None", "kid": "one"}), true),
        reheaded(&good, &json!({"alg": "ES384", "kid": "one"}), true),
        reheaded(&good, &json!({"alg": "RS256", "kid": "one"}), true),
        reheaded(
            &good,
            &json!({"alg": "ES256", "kid": "one", "crit": ["x"], "x": 1}),
            true,
        ),
        reheaded(&good, &json!({"alg": "ES256", "kid": "one", "jwk": other.jwk()}), true),
        by_secret(ours.pair.public_key_raw(), "one"),
        by_secret(ours.pair.public_key_pem().as_bytes(), "one"),
        by_secret(SECRET.as_bytes(), "oct"),
    ] {
        assert_eq!(tls("alice", &forged).await, denied("alice"), "{forged}");
    }
    gate.stop().await;
}

#[tokio::test]
async fn keys_of_a_provider_are_read_again_when_they_are_others() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    write(files.path(), "token.key", SECRET);
    let (old, new) = (Pair::new("old"), Pair::new("new"));
    let (asked, set) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(std::sync::Mutex::new(json!({"keys": [old.jwk()]}))),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/jwks", listener.local_addr().unwrap().port());
    let (count, shown) = (Arc::clone(&asked), Arc::clone(&set));
    let provider = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let _ = socket.read(&mut request).await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let body = shown.lock().unwrap().to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let config = PROVIDER.replace("[[access]]", &format!("keys_url = \"{url}\"\n[[access]]"));
    let gate = tls_gate(&database, files.path(), &config).await;
    let tls = async |password: &str| psql(&gate, &database, "alice", password, "sslmode=require").await;
    assert_eq!(tls(&old.sign(&[])).await, "in");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // a key that is not known makes rowgate look again, but not at every try
    for _ in 0..5 {
        assert_eq!(tls(&new.sign(&[])).await, denied("alice"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    *set.lock().unwrap() = json!({"keys": [new.jwk()]});
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while tls(&new.sign(&[])).await != "in" {}
    })
    .await
    .unwrap();
    assert_eq!(tls(&old.sign(&[])).await, denied("alice"));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    gate.stop().await;
    provider.abort();
}

/// What a client says in SCRAM.
struct Words {
    mechanism: &'static str,
    first: Vec<u8>,
    last: Vec<u8>,
}

/// A login over TLS by hand; `last` makes the client's last message of the server's first one. Gives the word that it ends
/// with, and what was said.
async fn by_hand(
    gate: &Gate,
    database: &Database,
    files: &Path,
    (mechanism, first): (&'static str, Vec<u8>),
    last: impl FnOnce(&[u8]) -> Vec<u8>,
) -> (String, Words) {
    use bytes::{BufMut, BytesMut};
    use rowgate::net::frame::{put, put_cstr};
    let mut tls = Secure::open(gate, files).await;
    let startup = crate::support::raw::startup(&[("user", "alice"), ("database", &database.name)]);
    tls.send(&startup).await;
    let mut words = Words {
        mechanism,
        first,
        last: Vec::new(),
    };
    let mut last = Some(last);
    loop {
        let Some((tag, body)) = tls.message().await else {
            return ("closed".to_owned(), words);
        };
        let code = body.first_chunk::<4>().map_or(0, |c| i32::from_be_bytes(*c));
        let mut out = BytesMut::new();
        match (tag, code) {
            (b'R', 10) => put(&mut out, b'p', |out| {
                put_cstr(out, words.mechanism);
                out.put_i32(i32::try_from(words.first.len()).unwrap());
                out.put_slice(&words.first);
            }),
            (b'R', 11) => {
                words.last = last.take().unwrap()(&body[4..]);
                put(&mut out, b'p', |out| out.put_slice(&words.last));
            }
            (b'Z', _) => return (String::new(), words),
            (b'E', _) => return (crate::support::raw::print(tag, &body), words),
            _ => {}
        }
        tls.send(&out).await;
    }
}

#[tokio::test]
async fn a_login_is_bound_to_the_certificate() {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
    use rustls_pki_types::pem::PemObject;
    use sha2::Digest;
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let gate = tls_gate(&database, files.path(), "").await;
    let certificate = rustls_pki_types::CertificateDer::from_pem_file(files.path().join("server.crt")).unwrap();
    let hash = sha2::Sha256::digest(&certificate).to_vec();
    let login = async |mechanism, binding| {
        let mut scram = ScramSha256::new(data::password("alice").as_bytes(), binding);
        let first = (mechanism, scram.message().to_vec());
        by_hand(&gate, &database, files.path(), first, |server| {
            scram.update(server).unwrap();
            scram.message().to_vec()
        })
        .await
    };
    let (plain, plus) = ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS");
    let (said, words) = login(plus, ChannelBinding::tls_server_end_point(hash.clone())).await;
    assert_eq!(said, "");
    assert_eq!(login(plain, ChannelBinding::unsupported()).await.0, "");
    // somebody between, with a certificate of their own
    let other = ChannelBinding::tls_server_end_point(vec![7; 32]);
    let wrong = format!("E FATAL 28P01 {}", denied("alice"));
    assert_eq!(login(plus, other).await.0, wrong);
    // somebody between who has taken the better mechanism out of the list, and one who mixes them up
    for (mechanism, binding) in [
        (plain, ChannelBinding::unrequested()),
        (plus, ChannelBinding::unsupported()),
        (plain, ChannelBinding::tls_server_end_point(hash)),
        ("SCRAM-SHA-1", ChannelBinding::unsupported()),
    ] {
        let said = login(mechanism, binding).await.0;
        assert!(said.starts_with("E FATAL 08P01"), "{said}");
    }
    // the same words a second time
    let again = (words.mechanism, words.first);
    let (said, _) = by_hand(&gate, &database, files.path(), again, |_| words.last).await;
    assert_eq!(said, wrong);
    gate.stop().await;
}

#[tokio::test]
async fn one_time_passwords() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let verifier = |login: &str| postgres_protocol::password::scram_sha_256(data::password(login).as_bytes());
    let (hers, today) = ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", chrono::Utc::now().date_naive());
    let users = format!(
        "\"alice\" \"{}\" changed={today} totp={hers}\n\"bob\" \"{}\" changed={today}\n\"grace\" \"{}\" changed=2024-01-01 totp={hers}\n",
        verifier("alice"),
        verifier("bob"),
        verifier("grace"),
    );
    write(files.path(), "users.txt", &users);
    let rules = "[login]\nmethod = \"users_file\"\nusers_file = \"FILES/users.txt\"\nattempts = 1000\n[passwords]\ndays = 30\n\
        [[access]]\nlogin = \"bob\"\ntls = false\nmethod = \"scram\"\n[[access]]\nmethod = \"totp\"\n";
    let gate = tls_gate(&database, files.path(), rules).await;
    let tls = async |login: &str, password: &str| psql(&gate, &database, login, password, "sslmode=require").await;
    let own = data::password("alice");
    let secret = totp_rs::Secret::try_from_base32(hers).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let code = |steps: u64| totp.generate(now() + 30 * steps).to_string();
    let good = format!("{own}{}", code(0));
    for wrong in [
        &own,
        &code(0),
        &format!("{}{own}", code(0)),
        &format!("wrong{}", code(0)),
        &format!("{own}{}", code(20)),
    ] {
        assert_eq!(tls("alice", wrong).await, denied("alice"), "{wrong}");
    }
    assert_eq!(tls("alice", &good).await, "in");
    assert_eq!(tls("alice", &good).await, denied("alice"));
    assert_eq!(tls("alice", &format!("{own}{}", code(1))).await, "in");
    // nobody is let in without a secret, and nobody learns who has one or exists
    assert_eq!(tls("bob", &data::password("bob")).await, denied("bob"));
    assert_eq!(
        tls("bob", &format!("{}{}", data::password("bob"), code(0))).await,
        denied("bob")
    );
    assert_eq!(tls("no-one", &good).await, denied("no-one"));
    assert_eq!(
        psql(&gate, &database, "alice", &good, "sslmode=disable").await,
        denied("alice")
    );
    assert_eq!(
        psql(&gate, &database, "bob", &data::password("bob"), "sslmode=disable").await,
        "in"
    );
    // an old password is told to whoever has proved it, and to nobody else
    let old = tls("grace", &format!("{}{}", data::password("grace"), code(1))).await;
    assert!(old.starts_with("the password of user \"grace\" has expired"), "{old}");
    assert_eq!(tls("grace", "guess123456").await, denied("grace"));
    gate.stop().await;
}

#[tokio::test]
async fn revoked_certificates() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    write(files.path(), "ca.crt", &ours.pem);
    let numbered =
        |login: &str, number: u64| ours.issue(files.path(), login, |params| params.serial_number = Some(number.into()));
    let (alice, bob) = (numbered("alice", 17), numbered("bob", 18));
    ours.revoke(files.path(), "list.crl", &[17], -1..30);
    let rules = "client_ca = \"FILES/ca.crt\"\nclient_crl = \"FILES/list.crl\"\n[[access]]\nmethod = \"cert\"\n";
    let gate = tls_gate(&database, files.path(), rules).await;
    let with = async |(cert, key): &(PathBuf, PathBuf), login: &str| {
        let more = format!("sslmode=require sslcert={} sslkey={}", cert.display(), key.display());
        psql(&gate, &database, login, "", &more).await
    };
    let is_broken_off = |said: &str| said.contains("SSL") || said.contains("alert");
    let said = with(&alice, "alice").await;
    assert!(is_broken_off(&said), "{said}");
    assert_eq!(with(&bob, "bob").await, "in");
    // another list, read with the other doors; one that is over, and one of somebody else
    let again = format!("[tls]\nmode = \"allow\"\ncert = \"FILES/server.crt\"\nkey = \"FILES/server.key\"\n{rules}");
    let again = again.replace("FILES", &files.path().to_string_lossy());
    ours.revoke(files.path(), "list.crl", &[18], -1..30);
    gate.reload(&database, &again).await;
    assert_eq!(with(&alice, "alice").await, "in");
    let said = with(&bob, "bob").await;
    assert!(is_broken_off(&said), "{said}");
    ours.revoke(files.path(), "list.crl", &[], -30..-1);
    gate.reload(&database, &again).await;
    let said = with(&alice, "alice").await;
    assert!(is_broken_off(&said), "{said}");
    Authority::new("ours").revoke(files.path(), "list.crl", &[], -1..30);
    gate.reload(&database, &again).await;
    let said = with(&alice, "alice").await;
    assert!(is_broken_off(&said), "{said}");
    // what is no list changes nothing
    ours.revoke(files.path(), "list.crl", &[18], -1..30);
    gate.reload(&database, &again).await;
    write(
        files.path(),
        "list.crl",
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    );
    gate.reload(&database, &again).await;
    assert_eq!(with(&alice, "alice").await, "in");
    gate.stop().await;
}

#[tokio::test]
async fn every_algorithm_and_no_other() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    write(files.path(), "token.key", SECRET);
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let pem = files.path().join("rsa.pem");
    let path = pem.to_str().unwrap();
    openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        path,
    ]);
    let modulus = String::from_utf8(openssl(&["rsa", "-in", path, "-noout", "-modulus"])).unwrap();
    let hex = modulus.trim().strip_prefix("Modulus=").unwrap().to_owned();
    let modulus: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect();
    let rsa =
        |kid: &str| json!({"kty": "RSA", "kid": kid, "use": "sig", "n": URL_SAFE_NO_PAD.encode(&modulus), "e": "AQAB"});
    let mut bound = rsa("bound");
    bound["alg"] = json!("PS256");
    let mut for_secrets = rsa("secrets");
    for_secrets["use"] = json!("enc");
    let edward = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let point = URL_SAFE_NO_PAD.encode(edward.public_key_raw());
    let okp = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": point});
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let raw = p384.public_key_raw();
    let half = |range| URL_SAFE_NO_PAD.encode::<&[u8]>(&raw[range]);
    let ec = json!({"kty": "EC", "crv": "P-384", "kid": "p384", "use": "sig", "x": half(1..49), "y": half(49..97)});
    let keys = json!({"keys": [rsa("rsa"), bound, for_secrets, okp, ec]}).to_string();
    write(files.path(), "jwks.json", &keys);
    let rsa_key = EncodingKey::from_rsa_der(&openssl(&["rsa", "-in", path, "-traditional", "-outform", "DER"]));
    let sign = |algorithm: Algorithm, kid: &str| {
        let mut header = Header::new(algorithm);
        header.kid = Some(kid.to_owned());
        let claims = json!({"iss": "https://id.example.com", "aud": "rowgate", "preferred_username": "alice", "exp": now() + 300});
        let key = match algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_der(&edward.serialize_der()),
            Algorithm::ES384 => EncodingKey::from_ec_der(&p384.serialize_der()),
            _ => rsa_key.clone(),
        };
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    };
    let all = [
        ("RS256", Algorithm::RS256, "rsa"),
        ("RS384", Algorithm::RS384, "rsa"),
        ("RS512", Algorithm::RS512, "rsa"),
        ("PS256", Algorithm::PS256, "rsa"),
        ("PS384", Algorithm::PS384, "rsa"),
        ("PS512", Algorithm::PS512, "rsa"),
        ("ES384", Algorithm::ES384, "p384"),
        ("EdDSA", Algorithm::EdDSA, "ed"),
    ];
    let config = |algorithms: &[&str]| {
        let algorithms = format!("algorithms = {}", json!(algorithms));
        PROVIDER
            .replace("algorithms = [\"ES256\", \"RS256\"]", &algorithms)
            .replace("[[access]]", "keys_file = \"FILES/jwks.json\"\n[[access]]")
    };
    let gate = tls_gate(&database, files.path(), &config(&all.map(|a| a.0))).await;
    let tls = async |gate: &Gate, token: &str| psql(gate, &database, "alice", token, "sslmode=require").await;
    for (name, algorithm, kid) in all {
        assert_eq!(tls(&gate, &sign(algorithm, kid)).await, "in", "{name}");
    }
    // a key that is for one algorithm alone, one that is for no signatures, and keys of another kind
    assert_eq!(tls(&gate, &sign(Algorithm::PS256, "bound")).await, "in");
    for (algorithm, kid) in [
        (Algorithm::RS256, "bound"),
        (Algorithm::RS256, "secrets"),
        (Algorithm::RS256, "ed"),
        (Algorithm::EdDSA, "rsa"),
        (Algorithm::ES384, "ed"),
    ] {
        assert_eq!(
            tls(&gate, &sign(algorithm, kid)).await,
            denied("alice"),
            "{algorithm:?} {kid}"
        );
    }
    gate.stop().await;
    // what the configuration does not name is not taken, whoever signs
    let gate = tls_gate(&database, files.path(), &config(&["PS512"])).await;
    for (name, algorithm, kid) in all {
        let expected = if name == "PS512" {
            "in".to_owned()
        } else {
            denied("alice")
        };
        assert_eq!(tls(&gate, &sign(algorithm, kid)).await, expected, "{name}");
    }
    gate.stop().await;
}
