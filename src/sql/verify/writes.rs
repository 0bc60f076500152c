//! Statements that write, in the text that will be sent: the rows that they reach, the values that they store and the
//! rows that they leave are held to the policy word for word.

use super::views::Through;
use super::walk::Walk;
use super::{Check, broken};
use crate::catalog::Relation;
use crate::name::QualifiedName;
use crate::policy::decision::ROW_ALIAS;
use crate::policy::{Access, ColumnView, Rows, TableView, Writes};
use crate::refusal::Refusal;
use crate::sql::census::Census;
use pg_query::protobuf::{Node, OnConflictAction, OnConflictClause, RangeVar, ScanToken, Token, WithClause};
use pg_query::{NodeEnum, ParserOptions};
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
    /// The view through which it is written.
    pub through: Option<Through>,
    /// The rows that it reaches, in the words that an evaluation guard may have for them.
    pub reached: Vec<String>,
    /// Columns that an INSERT gives values to.
    pub given: BTreeSet<usize>,
}

impl Writing<'_> {
    /// The statement.
    pub fn node(&self) -> &NodeEnum {
        self.node
    }

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
        let original = found
            .iter()
            .any(|(_, target)| in_place(target))
            .then(|| pg_query::parse(self.original, ParserOptions::DEFAULT))
            .transpose()
            .map_err(|_| broken("a text that the grammar refuses"))?;
        let original = original.iter().flat_map(|tree| &tree.protobuf.stmts);
        let original = writings(original.filter_map(|s| s.stmt.as_ref()?.node.as_ref()));
        for (number, (node, target)) in found.into_iter().enumerate() {
            let held = self.held(node, target)?;
            let mut writing = Writing {
                node,
                target,
                range: 0..self.text.len(),
                held,
                through: None,
                reached: Vec::new(),
                given: BTreeSet::new(),
            };
            if let Some((relation, view, _)) = &writing.held {
                let (client, named) = original
                    .get(number)
                    .ok_or_else(|| broken("a write that is not the client's"))?;
                writing.through = self.through(named, relation, view)?;
                if let Some(through) = &writing.through {
                    self.through_columns(through, client, &writing, relation)?;
                }
                let at = usize::try_from(target.location).map_err(|_| broken("a target without a place"))?;
                let first = walk.at(at).ok_or_else(|| broken("a target at no token"))?;
                writing.range = walk.writing(first);
                explained.extend(self.in_some_words(&mut writing, &walk, first)?);
            }
            judged.push(writing);
        }
        self.evaluated(&judged)?;
        self.renamed(&judged)?;
        self.masks_in_place(&judged, &mut explained);
        Ok((judged, explained))
    }

    /// What holds a target: nothing where all that the statement does is free.
    fn held(&self, node: &NodeEnum, target: &RangeVar) -> Result<Option<Held>, Refusal> {
        let named_in_place = in_place(target);
        if target.schemaname == "pg_temp" && !named_in_place {
            return Ok(None);
        }
        let name = QualifiedName::new(&target.schemaname, &target.relname);
        let relation = self.world.catalog.relation(&name);
        let relation = relation.ok_or_else(|| broken("a write to nothing that is known"))?;
        let policies = &self.world.policies;
        if policies.is_directory(relation.oid) && !self.who.rights().directory {
            return Err(broken("a write to the directory"));
        }
        let Access::Guarded(view) = self.who.access(relation) else {
            if !policies.writes_unprotected(relation) || named_in_place {
                return Err(broken("a write to a relation that is not open"));
            }
            if !matches!(node, NodeEnum::DeleteStmt(_)) && self.who.tells_keys(relation).is_some() {
                return Err(broken("a write that tells keys"));
            }
            return Ok(None);
        };
        let writes = self.who.writes(relation);
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

    /// Judges a statement by the policy in the words that it is held to.
    fn in_some_words(
        &self,
        writing: &mut Writing<'_>,
        walk: &Walk<'_>,
        first: usize,
    ) -> Result<Vec<Range<usize>>, Refusal> {
        let mut explained = Vec::new();
        let Err(refusal) = self.written(writing, walk, first, &mut explained) else {
            return Ok(explained);
        };
        let few = |(_, _, writes): &Held| writes.by_key.as_ref().map(Arc::clone);
        let by_key = writing.held.as_ref().and_then(few).ok_or_else(|| refusal.clone())?;
        if let Some((_, _, writes)) = &mut writing.held {
            *writes = by_key;
        }
        explained.clear();
        match self.written(writing, walk, first, &mut explained) {
            Ok(()) => Ok(explained),
            Err(_) => Err(refusal),
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
        let through = writing.through.as_ref();
        let behind = |check: Option<String>| through.map_or_else(|| check.clone(), |t| t.check(check.clone()));
        match writing.node {
            NodeEnum::UpdateStmt(update) => {
                self.reached(&writes.edit, walk, first, end, explained)?;
                writing.reached = self.in_reach(through, &writes.edit, walk, first, end)?;
                let set = columns_named(&update.target_list, relation)?;
                self.stored(&update.target_list, relation, writes, false, walk, explained)?;
                let check = behind(writes.update_check(&set));
                self.checked(check.as_deref(), update.returning_clause.as_ref(), explained)
            }
            NodeEnum::DeleteStmt(delete) => {
                self.reached(&writes.delete, walk, first, end, explained)?;
                writing.reached = self.in_reach(through, &writes.delete, walk, first, end)?;
                self.checked(None, delete.returning_clause.as_ref(), explained)
            }
            NodeEnum::InsertStmt(insert) => {
                if through.is_some() && insert.cols.is_empty() && insert.select_stmt.is_some() {
                    return Err(broken("an INSERT through a view without its columns"));
                }
                let given = self.given(insert, relation, (view, writes))?;
                self.unset(insert, relation, writes, &given, walk)?;
                let returns = insert
                    .returning_clause
                    .as_ref()
                    .is_some_and(|r| r.exprs.len() > 1 || r.exprs.first().is_some_and(|e| !self.is_check(e)));
                if let Some(conflict) = insert.on_conflict_clause.as_deref() {
                    self.inferred(conflict, relation, view)?;
                }
                let mut check = writes.insert_check(&given, returns);
                let updates = |c: &&OnConflictClause| c.action() == OnConflictAction::OnconflictUpdate;
                if let Some(conflict) = insert.on_conflict_clause.as_deref().filter(updates) {
                    let unfit = writes.unfit_proposal(&given, returns);
                    let unfit = unfit.as_deref();
                    let after = self.in_conflict(conflict, relation, writes, unfit, walk, first, end, explained)?;
                    check = crate::policy::writes::new_or_changed(relation, check, after);
                }
                let check = behind(check);
                let checked = self.checked(check.as_deref(), insert.returning_clause.as_ref(), explained);
                writing.given = given;
                checked
            }
            NodeEnum::MergeStmt(_) if through.is_some() => Err(broken("a MERGE into a view")),
            NodeEnum::MergeStmt(merge) => {
                writing.reached = self.in_reach(None, &writes.view, walk, first, end)?;
                self.merged_rows(merge, (relation, writes), walk, first, explained)
            }
            _ => Err(broken("a write of an unknown kind")),
        }
    }

    /// The rows that a statement reaches, as one condition.
    fn in_reach(
        &self,
        through: Option<&Through>,
        rows: &Rows,
        walk: &Walk<'_>,
        first: usize,
        end: usize,
    ) -> Result<Vec<String>, Refusal> {
        let of_view = match through {
            Some(through) => self.through_rows(through, rows, walk, first, end)?,
            None => None,
        };
        let of_policy = match rows {
            Rows::All => None,
            Rows::None => Some("FALSE".to_owned()),
            Rows::Where(sql) => Some(sql.clone()),
        };
        Ok(of_view.or(of_policy).into_iter().collect())
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
}

/// Is a table that is written named in place?
fn in_place(target: &RangeVar) -> bool {
    target.alias.as_ref().is_some_and(|a| a.aliasname == ROW_ALIAS)
}

pub(super) fn column_place(relation: &Relation, name: &str) -> Result<usize, Refusal> {
    let at = relation.columns.iter().position(|c| c.name == name);
    at.ok_or_else(|| broken("a write to an unknown column"))
}

pub(super) fn columns_in_order(list: &[Node], relation: &Relation) -> Result<Vec<usize>, Refusal> {
    list.iter()
        .map(|node| match node.node.as_ref() {
            Some(NodeEnum::ResTarget(column)) => column_place(relation, &column.name),
            Some(_) | None => Err(broken("a column of an unknown kind")),
        })
        .collect()
}

pub(super) fn columns_named(list: &[Node], relation: &Relation) -> Result<BTreeSet<usize>, Refusal> {
    Ok(columns_in_order(list, relation)?.into_iter().collect())
}
