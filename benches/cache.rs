//! How long it takes until a text may be sent: judged anew, found by its text, found by its shape.
//!
//! `cargo bench --bench cache`, on a throwaway PostgreSQL with the demonstration's data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use criterion::Criterion;
use rowgate::cluster::Cluster;
use rowgate::demo::data::{self, Scale};
use rowgate::gate::cache::{Ask, Bounds, Cache, Found};
use rowgate::gate::{self, Judgement, SessionView};
use rowgate::keeper::{Keeper, Source};
use rowgate::world::World;
use rowgate::world::standing::Asker;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 230 bytes.
fn text(id: u32) -> String {
    format!(
        "SELECT c.id, c.name, c.phone, c.email, c.level, c.city, c.created_at, o.stage, o.amount FROM customers c \
         JOIN opportunities o ON o.customer_id = c.id WHERE c.id = {id} AND o.stage IN ('won', 'lost') ORDER BY o.amount DESC LIMIT 10"
    )
}

/// A world, and the server that it was read from.
fn world(runtime: &tokio::runtime::Runtime) -> (Cluster, Arc<World>) {
    runtime.block_on(async {
        let scale = Scale::new(0.05).unwrap();
        let key = format!("bench\n{}", data::sql(scale));
        let cluster = Cluster::start(&key, async |cluster| {
            let (mut client, connection) = cluster
                .superuser("postgres")
                .connect(tokio_postgres::NoTls)
                .await
                .map_err(|e| e.to_string())?;
            tokio::spawn(connection);
            data::fill(&mut client, scale).await.map_err(|e| e.to_string())
        })
        .await
        .unwrap();
        let keeper = Keeper::begin(Source {
            upstream: cluster.superuser("postgres"),
            tls: None,
            policies: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")),
            rights: None,
        })
        .await
        .unwrap();
        let world = keeper.handle().current();
        (cluster, world)
    })
}

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_cluster, world) = world(&runtime);
    let view = Arc::new(SessionView {
        search_path: vec!["public".to_owned()],
        temp_relations: Vec::new(),
        stored: None,
    });
    let standing = world.standing(world.directory.principal("alice").unwrap());
    let cache = Cache::<Judgement, ()>::new(Bounds {
        bytes: 64 << 20,
        entries: 100_000,
    });
    let texts: Vec<String> = (1000..1100).map(text).collect();
    let ask = |text| Ask {
        text,
        types: &[],
        view: &view,
        world: &world,
        standing: &standing,
    };
    let judge = |text: &str| {
        let who = Asker::about(&world, &standing);
        let judged = gate::judge_as(text, &who, &view, &[], &world).unwrap();
        (judged, who.asked())
    };
    for text in &texts[..3] {
        if let Found::Nothing(shape) = cache.find(&ask(text), &mut None) {
            let (judged, asked) = judge(text);
            let judged = Arc::new(judged);
            cache.keep(&ask(text), &asked, &judged);
            cache.learn(&ask(text), &shape.unwrap(), &judged, &asked, &|text| Some(judge(text)));
        }
    }
    let mut group = criterion.benchmark_group("230 bytes");
    group
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1));
    group.bench_function("judged", |b| b.iter(|| black_box(judge(black_box(&texts[0])))));
    group.bench_function("found by text", |b| {
        b.iter(|| {
            let found = cache.find(black_box(&ask(&texts[0])), &mut None);
            assert!(matches!(found, Found::Judged(_)));
            found
        });
    });
    let mut next = texts.iter().skip(3).cycle();
    group.bench_function("found by shape", |b| {
        b.iter(|| {
            let found = cache.find(black_box(&ask(next.next().unwrap())), &mut None);
            assert!(matches!(found, Found::Filled(..)));
            found
        });
    });
    let mut last = None;
    group.bench_function("of the shape that came last", |b| {
        b.iter(|| {
            let found = cache.find(black_box(&ask(next.next().unwrap())), &mut last);
            assert!(matches!(found, Found::Filled(..)));
            found
        });
    });
    group.finish();
}

fn main() {
    // as much stack as a thread of the server has
    let thread = std::thread::Builder::new().stack_size(32 << 20).spawn(|| {
        let mut criterion = Criterion::default().configure_from_args();
        benches(&mut criterion);
        criterion.final_summary();
    });
    thread.unwrap().join().unwrap();
}
