//! INSERT: which columns get values, what is filled in, and the check of the new row.

use super::target::{Doing, Target};
use super::{Place, Wrote};
use crate::policy::Writes;
use crate::refusal::{Refusal, SqlState};
use crate::sql::raise::column_denied;
use crate::sql::resolve::scope::Scope;
use crate::sql::resolve::{Analysis, lost, string_of, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{InsertStmt, Node, ResTarget, SelectStmt, SetOperation, Token};
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

/// The columns of an INSERT, in its order.
pub(super) struct Given {
    /// Their places in the relation.
    pub(super) columns: Vec<usize>,
    /// Those that get another value than their default in some row.
    valued: BTreeSet<usize>,
    /// The list is written in the statement.
    pub(super) written: bool,
}

impl Analysis<'_> {
    /// Reads INSERT.
    pub(super) fn insert(
        &mut self,
        insert: &InsertStmt,
        parent: Option<&Scope<'_>>,
        place: Place,
    ) -> Result<Wrote, Refusal> {
        let var = insert.relation.as_ref().ok_or_else(lost)?;
        let mut scope = Scope::inside(parent);
        if let Some(with) = &insert.with_clause {
            self.with_clause(with, &mut scope)?;
        }
        let returns = insert.returning_clause.is_some();
        let mut target = self.write_target(var, Doing::Insert, |relation, view, writes| {
            let every: BTreeSet<usize> = (0..relation.columns.len()).collect();
            !view.hides_rows()
                && view.all_columns_clear()
                && insert.on_conflict_clause.is_none()
                && writes.insert_check(&every, true).is_none()
                && writes.unsettable(&every).is_none()
                && writes.columns.iter().all(|c| c.default.is_none())
        })?;
        let select = match insert.select_stmt.as_ref().map(|s| s.node.as_ref()) {
            None => None,
            Some(Some(NodeEnum::SelectStmt(select))) => Some(&**select),
            Some(_) => return Err(lost()),
        };
        if select.is_none_or(|s| !s.values_lists.is_empty()) {
            self.few_rows(&mut target, Doing::Insert)?;
        }
        let width = match select {
            None => 0,
            Some(select) => self.source(select, &scope, &target)?,
        };
        let given = self.given(insert, select, width, &target)?;
        let mut check = None;
        if let Some(writes) = target.writes() {
            if let Some(column) = writes.unsettable(&given.valued) {
                return Err(column_denied(&target.relation.name.name, &column.name));
            }
            self.hold_unsettable(select, &given, &target, writes)?;
            self.fill_defaults(select, &given, &target, writes)?;
            self.fill(select, &given, &target, writes)?;
            // what rowgate fills in is the person's own, whether or not they may set the column themselves
            check = writes.insert_check(&given.valued, returns);
        }
        scope.items.push(Rc::clone(&target.item));
        if let Some(conflict) = &insert.on_conflict_clause {
            check = self.on_conflict(conflict, &target, &scope, (&given.valued, returns), check)?;
        }
        let check = target.checked(check);
        self.returning(insert.returning_clause.as_ref(), &target, &scope, check, place)
    }

    /// Reads the rows that are inserted; how many columns they have.
    fn source(&mut self, select: &SelectStmt, scope: &Scope<'_>, target: &Target) -> Result<usize, Refusal> {
        if !select.values_lists.is_empty() && select.with_clause.is_none() {
            let mut width = 0;
            for row in &select.values_lists {
                let Some(NodeEnum::List(list)) = row.node.as_ref() else {
                    return Err(lost());
                };
                width = width.max(list.items.len());
                for value in &list.items {
                    self.stored_value(value, scope, "VALUES")?;
                }
            }
            let plain = select.sort_clause.is_empty() && select.limit_count.is_none() && select.limit_offset.is_none();
            if !plain {
                return Err(unsupported("VALUES with ORDER BY, LIMIT or OFFSET in INSERT"));
            }
            return Ok(width);
        }
        let columns = self.query_of_write(select, scope)?;
        if target.writes().is_some() && columns.iter().any(|c| c.name.is_empty()) {
            return Err(unsupported("INSERT of a query whose columns are not known"));
        }
        Ok(columns.len())
    }

    /// The columns that get values.
    fn given(
        &mut self,
        insert: &InsertStmt,
        select: Option<&SelectStmt>,
        width: usize,
        target: &Target,
    ) -> Result<Given, Refusal> {
        if target
            .through
            .as_ref()
            .is_some_and(|t| t.view.columns.iter().any(|c| c.has_default))
        {
            return Err(unsupported("INSERT through a view that has defaults of its own"));
        }
        let mut columns = Vec::new();
        for node in &insert.cols {
            let Some(NodeEnum::ResTarget(column)) = node.node.as_ref() else {
                return Err(lost());
            };
            let at = self.assigned(target, column, Doing::Insert)?;
            self.plain_column(column)?;
            self.rename_assigned(target, column, at)?;
            columns.push(at);
        }
        let written = !insert.cols.is_empty();
        if !written {
            columns = unlisted(target, width)?;
        }
        if width > columns.len() {
            let message = "INSERT has more expressions than target columns";
            return Err(Refusal::new("insert-width", SqlState::SyntaxError, message));
        }
        let valued = columns
            .iter()
            .enumerate()
            .filter(|(place, _)| *place < width && !always_default(select, *place))
            .map(|(_, at)| *at)
            .collect();
        Ok(Given {
            columns,
            valued,
            written,
        })
    }

    fn plain_column(&self, column: &ResTarget) -> Result<(), Refusal> {
        if column.indirection.iter().all(|i| string_of(i).is_some()) {
            return Ok(());
        }
        Err(self.place(unsupported("INSERT into a part of a column"), column.location))
    }

    /// A column that the person may not set gets NULL or fails before anything is stored: afterwards a unique
    /// constraint would have told of others' values.
    fn hold_unsettable(
        &mut self,
        select: Option<&SelectStmt>,
        given: &Given,
        target: &Target,
        writes: &Writes,
    ) -> Result<(), Refusal> {
        let unset: Vec<(usize, usize)> = given
            .columns
            .iter()
            .enumerate()
            .filter(|(_, at)| given.valued.contains(at) && !writes.settable(**at))
            .map(|(place, at)| (place, *at))
            .collect();
        let Some((_, first)) = unset.first() else {
            return Ok(());
        };
        let denied = |at: &usize| {
            let name = writes.columns.get(*at).map_or("", |c| c.name.as_str());
            column_denied(&target.relation.name.name, name)
        };
        let select = select
            .filter(|s| !s.values_lists.is_empty())
            .ok_or_else(|| denied(first))?;
        let rows = self.value_places(select, target)?;
        for (row, places) in select.values_lists.iter().zip(rows) {
            let Some(NodeEnum::List(list)) = row.node.as_ref() else {
                return Err(lost());
            };
            for (place, at) in &unset {
                let (Some(value), Some(bytes)) = (list.items.get(*place), places.get(*place)) else {
                    continue;
                };
                if is_null_or_default(value) {
                    continue;
                }
                let (opening, closing) = writes.unset_value(*at).ok_or_else(lost)?;
                self.write_at(bytes.start, opening.to_owned(), SpliceKind::Insert)?;
                self.write_at(bytes.end, closing, SpliceKind::Assignment)?;
            }
        }
        Ok(())
    }

    /// The bytes of every value of VALUES, row by row.
    pub(super) fn value_places(&self, select: &SelectStmt, target: &Target) -> Result<Vec<Vec<Range<usize>>>, Refusal> {
        let tokens = self.tokens()?;
        let end = tokens.statement_end(target.first)?;
        let mut open = tokens.top_level(target.first, end, Token::Values).ok_or_else(lost)? + 1;
        let mut rows = Vec::new();
        for _ in &select.values_lists {
            let close = tokens.past_closing(open).ok_or_else(lost)?;
            let mut row = Vec::new();
            let mut value = open + 1;
            while value < close {
                let end = tokens.item_end(value);
                row.push(tokens.bytes(value..end).ok_or_else(lost)?);
                value = end + 1;
            }
            rows.push(row);
            open = close + 1;
        }
        Ok(rows)
    }
}

/// The columns of an INSERT that names none: the first ones that show.
fn unlisted(target: &Target, width: usize) -> Result<Vec<usize>, Refusal> {
    let shows = |at: &usize| {
        let writes = target.writes();
        writes.is_none_or(|w| w.columns.get(*at).is_some_and(|c| c.shows))
    };
    let Some(through) = &target.through else {
        return Ok((0..target.relation.columns.len()).filter(shows).take(width).collect());
    };
    let names = through.view.columns.iter().zip(through.every_place()).take(width);
    names
        .map(|(column, place)| {
            place.ok_or_else(|| {
                let view = &through.view.name.name;
                let message = format!("cannot insert into column \"{}\" of view \"{view}\"", column.name);
                Refusal::unsupported("view-column", message)
                    .detail("View columns that are not columns of their base relation are not updatable.")
            })
        })
        .collect()
}

/// Is a value the literal NULL, or DEFAULT?
fn is_null_or_default(value: &Node) -> bool {
    match value.node.as_ref() {
        Some(NodeEnum::SetToDefault(_)) => true,
        Some(NodeEnum::AConst(constant)) => constant.isnull,
        Some(_) | None => false,
    }
}

/// Is a column DEFAULT in every row of VALUES?
fn always_default(select: Option<&SelectStmt>, place: usize) -> bool {
    let Some(select) = select.filter(|s| !s.values_lists.is_empty() && s.op() == SetOperation::SetopNone) else {
        return false;
    };
    let default = |row: &Node| match row.node.as_ref() {
        Some(NodeEnum::List(list)) => {
            matches!(
                list.items.get(place).and_then(|v| v.node.as_ref()),
                Some(NodeEnum::SetToDefault(_)) | None
            )
        }
        Some(_) | None => false,
    };
    select.values_lists.iter().all(default)
}
