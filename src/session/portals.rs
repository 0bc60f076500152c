//! A session's portals and cursors by name: they share their names.

use super::judging::Text;
use crate::gate::Bound;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A portal or cursor.
#[derive(Clone)]
pub(super) struct Portal {
    /// The judged text it was made from.
    pub text: Arc<Text>,
    /// Which statement of the text.
    pub statement: usize,
    /// Rows that it has given.
    pub rows: u64,
    /// They count with those of others: it is a cursor, or gives its rows in portions.
    pub in_portions: bool,
    /// Made by DECLARE, so that it may outlive its transaction.
    pub by_sql: bool,
    /// The segment in which it was.
    pub noted: u64,
    /// Parameters for the audit.
    pub parameters: Option<Arc<Vec<Option<String>>>>,
}

impl Portal {
    /// Does it outlive its transaction?
    pub fn is_held(&self) -> bool {
        let statement = self.text.statement(self.statement);
        self.by_sql && statement.is_none_or(|s| s.leaves.bound.contains(&Bound::HeldCursor))
    }
}

/// All of them. The one without a name, which drivers make for statement after statement, has a place of its own.
#[derive(Default)]
pub(super) struct Portals {
    unnamed: Option<Portal>,
    named: BTreeMap<String, Portal>,
}

impl Portals {
    /// Notes one; gives what the name stood for.
    pub fn insert(&mut self, name: String, portal: Portal) -> Option<Portal> {
        if name.is_empty() {
            self.unnamed.replace(portal)
        } else {
            self.named.insert(name, portal)
        }
    }

    /// Forgets one; gives what it was.
    pub fn remove(&mut self, name: &str) -> Option<Portal> {
        if name.is_empty() {
            self.unnamed.take()
        } else {
            self.named.remove(name)
        }
    }

    pub fn get(&self, name: &str) -> Option<&Portal> {
        if name.is_empty() {
            self.unnamed.as_ref()
        } else {
            self.named.get(name)
        }
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Portal> {
        if name.is_empty() {
            self.unnamed.as_mut()
        } else {
            self.named.get_mut(name)
        }
    }

    pub fn len(&self) -> usize {
        self.named.len() + usize::from(self.unnamed.is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.unnamed.is_none() && self.named.is_empty()
    }

    pub fn values(&self) -> impl Iterator<Item = &Portal> {
        self.unnamed.iter().chain(self.named.values())
    }

    /// Forgets those of which this is not true.
    pub fn retain(&mut self, stays: impl Fn(&Portal) -> bool) {
        self.unnamed.take_if(|portal| !stays(portal));
        if !self.named.is_empty() {
            self.named.retain(|_, portal| stays(portal));
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
