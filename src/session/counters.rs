//! What is counted of sessions and their connections, for the operator.

use super::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Counts since the start, but for those that say what is now.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sessions that are logged in now.
    pub sessions: AtomicI64,
    /// How often a session took a shared connection up.
    pub taken: AtomicU64,
    /// How long sessions waited for one, in microseconds.
    pub waited: AtomicU64,
    /// How often none came free in time.
    pub refused: AtomicU64,
    /// How often a connection had to be given a session's settings.
    pub settings_put: AtomicU64,
    /// Statements that were prepared on a connection because they did not stand there.
    pub placed: AtomicU64,
    /// Sessions that are kept on their connection now, by [`Pin::ALL`].
    pinned: [AtomicI64; Pin::ALL.len()],
}

impl Counters {
    /// A session has a shared connection, after waiting so long.
    pub(super) fn took(&self, waited: Duration) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(micros, Ordering::Relaxed);
    }

    /// A session is kept on its connection for another reason than before.
    pub(super) fn repinned(&self, before: Option<Pin>, now: Option<Pin>) {
        for (pin, step) in [(before, -1), (now, 1)] {
            let counted = Pin::ALL.iter().zip(&self.pinned).find(|(p, _)| Some(**p) == pin);
            if let Some((_, count)) = counted {
                count.fetch_add(step, Ordering::Relaxed);
            }
        }
    }

    /// How many sessions are kept on their connection now, by reason.
    pub fn pinned(&self) -> impl Iterator<Item = (Pin, i64)> {
        let counts = self.pinned.iter().map(|c| c.load(Ordering::Relaxed));
        Pin::ALL.into_iter().zip(counts)
    }
}
