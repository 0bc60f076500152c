//! What happened: one line per statement and per login.

mod line;
mod writer;

pub use line::{Common, Decision, Event, Outcome, Person, StatementText, Violations};
pub use writer::Audit;
