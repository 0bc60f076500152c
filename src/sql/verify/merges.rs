//! MERGE in the text that will be sent: what it matches, changes, removes and proposes is held to the policy.

use super::walk::Walk;
use super::writes::column_place;
use super::{Check, broken};
use crate::catalog::{Relation, Volatility};
use crate::policy::{Rows, Writes};
use crate::refusal::Refusal;
use crate::sql::census::census_of_node;
use crate::sql::raise::Raise;
use pg_query::NodeEnum;
use pg_query::protobuf::{CmdType, MergeMatchKind, MergeStmt, MergeWhenClause, Node, Token};
use std::collections::BTreeSet;
use std::ops::Range;

impl Check<'_> {
    /// Judges a MERGE.
    pub(super) fn merged_rows(
        &self,
        merge: &MergeStmt,
        (relation, writes): (&Relation, &Writes),
        walk: &Walk<'_>,
        first: usize,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        let end = walk.end(first);
        let mut when = walk
            .top_level(first, end, Token::When)
            .ok_or_else(|| broken("a MERGE without a case"))?;
        self.matched(&writes.view, walk, first, when, explained)?;
        for node in &merge.merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(clause)) = node.node.as_ref() else {
                return Err(broken("a case of an unknown kind"));
            };
            let next = walk.top_level(when + 1, end, Token::When).unwrap_or(end);
            let returns = merge.returning_clause.is_some();
            self.case(clause, (relation, writes, returns), walk, when..next, explained)?;
            when = next;
        }
        self.checked(None, merge.returning_clause.as_ref(), explained)
    }

    /// `ON (rows that show) AND (the client's condition)`, to the first WHEN.
    fn matched(
        &self,
        view: &Rows,
        walk: &Walk<'_>,
        first: usize,
        when: usize,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        let sql = match view {
            Rows::All => return Ok(()),
            Rows::None => "FALSE",
            Rows::Where(sql) => sql,
        };
        let mut on = first;
        while let Some(next) = walk.top_level(on + 1, when, Token::On) {
            on = next;
        }
        let start = walk.start(on);
        let head = format!("ON ({sql})");
        let after = walk.step(on + 1);
        let held = self.text.get(start..).is_some_and(|t| t.starts_with(&head))
            && walk.finish(after - 1) == start + head.len()
            && walk.kind(after) == Some(Token::And)
            && walk.kind(after + 1) == Some(Token::Ascii40)
            && walk.step(after + 1) == when;
        if !held {
            return Err(broken("a MERGE that matches other rows"));
        }
        explained.push(start..start + head.len());
        Ok(())
    }

    fn case(
        &self,
        clause: &MergeWhenClause,
        (relation, writes, returns): (&Relation, &Writes, bool),
        walk: &Walk<'_>,
        tokens: Range<usize>,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        let allowed = match clause.command_type() {
            CmdType::CmdNothing if clause.condition.is_none() => return Ok(()),
            CmdType::CmdNothing => None,
            CmdType::CmdUpdate => {
                self.stored(&clause.target_list, relation, writes, true, walk, explained)?;
                self.rows_allowed(&writes.edit, relation)
            }
            CmdType::CmdDelete => self.rows_allowed(&writes.delete, relation),
            CmdType::CmdInsert => self.row_allowed(clause, relation, writes, returns, walk, &tokens)?,
            _ => return Err(broken("an action of an unknown kind")),
        };
        let unmatched = clause.match_kind() == MergeMatchKind::MergeWhenNotMatchedBySource;
        let hidden = match &writes.view {
            Rows::Where(sql) if unmatched => format!("WHEN ({sql}) IS NOT TRUE THEN FALSE "),
            Rows::None if unmatched => "WHEN (FALSE) IS NOT TRUE THEN FALSE ".to_owned(),
            Rows::All | Rows::None | Rows::Where(_) => String::new(),
        };
        if allowed.is_none() && hidden.is_empty() {
            return Ok(());
        }
        let allowed = allowed.unwrap_or_else(|| "TRUE".to_owned());
        let then = walk
            .top_level(tokens.start, tokens.end, Token::Then)
            .ok_or_else(|| broken("a case without an action"))?;
        let and = walk
            .top_level(tokens.start, then, Token::And)
            .ok_or_else(|| broken("a case without its condition"))?;
        let start = walk.start(and);
        let text = self.text.get(start..walk.finish(then - 1)).unwrap_or_default();
        let alone = match hidden.as_str() {
            "" => format!("AND {allowed}"),
            hidden => format!("AND CASE {hidden}ELSE {allowed} END"),
        };
        if text == alone {
            explained.push(start..start + text.len());
            return Ok(());
        }
        // AND CASE WHEN … WHEN (the client's condition) THEN … ELSE FALSE END
        let head = format!("AND CASE {hidden}WHEN (");
        let bracket = walk
            .at(start + head.len() - 1)
            .filter(|at| text.starts_with(&head) && walk.kind(*at) == Some(Token::Ascii40))
            .ok_or_else(|| broken("a case whose condition is not the policy's"))?;
        let tail = format!(") THEN {allowed} ELSE FALSE END");
        let tail_at = walk.finish(walk.step(bracket) - 1).saturating_sub(1);
        let held = walk.kind(and + 1) == Some(Token::Case)
            && walk.step(and + 1) == then
            && self.text.get(tail_at..walk.finish(then - 1)) == Some(tail.as_str());
        if !held {
            return Err(broken("a case whose condition is not the policy's"));
        }
        explained.push(start..start + head.len());
        explained.push(tail_at..tail_at + tail.len());
        Ok(())
    }

    fn rows_allowed(&self, rows: &Rows, relation: &Relation) -> Option<String> {
        let raise = Raise::Target {
            table: relation.name.name.clone(),
        }
        .sql();
        match rows {
            Rows::All => None,
            Rows::None => Some(format!("({raise})::pg_catalog.bool")),
            Rows::Where(sql) => Some(format!(
                "CASE WHEN ({sql}) IS NOT TRUE THEN ({raise})::pg_catalog.bool ELSE TRUE END"
            )),
        }
    }

    /// Does a value read nothing but its row, and call no function whose result may differ from call to call?
    fn is_the_same_each_time(&self, value: &Node) -> bool {
        let census = census_of_node(value);
        let functions = &self.world.catalog.functions;
        let stable = |(name, _): &(Vec<String>, i32)| {
            let candidates = name.last().and_then(|n| functions.get(n));
            candidates.is_some_and(|all| all.iter().all(|f| f.volatility != Volatility::Volatile))
        };
        census.queries == 0 && census.functions.iter().all(stable)
    }

    /// The check of the row that is proposed, over the values as they stand in the text.
    fn row_allowed(
        &self,
        clause: &MergeWhenClause,
        relation: &Relation,
        writes: &Writes,
        returns: bool,
        walk: &Walk<'_>,
        tokens: &Range<usize>,
    ) -> Result<Option<String>, Refusal> {
        let columns: Vec<usize> = if clause.target_list.is_empty() {
            if writes.columns.iter().any(|c| !c.shows) && !clause.values.is_empty() {
                return Err(broken("a proposed row without its columns"));
            }
            (0..relation.columns.len()).collect()
        } else {
            let names = clause.target_list.iter().map(|node| match node.node.as_ref() {
                Some(NodeEnum::ResTarget(column)) => column_place(relation, &column.name),
                Some(_) | None => Err(broken("a column of an unknown kind")),
            });
            names.collect::<Result<_, _>>()?
        };
        let mut given = BTreeSet::new();
        let mut proposed = Vec::new();
        if let Some(values) = walk.top_level(tokens.start, tokens.end, Token::Values) {
            let close = walk.step(values + 1) - 1;
            let mut at = values + 2;
            for (column, value) in columns.iter().zip(&clause.values) {
                let mut next = at;
                while next < close && walk.kind(next) != Some(Token::Ascii44) {
                    next = walk.step(next);
                }
                let sql = self.text.get(walk.start(at)..walk.finish(next - 1)).unwrap_or_default();
                if self.fills_in(value) {
                    let own = writes.columns.get(*column).and_then(|c| c.default.as_deref());
                    if own != Some(sql) {
                        return Err(broken("a proposed value that the policy does not fill in"));
                    }
                    proposed.push((*column, sql.to_owned()));
                } else if !matches!(value.node.as_ref(), Some(NodeEnum::SetToDefault(_))) {
                    given.insert(*column);
                    proposed.push((*column, sql.to_owned()));
                }
                at = next + 1;
            }
        }
        if writes.unsettable(&given).is_some() {
            return Err(broken("a column that may not be set"));
        }
        if writes.insert_check(&given, returns).is_none() {
            return Ok(None);
        }
        let known = proposed.iter().map(|(at, _)| *at).collect();
        if writes.left_to_default(&known).is_some() || writes.changes_before() {
            return Err(broken("a proposed row that cannot be checked"));
        }
        if !clause.values.iter().all(|value| self.is_the_same_each_time(value)) {
            return Err(broken("a proposed value that is evaluated twice"));
        }
        Ok(writes.proposed_check(&given, &proposed, returns))
    }
}
