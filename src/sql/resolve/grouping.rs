//! GROUP BY: what is grouped by, and what PostgreSQL derives from it.

use super::facts::Facts;
use super::scope::{GuardId, Scope, Source};
use super::targets::Target;
use super::{Analysis, lost, string_of};
use crate::name::quote_ident;
use crate::policy::Rows;
use crate::refusal::Refusal;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::protobuf::{AExprKind, BoolExprType, CoercionForm, Node, SelectStmt, Token, a_const::Val};
use pg_query::{NodeEnum, ParserOptions};
use std::collections::BTreeSet;

impl Analysis<'_> {
    /// Reads one item of GROUP BY: a column of this level, else a result column's name or number, else an expression.
    pub(super) fn group_item(
        &mut self,
        node: &Node,
        scope: &Scope<'_>,
        targets: &[Target],
        keys: &mut Vec<Facts>,
    ) -> Result<(), Refusal> {
        match node.node.as_ref().ok_or_else(lost)? {
            NodeEnum::GroupingSet(set) => {
                let mut inside = Vec::new();
                for item in &set.content {
                    self.group_item(item, scope, targets, &mut inside)?;
                }
                keys.push(Facts {
                    bulky: true,
                    ..Facts::default()
                });
                Ok(())
            }
            NodeEnum::AConst(constant) => {
                if let Some(Val::Ival(number)) = &constant.val {
                    let index = usize::try_from(number.ival - 1).unwrap_or(usize::MAX);
                    if let Some(target) = targets.get(index) {
                        self.note_comparison(&target.facts, "GROUP BY");
                        keys.push(target.facts.clone());
                    }
                }
                Ok(())
            }
            NodeEnum::RowExpr(row) if row.row_format() == CoercionForm::CoerceImplicitCast => {
                for item in &row.args {
                    self.group_item(item, scope, targets, keys)?;
                }
                Ok(())
            }
            NodeEnum::ColumnRef(reference) if reference.fields.len() == 1 => {
                let name = reference.fields.first().and_then(string_of).ok_or_else(lost)?;
                let local = Scope {
                    items: scope.items.clone(),
                    ..Scope::default()
                };
                if local.column(name).is_none()
                    && let Some(target) = targets.iter().find(|t| t.label == name)
                {
                    self.note_comparison(&target.facts, "GROUP BY");
                    keys.push(target.facts.clone());
                    return Ok(());
                }
                self.group_key(node, scope, keys)
            }
            _ => self.group_key(node, scope, keys),
        }
    }

    fn group_key(&mut self, node: &Node, scope: &Scope<'_>, keys: &mut Vec<Facts>) -> Result<(), Refusal> {
        let facts = self.expression(node, scope)?;
        self.note_comparison(&facts, "GROUP BY");
        keys.push(facts);
        Ok(())
    }

    /// Before version 18 PostgreSQL takes a column that a filter holds constant for constant above GROUPING SETS, too,
    /// where it is NULL in some sets, and does not sort by it: a guard's own filter must not have that effect.
    pub(super) fn keep_constants_out_of_grouping_sets(
        &mut self,
        select: &SelectStmt,
        scope: &Scope<'_>,
    ) -> Result<(), Refusal> {
        let is_set = |n: &Node| matches!(n.node.as_ref(), Some(NodeEnum::GroupingSet(_)));
        if self.world.catalog.server_version >= 180_000 || !select.group_clause.iter().any(is_set) {
            return Ok(());
        }
        // those of this query and its subqueries, and those behind common table expressions
        let own = self.first_own..self.guards.len();
        let reached = scope
            .items
            .iter()
            .flat_map(|i| i.columns.iter().flat_map(|c| c.reach.all()));
        let constant: BTreeSet<GuardId> = own
            .chain(reached)
            .filter(|&id| {
                self.guarded_table(id)
                    .is_some_and(|(_, view)| holds_constant(&view.rows))
            })
            .collect();
        self.fence(&constant, "GROUPING SETS")
    }

    /// With a table's whole primary key in GROUP BY PostgreSQL lets its other columns be used; a guard has no
    /// primary key, so they are added.
    pub(super) fn depend_on_keys(
        &mut self,
        select: &SelectStmt,
        scope: &Scope<'_>,
        keys: &[Facts],
    ) -> Result<(), Refusal> {
        // a grouping set among the keys (marked bulky without a home) has no dependency to offer
        if keys.is_empty() || keys.iter().any(|k| k.bulky && k.home.is_none() && k.origin.is_none()) {
            return Ok(());
        }
        let grouped: BTreeSet<(GuardId, usize)> = keys.iter().filter_map(|k| k.home).collect();
        let mut added = Vec::new();
        for item in &scope.items {
            let Source::Guard(id) = item.source else { continue };
            let Some((relation, _)) = self.guarded_table(id) else {
                continue;
            };
            let is_key = |number: i16| {
                item.columns.iter().any(|c| {
                    !c.origin_lost
                        && c.origin.is_some_and(|o| o.column == number)
                        && c.home.is_some_and(|h| grouped.contains(&h))
                })
            };
            if relation.primary_key.is_empty() || !relation.primary_key.iter().all(|&k| is_key(k)) {
                continue;
            }
            for column in &item.columns {
                let Some(home) = column.home else { continue };
                let groupable = column
                    .ty
                    .and_then(|t| self.world.catalog.types.get(&t))
                    .is_none_or(|t| t.has_equality);
                if self.used.contains(&home) && !grouped.contains(&home) && groupable {
                    added.push(format!(
                        "{}.{}",
                        quote_ident(&item.qualifier),
                        quote_ident(&column.name)
                    ));
                }
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        let first = select
            .group_clause
            .iter()
            .filter_map(crate::sql::census::extent)
            .map(|(at, _)| at)
            .min();
        let tokens = self.tokens()?;
        let first = tokens.at(first.ok_or_else(lost)?).ok_or_else(lost)?;
        let group = tokens.back_to(first, Token::GroupP).ok_or_else(lost)?;
        let end = tokens.clause_end(group + 1);
        let at = tokens.bytes(group..end).ok_or_else(lost)?.end;
        self.unit_mut()?
            .splices
            .insert(at, format!(", {}", added.join(", ")), SpliceKind::GroupBy);
        Ok(())
    }
}

/// Does a filter hold a column constant, by an equality that every row has to fulfil?
fn holds_constant(rows: &Rows) -> bool {
    let Rows::Where(predicate) = rows else { return false };
    let Ok(parsed) = pg_query::parse(&format!("SELECT WHERE {predicate}"), ParserOptions::DEFAULT) else {
        return true;
    };
    let statement = parsed.protobuf.stmts.first().and_then(|s| s.stmt.as_ref());
    let Some(NodeEnum::SelectStmt(select)) = statement.and_then(|s| s.node.as_ref()) else {
        return true;
    };
    let mut terms = Vec::new();
    if let Some(condition) = select.where_clause.as_deref() {
        super::condition::flatten(condition, &mut terms);
    }
    terms.iter().any(|term| match term.node.as_ref() {
        Some(NodeEnum::AExpr(e)) => {
            e.kind() == AExprKind::AexprOp && e.name.last().and_then(string_of).is_some_and(|symbol| symbol == "=")
        }
        Some(NodeEnum::BoolExpr(b)) => b.boolop() != BoolExprType::OrExpr,
        Some(NodeEnum::ColumnRef(_)) => true,
        Some(_) | None => false,
    })
}
