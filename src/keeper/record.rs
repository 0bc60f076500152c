//! The record of policies: each set that takes force is compared with the one before, told in the log, and kept with
//! the temporary rights. Nothing waits for it.

use super::{Source, count, report};
use crate::policy::load::Texts;
use crate::policy::reach::Counts;
use crate::rights::policies::{self, PolicyChange};
use crate::world::World;
use deadpool_postgres::Pool;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// How long git may take to say who made a set.
const GIT: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(2);
/// Changes that wait for a schema that is out of reach; what comes beyond is told in the log alone.
const MOST_WAITING: usize = 1_000;

/// A world and the texts that its policies were read from.
type Whole = (Arc<World>, Arc<Texts>);

/// A set of policies has taken force.
pub(super) struct Taken {
    pub(super) at: SystemTime,
    pub(super) before: Whole,
    pub(super) after: Whole,
}

/// Where it is told.
pub(super) struct Record {
    taken: mpsc::UnboundedSender<Taken>,
    #[expect(dead_code, reason = "ends with the keeper")]
    writing: AbortOnDropHandle<()>,
}

impl Record {
    pub(super) fn begin(source: &Source, pool: &Pool, first: Arc<Texts>) -> Self {
        let (taken, changes) = mpsc::unbounded_channel();
        let writer = Writer {
            source: source.clone(),
            pool: pool.clone(),
            waiting: VecDeque::new(),
            seen: None,
            trouble: String::new(),
        };
        Self {
            taken,
            writing: AbortOnDropHandle::new(tokio::spawn(writer.run(first, changes))),
        }
    }

    pub(super) fn take(&self, taken: Taken) {
        if self.taken.send(taken).is_err() {
            tracing::error!("what the new policies change is not told: the record has ended");
        }
    }
}

struct Writer {
    source: Source,
    pool: Pool,
    /// What is told and not yet kept.
    waiting: VecDeque<PolicyChange>,
    /// The number of the change that was kept last.
    seen: Option<i64>,
    /// Why the last attempt failed.
    trouble: String,
}

impl Writer {
    async fn run(mut self, first: Arc<Texts>, mut changes: mpsc::UnboundedReceiver<Taken>) {
        let author = self.author().await;
        self.wait(report::beginning(&first, author));
        loop {
            self.keep().await;
            tokio::select! {
                taken = changes.recv() => {
                    let Some(taken) = taken else { return };
                    let author = self.author().await;
                    // the last of several sets in a row is counted, the others would hold their worlds for too long
                    let counts = if changes.is_empty() {
                        count::count(&self.pool, &taken.before.0, &taken.after.0).await
                    } else {
                        Counts::new()
                    };
                    self.tell(taken, counts, author).await;
                }
                () = sleep(AGAIN), if !self.waiting.is_empty() => {}
            }
        }
    }

    /// Who made what is in force now.
    async fn author(&self) -> Option<String> {
        let directory = self.source.policies.clone();
        let asking = tokio::task::spawn_blocking(move || report::author(&directory));
        timeout(GIT, asking).await.ok()?.ok().flatten()
    }

    async fn tell(&mut self, taken: Taken, counts: Counts, author: Option<String>) {
        let comparing = tokio::task::spawn_blocking(move || {
            let Taken { at, before, after } = taken;
            let (before, after) = ((&*before.0.policies, &*before.1), (&*after.0.policies, &*after.1));
            let change = report::change(before, after, &counts, at, author);
            report::tell(&change);
            change
        });
        if let Ok(change) = comparing.await {
            self.wait(change);
        }
    }

    fn wait(&mut self, change: PolicyChange) {
        if self.source.rights.is_none() {
            return;
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(change);
        } else {
            tracing::error!(
                hash = change.hash,
                "too many changes of policies wait to be kept: this one is not"
            );
        }
    }

    /// Keeps what waits, in order, until something stands in the way.
    async fn keep(&mut self) {
        let Some(watch) = &self.source.rights else { return };
        while let Some(change) = self.waiting.front() {
            match policies::keep(watch, self.seen, change).await {
                Ok(number) => {
                    self.seen = Some(number);
                    self.waiting.pop_front();
                    self.trouble.clear();
                }
                Err(error) => {
                    let text = error.to_string();
                    if self.trouble != text {
                        tracing::error!("the change of policies holds, but cannot be kept yet: {text}");
                        self.trouble = text;
                    }
                    return;
                }
            }
        }
    }
}
