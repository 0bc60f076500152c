//! Temporary rights: what people give each other for a time, kept in a schema of rowgate's own that any number of
//! instances share.
//!
//! [`schema`] makes and checks the schema, [`read`] takes what it holds as one [`Snapshot`], `watch` hears of changes,
//! [`force`] lays it over the directory at one moment; everything else follows from the people in it.

pub mod force;
pub mod read;
pub mod schema;
mod snapshot;
mod watch;

pub use snapshot::{Lost, Right, Snapshot, Subject, With};
pub use watch::{Line, Watch};

/// The schema that everything is kept in.
pub const SCHEMA: &str = "rowgate";
