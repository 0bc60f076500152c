//! Exact matches on searchable masks: `column = constant`, a conjunct of its own, may compare the value itself.

use super::facts::Facts;
use super::scope::{Col, Found, GuardId, Item, Scope, column_of};
use super::{Analysis, GuardSource, lost, name_parts, oid};
use crate::catalog::Oid;
use crate::name::quote_ident;
use crate::policy::ColumnView;
use crate::refusal::Refusal;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, ColumnRef, Node};
use std::rc::Rc;

/// The private name of the column of a guard that an exact match compares, by its attribute number.
pub fn search_column(number: i16, id: GuardId) -> String {
    quote_ident(&format!("rowgate:search:{id}:{number}"))
}

impl Analysis<'_> {
    /// Where a conjunct compares a searchable masked column of this level with constants by the `=` of its type, the
    /// column is named by the guard's private one. Everything else goes on comparing the mask.
    pub fn exact_match(&mut self, term: &Node, scope: &Scope<'_>) -> Result<(), Refusal> {
        // a view's own conditions are not the client's
        if self.unit != 0 {
            return Ok(());
        }
        let Some(NodeEnum::AExpr(operation)) = term.node.as_ref() else {
            return Ok(());
        };
        let Some((reference, others)) = compared(operation) else {
            return Ok(());
        };
        let Some(column) = searchable(reference, scope) else {
            return Ok(());
        };
        let Some((id, index)) = column.home.filter(|_| !column.merged) else {
            return Ok(());
        };
        let Some((number, name)) = self.searchable_name(id, index) else {
            return Ok(());
        };
        let ty = column.ty.ok_or_else(lost)?;
        for other in others {
            let empty = Scope::default();
            let facts = self.expression(other, &empty)?;
            let is_array = operation.kind() == AExprKind::AexprOpAny;
            if !self.meets_exactly(ty, &facts, is_array) {
                return Ok(());
            }
        }
        let tokens = self.tokens()?;
        let first = tokens.at_location(reference.location).ok_or_else(lost)?;
        let last = tokens.get(first + 2 * (reference.fields.len() - 1)).ok_or_else(lost)?;
        let (bytes, private) = (last.start..last.end, search_column(number, id));
        let splices = &mut self.unit_mut()?.splices;
        // beside a table that is written, whose column of this name does not show in clear, it has been qualified
        let qualified = splices.withdraw(&bytes);
        let qualifier = qualified
            .as_ref()
            .and_then(|text| text.strip_suffix(&quote_ident(&column.name)));
        let text = format!("{}{private}", qualifier.unwrap_or_default());
        splices.replace(bytes, text, SpliceKind::Column);
        let guard = self.guard_mut(id)?;
        guard.wants.search.insert(number);
        let note = format!("{}: exact match on the value of {name}", guard.refname);
        let relation = guard.relation().name.to_string();
        self.notes.push(note);
        if let Some(read) = self.reads.iter_mut().find(|r| r.relation == relation)
            && !read.searched.contains(&name)
        {
            read.searched.push(name);
        }
        Ok(())
    }

    /// The attribute number and the name of a guard's column that may be searched.
    fn searchable_name(&self, id: GuardId, index: usize) -> Option<(i16, String)> {
        let guard = self.guards.get(id)?;
        if guard.no_private || !matches!(guard.source, GuardSource::Table { .. }) {
            return None;
        }
        let (relation, view) = self.guarded_table(id)?;
        let mut permitted = relation
            .columns
            .iter()
            .zip(&view.columns)
            .filter(|(_, shown)| **shown != ColumnView::Hidden);
        match permitted.nth(index)? {
            (column, ColumnView::Masked { search: Some(_), .. }) => Some((column.number, column.name.clone())),
            _ => None,
        }
    }

    /// Does `=` compare a column of a type with such a constant by the type's own equality?
    fn meets_exactly(&self, column: Oid, constant: &Facts, is_array: bool) -> bool {
        if constant.untyped {
            return true;
        }
        let other = if is_array {
            constant.ty.and_then(|t| self.element_of(t))
        } else {
            constant.ty
        };
        let Some(other) = other else { return false };
        let one_of = |family: &[Oid]| family.contains(&column) && family.contains(&other);
        column == other || one_of(&[oid::TEXT, oid::VARCHAR]) || one_of(&[oid::INT2, oid::INT4, oid::INT8])
    }
}

/// The column and the constants of `column = constant`, `constant = column`, `column IN (constants)` and
/// `column = ANY (constant)`.
fn compared(operation: &AExpr) -> Option<(&ColumnRef, Vec<&Node>)> {
    let is_equality = matches!(name_parts(&operation.name)?.as_slice(), ["="] | ["pg_catalog", "="]);
    if !is_equality {
        return None;
    }
    let (left, right) = (operation.lexpr.as_deref()?, operation.rexpr.as_deref()?);
    match operation.kind() {
        AExprKind::AexprOp => match (left.node.as_ref()?, right.node.as_ref()?) {
            (NodeEnum::ColumnRef(reference), _) if is_constant(right) => Some((reference, vec![right])),
            (_, NodeEnum::ColumnRef(reference)) if is_constant(left) => Some((reference, vec![left])),
            _ => None,
        },
        AExprKind::AexprIn => match (left.node.as_ref()?, right.node.as_ref()?) {
            (NodeEnum::ColumnRef(reference), NodeEnum::List(list)) if list.items.iter().all(is_constant) => {
                Some((reference, list.items.iter().collect()))
            }
            _ => None,
        },
        AExprKind::AexprOpAny => match (left.node.as_ref()?, right.node.as_ref()?) {
            (NodeEnum::ColumnRef(reference), NodeEnum::AArrayExpr(array)) if array.elements.iter().all(is_constant) => {
                Some((reference, vec![right]))
            }
            (NodeEnum::ColumnRef(reference), _) if is_constant(right) => Some((reference, vec![right])),
            _ => None,
        },
        _ => None,
    }
}

/// A literal or parameter, with or without a cast.
fn is_constant(node: &Node) -> bool {
    match node.node.as_ref() {
        Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => match cast.arg.as_deref() {
            Some(inner) => match inner.node.as_ref() {
                Some(NodeEnum::AArrayExpr(array)) => array.elements.iter().all(is_constant),
                Some(_) => is_constant(inner),
                None => false,
            },
            None => false,
        },
        Some(_) | None => false,
    }
}

/// The column of this level that a reference means.
fn searchable(reference: &ColumnRef, scope: &Scope<'_>) -> Option<Col> {
    let here = Scope {
        items: scope.items.clone(),
        ..Scope::default()
    };
    let names = name_parts(&reference.fields)?;
    let of = |item: Rc<Item>, name: &str| column_of(&item, name);
    let found = match names.as_slice() {
        [name] => here.column(name)?,
        [table, name] => of(here.item(None, table)?.ok()?, name)?,
        [schema, table, name] => of(here.item(Some(schema), table)?.ok()?, name)?,
        _ => return None,
    };
    match found {
        Found::Column(item, index) => item.columns.get(index).cloned(),
        Found::System(_) | Found::Opaque | Found::Unclear | Found::Ambiguous => None,
    }
}
