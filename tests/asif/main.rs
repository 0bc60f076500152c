//! The as-if oracle: what rowgate answers is what PostgreSQL answers on a database that holds only what the person may see.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod compare;
mod dprime;
mod generate;
mod schema;
mod tape;
mod wire;
mod world;

/// What both sides of a comparison are set to.
pub const SETTINGS: &str = "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET statement_timeout = '4s'";

#[test]
fn generator_smoke() {
    let world = world::World::set_up();
    let n = std::env::var("ASIF_N").ok().and_then(|v| v.parse().ok()).unwrap_or(300);
    let seed = std::env::var("ASIF_SEED").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    world.self_check(n, seed);
}
