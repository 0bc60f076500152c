//! Who asks.

pub mod directory;
pub mod held;
pub mod principal;

pub use principal::{Attribute, Principal};
