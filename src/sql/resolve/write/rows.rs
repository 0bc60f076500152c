//! Which rows a statement writes: its own condition under the policy's.

use super::target::{Doing, Target, reached};
use crate::policy::Rows;
use crate::refusal::Refusal;
use crate::sql::resolve::scope::Scope;
use crate::sql::resolve::{Analysis, Clause, lost};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::protobuf::{Node, Token};

impl Analysis<'_> {
    /// Reads the condition of an UPDATE or DELETE and puts the rows that the person may write before it.
    pub fn row_filter(
        &mut self,
        target: &Target,
        doing: Doing,
        condition: Option<&Node>,
        scope: &Scope<'_>,
    ) -> Result<(), Refusal> {
        if let Some(condition) = condition {
            self.condition(condition, scope, Clause::Where)?;
        }
        let Some(writes) = target.writes() else {
            return Ok(());
        };
        let of_view = target.through.as_ref().map_or(&[][..], |t| &t.conditions);
        // the rows of the policy in brackets, and in a bracket of its own what follows
        let (before, after) = match (reached(writes, doing), condition) {
            (Rows::All, _) if of_view.is_empty() => return Ok(()),
            (Rows::All, _) => ("WHERE ".to_owned(), ""),
            (Rows::None, None) if of_view.is_empty() => ("WHERE (FALSE)".to_owned(), ""),
            (Rows::None, _) => ("WHERE (FALSE) AND (".to_owned(), ")"),
            (Rows::Where(sql), None) if of_view.is_empty() => (format!("WHERE ({sql})"), ""),
            (Rows::Where(sql), _) => (format!("WHERE ({sql}) AND ("), ")"),
        };
        let conditions = of_view.join(" AND ");
        let tokens = self.tokens()?;
        let end = tokens.statement_end(target.first)?;
        let returning = tokens.top_level(target.first, end, Token::Returning).unwrap_or(end);
        let last = tokens.bytes(target.first..returning).ok_or_else(lost)?.end;
        if condition.is_none() {
            return self.write_at(last, format!("{before}{conditions}{after}"), SpliceKind::Filter);
        }
        let (opening, closing) = match of_view.is_empty() {
            true => (before, after.to_owned()),
            false => (format!("{before}{conditions} AND ("), format!("){after}")),
        };
        let place = tokens
            .top_level(target.first, returning, Token::Where)
            .ok_or_else(lost)?;
        let word = tokens.bytes(place..place + 1).ok_or_else(lost)?;
        self.unit_mut()?.splices.replace(word, opening, SpliceKind::Filter);
        self.write_at(last, closing, SpliceKind::Filter)
    }
}
