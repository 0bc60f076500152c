//! The as-if oracle for writes: what rowgate does to a database is what PostgreSQL's own row security, grants and
//! triggers do to one that holds only what the person may see, mapped back.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod again;
mod changes;
#[path = "../asif/compare.rs"]
mod compare;
mod concurrency;
#[path = "../asif/dprime/mod.rs"]
mod dprime;
#[path = "../asif/generate/mod.rs"]
mod generate;
#[path = "../asif/given.rs"]
mod given;
mod judge;
mod judged;
mod make;
mod mapping;
mod neighbours;
mod orders;
mod prime;
mod rules;
mod run;
#[path = "../asif/schema.rs"]
mod schema;
#[path = "../asif/stage.rs"]
mod stage;
mod state;
#[path = "../asif/tape.rs"]
mod tape;
#[path = "../asif/turns.rs"]
mod turns;
#[path = "../asif/wire.rs"]
mod wire;
mod yard;

/// What both sides of a comparison are set to.
pub const SETTINGS: &str = "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET statement_timeout = '4s'";

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|v| v.parse().ok())
}

fn plan(statements: u64) -> run::Plan {
    let asked = env("ASIF_WRITES");
    run::Plan {
        statements: asked.unwrap_or(statements),
        seed: env("ASIF_SEED").unwrap_or(1),
        only: env("ASIF_ONLY"),
        progress: asked.is_some(),
        time: asked.is_none().then(|| std::time::Duration::from_secs(120)),
    }
}

/// The people that the oracle writes as: those who may write anything, and somebody whose role has what no shipped
/// role uses.
fn people() -> Vec<dprime::Person> {
    let mut people: Vec<_> = dprime::PEOPLE
        .iter()
        .filter(|p| !["grace", "visitor"].contains(&p.login))
        .cloned()
        .collect();
    people.push(dprime::Person {
        login: "hao",
        roles: &["steward"],
    });
    people
}

/// The harness against itself: on a whole D that PostgreSQL's own row security guards, a person for whom hardly
/// anything is masked writes what they write on D′; on one that nothing guards, they do not.
#[test]
fn row_security_on_everything_is_as_a_database_without_the_rest() {
    let stage = stage::Stage::set();
    let one = |login: &str| -> Vec<dprime::Person> { people().into_iter().filter(|p| p.login == login).collect() };
    let guarded = run::run(
        &yard::Yard::of(&stage, &one("yun")),
        &|seat| seat.enforced_in_place(),
        None,
        plan(160),
    );
    guarded.print(plan(0).seed);
    // what row security tells in details, what it finds by the real value, keys that are there all the same, and
    // COPY, which it does not know
    let known = ["leak", "42501 they", "done and", "tag UPDATE", "0A000 COPY"];
    let unknown: Vec<_> = guarded
        .failures
        .iter()
        .filter(|f| !known.contains(&f.ruling.sort().as_str()) && !infers_by_a_mask(&f.ruling))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let open = run::run(
        &yard::Yard::of(&stage, &one("alice")),
        &|seat| seat.whole.clone(),
        None,
        plan(120),
    );
    println!("unguarded: {} of {} caught", open.failures.len(), open.cases);
    assert!(open.failures.len() * 2 > open.cases as usize);
}

/// Row security looks for a conflict by a column that shows masked, on which D′ has no constraint.
fn infers_by_a_mask(ruling: &judge::Ruling) -> bool {
    matches!(ruling, judge::Ruling::Different(how) if how.starts_with("23505") && how.contains(" and not 42P10"))
}

/// Runs the oracle for some people, each on a D of their own with rowgate before it, configured further.
fn writes(people: &[dprime::Person], plan: run::Plan, more: Option<&str>, neighbours: &[&str]) {
    let stage = stage::Stage::set();
    let yard = yard::Yard::of(&stage, people);
    let policies: Vec<yard::Policies> = yard.seats.iter().map(|s| yard::policies(&s.person)).collect();
    let servers: Vec<stage::Server> = yard
        .seats
        .iter()
        .zip(&policies)
        .map(|(s, p)| s.serve(&stage, p.path(), more))
        .collect();
    let at = |seat: &yard::Seat| {
        let at = yard.seats.iter().position(|s| s.person.login == seat.person.login);
        at.expect("a seat")
    };
    let gate = |seat: &yard::Seat| servers[at(seat)].login(seat.person.login);
    let witness = |seat: &yard::Seat| {
        let server = stage::Server::before(&stage, &seat.without_the_hidden(), policies[at(seat)].path());
        let mut client = server.connect(seat.person.login).expect("rowgate");
        for text in SETTINGS.split(';') {
            client.simple(text).expect("rowgate");
        }
        (server, client)
    };
    let servers: Vec<&stage::Server> = servers.iter().collect();
    let tally = neighbours::beside(&servers, neighbours, || run::run(&yard, &gate, Some(&witness), plan));
    tally.print(plan.seed);
    assert!(tally.failures.is_empty(), "{} cases failed", tally.failures.len());
}

/// What rowgate rewrites it can verify: the generator's statements, judged without being run. `ASIF_JUDGED` of them for
/// each person.
#[test]
fn whatever_is_written_can_be_verified() {
    let stage = stage::Stage::set();
    let yard = yard::Yard::of(&stage, &people());
    let failed = judged::unverified(&yard, plan(0).seed, env("ASIF_JUDGED").unwrap_or(100));
    assert!(failed.is_empty(), "{} of them:\n{}", failed.len(), failed.join("\n"));
}

/// The oracle: what goes through rowgate to D comes out as PostgreSQL's own means make it on each person's D′.
#[test]
fn rowgate_writes_as_if_the_rest_did_not_exist() {
    writes(&people(), plan(5000), None, &[]);
}

/// The same while rights are given and taken and people move, in sessions that go on. `ASIF_ROUNDS` changes, and
/// `ASIF_WRITES` statements after each.
#[test]
fn rights_that_change_change_what_is_written() {
    let plan = run::Plan {
        seed: env("ASIF_SEED").unwrap_or(3),
        time: None,
        ..plan(150)
    };
    let tally = changes::rounds(env("ASIF_ROUNDS").unwrap_or(4), plan);
    tally.print(plan.seed);
    assert!(tally.failures.is_empty(), "{} cases failed", tally.failures.len());
    assert!(tally.changed > 0, "nothing was written");
}

/// The same beside seven others on two connections, with a cache that holds two judgements.
#[test]
fn writers_that_share_connections_write_the_same() {
    let shared = "[pool]\nmode = \"transaction\"\nsize = 2\nwait = \"60s\"\n[cache]\nentries = 2\n";
    let people: Vec<_> = people()
        .into_iter()
        .filter(|p| ["yun", "hao"].contains(&p.login))
        .collect();
    let neighbours = ["alice", "fiona", "priya", "ewan", "david", "zoe", "alice"];
    let plan = run::Plan { seed: 2, ..plan(800) };
    writes(&people, plan, Some(shared), &neighbours);
}
