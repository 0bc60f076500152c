//! INSERT in the text that will be sent: which columns get values, and what happens to a row in conflict.

use super::values::case_at;
use super::walk::Walk;
use super::writes::{columns_in_order, columns_named};
use super::{Check, broken};
use crate::catalog::{Column, Relation};
use crate::policy::{ColumnView, Rows, TableView, Writes};
use crate::refusal::Refusal;
use crate::sql::census::census_of_node;
use crate::sql::raise::Raise;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{InsertStmt, Node, OnConflictClause, Token};
use std::collections::BTreeSet;
use std::ops::Range;

impl Check<'_> {
    /// The columns that an INSERT gives values to, those aside that rowgate fills in.
    pub(super) fn given(
        &self,
        insert: &InsertStmt,
        relation: &Relation,
        (view, writes): (&TableView, &Writes),
    ) -> Result<BTreeSet<usize>, Refusal> {
        let select = match insert.select_stmt.as_ref().and_then(|s| s.node.as_ref()) {
            None if writes.columns.iter().any(|c| c.default.is_some()) => {
                return Err(broken("an INSERT of defaults that are not the policy's"));
            }
            None => return Ok(BTreeSet::new()),
            Some(NodeEnum::SelectStmt(select)) => &**select,
            Some(_) => return Err(broken("an INSERT of no query")),
        };
        let rows = &select.values_lists;
        let hides = view.columns.contains(&ColumnView::Hidden);
        let columns: Vec<usize> = if insert.cols.is_empty() {
            if hides {
                return Err(broken("an INSERT without its columns"));
            }
            (0..relation.columns.len()).collect()
        } else {
            columns_in_order(&insert.cols, relation)?
        };
        self.fills_in_the_policys(select, &columns, writes)?;
        let of_row = |row: &Node, place: usize| match row.node.as_ref() {
            Some(NodeEnum::List(list)) => list.items.get(place).is_none_or(|value| {
                matches!(value.node.as_ref(), Some(NodeEnum::SetToDefault(_))) || self.fills_in(value)
            }),
            Some(_) | None => false,
        };
        let width = |row: &Node| match row.node.as_ref() {
            Some(NodeEnum::List(list)) => list.items.len(),
            Some(_) | None => 0,
        };
        let widest = rows.iter().map(width).max();
        // a query has as many columns as the list, or PostgreSQL refuses it
        let theirs = columns.len().saturating_sub(self.filled_in(select));
        Ok(columns
            .into_iter()
            .enumerate()
            .filter(|(place, _)| *place < theirs && widest.is_none_or(|w| *place < w))
            .filter(|(place, _)| rows.is_empty() || !rows.iter().all(|row| of_row(row, *place)))
            .map(|(_, at)| at)
            .collect())
    }

    /// Columns that the person may not set get NULL, or their value fails before it is stored.
    pub(super) fn unset(
        &self,
        insert: &InsertStmt,
        relation: &Relation,
        writes: &Writes,
        given: &BTreeSet<usize>,
        walk: &Walk<'_>,
    ) -> Result<(), Refusal> {
        let columns: Vec<usize> = if insert.cols.is_empty() {
            (0..relation.columns.len()).collect()
        } else {
            columns_in_order(&insert.cols, relation)?
        };
        let rows = match insert.select_stmt.as_ref().and_then(|s| s.node.as_ref()) {
            Some(NodeEnum::SelectStmt(select)) => select.values_lists.as_slice(),
            Some(_) | None => &[],
        };
        for (place, at) in columns.iter().enumerate().filter(|(_, at)| given.contains(at)) {
            if writes.settable(*at) {
                continue;
            }
            if rows.is_empty() {
                return Err(broken("a column that may not be set"));
            }
            let (_, closing) = writes.unset_value(*at).ok_or_else(|| broken("an unknown column"))?;
            for row in rows {
                let Some(NodeEnum::List(list)) = row.node.as_ref() else {
                    return Err(broken("a row of no values"));
                };
                let held = match list.items.get(place).and_then(|v| v.node.as_ref()) {
                    None | Some(NodeEnum::SetToDefault(_)) => true,
                    Some(NodeEnum::AConst(constant)) => constant.isnull,
                    Some(NodeEnum::CaseExpr(case)) => {
                        let case = usize::try_from(case.location).ok().and_then(|c| walk.at(c));
                        case.is_some_and(|case| {
                            let bracket = walk.step(case + 2);
                            let end = walk.finish(bracket - 1).saturating_sub(1);
                            walk.kind(case + 1) == Some(Token::When)
                                && walk.kind(case + 2) == Some(Token::Ascii40)
                                && self.text.get(end..).is_some_and(|t| t.starts_with(&closing))
                        })
                    }
                    Some(_) => false,
                };
                if !held {
                    return Err(broken("a column that may not be set"));
                }
            }
        }
        Ok(())
    }

    /// A conflict is looked for by columns that show in clear alone.
    pub(super) fn inferred(
        &self,
        conflict: &OnConflictClause,
        relation: &Relation,
        view: &TableView,
    ) -> Result<(), Refusal> {
        let Some(infer) = &conflict.infer else {
            let families = std::iter::once(relation).chain(self.world.catalog.below(relation));
            let mut unique = families.flat_map(|r| r.unique_columns.iter().filter_map(|n| r.column_by_number(*n)));
            let is_veiled = |unique: &Column| {
                let mut columns = relation.columns.iter().zip(&view.columns);
                columns.any(|(column, shown)| column.name == unique.name && *shown != ColumnView::Clear)
            };
            return match unique.any(is_veiled) {
                true => Err(broken("any conflict of columns that are not in clear")),
                false => Ok(()),
            };
        };
        let is_clear = |name: &str| {
            let mut columns = relation.columns.iter().zip(&view.columns);
            columns.any(|(column, shown)| column.name == name && *shown == ColumnView::Clear)
        };
        let of_constraint = relation.unique.get(&infer.conname).into_iter().flatten();
        let named = of_constraint.map(|number| relation.column_by_number(*number).map(|c| c.name.clone()));
        let mut names: Vec<Option<String>> = named.collect();
        let mut inside = |node: Option<&Node>| {
            let columns = node.map(|node| census_of_node(node).columns).unwrap_or_default();
            names.extend(columns.into_iter().map(|c| c.parts.last().cloned()));
        };
        inside(infer.where_clause.as_deref());
        for node in &infer.index_elems {
            let Some(NodeEnum::IndexElem(element)) = node.node.as_ref() else {
                return Err(broken("a conflict of an unknown kind"));
            };
            inside(element.expr.as_deref());
        }
        for node in &infer.index_elems {
            if let Some(NodeEnum::IndexElem(element)) = node.node.as_ref()
                && !element.name.is_empty()
            {
                names.push(Some(element.name.clone()));
            }
        }
        if names.iter().all(|name| name.as_deref().is_some_and(is_clear)) {
            Ok(())
        } else {
            Err(broken("a conflict by a column that is not in clear"))
        }
    }

    /// ON CONFLICT DO UPDATE: a proposed row that may not be made and a row that the person may not edit fail, and what
    /// is stored is held. The check of the row as it is then.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn in_conflict(
        &self,
        conflict: &OnConflictClause,
        relation: &Relation,
        writes: &Writes,
        unfit: Option<&str>,
        walk: &Walk<'_>,
        first: usize,
        end: usize,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<Option<String>, Refusal> {
        let set = columns_named(&conflict.target_list, relation)?;
        self.stored(&conflict.target_list, relation, writes, false, walk, explained)?;
        let doing = walk
            .top_level(first, end, Token::Do)
            .ok_or_else(|| broken("a conflict without an action"))?;
        let clause_end = walk.top_level(doing, end, Token::Returning).unwrap_or(end);
        let table = || relation.name.name.clone();
        let mut head = "WHERE CASE".to_owned();
        let mut fails = |fault: &str, raise: Raise| {
            head.push_str(&format!(" WHEN {fault} THEN ({})::pg_catalog.bool", raise.sql()));
        };
        if let Some(unfit) = unfit {
            fails(unfit, Raise::Row { table: table() });
        }
        match &writes.edit {
            Rows::All if unfit.is_none() => return Ok(writes.update_check(&set)),
            Rows::All => {}
            Rows::None => return Err(broken("an update in a conflict without rights")),
            Rows::Where(edit) => fails(&format!("({edit}) IS NOT TRUE"), Raise::Target { table: table() }),
        }
        head.push_str(" ELSE (");
        let place = walk
            .top_level(doing, clause_end, Token::Where)
            .ok_or_else(|| broken("a conflict without its rows"))?;
        let start = walk.start(place);
        let whole = self.text.get(start..).is_some_and(|t| t.starts_with(&head));
        if !whole || walk.step(place + 1) != clause_end {
            return Err(broken("a conflict of other rows"));
        }
        explained.push(start..start + head.len());
        Ok(writes.update_check(&set))
    }

    /// Is a returned value one that rowgate wrote as a check?
    pub(super) fn is_check(&self, item: &Node) -> bool {
        let at = case_at(item).and_then(|at| self.writes(at));
        at.is_some_and(|p| p.kind == SpliceKind::Check)
    }
}
