//! A session's prepared statements by name, and what can be said of all of them at once.

use super::judging::Text;
use crate::gate::Effect;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// A prepared statement, of either protocol: they share their names.
#[derive(Clone)]
pub(super) struct Prepared {
    /// The judged text: the statement itself, or the text with the SQL command PREPARE in it.
    pub text: Arc<Text>,
    /// Which statement of the text.
    pub statement: usize,
    /// Made by PREPARE rather than by a Parse message.
    pub by_sql: bool,
    /// The segment in which it was.
    pub noted: u64,
    /// The result's columns that the client knows, once they had to be looked at.
    pub shape: Option<Vec<(Vec<u8>, u32, i32)>>,
}

impl Prepared {
    /// Is it nothing but a query, or a write? A command changes what names stand for, or takes its rows from elsewhere.
    pub fn is_query(&self) -> bool {
        self.text
            .statement(self.statement)
            .is_some_and(|s| s.effect == Effect::None)
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Statements {
    names: BTreeMap<String, Arc<Prepared>>,
    /// Bytes of their texts.
    bytes: usize,
    /// How many were made by PREPARE.
    by_sql: usize,
}

impl Statements {
    /// Notes one; gives what the name stood for.
    pub fn insert(&mut self, name: String, prepared: Arc<Prepared>) -> Option<Arc<Prepared>> {
        self.bytes += prepared.text.client.len();
        self.by_sql += usize::from(prepared.by_sql);
        let previous = self.names.insert(name, prepared);
        self.discount(previous.as_deref());
        previous
    }

    /// Forgets one; gives what it was.
    pub fn remove(&mut self, name: &str) -> Option<Arc<Prepared>> {
        let previous = self.names.remove(name);
        self.discount(previous.as_deref());
        previous
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn discount(&mut self, gone: Option<&Prepared>) {
        if let Some(gone) = gone {
            self.bytes -= gone.text.client.len();
            self.by_sql -= usize::from(gone.by_sql);
        }
    }

    /// Bytes of all texts.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Was any made by PREPARE?
    pub fn any_by_sql(&self) -> bool {
        self.by_sql > 0
    }
}

impl Deref for Statements {
    type Target = BTreeMap<String, Arc<Prepared>>;

    fn deref(&self) -> &Self::Target {
        &self.names
    }
}
