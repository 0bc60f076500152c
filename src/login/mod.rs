//! Who may come in: from where, when, by which proof, and how often they may try.

pub mod access;
pub mod hours;
pub mod lockout;

pub use access::{Attempt, Proof, Rule, Rules};
pub use lockout::{Lockout, Place, Tried};
