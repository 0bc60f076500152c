//! The as-if oracle: what rowgate answers is what PostgreSQL answers on a database that holds only what the person may see.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod broken;
mod changes;
mod compare;
mod dprime;
mod explain;
mod generate;
mod given;
mod hashes;
mod plans;
mod run;
mod schema;
mod stage;
mod tape;
mod turns;
mod twin;
mod wire;
mod witness;
mod world;

/// What both sides of a comparison are set to.
pub const SETTINGS: &str = "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET statement_timeout = '4s'";

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|v| v.parse().ok())
}

fn plan(default: u64) -> run::Plan {
    run::Plan {
        cases: env("ASIF_CASES").unwrap_or(default),
        seed: env("ASIF_SEED").unwrap_or(1),
        only: env("ASIF_ONLY"),
        progress: env("ASIF_CASES").is_some(),
        twins: env("ASIF_TWINS").unwrap_or(0),
    }
}

/// The harness against itself: D′ is as D′ is, and D is not.
#[test]
fn a_database_is_as_itself_and_not_as_another() {
    let stage = stage::Stage::set();
    let world = world::World::of(&stage);
    let itself = run::run(&world, &|seat| seat.prime.clone(), None, plan(1500));
    itself.print(plan(0).seed, &|_, _| String::new());
    // the two sides share one database here, so they wait for each other's locks
    assert!(itself.failures.iter().all(|f| f.kind == "locking"));
    let open = run::run(&world, &|_| stage.whole(), None, run::Plan { cases: 180, ..plan(0) });
    println!("unguarded: {} of {} caught", open.failures.len(), open.cases);
    assert!(open.failures.len() * 3 > open.cases as usize);
}

/// Runs the oracle on rowgate before D, configured further or as the environment says.
fn answers(plan: run::Plan, more: Option<&str>) {
    let stage = stage::Stage::set();
    let world = world::World::of(&stage);
    let policies = stage::shipped_policies();
    let explainer = explain::Explainer::new(&stage, &policies);
    let mut server = match more {
        Some(more) => stage::Server::configured(&stage, stage::WHOLE, &policies, more),
        None => stage::Server::start(&stage, &policies),
    };
    hashes::carry_over(&world, &stage, &server);
    let witnesses = witness::Witnesses::new(&stage, &policies);
    let gate = |seat: &world::Seat| server.login(seat.person.login);
    let tally = run::run(&world, &gate, Some(&witnesses), plan);
    tally.print(plan.seed, &|login, sql| explainer.text(login, sql));
    let log = server.log();
    if let Some(how) = server.ended() {
        println!("rowgate ended: {how}\n{}", &log[log.len().saturating_sub(4000)..]);
    }
    assert!(tally.failures.is_empty(), "{} cases failed", tally.failures.len());
}

/// The oracle: rowgate before D answers as PostgreSQL does on each person's D′.
#[test]
fn rowgate_answers_as_if_the_rest_did_not_exist() {
    answers(plan(10_000), None);
}

/// The same with nine people at once on two connections.
#[test]
fn sessions_that_share_connections_get_the_same_answers() {
    let shared = "[pool]\nmode = \"transaction\"\nsize = 2\nwait = \"60s\"\n";
    answers(run::Plan { seed: 2, ..plan(2500) }, Some(shared));
}

/// The same for texts that differ in literals alone, which may share a judgement.
#[test]
fn other_literals_get_answers_of_their_own() {
    answers(
        run::Plan {
            seed: 4,
            twins: 2,
            ..plan(1000)
        },
        None,
    );
}

/// The same with a cache that holds two judgements.
#[test]
fn a_cache_that_holds_hardly_anything_changes_no_answer() {
    answers(run::Plan { seed: 3, ..plan(1500) }, Some("[cache]\nentries = 2\n"));
}

/// The same while rights come and go, people move, and roles and tables are suspended.
#[test]
fn rights_that_change_between_statements() {
    let rounds = env("ASIF_ROUNDS").unwrap_or(4);
    let tally = changes::rounds(rounds, plan(300));
    tally.print(plan(0).seed, &|_, _| String::new());
    assert!(tally.failures.is_empty(), "{} cases failed", tally.failures.len());
}

/// The oracle against a rewriter that is broken on purpose.
#[test]
fn a_broken_rewriter_is_caught() {
    use broken::Breakage::{Bare, NoMask, NoScope};
    let stage = stage::Stage::set();
    let world = world::World::of(&stage);
    let explainer = explain::Explainer::new(&stage, &stage::shipped_policies());
    for how in [Bare, NoScope, NoMask] {
        let result = broken::try_out(&world, &stage, &explainer, how, 200);
        println!(
            "{how:?}: {} of {} broken statements caught",
            result.caught, result.broken
        );
        // the rest say nothing that depends on what was broken
        assert!(
            result.broken == 200 && result.caught * 4 > result.broken,
            "{how:?}: {result:?}"
        );
    }
}
