//! `[pool]`: how sessions share connections to the database.

use super::read::{Section, Source};
use std::collections::BTreeMap;
use std::time::Duration;

/// How sessions share connections to the database.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// `mode`: how long a session keeps its connection.
    pub mode: PoolMode,
    /// `size`: the most connections in transaction mode; 20 unless told. In session mode every session has its own.
    pub size: usize,
    /// `wait`: how long a transaction waits for a connection; 10 s unless told.
    pub wait: Duration,
    /// `statements`: prepared statements that stay on a connection in transaction mode; 200 unless told.
    pub statements: usize,
    /// `per_login`: the most connections that the sessions of one login hold at once in transaction mode; 0 is no limit.
    pub per_login: usize,
    /// `[pool.per_role]`: the same for everybody who has a role, by the role's name.
    pub per_role: BTreeMap<String, usize>,
}

/// How long a session keeps its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// As long as it lasts.
    Session,
    /// For a transaction, unless it leaves something there that no other connection can be given.
    Transaction,
}

impl PoolConfig {
    /// Is there any limit but the pool's size?
    pub fn limits_shares(&self) -> bool {
        self.per_login > 0 || !self.per_role.is_empty()
    }

    pub(super) fn read(mut section: Section<'_, '_>, source: &mut Source<'_>) -> Self {
        let words = [("session", PoolMode::Session), ("transaction", PoolMode::Transaction)];
        let mut number = |source: &mut Source<'_>, key, default, bounds| {
            usize::try_from(section.number(source, key, default, bounds)).unwrap_or(usize::MAX)
        };
        let size = number(source, "size", 20, 1..=10_000);
        let statements = number(source, "statements", 200, 1..=100_000);
        let per_login = number(source, "per_login", 0, 0..=10_000);
        let pool = Self {
            mode: section.choice(source, "mode", &words, PoolMode::Session),
            size,
            wait: section.duration(source, "wait", Duration::from_secs(10)),
            statements,
            per_login,
            per_role: section.section(source, "per_role").numbers(source, 1..=10_000),
        };
        section.finish(source);
        pool
    }
}
