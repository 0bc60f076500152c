//! Which writes can run code of the database's own users.

use super::{Catalog, Oid, Relation};
use std::collections::BTreeSet;

impl Catalog {
    /// Can a write to a relation fire a trigger: its own, one of its parts, or one of a table that a foreign key's
    /// action changes with it?
    pub fn fires_triggers(&self, relation: &Relation) -> bool {
        let mut open: Vec<Oid> = vec![relation.oid];
        let mut seen = BTreeSet::new();
        while let Some(next) = open.pop() {
            if !seen.insert(next) {
                continue;
            }
            let Some(relation) = self.relations.get(&next) else {
                return true;
            };
            if relation.has_triggers {
                return true;
            }
            open.extend(&relation.children);
            let keys = self.foreign_keys.iter();
            let referring = keys.filter(|(_, keys)| keys.iter().any(|key| key.target == next));
            open.extend(referring.map(|(oid, _)| *oid));
        }
        false
    }
}
