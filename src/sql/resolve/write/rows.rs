//! Which rows a statement writes: its own condition under the policy's.

use super::target::Target;
use crate::policy::Rows;
use crate::refusal::Refusal;
use crate::sql::resolve::scope::{Scope, Source};
use crate::sql::resolve::{Analysis, Clause, GuardSource, lost};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::protobuf::{Node, Token};

impl Analysis<'_> {
    /// Reads the condition of an UPDATE or DELETE and puts the rows that the person may write before it.
    pub fn row_filter(&mut self, target: &Target, condition: Option<&Node>, scope: &Scope<'_>) -> Result<(), Refusal> {
        if let Some(condition) = condition {
            self.condition(condition, scope, Clause::Where)?;
        }
        let Source::Target(id) = target.item.source else {
            return Ok(());
        };
        let GuardSource::Target { rows, .. } = &self.guards.get(id).ok_or_else(lost)?.source else {
            return Err(lost());
        };
        let reached = match rows {
            Rows::All => return Ok(()),
            Rows::None => "FALSE".to_owned(),
            Rows::Where(sql) => sql.clone(),
        };
        let tokens = self.tokens()?;
        let end = tokens.statement_end(target.first)?;
        let returning = tokens.top_level(target.first, end, Token::Returning).unwrap_or(end);
        let last = tokens.bytes(target.first..returning).ok_or_else(lost)?.end;
        if condition.is_none() {
            return self.write_at(last, format!("WHERE ({reached})"), SpliceKind::Filter);
        }
        let place = tokens
            .top_level(target.first, returning, Token::Where)
            .ok_or_else(lost)?;
        let word = tokens.bytes(place..place + 1).ok_or_else(lost)?;
        self.unit_mut()?
            .splices
            .replace(word, format!("WHERE ({reached}) AND ("), SpliceKind::Filter);
        self.write_at(last, ")".to_owned(), SpliceKind::Filter)
    }
}
