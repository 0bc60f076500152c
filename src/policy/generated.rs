//! Generated columns: they inherit the mask or the hiding of every column that they are computed from.

use super::PolicySet;
use super::columns::{Outcome, Say};
use super::decide::Seat;
use super::decision::{ColumnView, Rows};
use super::scope::Pred;
use super::written::Show;
use super::{mask, qualify};
use crate::catalog::{Catalog, Column, Relation};

/// The column computed from its inputs as they show to the person; NULL where its expression could raise on
/// masked values, or is not understood.
pub(super) fn outcome(
    catalog: &Catalog,
    relation: &Relation,
    column: &Column,
    views: &[Option<ColumnView>],
) -> Outcome {
    let input = |name: &str| -> Option<String> {
        let at = relation.columns.iter().position(|c| c.name == name)?;
        match views.get(at)?.as_ref()? {
            ColumnView::Clear => Some(super::print::column(&super::print::alias(0), name)),
            ColumnView::Masked { sql, .. } => Some(sql.clone()),
            ColumnView::Hidden => None,
        }
    };
    catalog
        .generation_expressions
        .get(&(relation.oid, column.number))
        .and_then(|expression| qualify::total_expression(expression, catalog, relation, &input))
        .map_or(Outcome::Null, |sql| Outcome::Masked {
            sql: mask::collated(mask::fitted(catalog, format!("({sql})"), column), column),
            word: "generated".to_owned(),
            searchable: false,
        })
}

/// What a role says of a generated column: its own rule where it names the column, else what follows from the
/// inputs.
pub(super) fn say(
    set: &PolicySet,
    seat: &Seat<'_>,
    relation: &Relation,
    column: &Column,
    inherited: &Outcome,
    own: impl FnOnce() -> Say,
) -> Say {
    if seat.table.columns.contains_key(&column.name) {
        return own();
    }
    let mut touched = false;
    for number in &column.generated_from {
        let Some(input) = relation.column_by_number(*number) else {
            return Say::Hidden;
        };
        match set.rule(seat, input) {
            Some(rule) if rule.given => {}
            Some(rule) => match rule.show {
                Show::Clear => {}
                Show::Hidden if rule.except.is_empty() => return Say::Hidden,
                Show::Hidden | Show::Mask(_) => touched = true,
            },
            None if set.written.defaults.columns_clear => {}
            None => return Say::Hidden,
        }
    }
    match own() {
        Say::Shows { except, .. } if touched => {
            let _ = except;
            Say::Shows {
                outcome: inherited.clone(),
                except: Pred::none(),
            }
        }
        other => other,
    }
}

/// What is computed when it is read may raise, and a hidden row must not be heard of so: it is computed on the rows in
/// scope alone.
pub(super) fn keep_to_rows(column: &Column, rows: &Rows, view: &mut ColumnView) {
    if !column.is_virtual {
        return;
    }
    let condition = match rows {
        Rows::All => return,
        Rows::None => "FALSE",
        Rows::Where(condition) => condition,
    };
    let value = super::print::column(&super::print::alias(0), &column.name);
    let within = |value: &str| mask::collated(format!("(CASE WHEN ({condition}) THEN {value} END)"), column);
    match view {
        ColumnView::Hidden => {}
        ColumnView::Clear => {
            *view = ColumnView::Masked {
                sql: within(&value),
                mask: "virtual".to_owned(),
                search: None,
            };
        }
        ColumnView::Masked { sql, search, .. } => {
            *sql = within(sql);
            if let Some(search) = search {
                *search = within(search);
            }
        }
    }
}
