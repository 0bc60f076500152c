//! ON CONFLICT: which unique value is looked for, and what happens to the row that has it.

use super::assign;
use super::target::{Doing, Target};
use crate::catalog::{Catalog, Relation};
use crate::name::quote_ident;
use crate::policy::{ColumnView, Rows, TableView, Writes};
use crate::refusal::{Refusal, SqlState};
use crate::sql::census::census_of_node;
use crate::sql::raise::{Raise, column_denied};
use crate::sql::resolve::relation::collation_of;
use crate::sql::resolve::scope::{Col, Item, Scope, Source};
use crate::sql::resolve::{Analysis, lost, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{IndexElem, InferClause, Node, OnConflictAction, OnConflictClause, Token};
use std::collections::BTreeSet;
use std::rc::Rc;

/// By what the row that was to be inserted is referred to.
pub const EXCLUDED: &str = "excluded";

impl Analysis<'_> {
    /// Reads ON CONFLICT; the check of the row that comes out, given that of a new one. `returns`: the statement has a
    /// RETURNING of its own.
    pub(super) fn on_conflict(
        &mut self,
        conflict: &OnConflictClause,
        target: &Target,
        scope: &Scope<'_>,
        (given, returns): (&BTreeSet<usize>, bool),
        check: Option<String>,
    ) -> Result<Option<String>, Refusal> {
        match &conflict.infer {
            Some(infer) => {
                let named = self.inferred(infer, target)?;
                self.inference(infer, &named, target, scope)?;
            }
            None => self.any_conflict(target)?,
        }
        if conflict.action() != OnConflictAction::OnconflictUpdate {
            return Ok(check);
        }
        let Some((writes, view)) = target.guarded() else {
            return self.update_in_conflict(conflict, target, scope, None).map(|_| check);
        };
        if writes.edit == Rows::None {
            return Err(self.denied_to(&target.relation, Doing::Update));
        }
        let after = self.update_in_conflict(conflict, target, scope, Some((writes, view, given)))?;
        let unfit = writes.unfit_proposal(given, returns);
        self.conflict_filter(conflict.where_clause.is_some(), target, writes, unfit)?;
        Ok(crate::policy::writes::new_or_changed(&target.relation, check, after))
    }

    /// Without a target every unique value is looked for, those of columns among them that do not show in clear.
    fn any_conflict(&self, target: &Target) -> Result<(), Refusal> {
        let veiled = target
            .guarded()
            .and_then(|(_, view)| unclear_and_unique(&self.world.catalog, &target.relation, view));
        veiled.map_or(Ok(()), |column| {
            Err(column_denied(&target.relation.name.name, &column)
                .detail(
                    "ON CONFLICT without its columns looks at every unique value, and would tell whether one is there.",
                )
                .hint("Name the columns whose conflicts are meant: ON CONFLICT (id) DO NOTHING."))
        })
    }

    /// The columns whose values are looked for must show in clear: whether a value is there would tell of it.
    fn inference(
        &mut self,
        infer: &InferClause,
        named: &[String],
        target: &Target,
        scope: &Scope<'_>,
    ) -> Result<(), Refusal> {
        let relation = &target.relation;
        let Some((_, view)) = target.guarded() else {
            return self.inference_expressions(infer, scope);
        };
        let is_clear = |name: &str| {
            let shown = relation.columns.iter().zip(&view.columns).find(|(c, _)| c.name == name);
            shown.is_none_or(|(_, shown)| *shown == ColumnView::Clear)
        };
        if !infer.conname.is_empty() {
            let names = relation.unique.get(&infer.conname).into_iter().flatten();
            let names: Vec<String> = names
                .map(|n| {
                    relation
                        .column_by_number(*n)
                        .map_or_else(String::new, |c| c.name.clone())
                })
                .collect();
            if let Some(veiled) = names.iter().find(|n| n.is_empty() || !is_clear(n)) {
                return Err(column_denied(&relation.name.name, veiled)
                    .detail("ON CONFLICT would tell whether a value is there."));
            }
        }
        if let Some(veiled) = named.iter().find(|name| !is_clear(name)) {
            return Err(
                column_denied(&relation.name.name, veiled).detail("ON CONFLICT would tell whether a value is there.")
            );
        }
        let before = self.renames;
        self.inference_expressions(infer, scope)?;
        if self.renames != before {
            return Err(unsupported(
                "an expression of columns that are not in clear in ON CONFLICT",
            ));
        }
        Ok(())
    }

    /// The table's names of the columns whose values are looked for, which are written in place of a view's.
    fn inferred(&mut self, infer: &InferClause, target: &Target) -> Result<Vec<String>, Refusal> {
        let elements = infer.index_elems.iter().map(|node| match node.node.as_ref() {
            Some(NodeEnum::IndexElem(element)) => Ok(element.as_ref()),
            Some(_) | None => Err(lost()),
        });
        let elements: Vec<&IndexElem> = elements.collect::<Result<_, _>>()?;
        let Some(through) = &target.through else {
            let names = elements.iter().map(|e| e.name.clone());
            return Ok(names.filter(|name| !name.is_empty()).collect());
        };
        if !infer.conname.is_empty() {
            return Err(unsupported("ON CONFLICT ON CONSTRAINT through a view").hint("Name the columns."));
        }
        let computed = elements.iter().any(|e| e.name.is_empty()) || infer.where_clause.is_some();
        if computed && !through.keeps_names(&target.relation) {
            return Err(unsupported(
                "ON CONFLICT with an expression or a condition through a view that renames columns",
            ));
        }
        let mut names = Vec::new();
        let mut renamed = Vec::new();
        let tokens = self.tokens()?;
        let end = tokens.statement_end(target.first)?;
        let conflict = tokens.top_level(target.first, end, Token::Conflict).ok_or_else(lost)?;
        // behind the bracket
        let mut at = conflict + 2;
        for element in elements {
            let next = tokens.item_end(at) + 1;
            if !element.name.is_empty() {
                let below = through.place(&element.name).flatten();
                let below = below.and_then(|at| target.relation.columns.get(at)).ok_or_else(|| {
                    let message = format!("column \"{}\" does not exist", element.name);
                    Refusal::new("no-column", SqlState::UndefinedColumn, message)
                })?;
                if below.name != element.name {
                    renamed.push((tokens.bytes(at..at + 1).ok_or_else(lost)?, quote_ident(&below.name)));
                }
                names.push(below.name.clone());
            }
            at = next;
        }
        let splices = &mut self.unit_mut()?.splices;
        for (bytes, name) in renamed {
            splices.replace(bytes, name, SpliceKind::Column);
        }
        Ok(names)
    }

    fn inference_expressions(&mut self, infer: &InferClause, scope: &Scope<'_>) -> Result<(), Refusal> {
        for node in &infer.index_elems {
            if let Some(NodeEnum::IndexElem(element)) = node.node.as_ref()
                && let Some(expression) = element.expr.as_deref()
            {
                self.inferred_from(expression, "index expression", scope)?;
            }
        }
        if let Some(condition) = infer.where_clause.as_deref() {
            self.inferred_from(condition, "index predicate", scope)?;
        }
        Ok(())
    }

    /// Reads what an index is compared with; of a query PostgreSQL says the same (`parse_expr.c`).
    fn inferred_from(&mut self, node: &Node, what: &str, scope: &Scope<'_>) -> Result<(), Refusal> {
        if census_of_node(node).queries > 0 {
            return Err(Refusal::unsupported(
                "index-query",
                format!("cannot use subquery in {what}"),
            ));
        }
        self.expression(node, scope).map(|_| ())
    }

    /// Reads DO UPDATE; the check of the row as it is then.
    fn update_in_conflict(
        &mut self,
        conflict: &OnConflictClause,
        target: &Target,
        scope: &Scope<'_>,
        held: Option<(&Writes, &TableView, &BTreeSet<usize>)>,
    ) -> Result<Option<String>, Refusal> {
        let mut inside = Scope {
            items: scope.items.clone(),
            ctes: scope.ctes.clone(),
            parent: scope.parent,
            ..Scope::default()
        };
        inside.items.push(Rc::new(excluded(target, held)));
        let list = assign::read(&conflict.target_list)?;
        let set = self.assign(&list, target, &inside, false)?;
        if let Some(condition) = conflict.where_clause.as_deref() {
            let facts = self.expression(condition, &inside)?;
            self.note(&facts);
        }
        Ok(held.and_then(|(writes, ..)| writes.update_check(&set)))
    }

    /// A proposed row that may not be made, or a row in conflict that the person may not edit, fails the statement, as
    /// PostgreSQL's row-level security has it.
    fn conflict_filter(
        &mut self,
        condition: bool,
        target: &Target,
        writes: &Writes,
        unfit: Option<String>,
    ) -> Result<(), Refusal> {
        let table = || target.relation.name.name.clone();
        let mut fails = Vec::new();
        if let Some(unfit) = unfit {
            fails.push((unfit, Raise::Row { table: table() }));
        }
        if let Rows::Where(edit) = &writes.edit {
            fails.push((format!("({edit}) IS NOT TRUE"), Raise::Target { table: table() }));
        }
        if fails.is_empty() {
            return Ok(());
        }
        let fails: Vec<String> = fails
            .iter()
            .map(|(fault, raise)| format!("WHEN {fault} THEN ({})::pg_catalog.bool", raise.sql()))
            .collect();
        let opening = format!("WHERE CASE {} ELSE (", fails.join(" "));
        let tokens = self.tokens()?;
        let end = tokens.statement_end(target.first)?;
        let doing = tokens.top_level(target.first, end, Token::Do).ok_or_else(lost)?;
        let returning = tokens.top_level(doing, end, Token::Returning).unwrap_or(end);
        let last = tokens.bytes(doing..returning).ok_or_else(lost)?.end;
        if !condition {
            return self.write_at(last, format!("{opening}TRUE) END"), SpliceKind::Filter);
        }
        let place = tokens.top_level(doing, returning, Token::Where).ok_or_else(lost)?;
        let word = tokens.bytes(place..place + 1).ok_or_else(lost)?;
        self.unit_mut()?.splices.replace(word, opening, SpliceKind::Filter);
        self.write_at(last, ") END".to_owned(), SpliceKind::Filter)
    }
}

/// A column of which no two values are alike, in the relation or below it, although it does not show in clear.
pub fn unclear_and_unique(catalog: &Catalog, relation: &Relation, view: &TableView) -> Option<String> {
    let family = std::iter::once(relation).chain(catalog.below(relation));
    let unique: BTreeSet<&str> = family
        .flat_map(|r| r.unique_columns.iter().filter_map(|n| r.column_by_number(*n)))
        .map(|column| column.name.as_str())
        .collect();
    let mut columns = relation.columns.iter().zip(&view.columns);
    let veiled = columns.find(|(c, shown)| **shown != ColumnView::Clear && unique.contains(c.name.as_str()));
    veiled.map(|(column, _)| column.name.clone())
}

/// The row that was to be inserted. Of columns that do not show in clear it offers those that the statement itself gave
/// values to: of others the database's defaults and triggers would tell.
fn excluded(target: &Target, held: Option<(&Writes, &TableView, &BTreeSet<usize>)>) -> Item {
    let mut columns = Vec::new();
    for (at, column) in target.relation.columns.iter().enumerate() {
        let offered = held.is_none_or(|(_, view, given)| {
            let shown = view.columns.get(at);
            let proposed = given.contains(&at) || !column.has_default && target.relation.before_insert.is_empty();
            shown == Some(&ColumnView::Clear) || proposed && shown != Some(&ColumnView::Hidden)
        });
        let names: Vec<&str> = match &target.through {
            Some(through) => through.names_of(at).collect(),
            None => vec![&column.name],
        };
        for name in names.into_iter().filter(|_| offered) {
            columns.push(Col {
                name: name.to_owned(),
                text: format!("excluded.{}", quote_ident(&column.name)),
                sent: (name != column.name).then(|| column.name.clone()),
                ty: Some(column.type_oid),
                typmod: column.typmod,
                collation: collation_of(column),
                ..Col::default()
            });
        }
    }
    Item {
        name: EXCLUDED.to_owned(),
        schema: None,
        columns,
        opaque: false,
        name_visible: true,
        columns_visible: true,
        // its whole row would show columns that are not offered
        source: if held.is_some() {
            Source::Checked
        } else {
            Source::Derived
        },
        qualifier: EXCLUDED.to_owned(),
        shown: Vec::new(),
        parts: Vec::new(),
        locks: Vec::new(),
    }
}
