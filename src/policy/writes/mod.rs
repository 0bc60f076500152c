//! What one person may write to one relation, and the SQL that holds a statement to it.

mod copying;
mod decide;
mod deciding;
mod print;
mod references;
mod transfer;

pub use copying::CopyCheck;
pub use print::new_or_changed;

use super::decision::Rows;
use crate::name::QualifiedName;
use crate::sql::raise::Raise;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The alias of a new row's value in the place of an assignment: a derived table with one column.
pub const NEW_ALIAS: &str = "rowgate:new";

/// What a person may write to a protected relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// The same in words that cost less where few rows are written, if there are such: whether a row has a parent in
    /// scope is looked up for it, instead of in a set of all such parents.
    pub by_key: Option<Arc<Writes>>,
}

/// What a person may write to one column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    made: Option<Made>,
    shown: String,
    same: Same,
}

/// How a generated column comes about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Made {
    /// The columns that it is computed from.
    inputs: Vec<usize>,
    /// The same as SQL over a row of [`MADE_ALIAS`]; `None` where it could raise, or is not understood.
    sql: Option<String>,
}

/// The alias of a row that a generated column is computed from.
const MADE_ALIAS: &str = "rowgate:made";

/// What an UPDATE may store in a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Update {
    /// Anything, on every row that it reaches.
    Free,
    /// Anything on these rows; elsewhere only the value that shows, which leaves the stored one.
    On(Rows),
    /// Other values only where the old row is one of the first and the new row one of the second.
    Transfer(Vec<(Rows, Rows)>),
}

/// How a written value is compared with the one that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Same {
    /// By `pg_catalog.=`.
    Equal,
    /// By `pg_catalog.=` under the collation C.
    Text,
    /// As text, because the type has no equality.
    Printed,
}

/// What one role lets the person insert.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Seat {
    rows: Rows,
    settable: Vec<Rows>,
}

/// A foreign key to rows of which the person does not see all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Reference {
    /// Its columns, and those that generated ones among them are computed from.
    columns: Vec<usize>,
    /// True on a row whose target the person does not see.
    dangling: String,
    raise: Raise,
}

impl Writes {
    /// The value of a column that may not be set: NULL, as it would be anyway, or it raises before anything is stored.
    pub fn unset_value(&self, at: usize) -> Option<(&'static str, String)> {
        let right = self.columns.get(at)?;
        let raise = Raise::Column {
            table: self.table.name.clone(),
            column: right.name.clone(),
        };
        let closing = format!(
            ")::{0} IS NULL THEN NULL::{0} ELSE ({1})::{0} END",
            right.base_sql,
            raise.sql()
        );
        Some(("CASE WHEN (", closing))
    }

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

    /// May the person set a column in an INSERT, on some rows at least?
    pub fn settable(&self, at: usize) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.settable.get(at).is_some_and(|rows| *rows != Rows::None))
    }

    /// The first column that an INSERT of the others leaves to a default, although the row's scope depends on it.
    pub fn left_to_default(&self, given: &BTreeSet<usize>) -> Option<&ColumnRight> {
        let left = |(at, c): &(usize, &ColumnRight)| !given.contains(at) && c.decides && c.has_default;
        self.columns.iter().enumerate().find(left).map(|(_, c)| c)
    }

    /// The generated columns that are used.
    fn made(&self, used: impl Fn(&ColumnRight) -> bool) -> Vec<(&ColumnRight, &Made)> {
        let made = self.columns.iter().filter_map(|c| Some((c, c.made.as_ref()?)));
        made.filter(|(c, _)| used(c)).collect()
    }

    /// Do triggers change a row before it is stored, so that what is proposed says nothing of it?
    pub fn changes_before(&self) -> bool {
        self.before_insert || self.before_update
    }

    /// Is every row of the relation one that the person may delete?
    pub fn deletes_all(&self) -> bool {
        self.view == Rows::All && self.delete == Rows::All
    }
}
