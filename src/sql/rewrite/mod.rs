//! The rewrite: what the analysis found, printed into the text by splices.

mod guard;
pub mod splice;

pub use guard::print_unit;
