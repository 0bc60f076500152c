//! A Query that writes and gives rows of which the policy limits the number: it runs in a transaction of rowgate's
//! own, so that nothing of it is stored when a result is cut off.

use super::expect::Run;
use super::{End, Session};
use crate::gate::{Effect, Judged};
use crate::net::Fields;
use crate::refusal::Refusal;
use crate::wire::answer;

/// How far such a Query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enclosure {
    /// It runs.
    Open,
    /// The database is ready again: the transaction has to end.
    Ended,
}

/// A write, a result with a row limit and the end or beginning of a transaction in one Query: what follows a result
/// that is cut off would run all the same, and a COMMIT among it would keep the write.
pub(super) fn cannot_undo(run: &Run) -> Option<Refusal> {
    let statements = &run.text.judgement.statements;
    let controls = |s: &Judged| s.effect == Effect::Transaction;
    let writes = |s: &Judged| s.writes && !controls(s);
    let mixed = run.undoes && statements.iter().any(controls) && statements.iter().any(writes);
    mixed.then(|| {
        Refusal::unsupported(
            "limit-in-transaction",
            "a write beside a result with a row limit is not supported in a message that begins or ends a transaction",
        )
        .hint("Send the statements one by one.")
    })
}

impl Session<'_> {
    /// Opens the transaction, if the Query needs one and brings none of its own. `false` where the database has
    /// answered with an error, which the client has got.
    pub(super) async fn enclose(&mut self, run: &Run) -> Result<bool, End> {
        let brings_own = || {
            let mut statements = run.text.judgement.statements.iter();
            statements.any(|s| s.effect == Effect::Transaction)
        };
        if !run.undoes || brings_own() {
            return Ok(true);
        }
        self.drain().await?;
        if self.state.skipping || self.state.status != b'I' || self.state.segment_open {
            return Ok(!self.state.skipping);
        }
        self.back.own_query("BEGIN");
        if let Err(mut fields) = self.exchange(true, (0, 0)).await? {
            self.give_error(&mut fields);
            answer::ready_for_query(&mut self.client.output, self.state.status);
            return Ok(false);
        }
        self.enclosure = Some(Enclosure::Open);
        Ok(true)
    }

    /// Has a Query ended whose transaction has not?
    pub(super) fn enclosed_has_ended(&self) -> bool {
        self.enclosure == Some(Enclosure::Ended)
    }

    /// Ends the transaction: with what was done, unless that has failed or a result was `cut` off.
    pub(super) async fn end_enclosed(&mut self, cut: bool) -> Result<(), End> {
        self.enclosure = None;
        let stays = self.state.status == b'T' && !cut;
        self.back.own_query(if stays { "COMMIT" } else { "ROLLBACK" });
        if let Err(mut fields) = self.exchange(true, (0, 0)).await? {
            // a deferred constraint
            self.give_error(&mut fields);
        }
        self.transaction_ended();
        answer::ready_for_query(&mut self.client.output, self.state.status);
        Ok(())
    }

    fn give_error(&mut self, fields: &mut Fields) {
        self.filter_error(fields, None, true);
        fields.encode(b'E', &mut self.client.output);
    }
}
