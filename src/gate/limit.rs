//! How many rows a result may have that reads what may not be exported.

use crate::policy::MostRows;
use std::collections::BTreeMap;

/// The limit of a result, or of what is stored in temp relations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowLimit {
    /// Protected tables by their names in the policy, each with the most rows that a result reading it may have.
    each: BTreeMap<String, u64>,
    /// Of a result that is too large no row is given.
    pub refuses: bool,
}

impl RowLimit {
    /// That of a result that reads one table.
    pub fn of(most: &MostRows) -> Self {
        Self {
            each: BTreeMap::from([(most.table.clone(), most.rows)]),
            refuses: most.refuses,
        }
    }

    /// That of a result to which both apply.
    pub fn join(mut self, other: &Self) -> Self {
        for (table, rows) in &other.each {
            let most = self.each.entry(table.clone()).or_insert(*rows);
            *most = (*most).min(*rows);
        }
        self.refuses |= other.refuses;
        self
    }

    /// The most rows of one result.
    pub fn most(&self) -> u64 {
        self.each.values().copied().min().unwrap_or(0)
    }

    /// Which table allows the least where so many rows of each were `given` before, how many rows it allows, and how
    /// many of them are left.
    pub fn left(&self, given: &BTreeMap<String, u64>) -> (u64, u64) {
        let rest = |(table, most): (&String, &u64)| {
            let before = given.get(table).copied().unwrap_or(0);
            (*most, most.saturating_sub(before))
        };
        self.each
            .iter()
            .map(rest)
            .min_by_key(|(_, left)| *left)
            .unwrap_or((0, 0))
    }

    /// The tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.each.keys().map(String::as_str)
    }

    /// What it takes in memory beside itself, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        self.each
            .keys()
            .map(|name| size_of::<(String, u64)>() + name.len())
            .sum()
    }
}

/// The stricter of two, where there are any.
pub fn stricter(one: Option<RowLimit>, other: Option<&RowLimit>) -> Option<RowLimit> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.join(other)),
        (one, other) => one.or_else(|| other.cloned()),
    }
}
