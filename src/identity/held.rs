//! What somebody holds for a time, beside what their roles say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Temporary rights that are in force for one person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Whose rows they stand in for.
    pub delegated: Vec<Delegated>,
    /// Rows and columns that they were given.
    pub grants: Vec<Granted>,
    /// Records that are shared with them, each by its key's values as text, in the key's order; by table.
    pub records: BTreeMap<String, BTreeSet<Vec<String>>>,
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
