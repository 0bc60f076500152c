//! Any text: judged without a panic, the same way twice, and what is sent is SQL of as many statements.
//!
//! The world is the demonstration's, read once from a throwaway PostgreSQL that goes away before the first text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rowgate::cluster::Cluster;
use rowgate::demo::data::{self, Scale};
use rowgate::gate::{self, SessionView};
use rowgate::identity::Principal;
use rowgate::keeper::{Keeper, Source};
use rowgate::world::World;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tokio_postgres::NoTls;

static WORLD: LazyLock<Arc<World>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(world())
});

static PEOPLE: LazyLock<Vec<Principal>> = LazyLock::new(|| {
    let known = ["alice", "bob", "fiona", "wei", "grace"].map(|login| {
        let who = WORLD.directory.principal(login).expect("somebody of the demonstration");
        (**who).clone()
    });
    known.into_iter().chain([Principal::default()]).collect()
});

async fn world() -> Arc<World> {
    let scale = Scale::new(0.05).expect("a scale");
    let cluster = Cluster::start("fuzz", async |cluster| {
        let (mut client, connection) = cluster
            .superuser("postgres")
            .connect(NoTls)
            .await
            .map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        data::fill(&mut client, scale).await.map_err(|e| e.to_string())
    })
    .await
    .expect("a throwaway PostgreSQL");
    let source = Source {
        upstream: cluster.superuser("postgres"),
        tls: None,
        policies: Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies"),
    };
    let keeper = Keeper::begin(source).await.expect("the shipped policies");
    keeper.handle().current()
}

fuzz_target!(|input: (u8, &str)| {
    let (who, text) = input;
    let who = &PEOPLE[usize::from(who) % PEOPLE.len()];
    let session = SessionView {
        search_path: vec!["public".to_owned()],
        temp_relations: Vec::new(),
        stored: Default::default(),
    };
    let first = gate::judge(text, who, &session, &[], &WORLD);
    let second = gate::judge(text, who, &session, &[], &WORLD);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.text.text(), second.text.text());
            if who.roles.is_empty() {
                assert!(first.statements.iter().all(|s| !s.touches_protected));
            }
        }
        (Err(first), Err(second)) => {
            assert_eq!(first, second);
            assert_ne!(first.code, "not-verified", "the rewriter was wrong");
        }
        _ => panic!("judged in two ways"),
    }
});
