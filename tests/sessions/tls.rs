//! TLS towards clients and towards the database, with channel binding; real drivers.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::{Database, data, until_sleeping};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// A certificate for 127.0.0.1 and localhost that signs itself.
fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (directory.join("server.crt"), directory.join("server.key"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

fn trusting(cert: &Path) -> MakeRustlsConnect {
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls_pki_types::CertificateDer::from_pem_file(cert).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

async fn tls_gate(database: &Database, mode: &str) -> (Gate, PathBuf, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(directory.path());
    let more = format!(
        "[tls]\nmode = \"{mode}\"\ncert = \"{}\"\nkey = \"{}\"\n",
        cert.display(),
        key.display()
    );
    (Gate::with(database, OPEN_POLICY, &more).await, cert, directory)
}

fn alice(gate: &Gate, database: &Database) -> tokio_postgres::Config {
    let mut config = crate::support::login_at(gate.port(), "alice", &database.name);
    config.host("localhost");
    config
}

#[tokio::test]
async fn tokio_postgres_with_tls() {
    let database = Database::new().await;
    let (gate, cert, _files) = tls_gate(&database, "require").await;
    let mut config = alice(&gate, &database);
    config.ssl_mode(SslMode::Require);
    let (mut client, connection) = config.connect(trusting(&cert)).await.unwrap();
    tokio::spawn(connection);

    // parameters, several rows, binary results
    let rows = client
        .query(
            "SELECT $1::int8 + g, $2::text || g FROM generate_series(1, 3) g",
            &[&40_i64, &"x"],
        )
        .await
        .unwrap();
    assert_eq!(
        (rows[2].get::<_, i64>(0), rows[2].get::<_, String>(1)),
        (43, "x3".to_owned())
    );
    // a pipeline
    let many = futures::future::join_all((0..200_i32).map(|i| {
        let client = &client;
        async move {
            client
                .query_one("SELECT $1::int4 * 2", &[&i])
                .await
                .unwrap()
                .get::<_, i32>(0)
        }
    }))
    .await;
    assert_eq!(many[199], 398);
    // a transaction with a portal
    let transaction = client.transaction().await.unwrap();
    let statement = transaction.prepare("SELECT generate_series(1, 10)").await.unwrap();
    let portal = transaction.bind(&statement, &[]).await.unwrap();
    assert_eq!(transaction.query_portal(&portal, 7).await.unwrap().len(), 7);
    assert_eq!(transaction.query_portal(&portal, 7).await.unwrap().len(), 3);
    transaction.commit().await.unwrap();
    // an error, and on
    let error = client.query("SELECT 1 / $1::int4", &[&0_i32]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22012");
    // copy out
    use futures::TryStreamExt;
    let copied: Vec<_> = client
        .copy_out("COPY (SELECT generate_series(1, 3)) TO STDOUT")
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(copied.concat(), b"1\n2\n3\n");
    // cancel, through TLS
    let token = client.cancel_token();
    let cancel = async {
        until_sleeping(&database, true).await;
        token.cancel_query(trusting(&cert)).await.unwrap();
    };
    let (slept, ()) = tokio::join!(client.simple_query("SELECT pg_sleep(30)"), cancel);
    assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
    drop(client);
    gate.stop().await;
}

#[tokio::test]
async fn without_tls_where_it_is_required() {
    let database = Database::new().await;
    let (gate, _, _files) = tls_gate(&database, "require").await;
    let error = alice(&gate, &database)
        .ssl_mode(SslMode::Disable)
        .connect(tokio_postgres::NoTls)
        .await
        .err()
        .unwrap();
    assert_eq!(error.code().unwrap().code(), "28000");
    gate.stop().await;
}

#[tokio::test]
async fn psql_in_every_sslmode() {
    let database = Database::new().await;
    let (gate, cert, _files) = tls_gate(&database, "allow").await;
    for (mode, tls) in [
        ("disable", "f"),
        ("prefer", "t"),
        ("require", "t"),
        ("verify-ca", "t"),
        ("verify-full", "t"),
    ] {
        let url = format!(
            "host=localhost port={} user=alice dbname={} sslmode={mode} sslrootcert={} channel_binding={}",
            gate.port(),
            database.name,
            cert.display(),
            if matches!(mode, "disable" | "prefer") {
                "prefer"
            } else {
                "require"
            }
        );
        let output = tokio::task::spawn_blocking(move || {
            Command::new("psql")
                .args([
                    url.as_str(),
                    "-X",
                    "-At",
                    "-c",
                    "\\conninfo",
                    "-c",
                    "SELECT count(*) FROM crm.teams",
                    "-c",
                    "\\d crm.teams",
                ])
                .env("PGPASSWORD", data::password("alice"))
                .output()
                .unwrap()
        })
        .await
        .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{mode}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(text.contains("SSL connection"), tls == "t", "{mode}: {text}");
        assert!(text.contains("team_id|integer|"), "{mode}: {text}");
    }
    gate.stop().await;
}
