//! TRUNCATE: every row of every table that it reaches.

use super::target::Doing;
use crate::catalog::{Oid, Relation};
use crate::refusal::Refusal;
use crate::sql::resolve::Analysis;
use pg_query::protobuf::RangeVar;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Analysis<'_> {
    /// Qualifies one table of a TRUNCATE; refused unless the person may delete every row of it and, with CASCADE, of
    /// every table that refers to it.
    pub fn truncate(&mut self, var: &RangeVar, cascades: bool) -> Result<(), Refusal> {
        let (relation, temp) = self.find_relation(var)?;
        if temp {
            return self.qualify_target(var, "pg_temp");
        }
        let mut open = vec![Arc::clone(&relation)];
        let mut seen: BTreeSet<Oid> = BTreeSet::new();
        while let Some(next) = open.pop() {
            if !seen.insert(next.oid) {
                continue;
            }
            if self.write_rights(&next, var, Doing::Truncate)?.is_some() {
                self.note_read(&next, None);
            }
            if cascades {
                open.extend(self.referrers(&next));
            }
        }
        let schema = relation.name.schema.clone();
        self.qualify_target(var, &schema)
    }

    /// The tables whose foreign keys point to a table, to a part of it, or to what it is a part of.
    fn referrers(&self, target: &Relation) -> Vec<Arc<Relation>> {
        let catalog = &self.world.catalog;
        let keys = catalog.foreign_keys.iter();
        let mut found: Vec<Oid> = keys
            .filter(|(_, keys)| keys.iter().any(|k| k.target == target.oid))
            .map(|(oid, _)| *oid)
            .collect();
        found.extend(&target.children);
        found
            .into_iter()
            .filter_map(|oid| catalog.relations.get(&oid).cloned())
            .collect()
    }
}
