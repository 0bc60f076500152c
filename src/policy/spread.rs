//! How the values of a column are spread over its table's rows, by the server's statistics.

use super::PolicySet;
use super::bound::relation_name;
use crate::catalog::{Catalog, Oid};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A column's statistics.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spread {
    /// The share of the rows in which it is NULL, from 0 to 1.
    pub nulls: f32,
    /// How many values it has; where negative, that many times the number of rows (`pg_stats.n_distinct`).
    pub distinct: f32,
    /// The most common values in text form, with the share of the rows that has each.
    pub common: HashMap<String, f32>,
}

/// The statistics of columns by their relation and name.
pub type Spreads = HashMap<(Oid, String), Spread>;

impl Spread {
    /// The share of a table of so many rows in which the column has this value.
    pub(super) fn share_of(&self, value: &str, rows: f32) -> f32 {
        // a char(n) is padded in one place and not in the other
        let known = self
            .common
            .get(value)
            .or_else(|| self.common.get(value.trim_end_matches(' ')));
        if let Some(known) = known {
            return *known;
        }
        let all = if self.distinct < 0.0 {
            -self.distinct * rows.max(0.0)
        } else {
            self.distinct
        };
        let others = all - self.common.len() as f32;
        let left = 1.0 - self.nulls - self.common.values().sum::<f32>();
        if others < 1.0 { 0.0 } else { left.max(0.0) / others }
    }
}

impl PolicySet {
    /// The columns whose values decide which rows people see, as far as the policies name them.
    pub fn deciding_columns(&self, catalog: &Catalog) -> BTreeSet<(Oid, String)> {
        let mut columns = self.bound.chance_columns();
        for table in self.written.tables.values() {
            let own = [&table.owner, &table.team].into_iter().flatten();
            if let Some(relation) = self.bound.relation_of(&table.name.text) {
                columns.extend(own.map(|word| (relation, word.text.clone())));
            }
            if let Some(rule) = &table.members
                && let Some(members) = relation_name(&rule.relation.text).and_then(|name| catalog.relation(&name))
            {
                let whose = [&rule.user, &rule.team].into_iter().flatten();
                columns.extend(whose.map(|word| (members.oid, word.text.clone())));
            }
        }
        columns
    }

    /// The set with these statistics.
    #[must_use]
    pub fn with_spreads(mut self, spreads: Spreads) -> Self {
        Arc::make_mut(&mut self.bound).set_spreads(spreads);
        self.memo = Arc::default();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_common_shares_what_is_left() {
        let common = HashMap::from([("GB".to_owned(), 0.5), ("DE".to_owned(), 0.25)]);
        let spread = |distinct| Spread {
            nulls: 0.05,
            distinct,
            common: common.clone(),
        };
        assert_eq!(spread(2.0).share_of("GB", 100.0), 0.5);
        assert_eq!(spread(2.0).share_of("DE  ", 100.0), 0.25);
        assert_eq!(spread(2.0).share_of("XX", 100.0), 0.0);
        assert!((spread(6.0).share_of("XX", 100.0) - 0.05).abs() < 1e-6);
        assert!((spread(-0.06).share_of("XX", 100.0) - 0.05).abs() < 1e-6);
    }
}
