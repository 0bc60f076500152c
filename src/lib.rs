//! rowgate: a PostgreSQL proxy that gives every person their own view of a database.
//!
//! The rooms, in reading order: what a name is, who asks, what exists, what is allowed, how a statement is
//! secured, the client in front, the database behind, the conversation between them, the record, the operator.

pub mod name;
pub mod refusal;

pub mod catalog;
pub mod identity;
pub mod keeper;
pub mod policy;
pub mod rights;
pub mod world;

pub mod gate;
pub mod sql;

pub mod net;

pub mod login;

pub mod admin;
pub mod audit;
pub mod backend;
pub mod server;
pub mod session;
pub mod wire;

pub mod cluster;
pub mod demo;

pub mod cli;
pub mod config;
