//! Query levels: set operations, VALUES, and the clauses of a SELECT in the order in which names come into sight.

use super::condition::Clause;
use super::facts::either_collation;
use super::output::output_number;
use super::scope::{Col, Cte, GuardId, Item, Scope, Source};
use super::targets::Target;
use super::with::name_columns;
use super::{Analysis, lost, unsupported};
use crate::catalog::Oid;
use crate::refusal::Refusal;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, CommonTableExpr, LimitOption, LockingClause, Node, SelectStmt, SetOperation, Token, a_const::Val,
};
use std::collections::BTreeMap;
use std::rc::Rc;

impl Analysis<'_> {
    /// Reads the outermost query of a statement: nothing outside can push a condition into it.
    pub fn query_outermost(&mut self, select: &SelectStmt) -> Result<Vec<Col>, Refusal> {
        self.query(select, None, true, None)
    }

    /// Reads a query inside another.
    pub fn query_inside(&mut self, select: &SelectStmt, parent: Option<&Scope<'_>>) -> Result<Vec<Col>, Refusal> {
        if select.into_clause.is_some() {
            return Err(unsupported("SELECT INTO inside a query"));
        }
        self.query(select, parent, false, None)
    }

    /// Reads the query whose rows a statement stores: nothing outside can push a condition into it.
    pub fn query_of_write(&mut self, select: &SelectStmt, parent: &Scope<'_>) -> Result<Vec<Col>, Refusal> {
        if select.into_clause.is_some() {
            return Err(unsupported("SELECT INTO inside a query"));
        }
        self.query(select, Some(parent), true, None)
    }

    pub(super) fn query(
        &mut self,
        select: &SelectStmt,
        parent: Option<&Scope<'_>>,
        outermost: bool,
        recursive: Option<&CommonTableExpr>,
    ) -> Result<Vec<Col>, Refusal> {
        crate::sql::patience::check()?;
        let around = std::mem::replace(&mut self.first_own, self.guards.len());
        let columns = stacker::maybe_grow(256 * 1024, 8 * 1024 * 1024, || {
            self.query_here(select, parent, outermost, recursive)
        });
        self.first_own = around;
        columns
    }

    fn query_here(
        &mut self,
        select: &SelectStmt,
        parent: Option<&Scope<'_>>,
        outermost: bool,
        recursive: Option<&CommonTableExpr>,
    ) -> Result<Vec<Col>, Refusal> {
        let mut scope = Scope::inside(parent);
        if let Some(with) = &select.with_clause {
            self.with_clause(with, &mut scope)?;
        }
        if select.op() != SetOperation::SetopNone {
            return self.set_operation(select, &mut scope, outermost, recursive);
        }
        if !select.values_lists.is_empty() {
            return self.values(select, &scope, outermost);
        }
        self.simple(select, scope, outermost)
    }

    fn set_operation(
        &mut self,
        select: &SelectStmt,
        scope: &mut Scope<'_>,
        outermost: bool,
        recursive: Option<&CommonTableExpr>,
    ) -> Result<Vec<Col>, Refusal> {
        if !select.locking_clause.is_empty() {
            return Err(unsupported("FOR UPDATE with UNION, INTERSECT or EXCEPT"));
        }
        let left = self.query(select.larg.as_deref().ok_or_else(lost)?, Some(scope), outermost, None)?;
        let self_reference = recursive.map(|cte| {
            let mut columns: Vec<Col> = left
                .iter()
                .map(|c| Col {
                    name: c.name.clone(),
                    ty: c.ty,
                    collation: c.collation.clone(),
                    ..Col::default()
                })
                .collect();
            name_columns(&mut columns, &cte.aliascolnames);
            Rc::new(Cte::new(&cte.ctename, Some(columns)))
        });
        let self_reference = self_reference.inspect(|cte| scope.ctes.push(Rc::clone(cte)));
        let right = self.query(select.rarg.as_deref().ok_or_else(lost)?, Some(scope), outermost, None)?;
        if self_reference.is_some() {
            scope.ctes.pop();
        }
        // nothing outside is pushed into a recursive union; one that never names itself is like any other
        let recursive = self_reference.is_some_and(|cte| cte.named.get());
        let first_own = self.first_own;
        let alike = left.iter().zip(&right).all(|(l, r)| self.convert_alike(&[l.ty, r.ty]));
        let columns: Vec<Col> = left
            .into_iter()
            .zip(&right)
            .map(|(l, r)| {
                let mut reach = l.reach.from_outside();
                reach.merge(&r.reach.from_outside());
                let reach = if recursive { reach.of_outer(first_own) } else { reach };
                Col {
                    name: l.name,
                    ty: if l.ty == r.ty { l.ty } else { None },
                    collation: either_collation(l.collation.as_ref(), r.collation.as_ref()),
                    distant: l.distant || r.distant,
                    edge: l.edge || r.edge,
                    reach,
                    ..Col::default()
                }
            })
            .collect();
        self.raises |= !alike;
        let compares = !select.all || select.op() != SetOperation::SetopUnion;
        for column in columns.iter().filter(|_| compares) {
            let key = self.facts_of_column(column);
            self.note_comparison(&key, "UNION, INTERSECT or EXCEPT");
        }
        self.sort_by_result(select, &columns, scope)?;
        self.one_row = false;
        self.limits(select, scope)?;
        Ok(columns)
    }

    /// Reads the ORDER BY of a query that has result columns and no others to sort by.
    fn sort_by_result(&mut self, select: &SelectStmt, columns: &[Col], scope: &Scope<'_>) -> Result<(), Refusal> {
        let names = Item {
            name: String::new(),
            schema: None,
            columns: columns.to_vec(),
            opaque: false,
            name_visible: false,
            columns_visible: true,
            source: Source::Derived,
            qualifier: String::new(),
            locks: Vec::new(),
            shown: Vec::new(),
            parts: Vec::new(),
        };
        let output = Scope {
            items: vec![Rc::new(names)],
            ctes: scope.ctes.clone(),
            parent: scope.parent,
            ..Scope::default()
        };
        for sort in &select.sort_clause {
            let named = self.sorts_output(sort, columns.iter().map(|c| c.name.as_str()))?;
            match named
                .or_else(|| output_number(sort))
                .and_then(|place| columns.get(place))
            {
                Some(column) => {
                    let key = self.facts_of_column(column);
                    self.note_comparison(&key, "ORDER BY");
                }
                None => {
                    let key = self.expression(sort, &output)?;
                    self.note(&key);
                }
            }
        }
        Ok(())
    }

    fn limits(&mut self, select: &SelectStmt, scope: &Scope<'_>) -> Result<(), Refusal> {
        let bare = Scope {
            items: Vec::new(),
            ctes: scope.ctes.clone(),
            parent: scope.parent,
            ..Scope::default()
        };
        for limit in [select.limit_count.as_deref(), select.limit_offset.as_deref()]
            .into_iter()
            .flatten()
        {
            let facts = self.expression(limit, &bare)?;
            // a negative number of rows raises whatever it is computed from
            self.raises |= !facts.is_count() && !is_null(limit);
        }
        let ties = select.limit_option() == LimitOption::WithTies;
        self.raises |= ties && select.limit_count.as_deref().is_none_or(is_null);
        self.one_row |= !ties
            && select
                .limit_count
                .as_deref()
                .and_then(whole_number)
                .is_some_and(|n| n <= 1);
        Ok(())
    }

    fn values(&mut self, select: &SelectStmt, scope: &Scope<'_>, outermost: bool) -> Result<Vec<Col>, Refusal> {
        let mut columns: Vec<Col> = Vec::new();
        let mut types: BTreeMap<usize, Vec<Option<Oid>>> = BTreeMap::new();
        let mut set_returning = false;
        for row in &select.values_lists {
            let Some(NodeEnum::List(list)) = row.node.as_ref() else {
                return Err(lost());
            };
            for (index, value) in list.items.iter().enumerate() {
                let facts = self.expression(value, scope)?;
                self.note(&facts);
                if !outermost && facts.leaks() {
                    let why = facts.why.clone().unwrap_or_default();
                    self.fence(&facts.reach.all(), &why)?;
                }
                set_returning |= facts.set_returning;
                let ty = if facts.untyped { None } else { facts.ty };
                let collation = facts.collation();
                match columns.get_mut(index) {
                    Some(column) => {
                        column.reach.merge(&facts.reach.from_outside());
                        column.collation = either_collation(column.collation.as_ref(), collation.as_ref());
                        column.distant |= facts.distant;
                        column.edge |= facts.edge;
                        if column.ty != ty {
                            column.ty = None;
                        }
                    }
                    None => columns.push(Col {
                        name: format!("column{}", index + 1),
                        ty,
                        collation,
                        distant: facts.distant,
                        edge: facts.edge,
                        reach: facts.reach.from_outside(),
                        ..Col::default()
                    }),
                }
                if !facts.untyped {
                    types.entry(index).or_default().push(facts.ty);
                }
            }
        }
        self.raises |= types.values().any(|types| !self.convert_alike(types));
        self.sort_by_result(select, &columns, scope)?;
        self.one_row = select.values_lists.len() == 1 && !set_returning;
        self.limits(select, scope)?;
        Ok(columns)
    }

    fn simple(&mut self, select: &SelectStmt, mut scope: Scope<'_>, outermost: bool) -> Result<Vec<Col>, Refusal> {
        let asked_before = scope.parent.is_some_and(|p| p.asked.replace(false));
        self.from_clause(&select.from_clause, &mut scope)?;
        self.table_statement(select, &scope)?;
        if let Some(condition) = select.where_clause.as_deref() {
            self.condition(condition, &scope, Clause::Where)?;
        }
        let used_before = std::mem::take(&mut self.used);
        scope.grouped = !select.group_clause.is_empty() || select.having_clause.is_some();
        let mut targets = self.target_list(&select.target_list, &scope)?;
        let mut keys = Vec::new();
        for group in &select.group_clause {
            self.group_item(group, &scope, &targets, &mut keys)?;
        }
        self.keep_constants_out_of_grouping_sets(select, &scope)?;
        if let Some(condition) = select.having_clause.as_deref() {
            self.condition(condition, &scope, Clause::Having)?;
        }
        for window in &select.window_clause {
            let Some(NodeEnum::WindowDef(window)) = window.node.as_ref() else {
                return Err(lost());
            };
            let facts = self.window(window, &scope)?;
            self.note(&facts);
        }
        let mut sorted_by_aggregate = false;
        for sort in select
            .sort_clause
            .iter()
            .chain(&select.distinct_clause)
            .filter(|n| n.node.is_some())
        {
            let named = self.sorts_output(sort, targets.iter().map(|t| t.label.as_str()))?;
            match named
                .or_else(|| output_number(sort))
                .and_then(|place| targets.get(place))
            {
                Some(target) => self.note_comparison(&target.facts.clone(), "ORDER BY"),
                None => {
                    let facts = self.expression(sort, &scope)?;
                    self.note_comparison(&facts, "ORDER BY");
                    sorted_by_aggregate |= facts.aggregate;
                }
            }
        }
        if select.distinct_clause.iter().any(|n| n.node.is_none()) {
            for target in &targets {
                self.note_comparison(&target.facts, "DISTINCT");
            }
        }
        // with an aggregate of its own, and without groups, all rows become one
        self.one_row = select.group_clause.is_empty()
            && targets.iter().any(|t| t.facts.aggregate)
            && !targets.iter().any(|t| t.facts.set_returning);
        self.limits(select, &scope)?;
        // who locks rows waits for them, or fails, and leaves a trace
        self.raises |= !select.locking_clause.is_empty();
        self.locking(&select.locking_clause, &scope)?;
        self.depend_on_keys(select, &scope, &keys)?;
        let grouped = scope.grouped || sorted_by_aggregate || targets.iter().any(|t| t.facts.aggregate);
        if !outermost {
            let plain = !grouped && !self.stray_aggregate && select.distinct_clause.is_empty();
            self.guard_targets(&mut targets, plain, &scope)?;
        }
        self.used.extend(used_before);
        // a query that looks at a level around runs once for each row there
        let runs_often = scope
            .parent
            .is_some_and(|p| p.asked.replace(p.asked.get() || asked_before));
        if !grouped && !runs_often {
            self.note_soon_over(select, &scope, &targets);
        }
        Ok(columns_of(targets, self.first_own))
    }

    /// `TABLE t` on a guard becomes `SELECT * FROM` it.
    fn table_statement(&mut self, select: &SelectStmt, scope: &Scope<'_>) -> Result<(), Refusal> {
        let [only] = select.from_clause.as_slice() else {
            return Ok(());
        };
        let Some(NodeEnum::RangeVar(var)) = only.node.as_ref() else {
            return Ok(());
        };
        if !scope.items.iter().any(|i| matches!(i.source, Source::Guard(_))) {
            return Ok(());
        }
        let written = self.written(var)?;
        let tokens = self.tokens()?;
        let first = tokens.at(written.whole.start).ok_or_else(lost)?;
        let Some(before) = first.checked_sub(1).and_then(|i| tokens.get(i)) else {
            return Ok(());
        };
        if before.kind == Token::Table {
            let at = before.start..before.end;
            self.unit_mut()?
                .splices
                .replace(at, "SELECT * FROM", SpliceKind::TableStatement);
        }
        Ok(())
    }

    /// FOR UPDATE and FOR SHARE: the guards that they reach show only rows that may be edited too.
    fn locking(&mut self, clauses: &[Node], scope: &Scope<'_>) -> Result<(), Refusal> {
        for clause in clauses {
            let Some(NodeEnum::LockingClause(LockingClause { locked_rels, .. })) = clause.node.as_ref() else {
                return Err(lost());
            };
            let mut names = Vec::new();
            for node in locked_rels {
                let Some(NodeEnum::RangeVar(var)) = node.node.as_ref() else {
                    return Err(lost());
                };
                names.push(var.relname.as_str());
            }
            for item in &scope.items {
                if names.is_empty() || (item.name_visible && names.contains(&item.name.as_str())) {
                    for &id in &item.locks {
                        self.guard_mut(id)?.wants.lock = true;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The columns that a select list offers to the level around it, whose own guards begin at `first_own`.
pub(super) fn columns_of(targets: Vec<Target>, first_own: GuardId) -> Vec<Col> {
    targets
        .into_iter()
        .map(|t| {
            let beyond = t.facts.aggregate || t.facts.window;
            let reach = if beyond {
                t.facts.reach.of_outer(first_own)
            } else {
                t.facts.reach.clone()
            };
            Col {
                name: t.label,
                text: String::new(),
                ty: if t.facts.untyped {
                    Some(super::oid::TEXT)
                } else {
                    t.facts.ty
                },
                typmod: t.facts.typmod,
                collation: t.facts.collation(),
                distant: t.facts.distant,
                edge: t.facts.edge,
                origin: t.facts.origin,
                origin_lost: t.facts.origin_lost,
                reach,
                ..Col::default()
            }
        })
        .collect()
}

/// Is it NULL, or the ALL of LIMIT ALL?
fn is_null(node: &Node) -> bool {
    matches!(node.node.as_ref(), Some(NodeEnum::AConst(constant)) if constant.val.is_none())
}

fn whole_number(node: &Node) -> Option<i32> {
    match node.node.as_ref()? {
        NodeEnum::AConst(AConst {
            val: Some(Val::Ival(number)),
            ..
        }) => Some(number.ival),
        _ => None,
    }
}
