//! References to a table that is written, in the text that will be sent: what stands for a column is what the client named,
//! evaluation guards ask for the rows in reach, and no bare name can mean what does not show.

use super::writes::Writing;
use super::{Check, broken, covers};
use crate::catalog::Relation;
use crate::name::{quote_ident, split_identifiers};
use crate::policy::decision::ROW_ALIAS;
use crate::policy::{ColumnView, TableView};
use crate::refusal::Refusal;
use crate::sql::census::Census;
use crate::sql::resolve::scope::SYSTEM_COLUMNS;
use crate::sql::rewrite::splice::SpliceKind;
use std::ops::Range;

impl Check<'_> {
    /// An evaluation guard asks whether rows are in reach, and nothing else.
    pub(super) fn evaluated(&self, writings: &[Writing<'_>]) -> Result<(), Refusal> {
        if writings.iter().all(|w| w.held.is_none()) {
            return Ok(());
        }
        let reached = || writings.iter().flat_map(|w| &w.reached);
        for placed in self.splices.iter().filter(|p| p.kind == SpliceKind::GuardOpens) {
            let text = self.text.get(placed.sent.clone()).unwrap_or_default().trim();
            if text == "CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>=) 0 THEN (" {
                continue;
            }
            let flags = text
                .strip_prefix("CASE WHEN (")
                .and_then(|t| t.strip_suffix(") THEN ("));
            let mut rest = flags.ok_or_else(|| broken("an evaluation guard of another form"))?;
            while !rest.is_empty() {
                let written = reached().map(|rows| format!("({rows}) IS TRUE"));
                let after = written
                    .chain(["TRUE".to_owned(), "FALSE".to_owned()])
                    .find_map(|flag| rest.strip_prefix(flag.as_str()))
                    .or_else(|| after_flag(rest));
                let after = after.ok_or_else(|| broken("an evaluation guard over other rows"))?;
                rest = match after.strip_prefix(") AND (") {
                    Some(next) => next,
                    None if after.is_empty() => after,
                    None => return Err(broken("an evaluation guard over more than rows")),
                };
            }
        }
        Ok(())
    }

    /// What stands for a column of a written table is what one of the names means that the client wrote there.
    pub(super) fn renamed(&self, writings: &[Writing<'_>]) -> Result<(), Refusal> {
        let place = |at: i32| usize::try_from(at).unwrap_or(usize::MAX);
        let row = format!("\"{ROW_ALIAS}\".");
        for placed in self.splices.iter().filter(|p| p.kind == SpliceKind::Column) {
            let around = writings.iter().filter(|w| w.range.contains(&placed.sent.start));
            let Some(writing) = around.filter(|w| w.held.is_some()).min_by_key(|w| w.range.len()) else {
                continue;
            };
            let Some((relation, view, _)) = &writing.held else {
                continue;
            };
            let text = self.text.get(placed.sent.clone()).unwrap_or_default().trim();
            if text.is_empty() {
                return Err(broken("a reference that is left out"));
            }
            if !text.contains(&row) {
                continue;
            }
            let first = self.tokens.partition_point(|t| place(t.start) < placed.client.start);
            let tokens = self.tokens.iter().skip(first).map(|t| place(t.start)..place(t.end));
            let meant = tokens.take_while(|t| t.end <= placed.client.end).any(|token| {
                let word = self.original.get(token).unwrap_or_default();
                let names = split_identifiers(word);
                names.first().is_some_and(|name| match &writing.through {
                    Some(through) => through.text(name) == Some(text),
                    None => is_text_of(text, name, relation, view),
                })
            });
            if !meant {
                return Err(broken("a column that the client did not name"));
            }
        }
        Ok(())
    }

    /// No reference by name alone can mean a column of a written table that does not show in clear.
    pub(super) fn unveiled(
        &self,
        writings: &[Writing<'_>],
        census: &Census,
        explained: &[Range<usize>],
        inside_guard: impl Fn(usize) -> bool,
    ) -> Result<(), Refusal> {
        for writing in writings {
            let Some((relation, view, _)) = &writing.held else {
                continue;
            };
            let veiled = |name: &str| {
                let shown = relation
                    .columns
                    .iter()
                    .zip(&view.columns)
                    .position(|(c, _)| c.name == name);
                shown.filter(|at| view.columns.get(*at) != Some(&ColumnView::Clear))
            };
            for column in &census.columns {
                let Ok(at) = usize::try_from(column.location) else {
                    continue;
                };
                if !writing.range.contains(&at) || covers(explained, at) || inside_guard(at) {
                    continue;
                }
                let by_view = |name: &str| writing.through.as_ref().is_some_and(|t| t.veils(name, relation));
                let wrong = match column.parts.as_slice() {
                    [name] => veiled(name).is_some() || by_view(name) || name == "excluded",
                    [first, name] if first == "excluded" => {
                        let from_elsewhere = |at: usize| {
                            let has_default = relation.columns.get(at).is_none_or(|c| c.has_default);
                            let hidden = view.columns.get(at) == Some(&ColumnView::Hidden);
                            hidden
                                || !writing.given.contains(&at) && (has_default || !relation.before_insert.is_empty())
                        };
                        name == "*" || veiled(name).is_some_and(from_elsewhere)
                    }
                    _ => false,
                };
                if wrong {
                    return Err(broken("a reference to a column that is not in clear"));
                }
            }
        }
        Ok(())
    }
}

/// Is this what shows of a column of a table, or a system column?
fn is_text_of(text: &str, name: &str, relation: &Relation, view: &TableView) -> bool {
    let mut columns = relation.columns.iter().zip(&view.columns);
    match columns.find(|(c, _)| c.name == name) {
        Some((column, ColumnView::Clear)) => text == format!("\"{ROW_ALIAS}\".{}", quote_ident(&column.name)),
        Some((_, ColumnView::Masked { sql, .. })) => text == sql,
        Some((_, ColumnView::Hidden)) => false,
        None => SYSTEM_COLUMNS.contains(&name) && text == format!("\"{ROW_ALIAS}\".{name}"),
    }
}

/// What follows a guard's own column that says whether a row is in scope.
fn after_flag(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("\"rowgate:ok:")?;
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix("\" IS NOT FALSE")
}
