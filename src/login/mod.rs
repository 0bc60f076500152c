//! Who may come in: from where, when, by which proof, and how often they may try.

pub mod access;
pub mod certificate;
pub mod claims;
pub mod decoy;
pub mod factors;
pub mod hours;
pub mod jwt;
pub mod kept;
pub mod keys;
pub mod ldap;
pub mod lockout;
pub mod passwords;
pub mod token;
pub mod totp;
pub mod used;

pub use access::{Asked, Attempt, Clear, Proof, Rule, Rules};
pub use lockout::{Lockout, Place, Tried};
