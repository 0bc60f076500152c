//! Of which guards a statement shows some rows and stops: where an index gives them in order, few of their rows are looked
//! at, so that whether a row has a visible parent is better asked row by row than read from a set of all visible parents.
//!
//! Both ways of asking mean the same; what is noted here decides the cost alone.

use super::keys::{attribute, home, is_indexed};
use super::relation::{Guard, GuardSource};
use super::scope::{GuardId, Scope, Source};
use super::targets::Target;
use super::{Analysis, string_of};
use crate::policy::ColumnView;
use pg_query::NodeEnum;
use pg_query::protobuf::{JoinType, Node, SelectStmt, SortBy, SortByDir, SortByNulls, a_const::Val};

/// How many rows a LIMIT means whose number is a parameter: about a page.
const PAGE: f32 = 100.0;

impl Analysis<'_> {
    /// Notes the guard whose first rows a query shows that groups nothing.
    pub(super) fn note_soon_over(&mut self, select: &SelectStmt, scope: &Scope<'_>, targets: &[Target]) {
        let gathers = |t: &Target| t.facts.window || t.facts.aggregate;
        if !select.distinct_clause.is_empty() || targets.iter().any(gathers) {
            return;
        }
        let Some(shown) = rows_shown(select) else { return };
        let first = match select.sort_clause.as_slice() {
            [] => only_guard(select, scope).map(|id| (id, 0.0)),
            [first, further @ ..] => self.served_by_index(first, !further.is_empty(), scope, targets),
        };
        let Some((id, together)) = first else { return };
        let Some(guard) = self.guards.get(id) else { return };
        let GuardSource::Table { view, .. } = &guard.source else {
            return;
        };
        let worth = view
            .row_by_row
            .as_ref()
            .is_some_and(|(_, most)| shown + together <= *most as f32);
        if worth && select.from_clause.iter().any(|item| leads(item, &guard.refname)) {
            self.soon_over.insert(id);
        }
    }

    /// The guard that an index gives in the order of the first sort key, and how many of its rows share a place in that order
    /// where further keys sort them.
    fn served_by_index(
        &self,
        sort: &Node,
        further: bool,
        scope: &Scope<'_>,
        targets: &[Target],
    ) -> Option<(GuardId, f32)> {
        let Some(NodeEnum::SortBy(sort)) = sort.node.as_ref() else {
            return None;
        };
        if !in_an_index_order(sort) {
            return None;
        }
        let (id, index) = sort_column(sort.node.as_deref()?, scope, targets)?;
        let guard = self
            .guards
            .get(id)
            .filter(|g| is_indexed(g, index) && shows_clear(g, index))?;
        let (relation, number) = attribute(guard, index)?;
        let name = relation.columns.iter().find(|c| c.number == number).map(|c| &c.name)?;
        let values = relation.estimated_values.get(name).filter(|_| further);
        Some((
            id,
            values.map_or(0.0, |values| relation.estimated_rows / values.max(1.0)),
        ))
    }
}

/// How many rows LIMIT and OFFSET have the server make, as far as can be told.
fn rows_shown(select: &SelectStmt) -> Option<f32> {
    let limit = number(select.limit_count.as_deref()?, PAGE)?;
    let offset = match select.limit_offset.as_deref() {
        Some(offset) => number(offset, 0.0)?,
        None => 0.0,
    };
    Some(limit + offset)
}

fn number(node: &Node, parameter: f32) -> Option<f32> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Ival(number) => Some(number.ival as f32),
            Val::Sval(text) => text.sval.parse().ok(),
            Val::Fval(_) | Val::Boolval(_) | Val::Bsval(_) => None,
        },
        NodeEnum::ParamRef(_) => Some(parameter),
        NodeEnum::TypeCast(cast) => number(cast.arg.as_deref()?, parameter),
        _ => None,
    }
}

/// Is it the order of an index, or the reverse?
fn in_an_index_order(sort: &SortBy) -> bool {
    let plain = matches!(
        (sort.sortby_dir(), sort.sortby_nulls()),
        (
            SortByDir::SortbyDefault | SortByDir::SortbyAsc | SortByDir::SortbyDesc,
            SortByNulls::SortbyNullsDefault
        ) | (
            SortByDir::SortbyDefault | SortByDir::SortbyAsc,
            SortByNulls::SortbyNullsLast
        ) | (SortByDir::SortbyDesc, SortByNulls::SortbyNullsFirst)
    );
    plain && sort.use_op.is_empty()
}

/// The guard's column that a sort key is: a result column by its name or number, else a column.
fn sort_column(key: &Node, scope: &Scope<'_>, targets: &[Target]) -> Option<(GuardId, usize)> {
    match key.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Ival(number) => {
                let place = usize::try_from(number.ival).ok()?.checked_sub(1)?;
                targets.get(place)?.facts.home
            }
            Val::Fval(_) | Val::Boolval(_) | Val::Sval(_) | Val::Bsval(_) => None,
        },
        NodeEnum::ColumnRef(reference) => {
            let named = match reference.fields.as_slice() {
                [name] => string_of(name).and_then(|name| targets.iter().find(|t| t.label == name)),
                _ => None,
            };
            named.map_or_else(|| home(key, scope), |target| target.facts.home)
        }
        _ => None,
    }
}

fn shows_clear(guard: &Guard, index: usize) -> bool {
    let GuardSource::Table { relation, view } = &guard.source else {
        return false;
    };
    let shown = attribute(guard, index).and_then(|(_, number)| {
        let place = relation.columns.iter().position(|c| c.number == number)?;
        view.columns.get(place)
    });
    matches!(shown, Some(ColumnView::Clear))
}

/// The guard that a query reads and nothing else.
fn only_guard(select: &SelectStmt, scope: &Scope<'_>) -> Option<GuardId> {
    match (select.from_clause.len(), scope.items.as_slice()) {
        (1, [item]) => match item.source {
            Source::Guard(id) => Some(id),
            Source::Target(_) | Source::Relation(_) | Source::Derived | Source::Checked | Source::Join => None,
        },
        _ => None,
    }
}

/// May an item of FROM be read in the order of this relation, its joins looked up row by row?
fn leads(item: &Node, refname: &str) -> bool {
    match item.node.as_ref() {
        Some(NodeEnum::RangeVar(var)) => {
            let name = var.alias.as_ref().map_or(&var.relname, |a| &a.aliasname);
            name == refname
        }
        Some(NodeEnum::JoinExpr(join)) => {
            let side = |node: &Option<Box<Node>>| node.as_deref().is_some_and(|n| leads(n, refname));
            match join.jointype() {
                JoinType::JoinInner => side(&join.larg) || side(&join.rarg),
                JoinType::JoinLeft => side(&join.larg),
                JoinType::JoinRight => side(&join.rarg),
                _ => false,
            }
        }
        _ => false,
    }
}
