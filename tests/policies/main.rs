//! Policies, people, and the world that is made of them and of the schema.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod decide;
mod keeper;
mod laws;
mod load;
mod masks;
mod people;
mod record;
mod shipped;
mod views;
