//! What ships beside the program: the demonstration, its data, the files for Docker and systemd.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod demo_data;
mod demo_views;
mod docker;
mod files;
