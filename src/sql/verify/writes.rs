//! Statements that write, in the text that will be sent: the rows that they reach, the values that they store and the
//! rows that they leave are held to the policy word for word.

use super::{Check, broken};
use crate::catalog::{ForeignKey, Relation};
use crate::name::QualifiedName;
use crate::policy::decision::ROW_ALIAS;
use crate::policy::{Access, ColumnView, Rows, TableView, Writes};
use crate::refusal::Refusal;
use crate::sql::census::{Census, extent};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    DropBehavior, InsertStmt, Node, OnConflictAction, OnConflictClause, RangeVar, ReturningClause, ScanToken, Token,
    TruncateStmt, WithClause,
};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// A protected table that is written, what shows of it, and what may be written.
type Held = (Arc<Relation>, Arc<TableView>, Arc<Writes>);

/// A statement that writes, where it stands.
pub(super) struct Writing<'t> {
    node: &'t NodeEnum,
    target: &'t RangeVar,
    /// Its bytes.
    pub range: Range<usize>,
    /// Its table, where that is protected and named in place.
    pub held: Option<Held>,
    /// Columns that an INSERT gives values to.
    given: BTreeSet<usize>,
}

impl Writing<'_> {
    /// Where its table's name stands.
    pub fn location(&self) -> i32 {
        self.target.location
    }
}

/// Every statement of a text that writes, innermost last.
fn writings<'t>(statements: impl Iterator<Item = &'t NodeEnum>) -> Vec<(&'t NodeEnum, &'t RangeVar)> {
    let mut found = Vec::new();
    for statement in statements {
        visit(statement, &mut found);
    }
    found
}

fn visit<'t>(node: &'t NodeEnum, found: &mut Vec<(&'t NodeEnum, &'t RangeVar)>) {
    let with = |clause: Option<&'t WithClause>, found: &mut Vec<_>| {
        for cte in clause.iter().flat_map(|w| &w.ctes) {
            if let Some(NodeEnum::CommonTableExpr(cte)) = cte.node.as_ref()
                && let Some(query) = cte.ctequery.as_ref().and_then(|q| q.node.as_ref())
            {
                visit(query, found);
            }
        }
    };
    let (target, clause) = match node {
        NodeEnum::SelectStmt(s) => {
            with(s.with_clause.as_ref(), found);
            return;
        }
        NodeEnum::PrepareStmt(p) => {
            if let Some(query) = p.query.as_ref().and_then(|q| q.node.as_ref()) {
                visit(query, found);
            }
            return;
        }
        NodeEnum::InsertStmt(s) => (s.relation.as_ref(), s.with_clause.as_ref()),
        NodeEnum::UpdateStmt(s) => (s.relation.as_ref(), s.with_clause.as_ref()),
        NodeEnum::DeleteStmt(s) => (s.relation.as_ref(), s.with_clause.as_ref()),
        NodeEnum::MergeStmt(s) => (s.relation.as_ref(), s.with_clause.as_ref()),
        _ => return,
    };
    if let Some(target) = target {
        found.push((node, target));
    }
    with(clause, found);
}

impl Check<'_> {
    /// Judges each statement that writes, and tells where policy text stands in it.
    pub(super) fn judge_writes<'t>(
        &self,
        statements: impl Iterator<Item = &'t NodeEnum>,
        census: &Census,
        tokens: &[ScanToken],
    ) -> Result<(Vec<Writing<'t>>, Vec<Range<usize>>), Refusal> {
        let statements: Vec<&'t NodeEnum> = statements.collect();
        let found = writings(statements.iter().copied());
        if found.len() != census.writes {
            return Err(broken("a statement that writes in a place of its own"));
        }
        for statement in &statements {
            if let NodeEnum::TruncateStmt(truncate) = statement {
                self.truncated(truncate)?;
            }
        }
        let walk = Walk::new(self.text, tokens);
        let mut explained = Vec::new();
        let mut judged = Vec::with_capacity(found.len());
        for (node, target) in found {
            let held = self.held(node, target)?;
            let mut writing = Writing {
                node,
                target,
                range: 0..self.text.len(),
                held,
                given: BTreeSet::new(),
            };
            if writing.held.is_some() {
                let at = usize::try_from(target.location).map_err(|_| broken("a target without a place"))?;
                let first = walk.at(at).ok_or_else(|| broken("a target at no token"))?;
                writing.range = walk.around(first);
                self.written(&mut writing, &walk, first, &mut explained)?;
            }
            judged.push(writing);
        }
        self.masks_in_place(&judged, &mut explained);
        Ok((judged, explained))
    }

    /// Every row of every table that a TRUNCATE reaches may be deleted.
    fn truncated(&self, truncate: &TruncateStmt) -> Result<(), Refusal> {
        let catalog = &self.world.catalog;
        let policies = &self.world.policies;
        let mut open = Vec::new();
        for node in &truncate.relations {
            let Some(NodeEnum::RangeVar(var)) = node.node.as_ref() else {
                return Err(broken("a TRUNCATE of no relation"));
            };
            if var.schemaname != "pg_temp" {
                let relation = catalog.relation(&QualifiedName::new(&var.schemaname, &var.relname));
                open.push(relation.ok_or_else(|| broken("a TRUNCATE of nothing that is known"))?);
            }
        }
        let cascades = truncate.behavior() == DropBehavior::DropCascade;
        let mut seen = BTreeSet::new();
        while let Some(relation) = open.pop() {
            if !seen.insert(relation.oid) {
                continue;
            }
            let administers = policies.rights(self.who).directory;
            let writes = self.world.writes(self.who, relation);
            let may = writes.map_or_else(|| policies.writes_unprotected(relation), |w| w.deletes_all());
            if !may || policies.is_directory(relation.oid) && !administers {
                return Err(broken("a TRUNCATE of rows that may not be deleted"));
            }
            if cascades {
                let refers = |keys: &[ForeignKey]| keys.iter().any(|k| k.target == relation.oid);
                let referring = catalog.foreign_keys.iter().filter(|(_, keys)| refers(keys));
                let oids = referring.map(|(oid, _)| oid).chain(&relation.children);
                open.extend(oids.filter_map(|oid| catalog.relations.get(oid)));
            }
        }
        Ok(())
    }

    /// Does a TRUNCATE name this relation?
    pub(super) fn is_truncated<'t>(statements: impl Iterator<Item = &'t NodeEnum>) -> Vec<i32> {
        let truncates = statements.filter_map(|s| match s {
            NodeEnum::TruncateStmt(t) => Some(t),
            _ => None,
        });
        let relations = truncates.flat_map(|t| &t.relations);
        relations
            .filter_map(|r| match r.node.as_ref() {
                Some(NodeEnum::RangeVar(var)) => Some(var.location),
                Some(_) | None => None,
            })
            .collect()
    }

    /// What holds a target: nothing where all that the statement does is free.
    fn held(&self, node: &NodeEnum, target: &RangeVar) -> Result<Option<Held>, Refusal> {
        let named_in_place = target.alias.as_ref().is_some_and(|a| a.aliasname == ROW_ALIAS);
        if target.schemaname == "pg_temp" && !named_in_place {
            return Ok(None);
        }
        let name = QualifiedName::new(&target.schemaname, &target.relname);
        let relation = self.world.catalog.relation(&name);
        let relation = relation.ok_or_else(|| broken("a write to nothing that is known"))?;
        let policies = &self.world.policies;
        if policies.is_directory(relation.oid) && !policies.rights(self.who).directory {
            return Err(broken("a write to the directory"));
        }
        let Access::Guarded(view) = policies.access(self.who, relation, &self.world.catalog) else {
            return if policies.writes_unprotected(relation) && !named_in_place {
                Ok(None)
            } else {
                Err(broken("a write to a relation that is not open"))
            };
        };
        let writes = self.world.writes(self.who, relation);
        let writes = writes.ok_or_else(|| broken("a write to a relation without rights"))?;
        if named_in_place {
            return Ok(Some((Arc::clone(relation), view, writes)));
        }
        let open = !view.hides_rows() && view.all_columns_clear();
        let all: BTreeSet<usize> = (0..writes.columns.len()).collect();
        let free = open
            && match node {
                NodeEnum::DeleteStmt(_) => writes.delete == Rows::All,
                NodeEnum::UpdateStmt(update) => {
                    let set = columns_named(&update.target_list, relation)?;
                    writes.edit == Rows::All && writes.assigns_freely(&set) && writes.update_check(&set).is_none()
                }
                NodeEnum::InsertStmt(insert) => {
                    insert.on_conflict_clause.is_none()
                        && writes.insert_check(&all, true).is_none()
                        && writes.unsettable(&all).is_none()
                }
                NodeEnum::MergeStmt(_) => {
                    writes.edit == Rows::All
                        && writes.delete == Rows::All
                        && writes.assigns_freely(&all)
                        && writes.update_check(&all).is_none()
                        && writes.insert_check(&all, false).is_none()
                        && writes.unsettable(&all).is_none()
                }
                _ => false,
            };
        if free {
            Ok(None)
        } else {
            Err(broken("a write to a protected relation by its own name"))
        }
    }

    fn written(
        &self,
        writing: &mut Writing<'_>,
        walk: &Walk<'_>,
        first: usize,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        let Some((relation, view, writes)) = writing.held.as_ref() else {
            return Ok(());
        };
        let end = walk.end(first);
        match writing.node {
            NodeEnum::UpdateStmt(update) => {
                self.reached(&writes.edit, walk, first, end, explained)?;
                let set = columns_named(&update.target_list, relation)?;
                self.stored(&update.target_list, relation, writes, false, walk, explained)?;
                let check = writes.update_check(&set);
                self.checked(check.as_deref(), update.returning_clause.as_ref(), explained)
            }
            NodeEnum::DeleteStmt(delete) => {
                self.reached(&writes.delete, walk, first, end, explained)?;
                self.checked(None, delete.returning_clause.as_ref(), explained)
            }
            NodeEnum::InsertStmt(insert) => {
                let given = self.given(insert, relation, view)?;
                self.unset(insert, relation, writes, &given, walk)?;
                let returns = insert
                    .returning_clause
                    .as_ref()
                    .is_some_and(|r| r.exprs.len() > 1 || r.exprs.first().is_some_and(|e| !self.is_check(e)));
                let mut check = writes.insert_check(&given, returns);
                let updates = |c: &&OnConflictClause| c.action() == OnConflictAction::OnconflictUpdate;
                if let Some(conflict) = insert.on_conflict_clause.as_deref().filter(updates) {
                    let after = self.in_conflict(conflict, relation, writes, walk, first, end, explained)?;
                    check = crate::policy::writes::new_or_changed(relation, check, after);
                }
                let checked = self.checked(check.as_deref(), insert.returning_clause.as_ref(), explained);
                writing.given = given;
                checked
            }
            NodeEnum::MergeStmt(merge) => self.merged_rows(merge, (relation, writes), walk, first, explained),
            _ => Err(broken("a write of an unknown kind")),
        }
    }

    /// `WHERE (rows)` with the client's condition behind it, to the end of the clause.
    fn reached(
        &self,
        rows: &Rows,
        walk: &Walk<'_>,
        first: usize,
        end: usize,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        let sql = match rows {
            Rows::All => return Ok(()),
            Rows::None => "FALSE",
            Rows::Where(sql) => sql,
        };
        let place = walk
            .top_level(first, end, Token::Where)
            .ok_or_else(|| broken("a write without its rows"))?;
        let clause_end = walk.top_level(place, end, Token::Returning).unwrap_or(end);
        let start = walk.start(place);
        let head = format!("WHERE ({sql})");
        if !self.text.get(start..).is_some_and(|t| t.starts_with(&head)) {
            return Err(broken("a write of other rows"));
        }
        explained.push(start..start + head.len());
        let after = walk.step(place + 1);
        if walk.start(after).max(start + head.len()) != walk.start(after) && after < clause_end {
            return Err(broken("a write whose rows are not bracketed"));
        }
        if after == clause_end {
            return Ok(());
        }
        let bracketed = walk.kind(after) == Some(Token::And)
            && walk.kind(after + 1) == Some(Token::Ascii40)
            && walk.step(after + 1) == clause_end;
        if bracketed {
            Ok(())
        } else {
            Err(broken("a condition that is not under its rows"))
        }
    }

    /// The assignments: free ones, or a list in which each value has passed what the policy says of its column.
    pub(super) fn stored(
        &self,
        list: &[Node],
        relation: &Relation,
        writes: &Writes,
        checked: bool,
        walk: &Walk<'_>,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        let set = columns_named(list, relation)?;
        if writes.assigns_freely(&set) && !(checked && writes.update_check(&set).is_some()) {
            return Ok(());
        }
        let mut kept = Vec::new();
        let mut source = None;
        for node in list {
            let Some(NodeEnum::ResTarget(column)) = node.node.as_ref() else {
                return Err(broken("an assignment of an unknown kind"));
            };
            let at = column_place(relation, &column.name)?;
            match column.val.as_ref().and_then(|v| v.node.as_ref()) {
                Some(NodeEnum::SetToDefault(_)) if writes.assigns_freely(&[at].into()) => {}
                Some(NodeEnum::MultiAssignRef(several)) if column.indirection.is_empty() => {
                    let Some(NodeEnum::SubLink(link)) = several.source.as_ref().and_then(|s| s.node.as_ref()) else {
                        return Err(broken("assignments without their query"));
                    };
                    if source.is_some_and(|s| s != link.location) {
                        return Err(broken("assignments from several queries"));
                    }
                    source = Some(link.location);
                    kept.push(at);
                }
                Some(_) | None => return Err(broken("an assignment that is not held")),
            }
        }
        let at = source
            .and_then(|s| usize::try_from(s).ok())
            .ok_or_else(|| broken("assignments at no place"))?;
        let head = format!(
            "(SELECT {} FROM ((SELECT) AS \"rowgate:set\"",
            writes.assignments(&kept, checked).join(", ")
        );
        if !self.text.get(at..).is_some_and(|t| t.starts_with(&head)) {
            return Err(broken("assignments of other values"));
        }
        let open = walk.at(at).ok_or_else(|| broken("assignments at no token"))?;
        let close = walk.step(open);
        let places: Vec<String> = (1..=kept.len()).map(|n| format!("\"{n}\"")).collect();
        let tail = format!(") AS \"{}\"({}))", crate::policy::writes::NEW_ALIAS, places.join(", "));
        let end = walk.finish(close - 1);
        if !self.text.get(at..end).is_some_and(|t| t.ends_with(&tail)) {
            return Err(broken("assignments without their names"));
        }
        explained.push(at..at + head.len());
        Ok(())
    }

    /// The last thing returned is the check.
    fn checked(
        &self,
        check: Option<&str>,
        returning: Option<&ReturningClause>,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        for item in returning.iter().flat_map(|r| &r.exprs) {
            let star = match item.node.as_ref() {
                Some(NodeEnum::ResTarget(target)) => match target.val.as_ref().and_then(|v| v.node.as_ref()) {
                    Some(NodeEnum::ColumnRef(c)) => {
                        c.fields.len() == 1
                            && matches!(c.fields.first().and_then(|f| f.node.as_ref()), Some(NodeEnum::AStar(_)))
                    }
                    Some(_) | None => false,
                },
                Some(_) | None => return Err(broken("a returned value of an unknown kind")),
            };
            if star {
                return Err(broken("a star in what a write returns"));
            }
        }
        let Some(check) = check else { return Ok(()) };
        let last = returning.and_then(|r| r.exprs.last());
        let at = last
            .and_then(case_at)
            .ok_or_else(|| broken("a write without its check"))?;
        if !self.text.get(at..).is_some_and(|t| t.starts_with(check)) {
            return Err(broken("a write with another check"));
        }
        explained.push(at..at + check.len());
        Ok(())
    }

    /// Is a returned value one that rowgate wrote as a check?
    fn is_check(&self, item: &Node) -> bool {
        let at = case_at(item).and_then(|at| self.writes(at));
        at.is_some_and(|p| p.kind == SpliceKind::Check)
    }

    /// The columns that an INSERT gives values to, those aside that rowgate fills in.
    fn given(&self, insert: &InsertStmt, relation: &Relation, view: &TableView) -> Result<BTreeSet<usize>, Refusal> {
        let rows = match insert.select_stmt.as_ref().and_then(|s| s.node.as_ref()) {
            None => return Ok(BTreeSet::new()),
            Some(NodeEnum::SelectStmt(select)) => &select.values_lists,
            Some(_) => return Err(broken("an INSERT of no query")),
        };
        let hides = view.columns.contains(&ColumnView::Hidden);
        let columns: Vec<usize> = if insert.cols.is_empty() {
            if hides {
                return Err(broken("an INSERT without its columns"));
            }
            (0..relation.columns.len()).collect()
        } else {
            columns_in_order(&insert.cols, relation)?
        };
        let ours = |value: &Node| {
            let ends = extent(value).map(|(first, last)| (self.writes(first), self.writes(last)));
            ends.is_some_and(|(first, last)| first.is_some_and(|p| p.kind == SpliceKind::Insert) && first == last)
        };
        let of_row = |row: &Node, place: usize| match row.node.as_ref() {
            Some(NodeEnum::List(list)) => list
                .items
                .get(place)
                .is_none_or(|value| matches!(value.node.as_ref(), Some(NodeEnum::SetToDefault(_))) || ours(value)),
            Some(_) | None => false,
        };
        let width = |row: &Node| match row.node.as_ref() {
            Some(NodeEnum::List(list)) => list.items.len(),
            Some(_) | None => 0,
        };
        let widest = rows.iter().map(width).max();
        Ok(columns
            .into_iter()
            .enumerate()
            .filter(|(place, _)| widest.is_none_or(|w| *place < w))
            .filter(|(place, _)| rows.is_empty() || !rows.iter().all(|row| of_row(row, *place)))
            .map(|(_, at)| at)
            .collect())
    }

    /// Columns that the person may not set get NULL, or their value fails before it is stored.
    fn unset(
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

    /// ON CONFLICT DO UPDATE: rows that the person may not edit fail, and what is stored is held. The check of the row
    /// as it is then.
    #[allow(clippy::too_many_arguments)]
    fn in_conflict(
        &self,
        conflict: &OnConflictClause,
        relation: &Relation,
        writes: &Writes,
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
        match &writes.edit {
            Rows::All => {}
            Rows::None => return Err(broken("an update in a conflict without rights")),
            Rows::Where(edit) => {
                let place = walk
                    .top_level(doing, clause_end, Token::Where)
                    .ok_or_else(|| broken("a conflict without its rows"))?;
                let head = format!("WHERE CASE WHEN ({edit}) IS NOT TRUE THEN (");
                let start = walk.start(place);
                let whole = self.text.get(start..).is_some_and(|t| t.starts_with(&head));
                if !whole || walk.step(place + 1) != clause_end {
                    return Err(broken("a conflict of other rows"));
                }
                let raise = self.text.get(start + head.len()..).unwrap_or_default();
                let denied = crate::sql::raise::Raise::Target {
                    table: relation.name.name.clone(),
                };
                if !raise.starts_with(&format!("{})::pg_catalog.bool ELSE (", denied.sql())) {
                    return Err(broken("a conflict that does not fail"));
                }
                explained.push(start..start + head.len());
            }
        }
        Ok(writes.update_check(&set))
    }

    /// Masks and conditions of the tables that are written, where rowgate put them in place of references.
    fn masks_in_place(&self, writings: &[Writing<'_>], explained: &mut Vec<Range<usize>>) {
        for (_, view, writes) in writings.iter().filter_map(|w| w.held.as_ref()) {
            let rows = [&writes.edit, &writes.delete, &writes.view]
                .into_iter()
                .filter_map(|r| match r {
                    Rows::Where(sql) => Some(sql.as_str()),
                    Rows::All | Rows::None => None,
                });
            let masks = view.columns.iter().filter_map(|c| match c {
                ColumnView::Masked { sql, .. } => Some(sql.as_str()),
                ColumnView::Clear | ColumnView::Hidden => None,
            });
            for wanted in rows.chain(masks) {
                for placed in self.splices {
                    let piece = self.text.get(placed.sent.clone()).unwrap_or_default();
                    let starts = piece.match_indices(wanted).map(|(found, _)| placed.sent.start + found);
                    explained.extend(starts.map(|found| found..found + wanted.len()));
                }
            }
        }
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
                if !writing.range.contains(&at) || super::covers(explained, at) || inside_guard(at) {
                    continue;
                }
                let wrong = match column.parts.as_slice() {
                    [name] => veiled(name).is_some() || name == "excluded",
                    [first, name] if first == "excluded" => {
                        let from_elsewhere = |at: usize| {
                            let has_default = relation.columns.get(at).is_none_or(|c| c.has_default);
                            let hidden = view.columns.get(at) == Some(&ColumnView::Hidden);
                            hidden || !writing.given.contains(&at) && (has_default || relation.before_insert)
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

pub(super) fn column_place(relation: &Relation, name: &str) -> Result<usize, Refusal> {
    let at = relation.columns.iter().position(|c| c.name == name);
    at.ok_or_else(|| broken("a write to an unknown column"))
}

fn columns_in_order(list: &[Node], relation: &Relation) -> Result<Vec<usize>, Refusal> {
    list.iter()
        .map(|node| match node.node.as_ref() {
            Some(NodeEnum::ResTarget(column)) => column_place(relation, &column.name),
            Some(_) | None => Err(broken("a column of an unknown kind")),
        })
        .collect()
}

fn columns_named(list: &[Node], relation: &Relation) -> Result<BTreeSet<usize>, Refusal> {
    Ok(columns_in_order(list, relation)?.into_iter().collect())
}

/// Where a returned value that is a CASE begins.
fn case_at(item: &Node) -> Option<usize> {
    let Some(NodeEnum::ResTarget(target)) = item.node.as_ref() else {
        return None;
    };
    match target.val.as_ref()?.node.as_ref()? {
        NodeEnum::CaseExpr(case) => usize::try_from(case.location).ok(),
        _ => None,
    }
}

/// A walk over the tokens of the text that will be sent, comments left out.
pub(super) struct Walk<'t> {
    tokens: Vec<&'t ScanToken>,
    length: usize,
}

impl<'t> Walk<'t> {
    fn new(text: &str, tokens: &'t [ScanToken]) -> Self {
        let plain = |t: &&ScanToken| !matches!(t.token(), Token::SqlComment | Token::CComment);
        Self {
            tokens: tokens.iter().filter(plain).collect(),
            length: text.len(),
        }
    }

    pub(super) fn kind(&self, index: usize) -> Option<Token> {
        self.tokens.get(index).map(|t| t.token())
    }

    pub(super) fn start(&self, index: usize) -> usize {
        self.tokens
            .get(index)
            .map_or(self.length, |t| usize::try_from(t.start).unwrap_or(0))
    }

    pub(super) fn finish(&self, index: usize) -> usize {
        self.tokens
            .get(index)
            .map_or(self.length, |t| usize::try_from(t.end).unwrap_or(0))
    }

    pub(super) fn at(&self, byte: usize) -> Option<usize> {
        let byte = i32::try_from(byte).ok()?;
        self.tokens.binary_search_by_key(&byte, |t| t.start).ok()
    }

    fn is_name(&self, index: usize) -> bool {
        index.checked_sub(1).and_then(|i| self.kind(i)) == Some(Token::Ascii46)
    }

    /// One past a token, a bracket or a CASE.
    pub(super) fn step(&self, index: usize) -> usize {
        let (open, close) = match self.kind(index) {
            Some(Token::Ascii40) => (Token::Ascii40, Token::Ascii41),
            Some(Token::Ascii91) => (Token::Ascii91, Token::Ascii93),
            Some(Token::Case) if !self.is_name(index) => (Token::Case, Token::EndP),
            Some(_) | None => return index + 1,
        };
        let mut i = index + 1;
        while let Some(kind) = self.kind(i) {
            if kind == close && !(open == Token::Case && self.is_name(i)) {
                return i + 1;
            }
            i = self.step(i);
        }
        i
    }

    /// The end of the statement or bracket in which a token stands.
    pub(super) fn end(&self, from: usize) -> usize {
        let mut i = from;
        while let Some(kind) = self.kind(i) {
            if matches!(kind, Token::Ascii41 | Token::Ascii59) {
                break;
            }
            i = self.step(i);
        }
        i
    }

    pub(super) fn top_level(&self, from: usize, end: usize, kind: Token) -> Option<usize> {
        let mut i = from;
        while i < end {
            if self.kind(i) == Some(kind) && !self.is_name(i) {
                return Some(i);
            }
            i = self.step(i);
        }
        None
    }

    /// The bytes of the statement or bracket in which a token stands.
    fn around(&self, from: usize) -> Range<usize> {
        let end = self.start(self.end(from));
        let mut depth = 0usize;
        let mut i = from;
        while i > 0 {
            match self.kind(i - 1) {
                Some(Token::Ascii41) => depth += 1,
                Some(Token::Ascii40) if depth == 0 => break,
                Some(Token::Ascii40) => depth -= 1,
                Some(Token::Ascii59) if depth == 0 => break,
                Some(_) | None => {}
            }
            i -= 1;
        }
        self.start(i)..end
    }
}
