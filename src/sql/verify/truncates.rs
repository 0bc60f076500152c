//! TRUNCATE in the text that will be sent: every row of every table that it reaches may be deleted.

use super::{Check, broken};
use crate::catalog::ForeignKey;
use crate::name::QualifiedName;
use crate::refusal::Refusal;
use pg_query::NodeEnum;
use pg_query::protobuf::{DropBehavior, TruncateStmt};
use std::collections::BTreeSet;

impl Check<'_> {
    /// Every row of every table that a TRUNCATE reaches may be deleted.
    pub(super) fn truncated(&self, truncate: &TruncateStmt) -> Result<(), Refusal> {
        let catalog = &self.world.catalog;
        let policies = &self.world.policies;
        let mut open = Vec::new();
        for node in &truncate.relations {
            let Some(NodeEnum::RangeVar(var)) = node.node.as_ref() else {
                return Err(broken("a TRUNCATE of no relation"));
            };
            if var.schemaname != "pg_temp" {
                let relation = catalog.relation(&QualifiedName::new(&var.schemaname, &var.relname));
                open.push(relation.ok_or_else(|| broken("a TRUNCATE of nothing that is known"))?);
            }
        }
        let cascades = truncate.behavior() == DropBehavior::DropCascade;
        let mut seen = BTreeSet::new();
        while let Some(relation) = open.pop() {
            if !seen.insert(relation.oid) {
                continue;
            }
            let administers = self.who.rights().directory;
            let writes = self.who.writes(relation);
            let may = writes.map_or_else(|| policies.writes_unprotected(relation), |w| w.deletes_all());
            if !may || policies.is_directory(relation.oid) && !administers {
                return Err(broken("a TRUNCATE of rows that may not be deleted"));
            }
            if cascades {
                let refers = |keys: &[ForeignKey]| keys.iter().any(|k| k.target == relation.oid);
                let referring = catalog.foreign_keys.iter().filter(|(_, keys)| refers(keys));
                let oids = referring.map(|(oid, _)| oid).chain(&relation.children);
                open.extend(oids.filter_map(|oid| catalog.relations.get(oid)));
            }
        }
        Ok(())
    }

    /// Where the relations stand that TRUNCATE names.
    pub(super) fn truncated_at<'t>(statements: impl Iterator<Item = &'t NodeEnum>) -> Vec<i32> {
        let truncates = statements.filter_map(|s| match s {
            NodeEnum::TruncateStmt(t) => Some(t),
            _ => None,
        });
        let relations = truncates.flat_map(|t| &t.relations);
        relations
            .filter_map(|r| match r.node.as_ref() {
                Some(NodeEnum::RangeVar(var)) => Some(var.location),
                Some(_) | None => None,
            })
            .collect()
    }
}
