//! Passwords that an LDAP directory knows, tried at a real OpenLDAP server.

use crate::support::gate::Gate;
use crate::support::proofs::{Secure, psql, tls_gate};
use crate::support::raw::{print, sasl_response, startup};
use crate::support::slapd::{SEARCHER, Slapd};
use crate::support::{Database, data};
use std::path::Path;

const PEOPLE: &[(&str, &str)] = &[
    ("alice", "tarn violet gasket"),
    ("bob", "lintel orbit spruce"),
    ("stranger", "not in the crm"),
    ("al*", "a star"),
    ("x,ou=people", "a comma"),
];
const MADE: &str = "prefix = \"uid=\"\nsuffix = \",ou=people,dc=example,dc=com\"\n";

/// A gate that asks a directory; `LDAP` in its lines stands for where that is.
async fn gate(database: &Database, files: &Path, slapd: &Slapd, names: &str, more: &str) -> Gate {
    let rules = format!(
        "[ldap]\nserver = \"localhost\"\nport = {}\nscheme = \"ldaps\"\nroot_cert = \"{}\"\n{names}\
         [[access]]\nmethod = \"ldap\"\n\
         [login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n{more}",
        slapd.secure_port,
        slapd.certificate().display(),
    );
    tls_gate(database, files, &rules).await
}

fn denied(login: &str) -> String {
    format!("LDAP authentication failed for user \"{login}\"")
}

const MANY: &str = "attempts = 1000\nattempts_per_address = 1000\n";

#[tokio::test]
async fn names_that_are_made() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let slapd = Slapd::start(PEOPLE, "");
    let gate = gate(&database, files.path(), &slapd, MADE, MANY).await;
    let tls = async |login: &str, password: &str| psql(&gate, &database, login, password, "sslmode=require").await;
    assert_eq!(tls("alice", "tarn violet gasket").await, "in");
    assert_eq!(tls("bob", "lintel orbit spruce").await, "in");
    for (login, password) in [
        ("alice", "tarn violet gaske"),
        ("alice", "lintel orbit spruce"),
        ("alice", &data::password("alice")),
        ("nobody", "tarn violet gasket"),
        ("alice,ou=people", "tarn violet gasket"),
        ("alice,ou=people,dc=example,dc=com", "tarn violet gasket"),
        ("*", "tarn violet gasket"),
    ] {
        assert_eq!(tls(login, password).await, denied(login), "{login} {password}");
    }
    // known there and not in the CRM
    let said = tls("stranger", "not in the crm").await;
    assert!(said.starts_with("login \"stranger\" has no access"), "{said}");
    // a comma is part of the name, and of nothing else
    let said = tls("x,ou=people", "a comma").await;
    assert!(said.starts_with("login \"x,ou=people\" has no access"), "{said}");
    // in clear nothing is asked for that could be read on its way
    let said = psql(&gate, &database, "alice", "tarn violet gasket", "sslmode=disable").await;
    assert_eq!(said, "password authentication failed for user \"alice\"");
    gate.stop().await;
}

#[tokio::test]
async fn an_empty_password_is_no_anonymous_bind() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    // a server that takes a name without a password for anybody, and says yes
    let slapd = Slapd::start(PEOPLE, "allow bind_anon_cred bind_anon_dn");
    let found = format!(
        "basedn = \"dc=example,dc=com\"\nbinddn = \"{}\"\nbindpasswd = \"{}\"\n",
        SEARCHER.0, SEARCHER.1
    );
    for names in [MADE, &found] {
        let gate = gate(&database, files.path(), &slapd, names, MANY).await;
        // psql never sends an empty one
        for secret in [b"\0".as_slice(), b"\0\0", b"tarn violet gasket\0\0", b"\xff\0"] {
            let mut tls = Secure::open(&gate, files.path()).await;
            tls.send(&startup(&[("user", "alice"), ("database", &database.name)]))
                .await;
            assert_eq!(&tls.message().await.unwrap().1[..], [0, 0, 0, 3]);
            tls.send(&sasl_response(secret)).await;
            let (tag, body) = tls.message().await.unwrap();
            let said = print(tag, &body);
            if secret == b"\0" {
                assert_eq!(said, format!("E FATAL 28000 {}", denied("alice")));
            } else {
                assert_eq!(said, "E FATAL 08P01 invalid password packet");
            }
        }
        gate.stop().await;
    }
}

#[tokio::test]
async fn names_that_are_found() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let slapd = Slapd::start(PEOPLE, "");
    let searcher = format!("binddn = \"{}\"\nbindpasswd = \"{}\"\n", SEARCHER.0, SEARCHER.1);
    let tries = async |names: &str, expected: &[(&str, &str, bool)]| {
        let gate = gate(&database, files.path(), &slapd, names, MANY).await;
        for (login, password, open) in expected {
            let said = psql(&gate, &database, login, password, "sslmode=require").await;
            let right = if *open { "in".to_owned() } else { denied(login) };
            assert_eq!(said, right, "{login} {password} {names}");
        }
        gate.stop().await;
    };
    let alice = "tarn violet gasket";
    tries(
        &format!("basedn = \"dc=example,dc=com\"\n{searcher}"),
        &[
            ("alice", alice, true),
            ("alice", "lintel orbit spruce", false),
            ("nobody", alice, false),
            // nothing in a name is part of the filter
            ("alic*", alice, false),
            ("*", alice, false),
            ("alice)(uid=alice", alice, false),
            ("alice\\2a", alice, false),
        ],
    )
    .await;
    // by another attribute, and by a filter; more than one entry is none
    tries(
        &format!("basedn = \"ou=people,dc=example,dc=com\"\nsearchattribute = \"cn\"\n{searcher}"),
        &[("alice", alice, true), ("bob", alice, false)],
    )
    .await;
    tries(
        &format!(
            "basedn = \"dc=example,dc=com\"\nsearchfilter = \"(&(employeeType=staff)(|(uid=$username)(mail=$username)))\"\n{searcher}"
        ),
        &[("alice", alice, true), ("bob", "lintel orbit spruce", true)],
    )
    .await;
    tries(
        &format!(
            "basedn = \"dc=example,dc=com\"\nsearchfilter = \"(|(uid=$username)(employeeType=staff))\"\n{searcher}"
        ),
        &[("alice", alice, false), ("bob", "lintel orbit spruce", false)],
    )
    .await;
    // whoever may not search finds nobody
    tries("basedn = \"dc=example,dc=com\"\n", &[("alice", alice, false)]).await;
    let wrong = searcher.replace(SEARCHER.1, "wrong");
    tries(
        &format!("basedn = \"dc=example,dc=com\"\n{wrong}"),
        &[("alice", alice, false)],
    )
    .await;
    // a base that is not there
    tries(
        &format!("basedn = \"dc=example,dc=org\"\n{searcher}"),
        &[("alice", alice, false)],
    )
    .await;
}

#[tokio::test]
async fn the_way_to_the_directory() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let (mut slapd, other) = (Slapd::start(PEOPLE, ""), Slapd::start(&[("alice", "forged")], ""));
    let alice = "tarn violet gasket";
    let way = async |port: u16, lines: &str, password: &str, certificate: &Path| {
        let rules = format!(
            "[ldap]\nserver = \"localhost\"\nport = {port}\nroot_cert = \"{}\"\ntimeout = \"3s\"\n{lines}{MADE}[[access]]\nmethod = \"ldap\"\n",
            certificate.display(),
        );
        let gate = tls_gate(&database, files.path(), &rules).await;
        let said = psql(&gate, &database, "alice", password, "sslmode=require").await;
        gate.stop().await;
        said
    };
    let ours = slapd.certificate();
    assert_eq!(way(slapd.port, "starttls = true\n", alice, &ours).await, "in");
    assert_eq!(way(slapd.port, "in_clear = true\n", alice, &ours).await, "in");
    assert_eq!(way(slapd.secure_port, "scheme = \"ldaps\"\n", alice, &ours).await, "in");
    // somebody in between, with a certificate of their own, who would say yes
    let no = denied("alice");
    assert_eq!(way(other.port, "starttls = true\n", "forged", &ours).await, no);
    assert_eq!(
        way(other.secure_port, "scheme = \"ldaps\"\n", "forged", &ours).await,
        no
    );
    // one who speaks no LDAP, and one who never answers
    assert_eq!(
        way(database.cluster.port(), "in_clear = true\n", alice, &ours).await,
        no
    );
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    assert_eq!(way(port, "in_clear = true\n", alice, &ours).await, no);
    // nobody is locked out while the directory is gone
    let limits = "attempts = 2\nlock = \"1h\"\nlongest_lock = \"2h\"\n";
    let gate = gate(&database, files.path(), &slapd, MADE, limits).await;
    let tls = async |login: &str, password: &str| psql(&gate, &database, login, password, "sslmode=require").await;
    assert_eq!(tls("bob", "guess").await, denied("bob"));
    slapd.stop();
    for _ in 0..4 {
        assert_eq!(tls("bob", "lintel orbit spruce").await, denied("bob"));
    }
    let again = Slapd::start(PEOPLE, "");
    let text = format!(
        "[tls]\nmode = \"allow\"\ncert = \"{0}/server.crt\"\nkey = \"{0}/server.key\"\n[ldap]\nserver = \"localhost\"\nport = {1}\nstarttls = true\nroot_cert = \"{2}\"\n{MADE}[[access]]\nmethod = \"ldap\"\n",
        files.path().display(),
        again.port,
        again.certificate().display(),
    );
    gate.reload(&database, &text).await;
    assert_eq!(tls("bob", "lintel orbit spruce").await, "in");
    // the second wrong one locks: the right one does not help, nor does the directory hear of it
    for guess in ["one", "two", "lintel orbit spruce"] {
        assert_eq!(tls("bob", guess).await, denied("bob"));
    }
    assert_eq!(tls("alice", alice).await, "in");
    gate.stop().await;
}
