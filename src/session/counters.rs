//! What is counted of sessions and their connections, for the operator.

use super::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Reasons of refused logins that are counted by themselves.
const REFUSED_LOGINS: [&str; 4] = ["wrong-password", "locked", "no-access-rule", "not-in-directory"];

/// Counts since the start, but for those that say what is now.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sessions that are logged in now.
    pub sessions: AtomicI64,
    /// Logins that went through.
    pub logins: AtomicU64,
    /// Those that were refused, by [`REFUSED_LOGINS`]; the last for every other reason.
    refused_logins: [AtomicU64; REFUSED_LOGINS.len() + 1],
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

/// A session that is logged in, counted as long as this is held, however it ends.
pub(super) struct Counted<'c>(&'c AtomicI64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counters {
    /// One more session is logged in.
    pub(super) fn session(&self) -> Counted<'_> {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Counted(&self.sessions)
    }

    /// A session has a shared connection, after waiting so long.
    pub(super) fn took(&self, waited: Duration) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(micros, Ordering::Relaxed);
    }

    /// A login was refused.
    pub(super) fn refused_login(&self, code: &str) {
        let at = REFUSED_LOGINS.iter().position(|known| *known == code);
        if let Some(count) = self.refused_logins.get(at.unwrap_or(REFUSED_LOGINS.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many logins were refused, by reason.
    pub fn refused_logins(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused_logins.iter().map(|c| c.load(Ordering::Relaxed));
        REFUSED_LOGINS.into_iter().chain(["other"]).zip(counts)
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
