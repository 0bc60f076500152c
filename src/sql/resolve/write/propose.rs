//! WHEN NOT MATCHED THEN INSERT: which columns get values, what the policy fills in, and the check of what is proposed.

use super::assign::no_such_column;
use super::merge::changed_before;
use super::target::{Doing, Target};
use crate::name::quote_ident;
use crate::policy::Writes;
use crate::refusal::{Refusal, SqlState};
use crate::sql::raise::column_denied;
use crate::sql::resolve::scope::Scope;
use crate::sql::resolve::{Analysis, lost, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{MergeWhenClause, Node, Token};
use std::collections::BTreeSet;
use std::ops::Range;

impl Analysis<'_> {
    /// The check of the row that a WHEN NOT MATCHED would insert. Its values are repeated in it, so that they must be
    /// such as have one value each time. `returns`: the client reads the new row.
    pub(super) fn proposed(
        &mut self,
        clause: &MergeWhenClause,
        when: usize,
        target: &Target,
        source: &Scope<'_>,
        returns: bool,
    ) -> Result<Option<String>, Refusal> {
        let before = self.renames;
        for value in &clause.values {
            self.stored_value(value, source, "MERGE")?;
        }
        let Some(writes) = target.writes() else { return Ok(None) };
        if !writes.inserts() {
            return Err(self.denied_to(&target.relation, Doing::Insert));
        }
        let columns = self.merge_columns(clause, target, writes)?;
        let places = self.merge_values(clause, when)?;
        let mut proposed = Vec::new();
        for ((column, value), bytes) in columns.iter().zip(&clause.values).zip(&places) {
            if !is_default(value) {
                proposed.push((*column, self.tokens()?.slice(bytes.clone()).to_owned()));
            }
        }
        let given: BTreeSet<usize> = proposed.iter().map(|(at, _)| *at).collect();
        if let Some(column) = writes.unsettable(&given) {
            return Err(column_denied(&target.relation.name.name, &column.name));
        }
        proposed.extend(self.fill_proposed(clause, when, &columns, &places, writes)?);
        if writes.insert_check(&given, returns).is_none() {
            return Ok(None);
        }
        if writes.changes_before() {
            return Err(changed_before(&target.relation.name.name));
        }
        let known = proposed.iter().map(|(at, _)| *at).collect();
        if let Some(column) = writes.left_to_default(&known) {
            let what = format!("MERGE that leaves column {} to its default", column.name);
            return Err(unsupported(&what).hint("Give it a value."));
        }
        let repeatable = clause.values.iter().all(|v| self.is_repeatable(v)) && self.renames == before;
        if !repeatable {
            return Err(
                unsupported("MERGE that inserts values which are not the same each time, or subqueries")
                    .hint("Compute the values in the source query."),
            );
        }
        Ok(writes.proposed_check(&given, &proposed, returns))
    }

    /// The columns that are named, or the first ones that show.
    fn merge_columns(&self, clause: &MergeWhenClause, target: &Target, writes: &Writes) -> Result<Vec<usize>, Refusal> {
        let relation = &target.relation;
        let shows = |at: &usize| writes.columns.get(*at).is_some_and(|c| c.shows);
        let mut columns = Vec::new();
        if clause.target_list.is_empty() {
            columns.extend((0..relation.columns.len()).filter(shows).take(clause.values.len()));
        }
        for node in &clause.target_list {
            let Some(NodeEnum::ResTarget(column)) = node.node.as_ref() else {
                return Err(lost());
            };
            let at = relation.columns.iter().position(|c| c.name == column.name);
            let at = at.filter(shows);
            columns.push(at.ok_or_else(|| self.place(no_such_column(relation, &column.name), column.location))?);
        }
        if columns.len() < clause.values.len() {
            let message = "INSERT has more expressions than target columns";
            return Err(Refusal::new("insert-width", SqlState::SyntaxError, message));
        }
        if columns.len() > clause.values.len() && !clause.values.is_empty() {
            return Err(super::fill::too_few());
        }
        Ok(columns)
    }

    /// The bytes of the values of a WHEN.
    fn merge_values(&self, clause: &MergeWhenClause, when: usize) -> Result<Vec<Range<usize>>, Refusal> {
        let tokens = self.tokens()?;
        let mut places = Vec::with_capacity(clause.values.len());
        if clause.values.is_empty() {
            return Ok(places);
        }
        let end = tokens.statement_end(when)?;
        let mut at = tokens.top_level(when, end, Token::Values).ok_or_else(lost)? + 2;
        for _ in &clause.values {
            let end = tokens.item_end(at);
            places.push(tokens.bytes(at..end).ok_or_else(lost)?);
            at = end + 1;
        }
        Ok(places)
    }

    /// Fills in what the policy says where a column is left out or DEFAULT, and spells out the column list where it
    /// would be another; what is filled in.
    fn fill_proposed(
        &mut self,
        clause: &MergeWhenClause,
        when: usize,
        columns: &[usize],
        places: &[Range<usize>],
        writes: &Writes,
    ) -> Result<Vec<(usize, String)>, Refusal> {
        let default = |at: usize| writes.columns.get(at).and_then(|c| c.default.clone());
        let mut filled = Vec::new();
        for ((at, value), bytes) in columns.iter().zip(&clause.values).zip(places) {
            if let Some(own) = default(*at).filter(|_| is_default(value)) {
                let splices = &mut self.unit_mut()?.splices;
                splices.replace(bytes.clone(), own.clone(), SpliceKind::Insert);
                filled.push((*at, own));
            }
        }
        let left_out: Vec<(usize, String)> = (0..writes.columns.len())
            .filter(|at| !columns.contains(at))
            .filter_map(|at| Some((at, default(at)?)))
            .collect();
        let listed = !clause.target_list.is_empty();
        let hides = writes.columns.iter().any(|c| !c.shows);
        let by_default = clause.values.is_empty();
        if left_out.is_empty() && (listed || by_default || !hides) {
            return Ok(filled);
        }
        let names = |all: &mut dyn Iterator<Item = usize>| -> String {
            let names = all
                .filter_map(|at| writes.columns.get(at))
                .map(|c| quote_ident(&c.name));
            names.collect::<Vec<_>>().join(", ")
        };
        let mut added = left_out.iter().map(|(at, _)| *at);
        let values = left_out.iter().map(|(_, v)| v.as_str()).collect::<Vec<_>>().join(", ");
        let tokens = self.tokens()?;
        let end = tokens.statement_end(when)?;
        let insert = tokens.top_level(when, end, Token::Then).ok_or_else(lost)? + 1;
        if by_default {
            // INSERT DEFAULT VALUES
            let bytes = tokens.bytes(insert + 1..insert + 3).ok_or_else(lost)?;
            let text = format!("({}) VALUES ({values})", names(&mut added));
            self.unit_mut()?.splices.replace(bytes, text, SpliceKind::Insert);
            filled.extend(left_out);
            return Ok(filled);
        }
        if listed {
            let close = tokens.past_closing(insert + 1).ok_or_else(lost)? - 1;
            let at = tokens.get(close).ok_or_else(lost)?.start;
            self.write_at(at, format!(", {}", names(&mut added)), SpliceKind::Insert)?;
        } else {
            let at = tokens.get(insert).ok_or_else(lost)?.end;
            let all = names(&mut columns.iter().copied().chain(added));
            self.write_at(at, format!("({all})"), SpliceKind::Insert)?;
        }
        if !values.is_empty() {
            let tokens = self.tokens()?;
            let open = tokens.top_level(insert, end, Token::Values).ok_or_else(lost)? + 1;
            let close = tokens.past_closing(open).ok_or_else(lost)? - 1;
            let at = tokens.get(close).ok_or_else(lost)?.start;
            self.write_at(at, format!(", {values}"), SpliceKind::Insert)?;
        }
        filled.extend(left_out);
        Ok(filled)
    }
}

fn is_default(value: &Node) -> bool {
    matches!(value.node.as_ref(), Some(NodeEnum::SetToDefault(_)))
}
