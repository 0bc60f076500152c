//! What is allowed: which rows and columns of which relation a principal gets, and how each column shows.
//!
//! In order: [`file`] and `section` (words with their places) → [`load`] (files to [`written`]) → [`check`] (tied to the
//! catalogue) → `decide` (one person, one relation), with `scope` and `mask` as the vocabulary.

mod bound;
mod chance;
pub mod check;
mod columns;
mod decide;
pub mod decision;
pub mod difference;
pub mod file;
mod generated;
mod given;
pub mod load;
mod mask;
mod memo;
mod named;
mod print;
mod qualify;
pub mod reach;
mod scope;
mod section;
mod share;
mod spread;
mod template;
pub mod temporary;
mod trials;
pub mod writes;
pub mod written;

pub use bound::Place;
pub use decision::{Access, ColumnView, MostRows, RoleRights, Rows, TableView};
pub use mask::HASH_KEY_DDL;
pub use spread::{Spread, Spreads};
pub use trials::{Constant, Trial};
pub use writes::{Update, Writes};

use crate::identity::Principal;
use bound::Bound;
pub use memo::Memo;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use written::Written;

/// One atomic set of policy files, tied to a catalogue.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    written: Arc<Written>,
    bound: Arc<Bound>,
    memo: Arc<Memo<Access>>,
    /// Tables that nobody gets at for the time being.
    closed: Arc<BTreeSet<String>>,
}

impl PolicySet {
    /// The policy as it is written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// The same, shared.
    pub fn written_arc(&self) -> Arc<Written> {
        Arc::clone(&self.written)
    }

    /// The same policy with these tables closed to everybody for the time being.
    pub fn with_closed(&self, closed: BTreeSet<String>) -> Self {
        if *self.closed == closed {
            return self.clone();
        }
        Self {
            closed: Arc::new(closed),
            memo: Arc::default(),
            ..self.clone()
        }
    }

    /// Is this relation protected, or closed because of one that is?
    pub fn protects(&self, relation: crate::catalog::Oid) -> bool {
        self.bound.cover(relation).is_some()
    }

    /// Does the directory read this relation, so that to write it is to change who people are?
    pub fn is_directory(&self, relation: crate::catalog::Oid) -> bool {
        self.bound.is_directory(relation)
    }

    /// The protected relations as `schema.name`, what is below them included.
    pub fn protected_names(&self, catalog: &crate::catalog::Catalog) -> Vec<String> {
        let relations = self.bound.protected().filter_map(|oid| catalog.relations.get(&oid));
        let mut names: Vec<String> = relations.map(|r| r.name.to_string()).collect();
        names.sort();
        names
    }

    /// What a person's roles allow beside tables: functions, channels, EXPLAIN, limits. Lists are united;
    /// where roles differ in a limit, the higher one holds.
    pub fn rights(&self, who: &Principal) -> RoleRights {
        let mut rights = RoleRights::default();
        let mut first = true;
        for role in who.roles.iter().filter_map(|name| self.written.roles.get(name)) {
            let said = &role.rights;
            extend(&mut rights.functions, &said.functions);
            extend(&mut rights.listen, &said.listen);
            extend(&mut rights.notify, &said.notify);
            extend(&mut rights.derived_relations, &said.derived_relations);
            extend(&mut rights.message_functions, &said.message_functions);
            extend(&mut rights.may_act_for, &said.may_act_for);
            rights.act_again |= said.act_again;
            rights.act_by_application = rights.act_by_application.or_else(|| said.act_by_application.clone());
            rights.explain |= said.explain;
            rights.directory |= said.directory;
            rights.sleep |= said.sleep;
            rights.temp_tables |= said.temp_tables;
            rights.concurrent_statements = if first {
                said.concurrent_statements
            } else {
                rights
                    .concurrent_statements
                    .zip(said.concurrent_statements)
                    .map(|(a, b)| a.max(b))
            };
            higher(&mut rights.limits, &said.limits);
            first = false;
        }
        rights
    }
}

fn extend<T: Clone + PartialEq>(all: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

fn higher(all: &mut BTreeMap<String, String>, more: &BTreeMap<String, String>) {
    for (name, value) in more {
        match all.get(name) {
            Some(held) if magnitude(held) >= magnitude(value) => {}
            _ => {
                all.insert(name.clone(), value.clone());
            }
        }
    }
}

/// A setting's size in its smallest unit; 0 and −1 mean without end for time-outs and files.
fn magnitude(value: &str) -> f64 {
    let value = value.trim();
    let end = value
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
        .unwrap_or(value.len());
    let number: f64 = value.get(..end).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    if number <= 0.0 {
        return f64::INFINITY;
    }
    let unit = match value.get(end..).unwrap_or_default().trim() {
        "us" => 0.001,
        "s" => 1000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        "kB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    };
    number * unit
}
