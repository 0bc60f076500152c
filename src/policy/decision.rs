//! The answer of the policy for one person and one relation, ready to be spliced.

use crate::catalog::Oid;
use crate::name::QualifiedName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The alias under which every predicate and mask of a [`TableView`] names the protected row. A predicate
/// may open further aliases of its own (for members and parents), all beginning with `rowgate:`.
pub const ROW_ALIAS: &str = "rowgate:row";

/// What a person may do with one relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Access {
    /// No policy protects it and `[defaults]` leaves unprotected relations open.
    Open,
    /// Nothing that the person's roles say allows it.
    Denied,
    /// It is protected; this much of it shows.
    Guarded(Arc<TableView>),
}

/// The part of a protected relation that one person gets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableView {
    /// The protected relation asked about (a partition keeps its own identity here).
    pub relation: Oid,
    /// Rows that the person may view.
    pub rows: Rows,
    /// Rows that the person may both view and edit: what FOR UPDATE and FOR SHARE may lock.
    pub lockable: Rows,
    /// One per live column of the relation, in the relation's order.
    pub columns: Vec<ColumnView>,
    /// May COPY … TO and results beyond `max_rows` take it out?
    pub export: bool,
    /// How many rows one result reading this relation may have without `export`.
    pub max_rows: Option<MostRows>,
    /// Why: one line for each rule that gave rows or changed a column, for `rowgate explain`.
    pub because: Vec<String>,
    /// The same view in words that cost less where few rows are looked at, if there are such: whether a row has a
    /// visible parent is looked up for it, instead of in a set of all visible parents.
    pub by_key: Option<Arc<TableView>>,
    /// The same view in words that cost less where no more than so many rows of it are shown, and PostgreSQL stops there:
    /// whether a row has a visible parent is looked up for it, whatever PostgreSQL expects.
    pub row_by_row: Option<(Arc<TableView>, u32)>,
}

/// The most rows of a result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MostRows {
    /// The table's name in the policy: its partitions and children count as itself.
    pub table: String,
    /// How many.
    pub rows: u64,
    /// No row is given of a result that has more; otherwise as many as may be.
    pub refuses: bool,
}

/// A set of rows of one relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rows {
    /// Every row.
    All,
    /// No row.
    None,
    /// The rows on which this predicate is true: SQL over [`ROW_ALIAS`], fully qualified, quoted,
    /// parenthesised by whoever splices it, independent of session state, never raising.
    Where(String),
}

/// How one column shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnView {
    /// As it is.
    Clear,
    /// As this SQL expression over [`ROW_ALIAS`], already cast to the column's exact type and collation.
    Masked {
        /// The expression.
        sql: String,
        /// The mask's word (`partial`, `email` …) for audit and explanation.
        mask: String,
        /// What an exact match may compare instead, over [`ROW_ALIAS`] and of the same type: the value itself on the
        /// rows of roles that let it be searched, the mask on others. `None` where no role does.
        search: Option<String>,
    },
    /// As if it did not exist.
    Hidden,
}

impl TableView {
    /// In its own words and in all others.
    pub fn wordings(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        let others = self
            .by_key
            .iter()
            .chain(self.row_by_row.as_ref().map(|(words, _)| words));
        std::iter::once(self).chain(others)
    }

    /// Is any row of the relation hidden from this person?
    pub fn hides_rows(&self) -> bool {
        !matches!(self.rows, Rows::All)
    }

    /// Does every column show, and in clear?
    pub fn all_columns_clear(&self) -> bool {
        self.columns.iter().all(|c| matches!(c, ColumnView::Clear))
    }
}

/// What a person's roles allow beside tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RoleRights {
    /// User-defined functions, by qualified name.
    pub functions: Vec<QualifiedName>,
    /// Channels that LISTEN may name.
    pub listen: Vec<String>,
    /// Channels that NOTIFY may name.
    pub notify: Vec<String>,
    /// Whom a program may act for: logins (`*` stands for any characters), or `role:NAME` for everybody with a role.
    /// Whoever may act for others has no rights of their own.
    pub may_act_for: Vec<String>,
    /// One connection may act for one person after the other.
    pub act_again: bool,
    /// How `application_name` names the person at login, `*` in their place.
    pub act_by_application: Option<String>,
    /// EXPLAIN is allowed (its output is always filtered).
    pub explain: bool,
    /// `pg_sleep` is allowed.
    pub sleep: bool,
    /// Relations that say who people are (those that the directory reads) may be written as their policies say.
    pub directory: bool,
    /// Own temp tables are allowed.
    pub temp_tables: bool,
    /// Materialized views and foreign tables over protected ones that may be read as they are.
    pub derived_relations: Vec<QualifiedName>,
    /// Functions whose NOTICE and ERROR texts may pass.
    pub message_functions: Vec<QualifiedName>,
    /// Upper limits for settings that cost the server, by GUC name, such as `work_mem` = `64MB`; also the
    /// values in force at session start.
    pub limits: BTreeMap<String, String>,
    /// Statements of this person that may run at once.
    pub concurrent_statements: Option<u32>,
}
