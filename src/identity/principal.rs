//! A person (or program) behind a connection, as the directory knows them at one moment.

use super::held::Held;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Somebody's standing at one generation of the world: identity, roles and the sets derived from them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// The login name.
    pub login: String,
    /// The key that rows name as their owner.
    pub user_id: Option<Attribute>,
    /// Roles in the order the directory gives them.
    pub roles: Vec<String>,
    /// The person's team.
    pub team_id: Option<Attribute>,
    /// Their team and every team below it; a list attribute.
    pub team_tree: Option<Attribute>,
    /// Everybody below them in the chain of command, themselves left out; a list attribute.
    pub reports: Option<Attribute>,
    /// Any further attribute that the directory query yields, by column name; one for all who have the same.
    pub attributes: Arc<BTreeMap<String, Attribute>>,
    /// A role of theirs is marked `bypass`.
    pub bypass: bool,
    /// What they hold for a time.
    pub held: Held,
}

/// A typed value: its text form and its type, so that it can be printed as a constant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// The scalar type as qualified SQL, such as `"pg_catalog"."int4"`.
    pub type_sql: Arc<str>,
    /// The values in text form; exactly one for a scalar.
    pub values: Vec<String>,
    /// A list (used with `= ANY`) rather than a scalar.
    pub is_list: bool,
}
