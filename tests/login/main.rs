//! Who comes in, how they prove who they are, and how long they stay.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../support/mod.rs"]
mod support;

mod alike;
mod attacks;
mod kept;
mod ldap;
mod oauth;
mod passwords;
mod proofs;
mod stay;
mod totp;
