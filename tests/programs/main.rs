//! Real programs through rowgate: clients, drivers, mappers, and the statements that they send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod corpus;
mod drivers;
mod orms;
