//! A second factor that rowgate keeps, behind passwords of the database, of its own schema and of an LDAP directory.

use crate::support::proofs::{denied, now, psql, tls_gate, write};
use crate::support::rights::{command, configured, prepared};
use crate::support::slapd::Slapd;
use crate::support::{Database, data};
use std::path::Path;

const PASSWORD: &str = "tarn violet gasket moor";
const NEXT: &str = "lintel orbit spruce fen";
const KEY: &str = "0123456789abcdef0123456789abcdef";
const UPSTREAM: &str = "[login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n";
const MANY: &str = "attempts = 1000\nattempts_per_address = 1000\n";

/// An authenticator, as its owner sets it up from the address that the operator was shown.
struct Authenticator {
    totp: totp_rs::Totp,
    secret: String,
    /// Codes are those of this moment, so that they do not change while a test goes on.
    now: u64,
}

impl Authenticator {
    fn new(address: &str) -> Self {
        let secret = address.split_once("secret=").unwrap().1.split('&').next().unwrap();
        let read = totp_rs::Secret::try_from_base32(secret).unwrap();
        let totp = totp_rs::Builder::new().with_secret(read).build().unwrap();
        Self {
            totp,
            secret: secret.to_owned(),
            now: now(),
        }
    }

    /// The password with the code of so many steps from now.
    fn behind(&self, password: &str, steps: u64) -> String {
        format!("{password}{}", self.totp.generate(self.now + 30 * steps))
    }
}

/// `rowgate set-totp`
fn set_totp(place: &Path, login: &str) -> Authenticator {
    let (good, said) = command(place, &["set-totp", login], "");
    let told =
        format!("the second factor of {login} is set; their authenticator reads this, which is shown only now:\n");
    assert!(good && said.starts_with(&told), "{said}");
    let address = said.strip_prefix(&told).unwrap();
    assert!(
        address.starts_with(&format!("otpauth://totp/rowgate:{login}?secret=")),
        "{said}"
    );
    Authenticator::new(address)
}

/// Every code of refused logins that an audit file holds, in order.
fn refused(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    let refused = lines.filter(|l| l["event"] == "login" && l["decision"] == "refused");
    refused.map(|l| l["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn behind_passwords_of_the_schema() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    write(files.path(), "totp.key", KEY);
    write(files.path(), "other.key", "fedcba9876543210fedcba9876543210");
    let login = format!(
        "[login]\nmethod = \"rowgate\"\ntotp_key = \"FILES/totp.key\"\n{MANY}[rights]\n[passwords]\ndays = 30\n"
    );
    let place = configured(&database, &login.replace("FILES", &files.path().to_string_lossy()));
    let (good, said) = command(place.path(), &["set-totp", "alice"], "");
    assert!(!good && said.contains("run rowgate init"), "{said}");
    let owner = prepared(&database).await;
    for whose in ["alice", "bob", "grace"] {
        assert!(command(place.path(), &["set-password", whose], PASSWORD).0);
    }
    let (good, said) = command(place.path(), &["set-totp", "alicia"], "");
    assert_eq!(
        (good, said.as_str()),
        (false, "no such person in the directory: alicia")
    );
    let (first, alice) = (set_totp(place.path(), "alice"), set_totp(place.path(), "alice"));
    let grace = set_totp(place.path(), "grace");
    assert!(first.secret != alice.secret && alice.secret != grace.secret);

    let rules =
        format!("{login}[audit]\noutput = \"file\"\nfile = \"FILES/audit.jsonl\"\n[[access]]\nmethod = \"totp\"\n");
    let gate = tls_gate(&database, files.path(), &rules).await;
    let tls = async |login: &str, secret: &str| psql(&gate, &database, login, secret, "sslmode=require").await;
    let good = alice.behind(PASSWORD, 0);
    for (login, secret) in [
        ("alice", PASSWORD.to_owned()),
        ("alice", alice.behind("", 0)),
        ("alice", alice.behind(NEXT, 0)),
        ("alice", alice.behind(PASSWORD, 20)),
        ("alice", first.behind(PASSWORD, 0)),
        ("alice", grace.behind(PASSWORD, 0)),
        ("bob", good.clone()),
        ("bob", PASSWORD.to_owned()),
        ("no-one", good.clone()),
        ("alice", String::from("123456")),
        ("alice", String::from("é23456")),
    ] {
        assert_eq!(tls(login, &secret).await, denied(login), "{login} {secret}");
    }
    assert_eq!(tls("alice", &good).await, "in");
    assert_eq!(tls("alice", &good).await, denied("alice"));
    // in clear it is not asked for
    assert_eq!(
        psql(&gate, &database, "alice", &alice.behind(PASSWORD, 1), "sslmode=disable").await,
        denied("alice")
    );
    // a code is good once in all rowgates that share the schema, and so is the one before
    let second_files = tempfile::tempdir().unwrap();
    write(second_files.path(), "totp.key", KEY);
    let second_rules = format!("{login}[[access]]\nmethod = \"totp\"\n");
    let second = tls_gate(&database, second_files.path(), &second_rules).await;
    let there = async |secret: &str| psql(&second, &database, "alice", secret, "sslmode=require").await;
    assert_eq!(there(&good).await, denied("alice"));
    assert_eq!(there(&alice.behind(PASSWORD, 1)).await, "in");
    assert_eq!(tls("alice", &alice.behind(PASSWORD, 1)).await, denied("alice"));
    assert_eq!(tls("alice", &alice.behind(PASSWORD, 0)).await, denied("alice"));
    second.stop().await;
    // another key knows nobody's codes
    let third_files = tempfile::tempdir().unwrap();
    write(third_files.path(), "totp.key", "fedcba9876543210fedcba9876543210");
    let third_rules = format!("[audit]\noutput = \"file\"\nfile = \"FILES/audit.jsonl\"\n{second_rules}");
    let third = tls_gate(&database, third_files.path(), &third_rules).await;
    assert_eq!(
        psql(
            &third,
            &database,
            "grace",
            &grace.behind(PASSWORD, 0),
            "sslmode=require"
        )
        .await,
        denied("grace")
    );
    third.stop().await;
    let told = refused(&third_files.path().join("audit.jsonl"));
    assert_eq!(told, ["second-factor-of-another-key"]);

    let grace = Authenticator { now: now(), ..grace };
    // a password that is over is changed by whoever has logged in with it and a code
    owner
        .batch_execute("UPDATE rowgate.passwords SET set_at = now() - interval '31 days' WHERE login = 'grace'")
        .await
        .unwrap();
    let said = tls("grace", &grace.behind(PASSWORD, 0)).await;
    assert!(said.starts_with("the password of user \"grace\" has expired"), "{said}");
    let desk = format!(
        "host=localhost port={} user=grace dbname=rowgate sslmode=require",
        gate.port()
    );
    let secret = grace.behind(PASSWORD, 1);
    let change = tokio::process::Command::new("psql")
        .args([
            desk.as_str(),
            "-X",
            "-At",
            "-w",
            "-c",
            &format!("CHANGE PASSWORD TO '{NEXT}'"),
        ])
        .env("PGPASSWORD", secret)
        .env("PGSSLROOTCERT", "/nonexistent")
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&change.stdout).trim(), "CHANGE PASSWORD");

    // taken away: the login is refused, and never asked for less
    let remove = |login: &str| command(place.path(), &["set-totp", login, "--remove"], "");
    assert_eq!(
        remove("alice"),
        (true, "the second factor of alice is removed".to_owned())
    );
    assert_eq!(remove("alice"), (false, "alice has no second factor".to_owned()));
    assert_eq!(tls("alice", PASSWORD).await, denied("alice"));
    assert_eq!(tls("alice", &alice.behind(PASSWORD, 1)).await, denied("alice"));

    // who set whose, when: and no secret anywhere in the database
    let told = "SELECT string_agg(format('%s %s %s', who, what, login), ', ' ORDER BY id) FROM rowgate.history \
                WHERE what LIKE 'second factor%'";
    let told: String = owner.query_one(told, &[]).await.unwrap().get(0);
    assert_eq!(
        told,
        "dora second factor set alice, dora second factor set alice, dora second factor set grace, \
         dora second factor removed alice"
    );
    let stored = "SELECT (SELECT string_agg(f::text, ' ') FROM rowgate.second_factors f) \
                  || (SELECT string_agg(h::text, ' ') FROM rowgate.history h)";
    let stored: String = owner.query_one(stored, &[]).await.unwrap().get(0);
    gate.stop().await;
    let audit = files.path().join("audit.jsonl");
    let written = std::fs::read_to_string(&audit).unwrap();
    for one in [&first, &alice, &grace] {
        let bytes = totp_rs::Secret::try_from_base32(&one.secret).unwrap();
        let hex: String = bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert!(!stored.contains(&one.secret) && !stored.contains(&hex), "{stored}");
        assert!(!written.contains(&one.secret), "{written}");
    }
    assert!(!written.contains(PASSWORD) && !written.contains(NEXT));
    let words = refused(&audit);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(
        words[..13],
        [
            "wrong-code",
            "wrong-password",
            "wrong-password",
            "wrong-code",
            "wrong-code",
            "wrong-code",
            "no-second-factor",
            "no-second-factor",
            "wrong-password",
            "wrong-password",
            "wrong-password",
            "code-used-before",
            "no-tls"
        ]
    );
    assert_eq!(
        words[13..],
        [
            "code-used-before",
            "code-used-before",
            "password-expired",
            "no-second-factor",
            "no-second-factor"
        ]
    );
}

#[tokio::test]
async fn behind_passwords_of_the_database() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    write(files.path(), "totp.key", KEY);
    let owner = prepared(&database).await;
    let login = format!("{UPSTREAM}totp_key = \"FILES/totp.key\"\n{MANY}[rights]\n");
    let place = configured(&database, &login.replace("FILES", &files.path().to_string_lossy()));
    let alice = set_totp(place.path(), "alice");
    // beside tokens, and by the rules for some people alone
    let key = write(files.path(), "token.key", KEY);
    let rules = format!(
        "{login}[token]\nkey = \"FILES/token.key\"\n[[access]]\nlogin = \"bob\"\nmethod = \"scram\"\n\
         [[access]]\nmethod = [\"token\", \"totp\"]\n"
    );
    let gate = tls_gate(&database, files.path(), &rules).await;
    let tls = async |login: &str, secret: &str| psql(&gate, &database, login, secret, "sslmode=require").await;
    let own = data::password("alice");
    assert_eq!(tls("alice", &own).await, denied("alice"));
    assert_eq!(tls("alice", &alice.behind("wrong", 0)).await, denied("alice"));
    assert_eq!(tls("alice", &alice.behind(&own, 0)).await, "in");
    assert_eq!(tls("alice", &alice.behind(&own, 0)).await, denied("alice"));
    assert_eq!(tls("bob", &data::password("bob")).await, "in");
    assert_eq!(
        tls("grace", &alice.behind(&data::password("grace"), 1)).await,
        denied("grace")
    );
    let (good, token) = command(
        files.path(),
        &["token", "--as", "alice", "--key", &key.to_string_lossy()],
        "",
    );
    assert!(good);
    assert_eq!(tls("alice", &token).await, "in");

    // a number that is put in another login's place makes another secret
    owner
        .batch_execute(
            "INSERT INTO rowgate.second_factors (login, number, key_name, set_by) \
             SELECT 'grace', number, key_name, set_by FROM rowgate.second_factors WHERE login = 'alice'",
        )
        .await
        .unwrap();
    assert_eq!(
        tls("grace", &alice.behind(&data::password("grace"), 1)).await,
        denied("grace")
    );
    // the role that serves clients reads no list and changes none; people's SQL reaches nothing
    let serving = crate::support::connect(&database.straight("rowgate")).await;
    for sql in [
        "SELECT * FROM rowgate.second_factors",
        "UPDATE rowgate.second_factors SET last_step = 0",
        "DELETE FROM rowgate.second_factors",
    ] {
        let error = serving.batch_execute(sql).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{sql}");
    }
    let bob = crate::support::try_connect(
        crate::support::login_at(gate.port(), "bob", &database.name).ssl_mode(tokio_postgres::config::SslMode::Disable),
    )
    .await
    .unwrap();
    for sql in [
        "SELECT * FROM rowgate.second_factors",
        "SELECT * FROM rowgate.second_factor_of('alice')",
        "SELECT rowgate.take_code('alice', '\\x00', 99999999999)",
        "SELECT rowgate.set_second_factor('alice', '\\x00', 'x', 'y')",
        "SELECT rowgate.remove_second_factor('alice', 'bob')",
    ] {
        assert!(bob.batch_execute(sql).await.is_err(), "{sql}");
    }
    // what is kept cannot be read, or not be written: nobody comes in without their second factor
    for (gone, back) in [("second_factor_of", "gone"), ("take_code", "gone")] {
        let rename = |from: &str, to: &str| format!("ALTER FUNCTION rowgate.{from} RENAME TO {to}");
        owner.batch_execute(&rename(gone, back)).await.unwrap();
        for (login, secret) in [
            ("alice", alice.behind(&own, 1)),
            ("alice", own.clone()),
            ("no-one", own.clone()),
        ] {
            let said = tls(login, &secret).await;
            assert!(
                said.starts_with("nobody may log in now: passwords cannot be read"),
                "{gone}: {said}"
            );
        }
        assert_eq!(tls("bob", &data::password("bob")).await, "in");
        owner.batch_execute(&rename(back, gone)).await.unwrap();
    }
    assert_eq!(tls("alice", &alice.behind(&own, 1)).await, "in");
    gate.stop().await;
}

#[tokio::test]
async fn behind_passwords_of_a_directory() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    write(files.path(), "totp.key", KEY);
    prepared(&database).await;
    let slapd = Slapd::start(&[("alice", PASSWORD), ("bob", PASSWORD)], "");
    let login = format!("{UPSTREAM}totp_key = \"FILES/totp.key\"\n{MANY}[rights]\n");
    let place = configured(&database, &login.replace("FILES", &files.path().to_string_lossy()));
    let alice = set_totp(place.path(), "alice");
    let rules = format!(
        "[ldap]\nserver = \"localhost\"\nport = {}\nscheme = \"ldaps\"\nroot_cert = \"{}\"\n\
         prefix = \"uid=\"\nsuffix = \",ou=people,dc=example,dc=com\"\n{login}\
         [audit]\noutput = \"file\"\nfile = \"FILES/audit.jsonl\"\n[[access]]\nmethod = \"ldap+totp\"\n",
        slapd.secure_port,
        slapd.certificate().display(),
    );
    let gate = tls_gate(&database, files.path(), &rules).await;
    let tls = async |login: &str, secret: &str| psql(&gate, &database, login, secret, "sslmode=require").await;
    let denied = |login: &str| format!("LDAP authentication failed for user \"{login}\"");
    for (login, secret) in [
        ("alice", PASSWORD.to_owned()),
        ("alice", alice.behind(NEXT, 0)),
        ("alice", alice.behind("", 0)),
        ("alice", alice.behind(PASSWORD, 20)),
        ("bob", alice.behind(PASSWORD, 0)),
        ("no-one", alice.behind(PASSWORD, 0)),
    ] {
        assert_eq!(tls(login, &secret).await, denied(login), "{login} {secret}");
    }
    assert_eq!(tls("alice", &alice.behind(PASSWORD, 0)).await, "in");
    assert_eq!(tls("alice", &alice.behind(PASSWORD, 0)).await, denied("alice"));
    gate.stop().await;
    assert_eq!(
        refused(&files.path().join("audit.jsonl")),
        [
            "wrong-code",
            "wrong-password",
            "empty-password",
            "wrong-code",
            "no-second-factor",
            "wrong-password",
            "code-used-before"
        ]
    );
}

#[test]
fn what_the_configuration_must_name() {
    let small = "[upstream]\nhost = \"127.0.0.1\"\ndatabase = \"crm\"\nuser = \"rowgate\"\n\
        [tls]\nmode = \"allow\"\ncert = \"c\"\nkey = \"k\"\n";
    let said = |more: &str| {
        let text = format!("{small}{more}");
        let read = rowgate::config::Config::parse("r.toml", &text, Path::new(""));
        read.map_or_else(
            |errors| errors.iter().map(|e| e.message.clone()).collect(),
            |_| Vec::new(),
        )
    };
    let rule = "[[access]]\nmethod = \"totp\"\n";
    let none: Vec<String> = Vec::new();
    assert_eq!(said(&format!("[login]\ntotp_key = \"t\"\n[rights]\n{rule}")), none);
    assert_eq!(
        said(&format!("[login]\nmethod = \"users_file\"\nusers_file = \"u\"\n{rule}")),
        none
    );
    assert_eq!(
        said(rule),
        ["access.method \"totp\" needs the key that second factors are made with"]
    );
    assert_eq!(
        said(&format!("[login]\ntotp_key = \"t\"\n{rule}")),
        ["login.totp_key needs the schema that rights are kept in"]
    );
    assert_eq!(
        said("[login]\nmethod = \"users_file\"\nusers_file = \"u\"\ntotp_key = \"t\"\n[rights]\n"),
        ["login.totp_key is for passwords of the database and of rowgate's schema"]
    );
}
