//! Who asks.

pub mod directory;
pub mod principal;

pub use principal::{Attribute, Principal};
