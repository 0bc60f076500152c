//! Clients that break the protocol: a clear error or a closed connection, and nobody else is disturbed.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::raw::{Raw, command};
use crate::support::{Database, data};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

async fn login(gate: &Gate, database: &Database) -> Raw {
    let more = [("database", database.name.as_str())];
    Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap()
}

/// Everything that comes until the connection ends or is quiet.
async fn reaction(mut raw: Raw) -> Vec<String> {
    let _ = raw.socket.shutdown().await;
    tokio::time::timeout(Duration::from_secs(10), raw.until_ready(usize::MAX))
        .await
        .expect("the connection hangs")
}

#[tokio::test]
async fn broken_frames_are_answered_and_disturb_nobody() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let mut other = login(&gate, &database).await;
    other.query("begin").await;
    let cases: &[(&str, &[u8])] = &[
        ("a length below itself", b"Q\0\0\0\x03"),
        ("a negative length", b"Q\xff\xff\xff\xff"),
        ("a length that would fill the memory", b"B\x7f\xff\xff\xff"),
        ("a small message that claims to be long", b"S\0\x01\0\0"),
        ("an unknown type", b"!\0\0\0\x04"),
        ("no type", b"\0\0\0\0\x04"),
        ("text that does not end", b"Q\0\0\0\x0cselect 1"),
        ("text behind its end", b"Q\0\0\0\x0e1\0select 2\0"),
        ("a Parse without its types", b"P\0\0\0\x0e\0select 1\0"),
        ("a Parse that counts too many types", b"P\0\0\0\x10\0select 1\0\xff\xff"),
        (
            "a Bind whose parameter leaves its frame",
            b"B\0\0\0\x10\0\0\0\0\0\x01\0\0\x01\0\0\0",
        ),
        (
            "a Bind with a negative length",
            b"B\0\0\0\x12\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0\0\0",
        ),
        (
            "a Bind with more formats than values",
            b"B\0\0\0\x10\0\0\0\x02\0\0\0\0\0\0\0\0",
        ),
        ("an Execute cut short", b"E\0\0\0\x07\0\0\0"),
        ("a Describe of nothing", b"D\0\0\0\x06X\0"),
        ("a Sync with a body", b"S\0\0\0\x05x"),
        ("a login's message", b"p\0\0\0\x08abc\0"),
    ];
    for (what, bytes) in cases {
        let mut raw = login(&gate, &database).await;
        raw.send(bytes).await;
        let got = reaction(raw).await;
        assert!(got[0].starts_with("E FATAL 08P01"), "{what}: {got:?}");
        assert_eq!(got.last().unwrap(), "closed", "{what}");
    }
    assert_eq!(
        other.query("select 1 as x").await,
        ["T x:23", "D 1", "C SELECT 1", "Z T"]
    );
    gate.stop().await;
}

#[tokio::test]
async fn texts_that_are_not_utf8_are_refused_and_the_session_goes_on() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let mut raw = login(&gate, &database).await;
    raw.send(b"Q\0\0\0\x0fselect '\xff'\0").await;
    assert_eq!(
        raw.until_ready(1).await,
        ["E 22021 invalid byte sequence for encoding \"UTF8\": 0xff", "Z I"]
    );
    raw.send(b"P\0\0\0\x12\0select '\xc3'\0\0\0").await;
    raw.send(&command("S")).await;
    assert_eq!(raw.until_ready(1).await.last().unwrap(), "Z I");
    assert_eq!(raw.query("select 1 as x").await[1], "D 1");
    // too long for the configuration, but not for a frame
    let long = format!("Q select '{}'", "x".repeat(1 << 20));
    raw.send(&command(&long)).await;
    assert!(raw.until_ready(1).await[0].starts_with("E 54001"));
    // deep
    let deep = format!("Q select {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    raw.send(&command(&deep)).await;
    assert!(raw.until_ready(1).await[0].starts_with("E 54001"));
    assert_eq!(raw.query("select 1 as x").await[1], "D 1");
    gate.stop().await;
}

#[tokio::test]
async fn startups_that_are_none() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0\0\0\x04",
        b"\0\0\0\x08\0\x02\0\0",
        b"\0\0\0\x0c\0\x03\0\0user",
        b"\xff\xff\xff\xff",
        b"\x16\x03\x01\x02\0\x01\0",
        b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x01",
        b"\0",
    ] {
        let mut raw = Raw::open(gate.port()).await;
        raw.send(bytes).await;
        let got = reaction(raw).await;
        assert!(
            got.iter().all(|l| l == "closed" || l.starts_with("E FATAL")),
            "{bytes:?}: {got:?}"
        );
    }
    // no TLS and no GSS here: `N`, and the conversation goes on
    let mut raw = Raw::open(gate.port()).await;
    for code in [47_u8, 48] {
        raw.send(&[0, 0, 0, 8, 4, 210, 22, code]).await;
        let mut answer = [0];
        tokio::io::AsyncReadExt::read_exact(&mut raw.socket, &mut answer)
            .await
            .unwrap();
        assert_eq!(&answer, b"N");
    }
    gate.stop().await;
}

/// Valid messages with random bytes changed, sent in random pieces: rowgate answers or closes, and goes on.
#[tokio::test]
async fn noise() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7);
    let mut random = StdRng::seed_from_u64(seed);
    let messages = [
        "Q select 1; select 2",
        "P s | select $1::int",
        "B p | s | 5",
        "D S s",
        "D P p",
        "E p | 1",
        "C S s",
        "H",
        "S",
        "F",
        "Q begin",
        "Q rollback",
        "Q copy (select 1) to stdout",
    ];
    for round in 0..150 {
        let mut raw = login(&gate, &database).await;
        let mut bytes = Vec::new();
        for _ in 0..random.random_range(1..12) {
            bytes.extend_from_slice(&command(messages[random.random_range(0..messages.len())]));
        }
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..3) {
                0 => bytes[at] = random.random(),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.random()),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let cut = random.random_range(0..=bytes.len());
        // the other side may have closed already
        let _ = raw.socket.write_all(&bytes[..cut]).await;
        tokio::task::yield_now().await;
        let _ = raw.socket.write_all(&bytes[cut..]).await;
        let _ = raw.socket.shutdown().await;
        let ended = tokio::time::timeout(Duration::from_secs(10), async {
            while raw.message().await.is_some() {}
        });
        assert!(ended.await.is_ok(), "seed {seed}, round {round}: the connection hangs");
    }
    let mut raw = login(&gate, &database).await;
    assert_eq!(raw.query("select 1 as x").await[1], "D 1");
    gate.stop().await;
}

#[tokio::test]
async fn a_copy_that_is_not_carried_through_disturbs_nobody() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let data = |bytes: &[u8]| {
        let mut out = bytes::BytesMut::new();
        rowgate::net::frame::put(&mut out, b'd', |out| out.extend_from_slice(bytes));
        out
    };
    let mut raw = login(&gate, &database).await;
    raw.query("create temp table t (a int)").await;
    // broken binary data
    for (what, bytes, sqlstate) in [
        ("no header", &b""[..], "22P04"),
        ("half a header", &header[..12], "22P04"),
        (
            "no trailer",
            &[&header[..], b"\0\x01\0\0\0\x04\0\0\0\x01"].concat()[..],
            "COPY",
        ),
        (
            "a value cut short",
            &[&header[..], b"\0\x01\0\0\0\x04\0\0"].concat()[..],
            "22P04",
        ),
        (
            "a length out of bounds",
            &[&header[..], b"\0\x01\x7f\xff\xff\xff"].concat()[..],
            "54000",
        ),
        ("too many values", &[&header[..], b"\0\x02"].concat()[..], "22P04"),
        (
            "data behind the trailer",
            &[&header[..], b"\xff\xff\0\x01"].concat()[..],
            "22P04",
        ),
    ] {
        assert_eq!(raw.query("copy pg_temp.t from stdin binary").await, ["G 1 1"], "{what}");
        raw.send(&data(bytes)).await;
        raw.send(&command("c")).await;
        let got = raw.until_ready(1).await;
        assert!(got[0].contains(sqlstate), "{what}: {got:?}");
        assert_eq!(got.last().unwrap(), "Z I", "{what}");
    }
    // the client goes away, politely, by its socket, or with another message
    for last in [&b"X\0\0\0\x04"[..], b"", b"Q\0\0\0\x0dselect 1\0", b"d\0\0\0\x10"] {
        let mut raw = login(&gate, &database).await;
        raw.query("create temp table t (a int)").await;
        assert_eq!(raw.query("copy pg_temp.t from stdin").await, ["G 0 1"]);
        raw.send(&data(b"1\n")).await;
        raw.send(last).await;
        let got = reaction(raw).await;
        assert_eq!(got.last().unwrap(), "closed", "{got:?}");
    }
    // nothing of it is left on the connections that others get
    for _ in 0..6 {
        let mut raw = login(&gate, &database).await;
        assert_eq!(raw.query("select 1 as x").await, ["T x:23", "D 1", "C SELECT 1", "Z I"]);
        assert!(raw.query("select * from pg_temp.t").await[0].starts_with("E 42P01"));
    }
    gate.stop().await;
}
