//! A transaction block that is aborted: everything but its end is answered with 25P02, whatever it is.

use super::judging::Verdict;
use super::{End, Session};
use crate::refusal::{Refusal, SqlState};

/// What PostgreSQL says to everything but the block's end.
pub(super) fn in_aborted() -> Refusal {
    Refusal::new(
        "aborted",
        SqlState::InFailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}

impl Session<'_> {
    /// Is the transaction block aborted, for sure? What has been sent since the last answer could have ended it.
    pub(super) async fn is_aborted(&mut self) -> Result<bool, End> {
        if self.state.status != b'E' || self.state.who.bypass {
            return Ok(false);
        }
        self.drain().await?;
        Ok(self.state.status == b'E' && !self.state.segment_open && !self.state.skipping)
    }

    /// What PostgreSQL answers a text in an aborted block, if that is an error.
    pub(super) async fn refused_in_aborted(&mut self, text: &str) -> Result<Option<Verdict>, End> {
        if text.len() > self.shared.config.limits.statement_bytes || !self.is_aborted().await? {
            return Ok(None);
        }
        Ok(match crate::sql::ends_aborted(text) {
            Ok(true) => None,
            Ok(false) => Some(Verdict::Refused(in_aborted())),
            Err(refusal) => Some(Verdict::Refused(refusal)),
        })
    }
}
