//! Temporary rights: what people give each other for a time, kept in a schema of rowgate's own that any number of
//! instances share.
//!
//! [`schema`] makes and checks the schema, [`read`] takes what it holds as one [`Snapshot`], `watch` hears of changes,
//! [`force`] lays it over the directory at one moment; everything else follows from the people in it. [`desk`] carries out commands ([`language`]), as far as the policy says who
//! [`may`].

pub mod desk;
mod find;
pub mod force;
pub mod language;
mod listing;
pub mod may;
pub mod policies;
pub mod read;
pub mod schema;
mod show;
mod snapshot;
mod store;
mod subject;
mod watch;
pub mod when;
mod words;

pub use snapshot::{Lost, Right, Snapshot, Subject, With};
pub use watch::{Line, Watch};

/// The schema that everything is kept in.
pub const SCHEMA: &str = "rowgate";
