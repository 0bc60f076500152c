//! What a statement is judged to be: text by text, against the catalogue, by a second opinion, from the cache.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod agree;
mod cache;
mod cases;
mod catalogue;
mod completeness;
mod newer;
mod shapes;
mod totality;
mod verify;
mod verify_writes;
