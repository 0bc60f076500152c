//! Statements that write: the table stays where it stands, its rows are filtered in place, what is stored is held to
//! what may be stored, and each new row is checked.

mod assign;
mod conflict;
mod fill;
mod insert;
mod merge;
mod propose;
mod repeatable;
mod rows;
mod target;
mod through;
mod truncate;
mod updatable;
mod view;

use super::facts::Reach;
use super::scope::{Col, Scope};
use super::{Analysis, lost, unsupported};
use crate::gate::Returned;
use crate::policy::Rows;
use crate::refusal::{Refusal, SqlState};
use crate::sql::census::census_of_node;
use crate::sql::rewrite::splice::SpliceKind;
pub use conflict::EXCLUDED;
use pg_query::NodeEnum;
use pg_query::protobuf::{DeleteStmt, ReturningClause, Token, UpdateStmt};
pub use target::Doing;
use target::Target;

/// What a statement that writes came to.
#[derive(Debug)]
pub struct Wrote {
    /// What it returns to the client, or to the query around.
    pub columns: Vec<Col>,
    /// Which of the columns that the server returns are the client's.
    pub returned: Returned,
    /// It writes to an own temporary table.
    pub temp: bool,
    /// Where it stands in a WITH: the private column before its own that holds the check.
    pub check: Option<String>,
}

/// Where a statement that writes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// By itself.
    Top,
    /// In a WITH.
    Cte,
}

impl Analysis<'_> {
    /// Reads a statement that writes; `parent` is the level around it, where it stands in a WITH.
    pub fn write(&mut self, node: &NodeEnum, parent: Option<&Scope<'_>>) -> Result<Wrote, Refusal> {
        if self.unit != 0 {
            return Err(lost());
        }
        let place = if parent.is_some() { Place::Cte } else { Place::Top };
        match node {
            NodeEnum::InsertStmt(insert) => self.insert(insert, parent, place),
            NodeEnum::UpdateStmt(update) => self.update(update, parent, place),
            NodeEnum::DeleteStmt(delete) => self.delete(delete, parent, place),
            NodeEnum::MergeStmt(merge) => self.merge(merge, parent, place),
            _ => Err(lost()),
        }
    }

    fn update(&mut self, update: &UpdateStmt, parent: Option<&Scope<'_>>, place: Place) -> Result<Wrote, Refusal> {
        let var = update.relation.as_ref().ok_or_else(lost)?;
        let mut scope = Scope::inside(parent);
        if let Some(with) = &update.with_clause {
            self.with_clause(with, &mut scope)?;
        }
        let list = assign::read(&update.target_list)?;
        let mut target = self.write_target(var, Doing::Update, |relation, view, writes| {
            let set = assign::indexes(&list, relation);
            !view.hides_rows()
                && view.all_columns_clear()
                && writes.edit == Rows::All
                && writes.assigns_freely(&set)
                && writes.update_check(&set).is_none()
        })?;
        scope.items.push(std::rc::Rc::clone(&target.item));
        self.from_clause(&update.from_clause, &mut scope)?;
        self.few_rows_by_key(&mut target, Doing::Update, update.where_clause.as_deref(), &scope)?;
        let set = self.assign(&list, &target, &scope, false)?;
        self.row_filter(&target, Doing::Update, update.where_clause.as_deref(), &scope)?;
        let check = target.checked(target.writes().and_then(|w| w.update_check(&set)));
        self.returning(update.returning_clause.as_ref(), &target, &scope, check, place)
    }

    fn delete(&mut self, delete: &DeleteStmt, parent: Option<&Scope<'_>>, place: Place) -> Result<Wrote, Refusal> {
        let var = delete.relation.as_ref().ok_or_else(lost)?;
        let mut scope = Scope::inside(parent);
        if let Some(with) = &delete.with_clause {
            self.with_clause(with, &mut scope)?;
        }
        let mut target = self.write_target(var, Doing::Delete, |_, view, writes| {
            !view.hides_rows() && view.all_columns_clear() && writes.delete == Rows::All
        })?;
        scope.items.push(std::rc::Rc::clone(&target.item));
        self.from_clause(&delete.using_clause, &mut scope)?;
        self.few_rows_by_key(&mut target, Doing::Delete, delete.where_clause.as_deref(), &scope)?;
        self.row_filter(&target, Doing::Delete, delete.where_clause.as_deref(), &scope)?;
        self.returning(delete.returning_clause.as_ref(), &target, &scope, None, place)
    }

    /// Reads RETURNING and puts the check of the written row before it: what the client wants of a row is computed only
    /// once that may be written.
    fn returning(
        &mut self,
        clause: Option<&ReturningClause>,
        target: &Target,
        scope: &Scope<'_>,
        check: Option<String>,
        place: Place,
    ) -> Result<Wrote, Refusal> {
        let mut columns = Vec::new();
        if let Some(clause) = clause {
            if !clause.options.is_empty() {
                return Err(unsupported("RETURNING WITH names for OLD and NEW"));
            }
            let targets = self
                .target_list(&clause.exprs, scope)
                .map_err(|e| self.of_old_or_new(clause, e))?;
            for item in &targets {
                self.note(&item.facts);
            }
            columns = super::select::columns_of(targets, self.first_own);
            // only rows that were written are returned: nothing of a hidden one
            columns.iter_mut().for_each(|c| c.reach = Reach::default());
            if let Some(view) = &target.view {
                self.limit_rows(&target.relation, view);
            }
        }
        let mut wrote = Wrote {
            columns,
            returned: Returned::AsIs,
            temp: target.temp,
            check: None,
        };
        let Some(check) = check else { return Ok(wrote) };
        let tokens = self.tokens()?;
        let end = tokens.statement_end(target.first)?;
        let at = match clause {
            Some(_) => {
                let word = tokens.top_level(target.first, end, Token::Returning).ok_or_else(lost)?;
                tokens.bytes(word..word + 1).ok_or_else(lost)?.end
            }
            None => tokens.bytes(target.first..end).ok_or_else(lost)?.end,
        };
        let name = match place {
            Place::Top => String::new(),
            Place::Cte => {
                self.checks += 1;
                let name = format!("rowgate:check:{}", self.checks);
                let label = format!(" AS {}", crate::name::quote_ident(&name));
                wrote.check = clause.is_some().then_some(name);
                label
            }
        };
        let text = if clause.is_some() {
            wrote.returned = Returned::AllButFirst;
            format!("({check}){name},")
        } else {
            wrote.returned = Returned::Nothing;
            format!("RETURNING ({check}){name}")
        };
        self.unit_mut()?.splices.insert(at, text, SpliceKind::Check);
        Ok(wrote)
    }

    /// From PostgreSQL 18 on, RETURNING names the row before and after under OLD and NEW, unless a table is called so.
    fn of_old_or_new(&self, clause: &ReturningClause, refusal: Refusal) -> Refusal {
        let unknown = [SqlState::UndefinedColumn, SqlState::UndefinedTable].contains(&refusal.sqlstate);
        if self.world.catalog.server_version < 180_000 || !unknown {
            return refusal;
        }
        let mut columns = clause.exprs.iter().flat_map(|e| census_of_node(e).columns);
        let named = columns.find(|c| matches!(c.parts.first().map(String::as_str), Some("old" | "new")));
        named.map_or(refusal, |column| {
            let refusal =
                unsupported("OLD and NEW in RETURNING").hint("Return columns of the table by their own names.");
            self.place(refusal, column.location)
        })
    }
}
