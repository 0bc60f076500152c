//! The demonstration: a CRM full of data, five people, and the same questions asked by each.

pub mod data;
pub mod front;
pub mod people;
pub mod place;
pub mod questions;
pub mod run;
pub mod table;
