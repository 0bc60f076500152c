//! What is allowed: which rows and columns of which relation a principal gets, and how each column shows.

pub mod decision;

pub use decision::{Access, ColumnView, RoleRights, Rows, TableView};

use crate::catalog::{Catalog, Relation};
use crate::identity::Principal;

/// One atomic set of policy files.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {}

impl PolicySet {
    /// What this person may do with this relation, decided from their roles; partitions and inheritance
    /// children answer as their protected ancestor does.
    pub fn access(&self, _who: &Principal, _relation: &Relation, _catalog: &Catalog) -> Access {
        Access::Denied
    }

    /// What a person's roles allow beside tables: functions, channels, EXPLAIN, limits.
    pub fn rights(&self, _who: &Principal) -> RoleRights {
        RoleRights::default()
    }
}
