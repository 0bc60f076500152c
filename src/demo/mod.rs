//! The demonstration: a CRM full of data, five people, and the same questions asked by each.

pub mod data;
pub mod table;
