//! What somebody holds for a time, beside what their roles say.

use super::principal::Principal;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Temporary rights that are in force for one person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Whose rows they stand in for.
    pub delegated: Vec<Delegated>,
    /// Rows and columns that they were given.
    pub grants: Vec<Granted>,
    /// Records that are shared with them, by table.
    pub records: BTreeMap<String, Vec<Shared>>,
}

impl Held {
    /// Adds a record that somebody shares; `None` is nobody of the directory.
    pub fn add_record(&mut self, table: &str, key: &[String], by: Option<&Arc<Principal>>) {
        let all = self.records.entry(table.to_owned()).or_default();
        let login = |by: Option<&Arc<Principal>>| by.map(|p| p.login.clone());
        match all.iter_mut().find(|s| login(s.by.as_ref()) == login(by)) {
            Some(shared) => drop(shared.keys.insert(key.to_vec())),
            None => all.push(Shared {
                by: by.cloned(),
                keys: [key.to_vec()].into(),
            }),
        }
    }
}

/// Records of one table that one person shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Who shares them, without what they hold for a time: they are shared as long as this person views them. `None` is
    /// nobody of the directory, whose word holds for every row.
    pub by: Option<Arc<Principal>>,
    /// Each by its key's values as text, in the key's order.
    pub keys: BTreeSet<Vec<String>>,
}

/// Somebody whose rows one stands in for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delegated {
    /// The table, by its name in the policies; `None` is every table.
    pub table: Option<String>,
    /// What the owner column holds of them, as text.
    pub owner: String,
}

/// Something that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The right's number, for explanations.
    pub number: i64,
    /// The table, by its name in the policies.
    pub table: String,
    /// What of it.
    pub what: Gift,
    /// The role whose words rows that are given show by: the first of the person's own that names the table.
    pub through: Option<String>,
}

/// What of a table is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gift {
    /// The rows of a scope.
    Rows {
        /// What may be done with them.
        operations: BTreeSet<Operation>,
        /// The scope, in the policies' words.
        scope: String,
    },
    /// These columns in clear, on every row that shows.
    Columns(BTreeSet<String>),
}

/// What may be done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Read it.
    View,
    /// Make it.
    Insert,
    /// Change it.
    Edit,
    /// Remove it.
    Delete,
    /// Take it out in bulk.
    Export,
}

impl Operation {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 5] = [Self::View, Self::Insert, Self::Edit, Self::Delete, Self::Export];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Insert => "insert",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Export => "export",
        }
    }

    /// The one of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.word() == word)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
