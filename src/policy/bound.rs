//! A policy tied to a catalogue: which relation each table is, and every expression of the DBA's qualified.

use super::chance::Chance;
use super::spread::{Spread, Spreads};
use super::template::Template;
use crate::catalog::{Catalog, Oid};
use crate::name::QualifiedName;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How a relation stands to the protected ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cover {
    /// It is this table, or a partition or child of it.
    Table(String),
    /// Protected rows show through it in more than one way, or policies do not say how: nobody gets it.
    Closed,
}

/// A column as a role names it: role, table, column.
pub type Place = (String, String, String);

/// The ties.
#[derive(Debug, Clone, Default)]
pub(super) struct Bound {
    /// Table name → relation.
    relations: BTreeMap<String, Oid>,
    /// How each relation that has to do with a protected one stands.
    covers: HashMap<Oid, Cover>,
    /// Scopes of the DBA's, by table and scope.
    customs: BTreeMap<(String, String), Template>,
    /// What the same conditions say of columns.
    chances: BTreeMap<(String, String), Chance>,
    /// The server's statistics of the columns that decide who sees what.
    spreads: Spreads,
    /// `sql` masks by role, table and column.
    expressions: BTreeMap<Place, Template>,
    /// The constants of `fixed` masks by role, table and column, as the database prints them under settings
    /// that every session reads alike.
    constants: BTreeMap<Place, String>,
    /// Tables that could not be tied: denied until the policy or the database is put right.
    broken: BTreeSet<String>,
    /// Relations that the directory's queries read, and those behind the views among them.
    directory: BTreeSet<Oid>,
}

/// `schema.name` in its two parts.
pub(super) fn relation_name(written: &str) -> Option<QualifiedName> {
    let (schema, name) = written.split_once('.')?;
    Some(QualifiedName::new(schema, name))
}

impl Bound {
    pub(super) fn relation_of(&self, table: &str) -> Option<Oid> {
        self.relations.get(table).copied()
    }

    pub(super) fn cover(&self, relation: Oid) -> Option<&Cover> {
        self.covers.get(&relation)
    }

    /// Every relation that has to do with a protected one.
    pub(super) fn protected(&self) -> impl Iterator<Item = Oid> + '_ {
        self.covers.keys().copied()
    }

    pub(super) fn is_broken(&self, table: &str) -> bool {
        self.broken.contains(table)
    }

    pub(super) fn is_directory(&self, relation: Oid) -> bool {
        self.directory.contains(&relation)
    }

    /// Notes a relation that the directory reads, with what it reads itself and what is below and above it.
    pub(super) fn add_directory(&mut self, relation: Oid, catalog: &Catalog) {
        let around = |r: &crate::catalog::Relation| [&r.depends_on, &r.children, &r.parents].map(Clone::clone).concat();
        let mut open = vec![relation];
        while let Some(at) = open.pop() {
            if self.directory.insert(at)
                && let Some(relation) = catalog.relations.get(&at)
            {
                open.extend(around(relation));
            }
        }
    }

    pub(super) fn custom(&self, table: &str, scope: &str) -> Option<&Template> {
        self.customs.get(&(table.to_owned(), scope.to_owned()))
    }

    pub(super) fn chance(&self, table: &str, scope: &str) -> Option<&Chance> {
        self.chances.get(&(table.to_owned(), scope.to_owned()))
    }

    /// The columns that conditions of the DBA's compare.
    pub(super) fn chance_columns(&self) -> BTreeSet<(Oid, String)> {
        let of = |((table, _), chance): (&(String, String), &Chance)| {
            let relation = self.relation_of(table);
            let columns: Vec<String> = chance.columns().into_iter().map(str::to_owned).collect();
            relation
                .into_iter()
                .flat_map(move |oid| columns.clone().into_iter().map(move |c| (oid, c)))
        };
        self.chances.iter().flat_map(of).collect()
    }

    pub(super) fn spread_of(&self, relation: Oid, column: &str) -> Option<&Spread> {
        self.spreads.get(&(relation, column.to_owned()))
    }

    pub(super) fn set_spreads(&mut self, spreads: Spreads) {
        self.spreads = spreads;
    }

    pub(super) fn expression(&self, role: &str, table: &str, column: &str) -> Option<&Template> {
        self.expressions
            .get(&(role.to_owned(), table.to_owned(), column.to_owned()))
    }

    pub(super) fn constant(&self, role: &str, table: &str, column: &str) -> Option<&str> {
        self.constants
            .get(&(role.to_owned(), table.to_owned(), column.to_owned()))
            .map(String::as_str)
    }

    pub(super) fn constants(&self) -> &BTreeMap<Place, String> {
        &self.constants
    }

    pub(super) fn set_constants(&mut self, constants: BTreeMap<Place, String>) {
        self.constants = constants;
    }

    pub(super) fn tie(&mut self, table: &str, relation: Oid) {
        self.relations.insert(table.to_owned(), relation);
    }

    pub(super) fn break_table(&mut self, table: &str) {
        self.broken.insert(table.to_owned());
    }

    pub(super) fn add_custom(&mut self, table: &str, scope: &str, template: Template, chance: Chance) {
        self.chances.insert((table.to_owned(), scope.to_owned()), chance);
        self.customs.insert((table.to_owned(), scope.to_owned()), template);
    }

    pub(super) fn add_expression(&mut self, role: &str, table: &str, column: &str, template: Template) {
        self.expressions
            .insert((role.to_owned(), table.to_owned(), column.to_owned()), template);
    }

    /// Closes a relation whatever the policies say.
    pub(super) fn close(&mut self, relation: Oid) {
        self.covers.insert(relation, Cover::Closed);
    }

    /// Finds out how partitions, children and ancestors stand to the protected relations. A relation above a
    /// protected one shows its rows, and is closed; one below two is closed as well.
    pub(super) fn spread(&mut self, catalog: &Catalog) {
        let roots: Vec<(String, Oid)> = self.relations.iter().map(|(t, &o)| (t.clone(), o)).collect();
        for (table, root) in &roots {
            for below in reach(catalog, *root, |r| &r.children) {
                self.covers
                    .entry(below)
                    .and_modify(|c| *c = Cover::Closed)
                    .or_insert_with(|| Cover::Table(table.clone()));
            }
        }
        for (_, root) in &roots {
            for above in reach(catalog, *root, |r| &r.parents) {
                if above != *root {
                    self.covers.insert(above, Cover::Closed);
                }
            }
        }
    }
}

fn reach(catalog: &Catalog, from: Oid, next: impl Fn(&crate::catalog::Relation) -> &Vec<Oid>) -> BTreeSet<Oid> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if seen.insert(at)
            && let Some(relation) = catalog.relations.get(&at)
        {
            open.extend(next(relation));
        }
    }
    seen
}
