//! Sessions as clients meet them: the protocol, TLS, shared connections, limits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod acting;
mod bursts;
mod hostile;
mod limits;
mod pooling;
mod streams;
mod tls;
mod wire;
