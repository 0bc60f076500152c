//! Scopes: which rows a word such as `own` or `parent` means, as SQL that never raises.

use super::bound::Bound;
use super::decision::Rows;
use super::print::{self, Family};
use super::written::{ParentRule, RoleRule, RoleTable, Scope, ScopeWord, TableRule, Written};
use crate::catalog::{Catalog, Relation};
use crate::identity::{Attribute, Principal};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A union of conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pred {
    /// Every row.
    All,
    /// The rows on which any of these holds; no row where there is none.
    Any(Vec<String>),
}

impl Pred {
    /// No row.
    pub(super) fn none() -> Self {
        Self::Any(Vec::new())
    }

    pub(super) fn one(condition: Option<String>) -> Self {
        Self::Any(condition.into_iter().collect())
    }

    /// Does it hold on no row?
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::Any(conditions) if conditions.is_empty())
    }

    /// Both unions together.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Any(mut mine), Self::Any(theirs)) => {
                for condition in theirs {
                    if !mine.contains(&condition) {
                        mine.push(condition);
                    }
                }
                Self::Any(mine)
            }
        }
    }

    /// Is every row of this one plainly a row of the other?
    pub(super) fn within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::All) => true,
            (Self::All, Self::Any(_)) => false,
            (Self::Any(mine), Self::Any(theirs)) => mine.iter().all(|c| theirs.contains(c)),
        }
    }

    /// The rows of both, as a union again.
    pub(super) fn both(&self, other: &Self) -> Self {
        match self.and(other) {
            Rows::All => Self::All,
            Rows::None => Self::none(),
            Rows::Where(_) if self.within(other) => self.clone(),
            Rows::Where(_) if other.within(self) => other.clone(),
            Rows::Where(sql) => Self::Any(vec![sql]),
        }
    }

    /// The rows of both.
    pub(super) fn and(&self, other: &Self) -> Rows {
        if self.within(other) {
            return self.rows();
        }
        if other.within(self) {
            return other.rows();
        }
        match (self.rows(), other.rows()) {
            (Rows::Where(a), Rows::Where(b)) => Rows::Where(format!("({a} AND {b})")),
            (Rows::None, _) | (_, Rows::None) => Rows::None,
            (Rows::All, rest) | (rest, Rows::All) => rest,
        }
    }

    /// As the gate takes it.
    pub(super) fn rows(&self) -> Rows {
        match self {
            Self::All => Rows::All,
            Self::Any(conditions) => match conditions.as_slice() {
                [] => Rows::None,
                [one] => Rows::Where(one.clone()),
                many => Rows::Where(format!("({})", many.join(" OR "))),
            },
        }
    }
}

/// How a scope that goes through other rows is put into words. All of them mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wording {
    /// A set of these rows' keys, which is read before everything else.
    Sets,
    /// A look-up for each row that PostgreSQL may turn into a set, where it expects many rows.
    ByKey,
    /// A look-up for each row, whatever PostgreSQL expects: where a LIMIT ends the statement, it still counts on all rows.
    /// A few memberships stay a set.
    RowByRow,
}

/// Everything that a scope's meaning depends on.
pub(super) struct Scopes<'a> {
    pub written: &'a Written,
    pub bound: &'a Bound,
    pub catalog: &'a Catalog,
    pub who: &'a Principal,
    /// How it is asked whether a row has its parent among the visible ones.
    pub wording: Wording,
    /// Tables that nobody gets at for the time being.
    pub closed: &'a BTreeSet<String>,
    /// The person's roles, with what they hold for a time.
    pub roles: &'a [Cow<'a, RoleRule>],
}

impl<'a> Scopes<'a> {
    /// What each of the person's roles says of a table.
    pub(super) fn says(&self, table: &TableRule) -> impl Iterator<Item = (&'a RoleRule, &'a RoleTable)> {
        let name = table.name.text.clone();
        self.roles
            .iter()
            .filter_map(move |role| Some((role.as_ref(), role.tables.get(&name)?)))
    }

    /// The rows that a role's list of scopes means on a table, over the row `level` parents up.
    pub(super) fn rows(&self, role: &RoleRule, table: &TableRule, scopes: &[ScopeWord], level: usize) -> Pred {
        scopes.iter().fold(Pred::none(), |all, scope| {
            all.or(self.scope(role, table, scope, scope.up, level))
        })
    }

    fn scope(&self, role: &RoleRule, table: &TableRule, scope: &ScopeWord, up: usize, level: usize) -> Pred {
        const MOST_LEVELS: usize = 16;
        if level > MOST_LEVELS {
            return Pred::none();
        }
        if up > 0 {
            return self.through_parent(table, level, |parent| {
                self.scope(role, parent, scope, up - 1, level + 1)
            });
        }
        let alias = print::alias(level);
        match &scope.scope {
            Scope::All => Pred::All,
            Scope::Own => self.owned_by(table, &alias, self.who.user_id.as_ref()),
            Scope::Reports => self.owned_by(table, &alias, self.who.reports.as_ref()),
            Scope::Team => self.of_team(table, &alias, self.who.team_id.as_ref()),
            Scope::TeamTree => self.of_team(table, &alias, self.who.team_tree.as_ref()),
            Scope::Member => Pred::one(self.member(table, &alias)).or(self.shared(table, level)),
            Scope::Delegated => self.owned_by(table, &alias, self.delegators(table).as_ref()),
            Scope::Parent => self.through_parent(table, level, |parent| {
                role.tables
                    .get(&parent.name.text)
                    .map_or_else(Pred::none, |seen| self.rows(role, parent, &seen.view, level + 1))
            }),
            Scope::Named(name) => Pred::one(
                self.bound
                    .custom(&table.name.text, name)
                    .and_then(|template| template.render(&alias, self.who)),
            ),
        }
    }

    pub(super) fn relation(&self, table: &TableRule) -> Option<&'a Relation> {
        self.bound
            .relation_of(&table.name.text)
            .and_then(|oid| self.catalog.relations.get(&oid))
            .map(AsRef::as_ref)
    }

    fn owned_by(&self, table: &TableRule, alias: &str, people: Option<&Attribute>) -> Pred {
        let owner = table.owner.as_ref().map(|w| w.text.as_str());
        Pred::one(
            owner
                .zip(people)
                .and_then(|(owner, people)| self.equals(table, alias, owner, people)),
        )
    }

    fn of_team(&self, table: &TableRule, alias: &str, teams: Option<&Attribute>) -> Pred {
        let team = table.team.as_ref().map(|w| w.text.as_str());
        Pred::one(
            team.zip(teams)
                .and_then(|(team, teams)| self.equals(table, alias, team, teams)),
        )
    }

    fn equals(&self, table: &TableRule, alias: &str, column: &str, values: &Attribute) -> Option<String> {
        let column = self.relation(table)?.column(column)?;
        let (value, family) = print::comparable(self.catalog, &print::column(alias, &column.name), column)?;
        print::equals_any(&value, &family, values)
    }

    fn member(&self, table: &TableRule, alias: &str) -> Option<String> {
        let rule = table.members.as_ref()?;
        let members = self
            .catalog
            .relation(&super::bound::relation_name(&rule.relation.text)?)?;
        let inner = "\"rowgate:m\"";
        let mut conditions = Vec::new();
        for (column, value) in [(&rule.user, &self.who.user_id), (&rule.team, &self.who.team_id)] {
            if let (Some(column), Some(value)) = (column, value) {
                let column = members.column(&column.text)?;
                let (sql, family) = print::comparable(self.catalog, &print::column(inner, &column.name), column)?;
                conditions.extend(print::equals_any(&sql, &family, value));
            }
        }
        if conditions.is_empty() {
            return None;
        }
        let mine: Vec<&str> = table.key.iter().map(|w| w.text.as_str()).collect();
        let theirs: Vec<&str> = rule.row.iter().map(|w| w.text.as_str()).collect();
        let wording = match self.wording {
            Wording::RowByRow if self.has_few_memberships(table) => Wording::Sets,
            wording => wording,
        };
        let many = wording == self.wording && self.sees_many(table, self.relation(table)?);
        self.in_array(
            (self.relation(table)?, alias, &mine),
            (members, inner, &theirs),
            Some(&conditions.join(" OR ")),
            (wording, many),
        )
    }

    fn through_parent(&self, table: &TableRule, level: usize, rows: impl FnOnce(&'a TableRule) -> Pred) -> Pred {
        let found = table
            .parent
            .as_ref()
            .filter(|rule| !self.closed.contains(&rule.table.text))
            .and_then(|rule| Some((rule, self.written.tables.get(&rule.table.text)?)));
        let Some((rule, parent)) = found else {
            return Pred::none();
        };
        Pred::one(self.has_parent(table, rule, parent, level, &rows(parent)))
    }

    fn has_parent(
        &self,
        table: &TableRule,
        rule: &ParentRule,
        parent: &TableRule,
        level: usize,
        rows: &Pred,
    ) -> Option<String> {
        let child_relation = self.relation(table)?;
        let parent_relation = self.relation(parent)?;
        let mine: Vec<&str> = rule.column.iter().map(|w| w.text.as_str()).collect();
        let theirs: Vec<&str> = parent.key.iter().map(|w| w.text.as_str()).collect();
        let alias = print::alias(level);
        let condition = match rows.rows() {
            Rows::None => return None,
            Rows::All if self.every_child_has_a_parent(child_relation, &mine, parent_relation, &theirs) => {
                let present: Vec<String> = mine
                    .iter()
                    .map(|name| format!("({} IS NOT NULL)", print::column(&alias, name)))
                    .collect();
                return Some(match present.as_slice() {
                    [one] => one.clone(),
                    many => format!("({})", many.join(" AND ")),
                });
            }
            Rows::All => None,
            Rows::Where(sql) => Some(sql),
        };
        self.in_array(
            (child_relation, &alias, &mine),
            (parent_relation, &print::alias(level + 1), &theirs),
            condition.as_deref(),
            (self.wording, self.sees_many(parent, parent_relation)),
        )
    }

    /// Does a validated foreign key say that a child whose columns are not NULL has a parent?
    fn every_child_has_a_parent(&self, child: &Relation, mine: &[&str], parent: &Relation, theirs: &[&str]) -> bool {
        let numbers = |of: &Relation, names: &[&str]| -> Option<Vec<i16>> {
            names.iter().map(|n| of.column(n).map(|c| c.number)).collect()
        };
        let (Some(mine), Some(theirs)) = (numbers(child, mine), numbers(parent, theirs)) else {
            return false;
        };
        self.catalog.foreign_keys.get(&child.oid).is_some_and(|keys| {
            keys.iter().any(|key| {
                let mut pairs: Vec<_> = key.columns.iter().zip(&key.target_columns).collect();
                let mut wanted: Vec<_> = mine.iter().zip(&theirs).collect();
                pairs.sort();
                wanted.sort();
                key.holds && key.target == parent.oid && pairs == wanted
            })
        })
    }

    /// `outer columns = ANY (ARRAY(SELECT inner columns FROM inner relation WHERE condition))`: an InitPlan,
    /// never a join, so that many guards in one statement do not make planning explode. In other words, an EXISTS. `many`: a set that
    /// drives no index, but finds each of many rows at once, as PostgreSQL searches an array from one end to the other.
    fn in_array(
        &self,
        (outer, outer_alias, mine): (&Relation, &str, &[&str]),
        (inner, inner_alias, theirs): (&Relation, &str, &[&str]),
        condition: Option<&str>,
        (wording, many): (Wording, bool),
    ) -> Option<String> {
        if mine.is_empty() || mine.len() != theirs.len() {
            return None;
        }
        let mut left = Vec::new();
        let mut right = Vec::new();
        for (mine, theirs) in mine.iter().zip(theirs) {
            let mine = outer.column(mine)?;
            let theirs = inner.column(theirs)?;
            let (a, a_family) = print::comparable(self.catalog, &print::column(outer_alias, &mine.name), mine)?;
            let (b, b_family) = print::comparable(self.catalog, &print::column(inner_alias, &theirs.name), theirs)?;
            left.push(a);
            right.push((b, a_family, b_family));
        }
        let from = format!("{} AS {inner_alias}", inner.name.to_sql());
        if wording != Wording::Sets {
            let mut tests: Vec<String> = left
                .iter()
                .zip(&right)
                .map(|(a, (b, ..))| print::op(a, "=", b))
                .collect();
            tests.extend(condition.map(|c| format!("({c})")));
            // PostgreSQL makes no set of a query with OFFSET
            let alone = if wording == Wording::RowByRow { " OFFSET 0" } else { "" };
            // as an operand of IS TRUE it is no semi-join either
            return Some(format!(
                "((EXISTS (SELECT FROM {from} WHERE {}{alone})) IS TRUE)",
                tests.join(" AND ")
            ));
        }
        let filter = condition.map(|c| format!(" WHERE {c}")).unwrap_or_default();
        if let ([left], [(right, ..)], true) = (left.as_slice(), right.as_slice(), many) {
            // as an operand of IS TRUE it is no semi-join either
            return Some(format!(
                "(({left} OPERATOR(pg_catalog.=) ANY (SELECT {right} FROM {from}{filter})) IS TRUE)"
            ));
        }
        let array = |select: &str| format!("ARRAY(SELECT {select} FROM {from}{filter})");
        let (first_left, (first_right, ..)) = (left.first()?, right.first()?);
        let first = format!("({first_left} OPERATOR(pg_catalog.=) ANY ({}))", array(first_right));
        if left.len() == 1 {
            return Some(first);
        }
        let mut same = Vec::new();
        for (b, a_family, b_family) in &right {
            same.push(match (a_family, b_family) {
                (Family::Integer(_, _, wanted), Family::Integer(_, _, found)) if wanted == found => b.clone(),
                (Family::Integer(_, _, _) | Family::Numeric, _) => format!("({b})::pg_catalog.numeric"),
                _ => b.clone(),
            });
        }
        let mut wide = Vec::new();
        for (a, (_, a_family, b_family)) in left.iter().zip(&right) {
            wide.push(match (a_family, b_family) {
                (Family::Integer(_, _, wanted), Family::Integer(_, _, found)) if wanted == found => a.clone(),
                (Family::Integer(_, _, _) | Family::Numeric, _) => format!("({a})::pg_catalog.numeric"),
                _ => a.clone(),
            });
        }
        let whole = format!(
            "(ROW({}) OPERATOR(pg_catalog.=) ANY ({}))",
            wide.join(", "),
            array(&format!("ROW({})", same.join(", ")))
        );
        Some(format!("({first} AND {whole})"))
    }
}
