//! Who asks.

pub mod directory;
pub mod held;
pub mod principal;
mod tree;

pub use principal::{Attribute, Principal};
