//! Rights beside tables, and rights that are given for a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod cli;
mod commands;
mod desk;
mod kinds;
mod oracle;
mod roles;
mod shares;
mod waiting;
