//! Results and pipelines of any size: bounded memory, no deadlock, order kept.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::raw::{Raw, command};
use crate::support::relay::{self, Relay};
use crate::support::{Database, data};
use rowgate::net::frame::put;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn login(gate: &Gate, database: &Database) -> Raw {
    let more = [("database", database.name.as_str())];
    Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap()
}

/// This process's resident memory in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Reads bytes until ReadyForQuery ends them, keeping none; gives how many.
async fn swallow(raw: &mut Raw) -> u64 {
    let (mut total, mut last) = (0, Vec::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = raw.socket.read(&mut buffer).await.unwrap();
        assert!(read > 0, "closed after {total} bytes");
        total += read as u64;
        last.extend_from_slice(&buffer[..read]);
        if last.len() > 6 {
            last.drain(..last.len() - 6);
        }
        if last == b"Z\0\0\0\x05I" {
            return total;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_results_and_slow_readers_take_no_memory() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let mut raw = login(&gate, &database).await;
    raw.query("select 1").await;
    let before = resident();
    // 200 MB that nobody reads at first
    let much = command("Q select repeat('x', 1000) from generate_series(1, 200000)");
    raw.send(&much).await;
    // while somebody else reads as much, all of it could be taken in
    let mut other = login(&gate, &database).await;
    other.send(&much).await;
    assert!(swallow(&mut other).await > 200_000_000);
    assert!(resident() < before + 24, "{before} → {} MiB", resident());
    assert!(swallow(&mut raw).await > 200_000_000);
    // one value of 100 MB
    raw.send(&command("Q select repeat('y', 100000000)")).await;
    assert!(swallow(&mut raw).await > 100_000_000);
    raw.send(&command(
        "Q copy (select repeat('z', 1000) from generate_series(1, 50000)) to stdout",
    ))
    .await;
    assert!(swallow(&mut raw).await > 50_000_000);
    assert!(resident() < before + 24, "{before} → {} MiB", resident());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_pipeline_with_large_results_does_not_block() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let raw = login(&gate, &database).await;
    let (mut read, mut write) = raw.socket.into_split();
    const STATEMENTS: usize = 3_000;
    let writer = tokio::spawn(async move {
        for n in 0..STATEMENTS {
            let text = format!("P | select repeat('z', 10000), {n}");
            let bytes = [command(&text), command("B |"), command("E")].concat();
            write.write_all(&bytes).await.unwrap();
        }
        write.write_all(&command("S")).await.unwrap();
        write
    });
    let mut buffer = bytes::BytesMut::new();
    let mut rows = 0;
    'all: loop {
        let got = tokio::time::timeout(Duration::from_secs(30), read.read_buf(&mut buffer)).await;
        assert!(got.expect("nothing moves any more").unwrap() > 0);
        while let Some((tag, body)) = rowgate::net::frame::take(&mut buffer, |_| usize::MAX).unwrap() {
            match tag {
                b'D' => {
                    assert!(
                        body.ends_with(rows.to_string().as_bytes()),
                        "row {rows} is out of order"
                    );
                    rows += 1;
                }
                b'Z' => break 'all,
                b'E' => panic!("{}", String::from_utf8_lossy(&body)),
                _ => {}
            }
        }
    }
    assert_eq!(rows, STATEMENTS);
    writer.await.unwrap();
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_at_once() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let mut sessions = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (port, name) = (gate.port(), database.name.clone());
        sessions.spawn(async move {
            let more = [("database", name.as_str())];
            let mut raw = Raw::login(port, "alice", &data::password("alice"), &more)
                .await
                .unwrap();
            for round in 0..40 {
                let got = raw.query(&format!("select {number} * 1000 + {round} as x")).await;
                assert_eq!(got[1], format!("D {}", number * 1000 + round));
            }
        });
    }
    while let Some(done) = sessions.join_next().await {
        done.unwrap();
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_any_size_goes_in_without_taking_memory() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let mut raw = login(&gate, &database).await;
    raw.query("create temp table t (a int, b text)").await;
    let before = resident();
    assert_eq!(raw.query("copy pg_temp.t from stdin").await, ["G 0 2"]);
    // 200 MB in messages that end anywhere in a row, the last of them long
    let row = format!("1\t{}\n", "x".repeat(997));
    let data = row.repeat(2_000);
    for (piece, times) in [(7_000, 50), (64_000, 49), (data.len(), 1)] {
        for _ in 0..times {
            let mut bytes = bytes::BytesMut::new();
            for part in data.as_bytes().chunks(piece) {
                put(&mut bytes, b'd', |out| out.extend_from_slice(part));
            }
            raw.send(&bytes).await;
        }
    }
    raw.send(&command("c")).await;
    assert_eq!(raw.until_ready(1).await, ["C COPY 200000", "Z I"]);
    assert!(resident() < before + 24, "{before} → {} MiB", resident());
    assert_eq!(
        raw.query("select sum(length(b)) from pg_temp.t").await[1],
        "D 199400000"
    );
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_slow_client_goes_on_when_only_a_part_is_out() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let mut clients = tokio::task::JoinSet::new();
    for rows in (300..900).step_by(20) {
        let (port, name) = (gate.port(), database.name.clone());
        clients.spawn(async move {
            let more = [("database", name.as_str())];
            let raw = Raw::open_narrow(port).await;
            let mut raw = raw.log_in("alice", &data::password("alice"), &more).await.unwrap();
            raw.send(&command(&format!(
                "Q select repeat('x', 990) from generate_series(1, {rows})"
            )))
            .await;
            // busy with something else, and then slow: the pause itself is what is tried
            tokio::time::sleep(Duration::from_millis(200)).await;
            let all = tokio::time::timeout(Duration::from_secs(30), swallow(&mut raw)).await;
            assert!(all.is_ok_and(|bytes| bytes > rows * 990), "{rows} rows do not end");
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_slow_database_goes_on_when_only_a_part_is_out() {
    let database = Database::new().await;
    let (port, _) = relay::start(database.cluster.port(), Relay::IsSlow).await;
    let gate = Gate::with_changed(&database, OPEN_POLICY, "", |c| c.upstream.port = port).await;
    let mut raw = login(&gate, &database).await;
    raw.query("create temp table t (b text)").await;
    for messages in (100..300).step_by(10) {
        assert_eq!(raw.query("copy pg_temp.t from stdin").await, ["G 0 1"]);
        let mut bytes = bytes::BytesMut::new();
        for _ in 0..messages {
            put(&mut bytes, b'd', |out| {
                out.extend_from_slice(format!("{}\n", "x".repeat(8_000)).as_bytes())
            });
        }
        bytes.extend_from_slice(&command("c"));
        raw.send(&bytes).await;
        let end = tokio::time::timeout(Duration::from_secs(30), raw.until_ready(1)).await;
        assert_eq!(
            end.expect("the copy does not end"),
            [format!("C COPY {messages}"), "Z I".to_owned()]
        );
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_off_in_the_middle_of_a_row_puts_no_message_into_it() {
    let database = Database::new().await;
    let gate = Gate::start(&database, OPEN_POLICY).await;
    let admin = database.superuser().await;
    for round in 0..12 {
        let more = [("database", database.name.as_str())];
        let raw = Raw::open_narrow(gate.port()).await;
        let mut raw = raw.log_in("alice", &data::password("alice"), &more).await.unwrap();
        let text = "Q select repeat('x', 170) from generate_series(1, 10000000)";
        raw.send(&command(text)).await;
        assert_eq!(raw.message().await.unwrap().0, b'T');
        let row = raw.message().await.unwrap();
        assert_eq!(row.0, b'D');
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rowgate' and query like '%10000000%' \
                   and datname = current_database()";
        assert_eq!(admin.query(end, &[]).await.unwrap().len(), 1);
        while let Some((tag, body)) = raw.message().await {
            match tag {
                b'D' => assert_eq!(body, row.1, "round {round}"),
                b'E' => assert!(body.starts_with(b"SFATAL\0"), "round {round}: {body:?}"),
                other => panic!("round {round}: a message of type {other}"),
            }
        }
    }
    gate.stop().await;
}
