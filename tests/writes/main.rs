//! Writing through rowgate: whose rows, which columns, and what the database itself may do to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod copying;
mod dangers;
mod defaults;
mod limits;
mod merges;
mod parameters;
mod promotion;
mod references;
mod returning;
mod views;
