//! How long it takes to pass a result on: 64 kB of rows, looked over by their headers, and carried from one socket to
//! another.
//!
//! `cargo bench --bench frames`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use bytes::BytesMut;
use criterion::{Criterion, Throughput};
use rowgate::net::{Channel, Stream, frame};
use std::hint::black_box;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BYTES: usize = 64 << 10;

/// As many whole rows of so many bytes as fit in [`BYTES`].
fn rows(row: usize) -> BytesMut {
    let mut rows = BytesMut::new();
    while rows.len() + row <= BYTES {
        frame::put(&mut rows, b'D', |out| out.resize(out.len() + row - frame::HEADER, b'x'));
    }
    rows
}

/// How many bytes of whole rows stand at the beginning.
fn whole_rows(input: &[u8]) -> usize {
    let mut at = 0;
    while let Some(Ok(Some(header))) = input.get(at..).map(frame::header) {
        if header.tag != b'D' || at + header.total() > input.len() {
            break;
        }
        at += header.total();
    }
    at
}

/// A channel, and the socket at its other end.
fn pair() -> (Channel, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (Channel::new(Stream::Unix(near)), far)
}

async fn relay(rows: &[u8], times: u64) -> Duration {
    let ((mut back, mut database), (mut front, mut client)) = (pair(), pair());
    let mut received = vec![0; rows.len()];
    let start = Instant::now();
    for _ in 0..times {
        database.write_all(rows).await.unwrap();
        let mut passed = 0;
        while passed < rows.len() {
            back.fill().await.unwrap();
            let here = whole_rows(&back.input);
            back.relay_to(&mut front, here);
            front.drain().await.unwrap();
            client.read_exact(&mut received[..here]).await.unwrap();
            passed += here;
        }
        back.shrink();
    }
    start.elapsed()
}

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group("64 kB of rows");
    group
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1));
    for row in [50, 500] {
        let rows = rows(row);
        group.throughput(Throughput::Bytes(rows.len() as u64));
        group.bench_function(format!("looked over, {row} bytes each"), |b| {
            b.iter(|| assert_eq!(whole_rows(black_box(&rows)), rows.len()));
        });
        group.bench_function(format!("from socket to socket, {row} bytes each"), |b| {
            b.iter_custom(|times| runtime.block_on(relay(&rows, times)));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
}
