//! About how much of a table a person sees, by the server's statistics: it decides how a scope is put into words, and
//! never what it means.

use super::bound::relation_name;
use super::chance::Chance;
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

/// So many times fewer rows looked at than there are in the sets, and looking for each row's parent is worth its while
/// even where the rows in sight do not lie as evenly as the statistics have it.
const FEWER: f32 = 2.0;

/// From so many memberships on it costs more to search their array for a row than to look the row's own up.
const MANY_MEMBERS: f32 = 300.0;

/// So many rows are read in order while an index finds one.
const SCANNED: f32 = 10.0;

/// What a condition of the DBA's is taken to show where statistics do not tell. A list of a few rows has most to lose by
/// reading a set, so that it is not next to nothing; nor is it much of a table.
const SOME: f32 = 0.1;

/// No chain of parents is followed further.
const MOST_LEVELS: usize = 16;

impl Scopes<'_> {
    /// Does the person see so many rows of a table that the set of their keys is better hashed than searched?
    pub(super) fn sees_many(&self, table: &TableRule, relation: &Relation) -> bool {
        let share = self.share(table, relation, 0);
        share >= MANY && share * relation.estimated_rows >= MANY_ROWS
    }

    /// Of how many rows shown, PostgreSQL stopping behind them, it costs less to look for each row's parent and membership
    /// than to read the sets of all visible parents and memberships first, and all their rows; 0 where that is never so.
    pub(super) fn most_row_by_row(&self, table: &TableRule, relation: &Relation) -> u32 {
        let words: Vec<&ScopeWord> = self.says(table).flat_map(|(_, said)| &said.view).collect();
        let mut sets = 0.0;
        if words.iter().any(|word| word.up > 0 || word.scope == Scope::Parent)
            && let Some((parent, parent_relation)) = self.parent(table)
        {
            sets += self.read_for_parents(parent, parent_relation);
        }
        // a set that is hashed is not searched
        if words.iter().any(|word| word.up == 0 && word.scope == Scope::Member) && !self.sees_many(table, relation) {
            let members = self.share_of_members(table, relation) * relation.estimated_rows.max(0.0);
            sets += if members < MANY_MEMBERS { 0.0 } else { members };
        }
        if sets <= 0.0 {
            return 0;
        }
        let share = self.share(table, relation, 0);
        // to show n rows, n / share are looked at
        let most = share * (sets + share * relation.estimated_rows.max(0.0)) / FEWER;
        most.clamp(0.0, MOST_ROW_BY_ROW) as u32
    }

    /// How much is read for the set of visible parents, in rows that an index finds.
    fn read_for_parents(&self, parent: &TableRule, relation: &Relation) -> f32 {
        let rows = relation.estimated_rows.max(0.0);
        let seen = self.share(parent, relation, 1) * rows;
        let words = self.says(parent).flat_map(|(_, said)| &said.view);
        let is_scanned = |word: &ScopeWord| match &word.scope {
            Scope::Named(name) if word.up == 0 => !self
                .bound
                .chance(&parent.name.text, name)
                .is_some_and(|chance| all_indexed(chance, relation)),
            _ => false,
        };
        let mut words = words.filter(|word| is_scanned(word));
        if words.next().is_some() {
            seen.max(rows / SCANNED)
        } else {
            seen
        }
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
        // a partition's values lie as those of the whole
        let whole = self.relation(table).unwrap_or(relation);
        let of = |column: &Option<Word>, given: Option<&Attribute>| {
            let both = column.as_ref().zip(given);
            both.and_then(|(column, given)| self.equal(whole, &column.text, &given.values))
                .unwrap_or(0.0)
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
            Scope::Member => self.share_of_members(table, whole),
            Scope::Named(name) => self.share_of_custom(table, whole, name),
        }
    }

    /// The share of a table's rows in which a column has any of these values; `None` where nobody knows.
    fn equal(&self, relation: &Relation, column: &str, values: &[String]) -> Option<f32> {
        let rows = relation.estimated_rows;
        let known = self.bound.spread_of(relation.oid, column);
        let share = match known {
            Some(spread) => values.iter().map(|value| spread.share_of(value, rows)).sum(),
            None => values.len() as f32 / relation.estimated_values.get(column)?,
        };
        Some(f32::min(share, 1.0))
    }

    fn share_of_members(&self, table: &TableRule, relation: &Relation) -> f32 {
        let members = self.memberships(table).unwrap_or(0.0);
        (members / relation.estimated_rows.max(1.0)).min(1.0)
    }

    /// How many memberships the person and their team have; `None` where nobody knows.
    fn memberships(&self, table: &TableRule) -> Option<f32> {
        let rule = table.members.as_ref()?;
        let members = self.catalog.relation(&relation_name(&rule.relation.text)?)?;
        let whose = [(&rule.user, &self.who.user_id), (&rule.team, &self.who.team_id)];
        let shares = whose.into_iter().filter_map(|(column, given)| {
            let (column, given) = column.as_ref().zip(given.as_ref())?;
            Some(self.equal(members, &column.text, &given.values))
        });
        let share: Option<f32> = shares.sum();
        Some(share? * members.estimated_rows.max(0.0))
    }

    /// Has the person so few memberships that the set of them costs next to nothing to read, and to search for a row?
    pub(super) fn has_few_memberships(&self, table: &TableRule) -> bool {
        self.memberships(table).is_some_and(|rows| rows < MANY_MEMBERS)
    }

    fn share_of_custom(&self, table: &TableRule, relation: &Relation, name: &str) -> f32 {
        let equals = |column: &str, values: &[String]| self.equal(relation, column, values);
        let null = |column: &str| self.bound.spread_of(relation.oid, column).map(|spread| spread.nulls);
        let chance = self.bound.chance(&table.name.text, name);
        let share = chance.map_or(Some(0.0), |chance| chance.share(self.who, &equals, &null));
        share.unwrap_or(SOME).clamp(0.0, 1.0)
    }
}

/// May indexes find the rows on which a condition holds?
fn all_indexed(chance: &Chance, relation: &Relation) -> bool {
    let columns = chance.columns();
    let is_indexed = |name: &&str| {
        let column = relation.column(name);
        column.is_some_and(|c| relation.leading_index_columns.contains(&c.number))
    };
    !columns.is_empty() && columns.iter().all(is_indexed)
}
