//! About how much of a table a person sees, by the server's statistics: it decides how a scope is put into words, and
//! never what it means.

use super::file::Word;
use super::scope::Scopes;
use super::written::{Scope, ScopeWord, TableRule};
use crate::catalog::Relation;
use crate::identity::Attribute;

/// From so many rows on an array of keys is too long to be searched for each row.
const MANY_ROWS: f32 = 10_000.0;

/// No result of more rows is taken for the beginning of a longer one.
const MOST_ROW_BY_ROW: f32 = 10_000.0;

/// From this share of a table on no index over the others is worth its while.
const MANY: f32 = 0.2;

/// So many times fewer rows looked at than there are visible parents, and looking for each row's parent is worth its while
/// even where the rows in sight do not lie as evenly as the statistics have it.
const FEWER: f32 = 8.0;

/// No chain of parents is followed further.
const MOST_LEVELS: usize = 16;

impl Scopes<'_> {
    /// Does the person see so many rows of a table that the set of their keys is better hashed than searched?
    pub(super) fn sees_many(&self, table: &TableRule, relation: &Relation) -> bool {
        let share = self.share(table, relation, 0);
        share >= MANY && share * relation.estimated_rows >= MANY_ROWS
    }

    /// Of how many rows shown, PostgreSQL stopping behind them, it costs less to look for each row's parent than to read the
    /// set of all visible parents first; 0 where that is never so.
    pub(super) fn most_row_by_row(&self, table: &TableRule, relation: &Relation) -> u32 {
        let Some((parent, parent_relation)) = self.parent(table) else {
            return 0;
        };
        let parents = self.share(parent, parent_relation, 1) * parent_relation.estimated_rows;
        // to show n rows, n / share are looked at
        let most = self.share(table, relation, 0) * parents / FEWER;
        most.clamp(0.0, MOST_ROW_BY_ROW) as u32
    }

    fn parent(&self, table: &TableRule) -> Option<(&TableRule, &Relation)> {
        let parent = table.parent.as_ref()?;
        let parent = self.written.tables.get(&parent.table.text)?;
        Some((parent, self.relation(parent)?))
    }

    fn share(&self, table: &TableRule, relation: &Relation, level: usize) -> f32 {
        if level > MOST_LEVELS {
            return 0.0;
        }
        let words = self.says(table).flat_map(|(_, said)| &said.view);
        let sum: f32 = words.map(|word| self.share_of(table, relation, word, level)).sum();
        sum.min(1.0)
    }

    fn share_of(&self, table: &TableRule, relation: &Relation, word: &ScopeWord, level: usize) -> f32 {
        let of = |column: &Option<Word>, given: Option<&Attribute>| {
            let values = column.as_ref().and_then(|c| relation.estimated_values.get(&c.text));
            let given = given.map_or(0, |given| given.values.len());
            values.map_or(0.0, |all| given as f32 / all)
        };
        let through_parent = || {
            self.parent(table)
                .map_or(0.0, |(parent, relation)| self.share(parent, relation, level + 1))
        };
        match &word.scope {
            _ if word.up > 0 => through_parent(),
            Scope::Parent => through_parent(),
            Scope::All => 1.0,
            Scope::Own => of(&table.owner, self.who.user_id.as_ref()),
            Scope::Reports => of(&table.owner, self.who.reports.as_ref()),
            Scope::Team => of(&table.team, self.who.team_id.as_ref()),
            Scope::TeamTree => of(&table.team, self.who.team_tree.as_ref()),
            Scope::Delegated => of(&table.owner, self.delegators(table).as_ref()),
            // few rows, or nobody knows
            Scope::Member | Scope::Named(_) => 0.0,
        }
    }
}
