//! What a view stands for that a statement writes through: its columns are the table's by other names, its condition stands
//! beside the policy's rows, and WITH CHECK OPTION behind the policy's check.

use super::assign::no_such_column;
use super::target::{Doing, Target};
use crate::catalog::Relation;
use crate::name::quote_ident;
use crate::refusal::Refusal;
use crate::sql::raise::Raise;
use crate::sql::resolve::{Analysis, lost};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::protobuf::ResTarget;
use std::sync::Arc;

/// What a view that is written stands for.
pub struct Through {
    /// The view that the statement names.
    pub view: Arc<Relation>,
    /// For each of its columns the place in the table of the column that it is.
    pub(super) places: Vec<Option<usize>>,
    /// What stands beside the rows of the policy: the views' conditions, the innermost first, bracketed.
    pub conditions: Vec<String>,
    /// Views whose condition a new row must meet, with the condition; the innermost first.
    pub(super) checks: Vec<(String, String)>,
}

impl Through {
    /// The place in the table of one of the view's columns; `None` where there is no such column, and an inner `None`
    /// where it is computed.
    pub fn place(&self, name: &str) -> Option<Option<usize>> {
        let at = self.view.columns.iter().position(|c| c.name == name)?;
        Some(self.places.get(at).copied().flatten())
    }

    /// The places of all columns in the view's order; `None` where one is computed.
    pub fn every_place(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        self.places.iter().copied()
    }

    /// The view's names for a column of the table.
    pub fn names_of(&self, at: usize) -> impl Iterator<Item = &str> {
        let named = self.view.columns.iter().zip(&self.places);
        named
            .filter(move |(_, place)| **place == Some(at))
            .map(|(column, _)| column.name.as_str())
    }

    /// Has the view a default of its own for one of its columns?
    pub fn has_default(&self, name: &str) -> bool {
        self.view.columns.iter().any(|c| c.name == name && c.has_default)
    }

    /// Has the view every column under the name that the table has for it, as far as it is a column of the table?
    pub fn keeps_names(&self, base: &Relation) -> bool {
        self.view.columns.iter().zip(&self.places).all(|(column, place)| {
            place.is_none_or(|at| base.columns.get(at).is_some_and(|below| below.name == column.name))
        })
    }

    /// The check of a new row: what the policy says, and then WITH CHECK OPTION.
    pub fn check(&self, policy: Option<String>) -> Option<String> {
        let cases: Vec<String> = self
            .checks
            .iter()
            .map(|(view, condition)| {
                let raise = Raise::View { view: view.clone() };
                format!("WHEN ({condition}) IS NOT TRUE THEN {}", raise.sql())
            })
            .collect();
        if cases.is_empty() {
            return policy;
        }
        let own = format!("CASE {} END", cases.join(" "));
        Some(match policy {
            None => own,
            Some(policy) => format!("CASE WHEN ({policy}) IS NULL THEN ({own}) END"),
        })
    }
}

impl Analysis<'_> {
    /// The place in the table of a column that a statement assigns by the name that its target has for it.
    pub(super) fn assigned(&self, target: &Target, column: &ResTarget, doing: Doing) -> Result<usize, Refusal> {
        let shows = |at: &usize| {
            target
                .writes()
                .is_none_or(|w| w.columns.get(*at).is_some_and(|c| c.shows))
        };
        let missing = |relation: &Relation| no_such_column(relation, &column.name);
        let Some(through) = &target.through else {
            let at = target.relation.columns.iter().position(|c| c.name == column.name);
            return at
                .filter(shows)
                .ok_or_else(|| self.place(missing(&target.relation), column.location));
        };
        let found = through.place(&column.name);
        let found = found.ok_or_else(|| self.place(missing(&through.view), column.location))?;
        found.filter(shows).ok_or_else(|| {
            let word = if doing == Doing::Insert {
                "insert into"
            } else {
                "update"
            };
            let view = &through.view.name.name;
            let message = format!("cannot {word} column \"{}\" of view \"{view}\"", column.name);
            let refusal = Refusal::unsupported("view-column", message)
                .detail("View columns that are not columns of their base relation are not updatable.");
            self.place(refusal, column.location)
        })
    }

    /// A column that is assigned through a view is written by the table's name for it.
    pub(super) fn rename_assigned(&mut self, target: &Target, column: &ResTarget, at: usize) -> Result<(), Refusal> {
        let below = target.relation.columns.get(at).ok_or_else(lost)?;
        if target.through.is_none() || below.name == column.name {
            return Ok(());
        }
        let tokens = self.tokens()?;
        let first = tokens.at_location(column.location).ok_or_else(lost)?;
        let bytes = tokens.bytes(first..first + 1).ok_or_else(lost)?;
        let text = quote_ident(&below.name);
        self.unit_mut()?.splices.replace(bytes, text, SpliceKind::Column);
        Ok(())
    }
}
