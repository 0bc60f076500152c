//! What rowgate fills in where an INSERT or a MERGE leaves a column out: it is what the policy says of that column.

use super::{Check, broken};
use crate::policy::Writes;
use crate::refusal::Refusal;
use crate::sql::census::extent;
use crate::sql::rewrite::splice::{Placed, SpliceKind};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SelectStmt};

impl Check<'_> {
    /// Did rowgate write this value of a new row?
    pub(super) fn fills_in(&self, value: &Node) -> bool {
        self.filling(value).is_some()
    }

    fn filling(&self, value: &Node) -> Option<&Placed> {
        let (first, last) = extent(value)?;
        let placed = self.writes(first).filter(|p| p.kind == SpliceKind::Insert)?;
        (self.writes(last) == Some(placed)).then_some(placed)
    }

    /// How many columns at the end of a query rowgate fills in, in whichever SELECT yields the row.
    pub(super) fn filled_in(&self, select: &SelectStmt) -> usize {
        match (&select.larg, &select.rarg) {
            (Some(left), Some(right)) => self.filled_in(left).min(self.filled_in(right)),
            (Some(_), None) | (None, Some(_)) => 0,
            (None, None) => {
                let values = selected(select).into_iter().rev();
                values.take_while(|v| v.is_some_and(|v| self.fills_in(v))).count()
            }
        }
    }

    /// Is every value that rowgate filled in the policy's for its column? PostgreSQL refuses rows that are shorter or
    /// longer than the list of columns.
    pub(super) fn fills_in_the_policys(
        &self,
        select: &SelectStmt,
        columns: &[usize],
        writes: &Writes,
    ) -> Result<(), Refusal> {
        for arm in [&select.larg, &select.rarg].into_iter().flatten() {
            self.fills_in_the_policys(arm, columns, writes)?;
        }
        for row in &select.values_lists {
            let Some(NodeEnum::List(list)) = row.node.as_ref() else {
                return Err(broken("a row of no values"));
            };
            let values: Vec<Option<&Node>> = list.items.iter().map(Some).collect();
            self.are_the_policys(&values, columns, writes)?;
        }
        // a star may stand for many columns, so that places count from the end
        let values = selected(select);
        let shorter = values.len().min(columns.len());
        let of_list = columns.get(columns.len() - shorter..).unwrap_or_default();
        self.are_the_policys(
            values.get(values.len() - shorter..).unwrap_or_default(),
            of_list,
            writes,
        )
    }

    fn are_the_policys(&self, values: &[Option<&Node>], columns: &[usize], writes: &Writes) -> Result<(), Refusal> {
        let mut at = 0;
        while let Some(value) = values.get(at) {
            let Some(placed) = value.and_then(|v| self.filling(v)) else {
                at += 1;
                continue;
            };
            let of_splice = |v: &&Option<&Node>| v.and_then(|v| self.filling(v)) == Some(placed);
            let count = values.iter().skip(at).take_while(of_splice).count();
            let of_column = |column: &usize| writes.columns.get(*column)?.default.as_deref();
            let said: Option<Vec<&str>> = columns.iter().skip(at).take(count).map(of_column).collect();
            let said = said
                .filter(|said| said.len() == count)
                .ok_or_else(|| broken("a value where the policy fills in nothing"))?
                .join(", ");
            let piece = self.text.get(placed.sent.clone()).unwrap_or_default().trim();
            let held = piece == said
                || piece.strip_prefix(", ") == Some(said.as_str())
                || piece.ends_with(&format!(" VALUES ({said})"));
            if !held {
                return Err(broken("a value that the policy does not fill in"));
            }
            at += count;
        }
        Ok(())
    }
}

/// The values of a select list.
fn selected(select: &SelectStmt) -> Vec<Option<&Node>> {
    select
        .target_list
        .iter()
        .map(|t| match t.node.as_ref() {
            Some(NodeEnum::ResTarget(target)) => target.val.as_deref(),
            Some(_) | None => None,
        })
        .collect()
}
