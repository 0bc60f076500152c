//! A Query that writes and gives rows of which the policy limits the number: it runs in a transaction of rowgate's
//! own, so that nothing of it is stored when a result is cut off.

use super::expect::Run;
use super::{End, Session};
use crate::gate::{Effect, Judged};
use crate::net::{Fields, frame};
use crate::refusal::Refusal;
use crate::wire::answer;
use bytes::BytesMut;

/// How far such a Query is.
#[derive(Debug, Default)]
pub(super) struct Enclosure {
    /// The database is ready again: the transaction has to end.
    pub has_ended: bool,
    /// What says that the last statement is complete: PostgreSQL says so when the transaction has ended well.
    tag: BytesMut,
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
        self.enclosure = Some(Enclosure::default());
        Ok(true)
    }

    /// Keeps the last statement's CommandComplete until the transaction has ended.
    pub(super) fn holds_tag(&mut self, run: &Run, tag: u8, body: &[u8]) -> bool {
        let is_last = run.statement + 1 == run.text.judgement.statements.len();
        match &mut self.enclosure {
            Some(enclosure) if is_last => {
                frame::put(&mut enclosure.tag, tag, |out| out.extend_from_slice(body));
                true
            }
            Some(_) | None => false,
        }
    }

    /// Has a Query ended whose transaction has not?
    pub(super) fn enclosed_has_ended(&self) -> bool {
        self.enclosure.as_ref().is_some_and(|enclosure| enclosure.has_ended)
    }

    /// Ends the transaction: with what was done, unless that has failed or a result was `cut` off.
    pub(super) async fn end_enclosed(&mut self, cut: bool) -> Result<(), End> {
        let tag = self.enclosure.take().map(|enclosure| enclosure.tag).unwrap_or_default();
        let stays = self.state.status == b'T' && !cut;
        self.state.unlistens &= stays;
        self.back.own_query(if stays { "COMMIT" } else { "ROLLBACK" });
        match self.exchange(true, (0, 0)).await? {
            // a deferred constraint
            Err(mut fields) => self.give_error(&mut fields),
            Ok(_) if stays => self.client.output.extend_from_slice(&tag),
            Ok(_) => {}
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
