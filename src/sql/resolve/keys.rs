//! Which guards a statement reaches by key: few of their rows are looked at, so that whether a row has a visible parent
//! is better asked row by row than read from a set of all visible parents.
//!
//! Both ways of asking mean the same; what is noted here decides the cost alone.

use super::relation::{Guard, GuardSource};
use super::scope::{Found, GuardId, Scope, column_of};
use super::{Analysis, name_parts, string_of};
use pg_query::NodeEnum;
use pg_query::protobuf::{AExprKind, ColumnRef, Node};
use std::collections::BTreeSet;

/// A guard and the index of a column among those that it shows.
type Column = (GuardId, usize);

/// Equalities among the conditions of a statement.
#[derive(Debug, Default)]
pub struct Keys {
    /// Columns that equal a constant or a parameter.
    fixed: BTreeSet<Column>,
    /// Columns that equal each other.
    equal: Vec<(Column, Column)>,
}

impl Analysis<'_> {
    /// Notes what a conjunct says about a guard's columns.
    pub fn note_key(&mut self, term: &Node, scope: &Scope<'_>) {
        let Some(NodeEnum::AExpr(test)) = term.node.as_ref() else {
            return;
        };
        let is_equality = name_parts(&test.name).is_some_and(|n| matches!(n.as_slice(), ["="] | ["pg_catalog", "="]));
        let (Some(left), Some(right)) = (test.lexpr.as_deref(), test.rexpr.as_deref()) else {
            return;
        };
        match (test.kind(), home(left, scope), home(right, scope)) {
            (AExprKind::AexprOp, Some(a), Some(b)) if is_equality => self.keys.equal.push((a, b)),
            (AExprKind::AexprOp, Some(a), None) if is_equality && is_given(right) => {
                self.keys.fixed.insert(a);
            }
            (AExprKind::AexprOp, None, Some(b)) if is_equality && is_given(left) => {
                self.keys.fixed.insert(b);
            }
            (AExprKind::AexprIn, Some(a), None) if is_equality && is_given(right) => {
                self.keys.fixed.insert(a);
            }
            _ => {}
        }
    }

    /// The guards that are reached by key: through an indexed column that is given, or from one whose own key is given.
    pub fn reached_by_key(&self) -> BTreeSet<GuardId> {
        let given = |is_kind: fn(&Guard, usize) -> bool| {
            let fixed = self.keys.fixed.iter();
            fixed.filter(move |(id, index)| self.guards.get(*id).is_some_and(|g| is_kind(g, *index)))
        };
        let mut single: BTreeSet<GuardId> = given(is_unique).map(|(id, _)| *id).collect();
        let mut before = 0;
        while before < single.len() {
            before = single.len();
            for ((a, _), (b, _)) in &self.keys.equal {
                if single.contains(a) || single.contains(b) {
                    single.extend([a, b]);
                }
            }
        }
        single.extend(given(is_indexed).map(|(id, _)| *id));
        single
    }
}

/// The guard's column that a reference means.
pub(super) fn home(node: &Node, scope: &Scope<'_>) -> Option<Column> {
    let NodeEnum::ColumnRef(reference) = node.node.as_ref()? else {
        return None;
    };
    match found(reference, scope)? {
        Found::Column(item, index) => item.columns.get(index)?.home,
        Found::System(_) | Found::Opaque | Found::Unclear | Found::Ambiguous => None,
    }
}

fn found(reference: &ColumnRef, scope: &Scope<'_>) -> Option<Found> {
    let names: Option<Vec<&str>> = reference.fields.iter().map(string_of).collect();
    match names?.as_slice() {
        [name] => scope.column(name),
        [table, name] => column_of(&scope.item(None, table)?.ok()?, name),
        [schema, table, name] => column_of(&scope.item(Some(schema), table)?.ok()?, name),
        _ => None,
    }
}

/// Is it a constant, a parameter or a list of such?
fn is_given(node: &Node) -> bool {
    match node.node.as_ref() {
        Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_given),
        Some(NodeEnum::List(list)) => list.items.iter().all(is_given),
        _ => false,
    }
}

/// The attribute number of a guard's column, and its table.
pub(super) fn attribute(guard: &Guard, index: usize) -> Option<(&crate::catalog::Relation, i16)> {
    let (GuardSource::Table { relation, .. }
    | GuardSource::Target {
        relation,
        through: None,
        ..
    }) = &guard.source
    else {
        return None;
    };
    let name = guard.permitted_names().into_iter().nth(index)?;
    Some((relation, relation.column(&name)?.number))
}

fn is_unique(guard: &Guard, index: usize) -> bool {
    attribute(guard, index).is_some_and(|(relation, number)| {
        relation.primary_key == [number] || relation.unique.values().any(|columns| columns.as_slice() == [number])
    })
}

pub(super) fn is_indexed(guard: &Guard, index: usize) -> bool {
    attribute(guard, index).is_some_and(|(relation, number)| relation.leading_index_columns.contains(&number))
}
