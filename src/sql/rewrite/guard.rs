//! Guards as text: the derived table that stands where a protected relation stood.

use super::splice::{Overlap, Placed, SpliceKind};
use crate::catalog::Relation;
use crate::name::quote_ident;
use crate::policy::decision::ROW_ALIAS;
use crate::policy::{ColumnView, Rows, TableView};
use crate::refusal::Refusal;
use crate::sql::resolve::scope::GuardId;
use crate::sql::resolve::{Analysis, Guard, GuardSource, lost, search_column, unsupported};
use std::collections::BTreeSet;

/// Prints one unit with all its guards and stars.
pub fn print_unit(analysis: &mut Analysis<'_>, unit: usize) -> Result<(String, Vec<Placed>), Refusal> {
    let mut splices = std::mem::take(&mut analysis.units.get_mut(unit).ok_or_else(lost)?.splices);
    let stars = std::mem::take(&mut analysis.units.get_mut(unit).ok_or_else(lost)?.stars);
    for star in stars {
        let mut seen = BTreeSet::new();
        let private = star.private
            || star
                .guards
                .iter()
                .any(|&g| analysis.guards.get(g).is_some_and(Guard::has_private));
        if private {
            // of a join that merges some of its columns
            if !star.columns.iter().all(|column| seen.insert(column)) {
                return Err(unsupported(
                    "* of two columns of one name together with a condition that may raise or search a masked column",
                ));
            }
            splices.replace(star.at, star.columns.join(", "), SpliceKind::Star);
        }
    }
    let by_key = analysis.reached_by_key();
    for id in 0..analysis.guards.len() {
        let Some(guard) = analysis.guards.get(id).filter(|g| g.unit == unit) else {
            continue;
        };
        if let GuardSource::Target { relation, .. } = &guard.source {
            let only = if guard.only { "ONLY " } else { "" };
            let text = format!("{only}{} AS {}", relation.name.to_sql(), quote_ident(ROW_ALIAS));
            splices.replace(guard.at.clone(), text, SpliceKind::Target);
            continue;
        }
        if guard.no_private && guard.has_private() {
            return Err(unsupported(
                "this use of a whole row or aliased join together with a condition that may raise or search a masked column",
            ));
        }
        let (at, alias) = (
            guard.at.clone(),
            if guard.has_alias {
                None
            } else {
                Some(quote_ident(&guard.refname))
            },
        );
        let mut text = guard_text(analysis, id, &by_key)?;
        if let Some(alias) = alias {
            text.push_str(" AS ");
            text.push_str(&alias);
        }
        splices.replace(at, text, SpliceKind::Guard);
    }
    let text = std::sync::Arc::clone(&analysis.units.get(unit).ok_or_else(lost)?.text);
    splices.apply(&text).map_err(|Overlap { at }| {
        unsupported("this combination of references")
            .at(at)
            .log("two splices overlap")
    })
}

fn guard_text(analysis: &mut Analysis<'_>, id: GuardId, by_key: &BTreeSet<GuardId>) -> Result<String, Refusal> {
    let guard = analysis.guards.get(id).ok_or_else(lost)?;
    match &guard.source {
        GuardSource::Table { relation, view } => {
            if guard.wants.lock && guard.wants.fence {
                return Err(unsupported(
                    "FOR UPDATE or FOR SHARE together with a condition that may raise",
                ));
            }
            let named = |index: usize| guard.wants.all || analysis.named.contains(&(id, index));
            let few = if guard.wants.lock {
                None
            } else if analysis.soon_over.contains(&id) {
                view.row_by_row.as_ref().map(|(words, _)| words)
            } else {
                view.by_key.as_ref().filter(|_| by_key.contains(&id))
            };
            Ok(table_guard(id, guard, relation, few.unwrap_or(view), named))
        }
        GuardSource::Target { .. } => Err(lost()),
        GuardSource::View { relation, unit } => {
            let (unit, fence) = (*unit, guard.wants.fence);
            let columns: Vec<String> = relation.columns.iter().map(|c| quote_ident(&c.name)).collect();
            let (body, _) = print_unit(analysis, unit)?;
            if !fence {
                return Ok(format!("({body})"));
            }
            let list: Vec<String> = columns
                .iter()
                .map(|c| not_plain(&format!("\"rowgate:view\".{c}"), c))
                .collect();
            Ok(format!(
                "(SELECT {} FROM ({body}) AS \"rowgate:view\" OFFSET 0)",
                list.join(", ")
            ))
        }
    }
}

fn table_guard(
    id: GuardId,
    guard: &Guard,
    relation: &Relation,
    view: &TableView,
    named: impl Fn(usize) -> bool,
) -> String {
    let row = quote_ident(ROW_ALIAS);
    let rows = if guard.wants.lock { &view.lockable } else { &view.rows };
    let mut list: Vec<String> = Vec::new();
    let permitted = relation
        .columns
        .iter()
        .zip(&view.columns)
        .filter(|(_, shown)| **shown != ColumnView::Hidden);
    for (_, (column, shown)) in permitted.enumerate().filter(|(index, _)| named(*index)) {
        let name = quote_ident(&column.name);
        match shown {
            ColumnView::Hidden => {}
            ColumnView::Clear if guard.wants.fence => list.push(not_plain(&format!("{row}.{name}"), &name)),
            ColumnView::Clear => list.push(format!("{row}.{name}")),
            ColumnView::Masked { sql, .. } => list.push(format!("{sql} AS {name}")),
        }
    }
    for system in &guard.wants.system {
        list.push(format!("{row}.{system} AS \"rowgate:{system}:{id}\""));
    }
    let searched = relation.columns.iter().zip(&view.columns);
    for (column, shown) in searched.filter(|(c, _)| guard.wants.search.contains(&c.number)) {
        if let ColumnView::Masked { search: Some(sql), .. } = shown {
            let name = search_column(column.number, id);
            list.push(if guard.wants.fence {
                not_plain(sql, &name)
            } else {
                format!("{sql} AS {name}")
            });
        }
    }
    if guard.wants.flag {
        list.push(format!("(({}) IS TRUE) AS \"rowgate:ok:{id}\"", condition(rows)));
    }
    let only = if guard.only { "ONLY " } else { "" };
    let sample = guard.sample.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
    let filter = match rows {
        Rows::All => String::new(),
        Rows::None | Rows::Where(_) => format!(" WHERE ({})", condition(rows)),
    };
    let fence = if guard.wants.fence { " OFFSET 0" } else { "" };
    format!(
        "(SELECT {} FROM {only}{} AS {row}{sample}{filter}{fence})",
        list.join(", "),
        relation.name.to_sql()
    )
}

fn condition(rows: &Rows) -> &str {
    match rows {
        Rows::All => "TRUE",
        Rows::None => "FALSE",
        Rows::Where(predicate) => predicate,
    }
}

/// A column that is not plain, so that the planner looks at no statistics of hidden rows for it.
fn not_plain(column: &str, name: &str) -> String {
    format!("CASE WHEN {column} IS NULL THEN {column} ELSE {column} END AS {name}")
}
