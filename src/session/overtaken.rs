//! Statements that wait in the database behind others, judged by rights that have ended meanwhile.

use super::expect::{Expect, Queue, Run};
use super::judging::Text;
use super::{End, Session};
use crate::refusal::{Refusal, SqlState};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long what was sent before a change may go on waiting for its turn: a change holds within a second.
const PATIENCE: Duration = Duration::from_millis(800);

impl Queue {
    /// What has not begun for certain: everything behind the first, and the first if it has more statements. And what its
    /// author can make last: data that the client sends.
    fn waiting(&self) -> impl Iterator<Item = &Run> {
        self.iter().enumerate().filter_map(|(at, entry)| match entry {
            Expect::Query(run) | Expect::Execute(run) => {
                let has_more = run.text.judgement.statements.len() > run.statement + 1 && run.portal.is_none();
                (at > 0 || has_more || run.copies).then_some(&**run)
            }
            Expect::Parse { .. }
            | Expect::Placed(_)
            | Expect::Bind { .. }
            | Expect::Describe(_)
            | Expect::CloseStatement { .. }
            | Expect::ClosePortal { .. }
            | Expect::Sync
            | Expect::Refused(_)
            | Expect::RefusedQuery(_) => None,
        })
    }
}

impl Session<'_> {
    /// The world has changed while something is under way. True where something waits behind it, which will be looked at.
    pub(super) fn world_moved_on(&mut self) -> bool {
        let generation = self.shared.world.current().generation;
        let waits = self.overtaken.is_none() && self.queue.waiting().any(|run| run.text.generation != generation);
        if waits {
            self.overtaken = Some(Instant::now() + PATIENCE);
        }
        waits
    }

    /// Puts the session out if its time is up and something waits that would be judged otherwise by now: it could go on
    /// waiting, behind somebody's lock, for as long as its author likes.
    pub(super) async fn end_overtaken(&mut self) -> Result<(), End> {
        if self.overtaken.is_none_or(|due| Instant::now() < due) {
            return Ok(());
        }
        self.overtaken = None;
        self.renew_world()?;
        let mut texts: Vec<Arc<Text>> = Vec::new();
        for run in self.queue.waiting() {
            let through = run.through.iter().map(|(_, source)| &source.text);
            for text in through.chain([&run.text]) {
                if !texts.iter().any(|known| Arc::ptr_eq(known, text)) {
                    texts.push(Arc::clone(text));
                }
            }
        }
        for text in texts {
            if self.same_rights(&text).await.is_err() {
                let message = "terminating connection because your rights have changed while statements were waiting";
                let refusal = Refusal::new("overtaken", SqlState::AdminShutdown, message);
                return Err(End::Fatal(refusal.hint("Connect again, and send them again.")));
            }
        }
        Ok(())
    }
}
