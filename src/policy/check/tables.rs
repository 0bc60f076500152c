//! Tables: relations, keys, owners, teams, collaborators and parents.

use super::Check;
use super::temporary::UNIQUE;
use crate::catalog::{Column, Relation, RelationKind};
use crate::name::{QualifiedName, quote_ident};
use crate::policy::bound::relation_name;
use crate::policy::file::{Word, did_you_mean};
use crate::policy::mask::OWN_SCHEMA;
use crate::policy::print;
use crate::policy::written::{MembersRule, ParentRule, TableRule};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Check<'a> {
    pub(super) fn tables(&mut self) {
        let mut taken: BTreeMap<u32, &Word> = BTreeMap::new();
        for (name, rule) in &self.written.tables {
            let before = self.problems.errors();
            if let Some(relation) = self.find_relation(&rule.relation) {
                if let Some(other) = taken.insert(relation.oid, &rule.name) {
                    self.problems.error(
                        &rule.relation.at,
                        format!("{} is described twice", rule.relation.text),
                        Some(format!("the other is \"{}\" at {}", other.text, other.at)),
                    );
                }
                self.bound.tie(name, relation.oid);
                self.kind(rule, relation);
                self.table(rule, relation);
            }
            if self.problems.errors() > before {
                self.bound.break_table(name);
            }
        }
        self.parent_cycles();
    }

    fn kind(&self, rule: &TableRule, relation: &Relation) {
        if relation.name.schema == OWN_SCHEMA {
            let message = format!("{} is rowgate's own: no policy opens it", rule.relation.text);
            self.problems.error(&rule.relation.at, message, None);
        }
        let hint = match relation.kind {
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::ForeignTable
            | RelationKind::MaterializedView => return,
            RelationKind::View => "protect the tables that the view reads; views show what their reader may see",
            RelationKind::Sequence | RelationKind::Toast | RelationKind::CompositeType | RelationKind::Index => {
                "only tables can be protected"
            }
        };
        self.problems.error(
            &rule.relation.at,
            format!("{} is not a table", rule.relation.text),
            Some(hint.to_owned()),
        );
    }

    fn table(&self, rule: &TableRule, relation: &'a Relation) {
        for key in &rule.key {
            self.find_column(relation, key);
        }
        let shape = self.shape;
        for (word, attribute, what) in [
            (&rule.owner, shape.user_id(), "user_id"),
            (&rule.team, shape.team_id(), "team_id"),
        ] {
            if let Some(word) = word
                && let Some(column) = self.find_column(relation, word)
            {
                self.fits_attribute(word, column, attribute, what);
            }
        }
        if let Some(members) = &rule.members {
            self.members(rule, relation, members);
        }
        if let Some(parent) = &rule.parent {
            self.parent(relation, parent);
        }
        for (function, word) in &rule.harmless_triggers {
            let known = self.catalog.functions.get(&function.name);
            if !known.is_some_and(|all| all.iter().any(|f| f.name == *function)) {
                let message = format!("function {function} does not exist");
                self.problems.error(&word.at, message, None);
            }
        }
    }

    fn fits_attribute(&self, word: &Word, column: &Column, attribute: Option<u32>, what: &str) {
        let Some(oid) = attribute else {
            return;
        };
        let Some(mine) = print::family(self.catalog, column.type_oid) else {
            self.problems.error(
                &word.at,
                format!(
                    "column {} has type {}, which cannot be compared safely",
                    word.text, column.type_sql
                ),
                Some("its equality must stand in pg_catalog".to_owned()),
            );
            return;
        };
        if !print::family(self.catalog, oid).is_some_and(|theirs| theirs.fits(&mine)) {
            let theirs = self
                .catalog
                .types
                .get(&oid)
                .map_or_else(String::new, |t| t.name.to_string());
            self.problems.error(
                &word.at,
                format!(
                    "column {} has type {}, but the directory's {what} has type {theirs}",
                    word.text, column.type_sql
                ),
                Some(format!("cast {what} in the directory query to the column's type")),
            );
        }
    }

    fn members(&self, rule: &TableRule, relation: &Relation, members: &MembersRule) {
        let Some(found) = self.find_relation(&members.relation) else {
            return;
        };
        if rule.key.is_empty() {
            self.problems.error(
                &rule.name.at,
                format!("table \"{}\" has members, so it needs a key", rule.name.text),
                Some("such as key = \"id\"".to_owned()),
            );
        } else {
            self.same_columns((found, &members.row), (relation, &rule.key));
            self.advise_unique(&rule.name, relation, &rule.key);
        }
        for (word, attribute, what) in [
            (&members.user, self.shape.user_id(), "user_id"),
            (&members.team, self.shape.team_id(), "team_id"),
        ] {
            if let Some(word) = word
                && let Some(column) = self.find_column(found, word)
            {
                self.fits_attribute(word, column, attribute, what);
                self.advise_index(word, found, column);
            }
        }
    }

    fn parent(&self, relation: &Relation, rule: &ParentRule) {
        let Some(parent) = self.written.tables.get(&rule.table.text) else {
            self.problems.error(
                &rule.table.at,
                format!("there is no table \"{}\" in the policy", rule.table.text),
                did_you_mean(&rule.table.text, self.written.tables.keys().map(String::as_str)),
            );
            return;
        };
        if parent.key.is_empty() {
            self.problems.error(
                &parent.name.at,
                format!("table \"{}\" is a parent, so it needs a key", parent.name.text),
                Some("such as key = \"id\"".to_owned()),
            );
            return;
        }
        let found = relation_name(&parent.relation.text).and_then(|n| self.catalog.relation(&n));
        if let Some(found) = found {
            self.same_columns((relation, &rule.column), (found, &parent.key));
            self.advise_unique(&rule.table, found, &parent.key);
        }
        if let Some(word) = rule.column.first()
            && let Some(column) = relation.column(&word.text)
        {
            self.advise_index(word, relation, column);
        }
    }

    fn same_columns(&self, (relation, words): (&Relation, &[Word]), (keyed, key): (&Relation, &[Word])) {
        let Some(first) = words.first() else { return };
        if words.len() != key.len() {
            self.problems.error(
                &first.at,
                format!(
                    "the key of {} has {} columns, and {} are named here",
                    keyed.name,
                    key.len(),
                    words.len()
                ),
                None,
            );
            return;
        }
        for (word, key) in words.iter().zip(key) {
            let (Some(mine), Some(theirs)) = (self.find_column(relation, word), keyed.column(&key.text)) else {
                continue;
            };
            let fit = print::family(self.catalog, mine.type_oid)
                .zip(print::family(self.catalog, theirs.type_oid))
                .is_some_and(|(a, b)| a.fits(&b));
            if !fit {
                self.problems.error(
                    &word.at,
                    format!(
                        "column {} has type {}, and {} of {} has type {}",
                        word.text, mine.type_sql, key.text, keyed.name, theirs.type_sql
                    ),
                    Some("both must be of one kind".to_owned()),
                );
            }
        }
    }

    /// A warning where collaborators or child rows go by a key that may stand for several rows: whoever makes a row of a
    /// key that another one has would see what belongs to that.
    fn advise_unique(&self, at: &Word, keyed: &Relation, key: &[Word]) {
        let columns: Option<Vec<i16>> = key.iter().map(|w| Some(keyed.column(&w.text)?.number)).collect();
        if columns.is_some_and(|columns| !keyed.is_named_by(&columns)) {
            let names: Vec<&str> = key.iter().map(|w| w.text.as_str()).collect();
            self.problems.warning(
                &at.at,
                format!("several rows of {} may have one key ({})", keyed.name, names.join(", ")),
                Some(UNIQUE.to_owned()),
            );
        }
    }

    /// A warning where a scope's column leads no index of a table that is not small.
    pub(super) fn advise_index(&self, word: &Word, relation: &Relation, column: &Column) {
        const SMALL: f32 = 1000.0;
        let small = relation.estimated_rows >= 0.0 && relation.estimated_rows < SMALL;
        if small || relation.leading_index_columns.contains(&column.number) {
            return;
        }
        self.problems.warning(
            &word.at,
            format!(
                "column {} of {} decides a scope and leads no index",
                column.name, relation.name
            ),
            Some(format!(
                "CREATE INDEX ON {} ({})",
                relation.name.to_sql(),
                quote_ident(&column.name)
            )),
        );
    }

    fn parent_cycles(&mut self) {
        for (name, rule) in &self.written.tables {
            let mut seen = BTreeSet::from([name.as_str()]);
            let mut at = rule;
            while let Some(parent) = &at.parent {
                if !seen.insert(parent.table.text.as_str()) {
                    self.problems.error(
                        &parent.table.at,
                        format!(
                            "table \"{name}\" comes back to \"{}\" through its parents",
                            parent.table.text
                        ),
                        Some("a chain of parents must end".to_owned()),
                    );
                    self.bound.break_table(name);
                    break;
                }
                let Some(next) = self.written.tables.get(&parent.table.text) else {
                    break;
                };
                at = next;
            }
        }
    }

    /// Protected relations must not lie within each other.
    pub(super) fn nesting(&mut self) {
        for (name, rule) in &self.written.tables {
            let Some(oid) = self.bound.relation_of(name) else {
                continue;
            };
            let covered = matches!(
                self.bound.cover(oid),
                Some(crate::policy::bound::Cover::Table(table)) if table == name
            );
            if !covered && !self.bound.is_broken(name) {
                self.problems.error(
                    &rule.relation.at,
                    format!("{} lies above or below another protected table", rule.relation.text),
                    Some(
                        "protect the partitioned or inherited table alone; what is below is protected with it"
                            .to_owned(),
                    ),
                );
                self.bound.break_table(name);
            }
        }
    }

    pub(super) fn find_relation(&self, word: &Word) -> Option<&'a Relation> {
        let name: QualifiedName = relation_name(&word.text)?;
        let found = self.catalog.relation(&name);
        if found.is_none() {
            let known: Vec<String> = self
                .catalog
                .relation_names
                .keys()
                .filter(|n| !matches!(n.schema.as_str(), "pg_catalog" | "information_schema"))
                .map(ToString::to_string)
                .collect();
            self.problems.error(
                &word.at,
                format!("there is no relation {}", word.text),
                did_you_mean(&word.text, known.iter().map(String::as_str)),
            );
        }
        found.map(AsRef::as_ref)
    }

    pub(super) fn find_column<'r>(&self, relation: &'r Relation, word: &Word) -> Option<&'r Column> {
        let found = relation.column(&word.text);
        if found.is_none() {
            self.problems.error(
                &word.at,
                format!("there is no column {} in {}", word.text, relation.name),
                did_you_mean(&word.text, relation.columns.iter().map(|c| c.name.as_str())),
            );
        }
        found
    }
}
