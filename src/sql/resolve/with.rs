//! WITH: its queries in the order in which they are read, those that write, and their columns.

use super::scope::{Col, Cte, Scope};
use super::{Analysis, lost, string_of, unsupported};
use crate::name::quote_ident;
use crate::refusal::{Refusal, SqlState};
use crate::sql::census::census_of_node;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{CommonTableExpr, Node, SetOperation, Token, WithClause};
use std::collections::BTreeSet;
use std::rc::Rc;

impl Analysis<'_> {
    /// Reads WITH; its queries are visible to what follows.
    pub fn with_clause(&mut self, with: &WithClause, scope: &mut Scope<'_>) -> Result<(), Refusal> {
        if with.recursive {
            // a name that is used before its query has been read must not mean a table
            for node in &with.ctes {
                let Some(NodeEnum::CommonTableExpr(cte)) = node.node.as_ref() else {
                    return Err(lost());
                };
                scope.ctes.push(Rc::new(Cte::new(&cte.ctename, None)));
            }
        }
        for node in in_order(with) {
            let Some(NodeEnum::CommonTableExpr(cte)) = node.node.as_ref() else {
                return Err(lost());
            };
            let query = cte.ctequery.as_ref().and_then(|q| q.node.as_ref()).ok_or_else(lost)?;
            let NodeEnum::SelectStmt(select) = query else {
                self.writing_cte(cte, query, scope)?;
                continue;
            };
            if select.into_clause.is_some() {
                return Err(unsupported("SELECT INTO inside a query"));
            }
            let union = with.recursive && select.op() == SetOperation::SetopUnion;
            let mut columns = self.query(select, Some(scope), false, union.then_some(&**cte))?;
            name_columns(&mut columns, &cte.aliascolnames);
            for column in &mut columns {
                column.reach = column.reach.from_outside();
                column.home = None;
            }
            self.search_and_cycle(cte, &mut columns)?;
            scope.ctes.retain(|c| c.name != cte.ctename || c.columns.is_some());
            scope.ctes.push(Rc::new(Cte::new(&cte.ctename, Some(columns))));
        }
        Ok(())
    }

    /// Reads a common table expression that writes.
    fn writing_cte(&mut self, cte: &CommonTableExpr, query: &NodeEnum, scope: &mut Scope<'_>) -> Result<(), Refusal> {
        if scope.parent.is_some() {
            let message = "WITH clause containing a data-modifying statement must be at the top level";
            return Err(self.place(
                Refusal::new("nested-write", SqlState::FeatureNotSupported, message),
                cte.location,
            ));
        }
        let wrote = self.write(query, Some(scope))?;
        let mut columns = wrote.columns;
        name_columns(&mut columns, &cte.aliascolnames);
        if let Some(check) = &wrote.check {
            if cte.aliascolnames.is_empty() {
                self.tell_apart(cte, check, &mut columns)?;
            } else {
                self.name_check(cte.location, check)?;
            }
        }
        scope.ctes.retain(|c| c.name != cte.ctename || c.columns.is_some());
        let mut read = Cte::new(&cte.ctename, Some(columns));
        read.check = wrote.check;
        scope.ctes.push(Rc::new(read));
        Ok(())
    }

    /// The columns of a common table expression that writes are named one by one, because its check must not show: those
    /// of one name get names of rowgate's own.
    fn tell_apart(&mut self, cte: &CommonTableExpr, check: &str, columns: &mut [Col]) -> Result<(), Refusal> {
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        let shared = |name: &String| names.iter().filter(|n| *n == name).count() > 1;
        for (place, column) in columns.iter_mut().enumerate().filter(|(_, c)| shared(&c.name)) {
            column.sent = Some(format!("rowgate:column:{}", place + 1));
        }
        if columns.iter().all(|c| c.sent.is_none()) {
            return Ok(());
        }
        let names = columns.iter().map(|c| c.sent.as_deref().unwrap_or(&c.name));
        let list: Vec<String> = std::iter::once(check).chain(names).map(quote_ident).collect();
        let tokens = self.tokens()?;
        let first = tokens.at_location(cte.location).ok_or_else(lost)?;
        let at = tokens.bytes(first..first + 1).ok_or_else(lost)?.end;
        let text = format!("({})", list.join(", "));
        self.unit_mut()?.splices.insert(at, text, SpliceKind::Label);
        Ok(())
    }

    /// The columns of a query whose first one is a check are named by place, behind the name at `location`: the check's
    /// comes before them.
    pub(super) fn name_check(&mut self, location: i32, check: &str) -> Result<(), Refusal> {
        let tokens = self.tokens()?;
        let first = tokens.at_location(location).ok_or_else(lost)?;
        let end = tokens.statement_end(first)?;
        let list = tokens.top_level(first, end, Token::Ascii40).ok_or_else(lost)?;
        let at = tokens.bytes(list..list + 1).ok_or_else(lost)?.end;
        let text = format!("{},", quote_ident(check));
        self.unit_mut()?.splices.insert(at, text, SpliceKind::Label);
        Ok(())
    }

    fn search_and_cycle(&mut self, cte: &CommonTableExpr, columns: &mut Vec<Col>) -> Result<(), Refusal> {
        let extra = |name: &str| Col {
            name: name.to_owned(),
            ..Col::default()
        };
        if let Some(search) = &cte.search_clause {
            columns.push(extra(&search.search_seq_column));
        }
        if let Some(cycle) = &cte.cycle_clause {
            // it compares the rows that it has been to
            self.raises = true;
            let empty = Scope::default();
            for value in [cycle.cycle_mark_value.as_deref(), cycle.cycle_mark_default.as_deref()]
                .into_iter()
                .flatten()
            {
                self.expression(value, &empty)?;
            }
            columns.push(extra(&cycle.cycle_mark_column));
            columns.push(extra(&cycle.cycle_path_column));
        }
        Ok(())
    }
}

/// The queries of a WITH, each behind those that it names. Queries that name each other, which PostgreSQL refuses, keep
/// their order.
fn in_order(with: &WithClause) -> Vec<&Node> {
    let named = |node: &Node| match node.node.as_ref() {
        Some(NodeEnum::CommonTableExpr(cte)) => cte.ctename.clone(),
        Some(_) | None => String::new(),
    };
    let mut open: Vec<(&Node, String, BTreeSet<String>)> = with
        .ctes
        .iter()
        .map(|node| {
            let relations = census_of_node(node).relations;
            let bare = relations.into_iter().filter(|r| r.schema.is_empty()).map(|r| r.name);
            (node, named(node), bare.collect())
        })
        .collect();
    let mut order = Vec::with_capacity(open.len());
    while !open.is_empty() {
        let waits = |(_, own, names): &(&Node, String, BTreeSet<String>)| {
            open.iter().any(|(_, other, _)| other != own && names.contains(other))
        };
        let next = match with.recursive {
            true => open.iter().position(|item| !waits(item)).unwrap_or(0),
            false => 0,
        };
        order.push(open.remove(next).0);
    }
    order
}

/// Gives the first columns the names of a list.
pub(super) fn name_columns(columns: &mut [Col], names: &[Node]) {
    for (column, name) in columns.iter_mut().zip(names) {
        if let Some(name) = string_of(name) {
            name.clone_into(&mut column.name);
        }
    }
}
