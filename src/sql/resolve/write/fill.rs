//! What the policy fills in where an INSERT leaves a column out or says DEFAULT.

use super::insert::Given;
use super::target::Target;
use crate::name::quote_ident;
use crate::policy::Writes;
use crate::refusal::{Refusal, SqlState};
use crate::sql::resolve::{Analysis, lost, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{SelectStmt, SetOperation, Token};

impl Analysis<'_> {
    /// Fills in the columns that the policy says and the statement leaves out, and spells out the column list where
    /// hidden columns would shift it.
    pub(super) fn fill(
        &mut self,
        select: Option<&SelectStmt>,
        given: &Given,
        target: &Target,
        writes: &Writes,
    ) -> Result<(), Refusal> {
        let left_out: Vec<(usize, &str)> = writes
            .columns
            .iter()
            .enumerate()
            .filter(|(at, _)| !given.columns.contains(at))
            .filter_map(|(at, c)| Some((at, c.default.as_deref()?)))
            .collect();
        // the table's own list would be another one
        let hidden = writes.columns.iter().any(|c| !c.shows) || target.through.is_some();
        if given.written && left_out.is_empty() || !hidden && left_out.is_empty() {
            return Ok(());
        }
        let names = |columns: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            columns
                .filter_map(|at| writes.columns.get(at))
                .map(|c| quote_ident(&c.name))
                .collect()
        };
        let added = names(&mut left_out.iter().map(|(at, _)| *at));
        let values: Vec<&str> = left_out.iter().map(|(_, value)| *value).collect();
        let after_name = self.after_target(target)?;
        if given.written {
            let tokens = self.tokens()?;
            let end = tokens.past_closing(after_name).ok_or_else(lost)?;
            let at = tokens.get(end - 1).ok_or_else(lost)?.start;
            self.write_at(at, format!(", {}", added.join(", ")), SpliceKind::Insert)?;
        } else if select.is_some() {
            let mut all = names(&mut given.columns.iter().copied());
            all.extend(added.iter().cloned());
            let at = self.tokens()?.bytes(after_name - 1..after_name).ok_or_else(lost)?.end;
            self.write_at(at, format!("({})", all.join(", ")), SpliceKind::Insert)?;
        }
        if !values.is_empty() {
            same_width(select, given)?;
            self.fill_values(select, &values.join(", "), &added, target)?;
        }
        Ok(())
    }

    /// DEFAULT means what the policy fills in.
    pub(super) fn fill_defaults(
        &mut self,
        select: Option<&SelectStmt>,
        given: &Given,
        target: &Target,
        writes: &Writes,
    ) -> Result<(), Refusal> {
        let Some(select) = select.filter(|s| !s.values_lists.is_empty()) else {
            return Ok(());
        };
        let filled: Vec<(usize, String)> = given
            .columns
            .iter()
            .enumerate()
            .filter_map(|(place, at)| Some((place, writes.columns.get(*at)?.default.clone()?)))
            .collect();
        if filled.is_empty() {
            return Ok(());
        }
        let rows = self.value_places(select, target)?;
        for (row, places) in select.values_lists.iter().zip(rows) {
            let Some(NodeEnum::List(list)) = row.node.as_ref() else {
                return Err(lost());
            };
            for (place, value) in &filled {
                let is_default = list
                    .items
                    .get(*place)
                    .is_some_and(|v| matches!(v.node.as_ref(), Some(NodeEnum::SetToDefault(_))));
                if let (true, Some(bytes)) = (is_default, places.get(*place)) {
                    let splices = &mut self.unit_mut()?.splices;
                    splices.replace(bytes.clone(), value.clone(), SpliceKind::Insert);
                }
            }
        }
        Ok(())
    }

    fn fill_values(
        &mut self,
        select: Option<&SelectStmt>,
        values: &str,
        added: &[String],
        target: &Target,
    ) -> Result<(), Refusal> {
        let Some(select) = select else {
            // DEFAULT VALUES
            let after_name = self.after_target(target)?;
            let tokens = self.tokens()?;
            let bytes = tokens.bytes(after_name..after_name + 2).ok_or_else(lost)?;
            let text = format!("({}) VALUES ({values})", added.join(", "));
            self.unit_mut()?.splices.replace(bytes, text, SpliceKind::Insert);
            return Ok(());
        };
        if select.values_lists.is_empty() {
            return self.fill_query(select, values);
        }
        for row in self.value_places(select, target)? {
            let at = row.last().ok_or_else(lost)?.end;
            self.write_at(at, format!(", {values}"), SpliceKind::Insert)?;
        }
        Ok(())
    }

    /// The values follow the select list of every SELECT that yields rows: a query around them all would make text of
    /// literals that take the type of the column.
    fn fill_query(&mut self, select: &SelectStmt, values: &str) -> Result<(), Refusal> {
        if select.op() != SetOperation::SetopNone {
            for arm in [&select.larg, &select.rarg] {
                self.fill_query(arm.as_deref().ok_or_else(lost)?, values)?;
            }
            return Ok(());
        }
        let last = select.target_list.last().and_then(|t| t.node.as_ref());
        let Some(NodeEnum::ResTarget(last)) = last.filter(|_| select.values_lists.is_empty()) else {
            return Err(left_out("VALUES within a query, or a SELECT of no columns,"));
        };
        let tokens = self.tokens()?;
        // TABLE is a select list that stands nowhere
        let start = tokens.at_location(last.location).ok_or_else(|| left_out("TABLE"))?;
        let end = tokens.get(tokens.item_end(start) - 1).ok_or_else(lost)?.end;
        self.write_at(end, format!(", {values}"), SpliceKind::Insert)
    }

    /// The token behind the table's name and alias.
    fn after_target(&self, target: &Target) -> Result<usize, Refusal> {
        let tokens = self.tokens()?;
        let mut end = tokens.name_end(target.first);
        if tokens.kind(end) == Some(Token::As) {
            end += 2;
        }
        Ok(end)
    }
}

/// Behind rows that are too short, what is filled in would stand in another column's place.
fn same_width(select: Option<&SelectStmt>, given: &Given) -> Result<(), Refusal> {
    let mut widths = select
        .iter()
        .flat_map(|s| &s.values_lists)
        .map(|row| match row.node.as_ref() {
            Some(NodeEnum::List(list)) => list.items.len(),
            Some(_) | None => 0,
        });
    let Some(first) = widths.next() else { return Ok(()) };
    if widths.any(|width| width != first) {
        let message = "VALUES lists must all be the same length";
        return Err(Refusal::new("values-width", SqlState::SyntaxError, message));
    }
    if first < given.columns.len() {
        return Err(too_few());
    }
    Ok(())
}

/// 42601 for a row that has no value for some of the columns that are named.
pub(super) fn too_few() -> Refusal {
    let message = "INSERT has more target columns than expressions";
    Refusal::new("insert-width", SqlState::SyntaxError, message)
}

fn left_out(of: &str) -> Refusal {
    unsupported(&format!(
        "INSERT of {of} that leaves out columns which the policy fills in"
    ))
    .hint("Write SELECT with its columns, or name the columns that are left out and give them values.")
}
