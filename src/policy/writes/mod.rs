//! What one person may write to one relation, and the SQL that holds a statement to it.

mod copying;
mod decide;
mod print;

pub use copying::CopyCheck;

use super::decision::Rows;
use crate::name::QualifiedName;
use crate::sql::raise::Raise;
use std::collections::BTreeSet;

/// The alias of a new row's value in the place of an assignment: a derived table with one column.
pub const NEW_ALIAS: &str = "rowgate:new";

/// What a person may write to a protected relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Writes {
    /// The relation.
    pub table: QualifiedName,
    /// Rows that the person may view and edit: an UPDATE reaches these, and leaves these behind.
    pub edit: Rows,
    /// Rows that the person may view and delete.
    pub delete: Rows,
    /// Rows that the person may view.
    pub view: Rows,
    /// One per live column, in the relation's order.
    pub columns: Vec<ColumnRight>,
    seats: Vec<Seat>,
    gains: Vec<String>,
    references: Vec<Reference>,
    before_insert: bool,
    before_update: bool,
}

/// What a person may write to one column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnRight {
    /// Its name.
    pub name: String,
    /// Does the person know of it?
    pub shows: bool,
    /// What an UPDATE may store.
    pub update: Update,
    /// SQL that an INSERT stores where it leaves the column out.
    pub default: Option<String>,
    /// The column's exact type.
    pub type_sql: String,
    /// The same without its modifier.
    pub base_sql: String,
    decides: bool,
    has_default: bool,
    shown: String,
    same: Same,
}

/// What an UPDATE may store in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Anything, on every row that it reaches.
    Free,
    /// Anything on these rows; elsewhere only the value that shows, which leaves the stored one.
    On(Rows),
    /// Other values only where the old row is one of the first and the new row one of the second.
    Transfer(Vec<(Rows, Rows)>),
}

/// How a written value is compared with the one that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Same {
    /// By `pg_catalog.=`.
    Equal,
    /// By `pg_catalog.=` under the collation C.
    Text,
    /// As text, because the type has no equality.
    Printed,
}

/// What one role lets the person insert.
#[derive(Debug, Clone, PartialEq)]
struct Seat {
    rows: Rows,
    settable: Vec<Rows>,
}

/// A foreign key to rows of which the person does not see all.
#[derive(Debug, Clone, PartialEq)]
struct Reference {
    columns: Vec<usize>,
    /// True on a row whose target the person does not see.
    dangling: String,
    raise: Raise,
}

impl Writes {
    /// May an UPDATE of these columns stand as the client wrote it, its target's condition aside?
    pub fn assigns_freely(&self, set: &BTreeSet<usize>) -> bool {
        let right = |at: &usize| self.columns.get(*at);
        set.iter()
            .all(|at| right(at).is_some_and(|c| c.update == Update::Free && (self.gains.is_empty() || !c.decides)))
            && !self
                .references
                .iter()
                .any(|r| r.columns.iter().any(|c| set.contains(c)))
    }

    /// May the person insert any row at all?
    pub fn inserts(&self) -> bool {
        self.seats.iter().any(|seat| seat.rows != Rows::None)
    }

    /// The first of these columns that no role lets the person set in an INSERT. A column without a default may be
    /// set to the NULL that it would have anyway.
    pub fn unsettable(&self, given: &BTreeSet<usize>) -> Option<&ColumnRight> {
        let denied = |at: &&usize| !self.settable(**at) && self.columns.get(**at).is_none_or(|c| c.has_default);
        given.iter().find(denied).and_then(|at| self.columns.get(*at))
    }

    fn settable(&self, at: usize) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.settable.get(at).is_some_and(|rows| *rows != Rows::None))
    }

    /// Is every row of the relation one that the person may delete?
    pub fn deletes_all(&self) -> bool {
        self.view == Rows::All && self.delete == Rows::All
    }
}
