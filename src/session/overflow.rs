//! A result that reaches the policy's row limit: the client gets 53400, the rest is thrown away.
//!
//! The database is cancelled only if the rest is long in coming: a short rest has been sent already, and a
//! cancel that comes late would hit the next statement.

use super::expect::Expect;
use super::{End, Session};
use crate::net::Fields;
use crate::refusal::Refusal;
use crate::wire::answer;
use std::time::Duration;
use tokio::time::Instant;

/// How much of the rest is thrown away before the database is cancelled.
const PATIENCE_BYTES: usize = 1 << 20;
/// How long.
const PATIENCE: Duration = Duration::from_millis(200);

/// A result that was cut off and has not ended yet.
pub(super) struct Overflow {
    since: Instant,
    swallowed: usize,
    /// Whether the database has read the request.
    cancel: Option<tokio::task::JoinHandle<bool>>,
    /// It is in a Query, or its Sync has been sent: ReadyForQuery ends it.
    synced: bool,
    /// The server has failed by itself.
    failed: bool,
    ended: bool,
}

impl Overflow {
    pub fn swallowed(&mut self, bytes: usize) {
        self.swallowed += bytes;
    }

    /// When the database is to be cancelled.
    pub fn cancel_at(&self) -> Option<Instant> {
        if self.cancel.is_some() || self.ended {
            None
        } else if self.swallowed > PATIENCE_BYTES {
            Some(Instant::now())
        } else {
            Some(self.since + PATIENCE)
        }
    }

    pub fn ready(&mut self) {
        self.ended = true;
    }

    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

impl Session<'_> {
    /// The statement in front of the queue may give no more rows.
    pub(super) fn begin_overflow(&mut self, refusal: Refusal) {
        let none = self.held.is_open();
        self.held.clear();
        Fields::of_refusal("ERROR", &refusal, None).encode(b'E', &mut self.client.output);
        let synced = match self.queue.take_front() {
            Some(Expect::Query(mut run)) => {
                run.silence(none);
                self.record_cut(&run, &refusal);
                self.queue.put_front(Expect::Query(run));
                true
            }
            Some(Expect::Execute(mut run)) => {
                run.silence(none);
                self.record_cut(&run, &refusal);
                self.queue.put_front(Expect::Execute(run));
                let synced = self.queue.has_sync();
                self.state.skipping = !synced;
                synced
            }
            _ => return,
        };
        self.state.unlistens = false;
        self.overflow = Some(Overflow {
            since: Instant::now(),
            swallowed: 0,
            cancel: None,
            synced,
            failed: false,
            ended: false,
        });
    }

    /// Cancels the database if it has been given its time.
    pub(super) fn cancel_overflow(&mut self) {
        let (process, secret) = self.back.key();
        let Some(overflow) = &mut self.overflow else { return };
        if overflow.cancel_at().is_some_and(|at| at <= Instant::now()) {
            let connector = std::sync::Arc::clone(&self.shared.connector);
            overflow.cancel = Some(tokio::spawn(async move {
                let cancelled = connector.cancel(process, secret).await;
                if let Err(error) = &cancelled {
                    tracing::warn!(%error, "a result beyond its limit could not be cancelled");
                }
                cancelled.is_ok()
            }));
        }
    }

    /// The Execute whose result was cut off has ended, perhaps by an error.
    pub(super) fn overflow_statement_ended(&mut self, failed: bool) {
        if let Some(overflow) = &mut self.overflow
            && !overflow.synced
        {
            overflow.ended = true;
            overflow.failed = failed;
        }
    }

    /// Everything of the cut result has come: its transaction must have failed before anything else happens.
    pub(super) async fn end_overflow(&mut self) -> Result<(), End> {
        let Some(overflow) = self.overflow.take() else {
            return Ok(());
        };
        if let Some(cancel) = overflow.cancel
            && !matches!(cancel.await, Ok(true))
        {
            self.registration.lose();
        }
        if overflow.synced && self.enclosure.is_some() {
            self.end_enclosed(true).await?;
        } else if overflow.synced {
            if self.state.status == b'T' {
                self.fail_quietly(false).await?;
            }
            answer::ready_for_query(&mut self.client.output, self.state.status);
        } else {
            if !overflow.failed {
                self.fail_quietly(true).await?;
            }
            self.state.skipping = true;
            self.state.segment_open = true;
        }
        Ok(())
    }
}
