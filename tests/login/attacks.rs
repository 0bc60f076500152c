//! Attacks on the way in: what is sent too early, in pieces, too long, or in clear before TLS.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::proofs::tls_gate;
use crate::support::raw::{Raw, command, print, sasl_initial, sasl_response, startup};
use crate::support::{Database, data};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use rowgate::net::Body;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Logs in by SCRAM; `send` says how bytes go out. Gives everything that came back, as text.
async fn scram(
    mut raw: Raw,
    login: &str,
    database: &str,
    password: &str,
    send: impl AsyncFn(&mut Raw, &[u8]),
) -> Vec<String> {
    let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    send(&mut raw, &startup(&[("user", login), ("database", database)])).await;
    let mut said = Vec::new();
    while let Some((tag, body)) = raw.message().await {
        let mut reader = Body::new(&body);
        match (tag, reader.i32().unwrap_or(0)) {
            (b'R', 10) => send(&mut raw, &sasl_initial(client.message())).await,
            (b'R', 11) => {
                client.update(reader.rest()).unwrap();
                send(&mut raw, &sasl_response(client.message())).await;
            }
            (b'Z', _) => {
                said.push("Z".to_owned());
                return said;
            }
            (b'E' | b'D' | b'C', _) => said.push(print(tag, &body)),
            _ => {}
        }
    }
    said
}

#[tokio::test]
async fn nothing_goes_before_tls() {
    let database = Database::new().await;
    let files = tempfile::tempdir().unwrap();
    let gate = tls_gate(&database, files.path(), "").await;
    // a startup packet that somebody between has put behind the request, to be read as if it came over TLS
    let mut raw = Raw::open(gate.port()).await;
    let injected = startup(&[("user", "alice"), ("database", &database.name)]);
    raw.send(&[SSL_REQUEST.as_slice(), &injected].concat()).await;
    let (tag, body) = raw.message().await.unwrap();
    assert_eq!(
        print(tag, &body),
        "E FATAL 08P01 received unencrypted data after SSL request"
    );
    assert!(raw.message().await.is_none());
    // one that comes a moment later is no TLS either
    let mut raw = Raw::open(gate.port()).await;
    raw.send(&SSL_REQUEST).await;
    assert_eq!(raw.socket.read_u8().await.unwrap(), b'S');
    raw.send(&injected).await;
    let mut rest = Vec::new();
    let _ = raw.socket.read_to_end(&mut rest).await;
    assert!(!rest.contains(&b'R'), "{rest:?}");
    gate.stop().await;
}

#[tokio::test]
async fn in_pieces_and_too_early() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let (name, own) = (database.name.as_str(), data::password("alice"));
    let byte_by_byte = async |raw: &mut Raw, bytes: &[u8]| {
        for byte in bytes {
            raw.send(&[*byte]).await;
        }
    };
    let said = scram(Raw::open(gate.port()).await, "alice", name, &own, byte_by_byte).await;
    assert_eq!(said, ["Z"]);
    // a statement behind the proof waits for its outcome
    let with_query = async |raw: &mut Raw, bytes: &[u8]| {
        let query = if bytes[0] == b'p' && bytes.windows(2).any(|w| w == b"p=") {
            command("Q SELECT 'early'")
        } else {
            Default::default()
        };
        raw.send(&[bytes, &query].concat()).await;
    };
    let said = scram(Raw::open(gate.port()).await, "alice", name, "wrong", with_query).await;
    assert_eq!(
        said[0],
        "E FATAL 28P01 password authentication failed for user \"alice\""
    );
    assert!(!said.iter().any(|line| line.contains("early")), "{said:?}");
    // and there is none in place of it
    let instead = async |raw: &mut Raw, bytes: &[u8]| {
        let query = command("Q SELECT 'early'");
        raw.send(if bytes[0] == b'p' { &query } else { bytes }).await;
    };
    let said = scram(Raw::open(gate.port()).await, "alice", name, &own, instead).await;
    assert_eq!(said, ["E FATAL 08P01 expected a password message"]);
    gate.stop().await;
}

#[tokio::test]
async fn long_and_strange_names_and_passwords() {
    let database = Database::new().await;
    let gate = Gate::with_login(
        &database,
        OPEN_POLICY,
        "auth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\nattempts = 1000\nattempts_per_address = 1000\n",
    )
    .await;
    let plain = async |raw: &mut Raw, bytes: &[u8]| raw.send(bytes).await;
    let long = "x".repeat(9_000);
    for login in [
        long.as_str(),
        "alice ",
        "Alice",
        "alice\u{200b}",
        "a'; DROP TABLE users; --",
        "\u{1f600}",
        "alice\n",
    ] {
        let said = scram(
            Raw::open(gate.port()).await,
            login,
            &database.name,
            &data::password("alice"),
            plain,
        )
        .await;
        assert!(
            said[0].starts_with("E FATAL 28P01 password authentication failed"),
            "{said:?}"
        );
    }
    for password in [long.as_str(), "", "\u{ad}", "a\0b"] {
        let said = scram(Raw::open(gate.port()).await, "alice", &database.name, password, plain).await;
        assert_eq!(
            said[0],
            "E FATAL 28P01 password authentication failed for user \"alice\""
        );
    }
    gate.stop().await;
}

#[tokio::test]
async fn who_exists_is_not_told_by_the_clock() {
    let database = Database::new().await;
    let gate = Gate::with_login(
        &database,
        OPEN_POLICY,
        "auth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\nattempts = 100000\nattempts_per_address = 100000\n",
    )
    .await;
    let plain = async |raw: &mut Raw, bytes: &[u8]| raw.send(bytes).await;
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..80 {
        // in turn, so that a busy machine slows both down
        for (times, login) in took.iter_mut().zip(["alice", "alicf"]) {
            let raw = Raw::open(gate.port()).await;
            let begun = Instant::now();
            let said = scram(raw, login, &database.name, "wrong", plain).await;
            assert!(said[0].contains("28P01"), "{said:?}");
            if round >= 10 {
                times.push(begun.elapsed());
            }
        }
    }
    let [known, unknown] = took.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    // a coarse bound: work that only one of them causes would show as a multiple
    let (less, more) = (known.min(unknown), known.max(unknown));
    assert!(
        more < less * 2 + Duration::from_millis(5),
        "known {known:?} unknown {unknown:?}"
    );
    gate.stop().await;
}
