//! What all sessions share.

use super::Cancels;
use super::doors::Doors;
use super::judging::Judgements;
use crate::audit::Audit;
use crate::backend::carried::Setting;
use crate::backend::{Connector, Parameters, Pool};
use crate::config::Config;
use crate::gate::SessionView;
use crate::login::Lockout;
use crate::login::used::Used;
use crate::rights::desk::Desk;
use crate::world::WorldHandle;
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The server's parts that a session uses.
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// The world.
    pub world: WorldHandle,
    /// What texts were judged to be.
    pub judgements: Judgements,
    /// Where commands of temporary rights are carried out, where these are used.
    pub desk: Option<Desk>,
    /// Connections to the database.
    pub pool: Pool,
    /// Makes connections outside of the pool.
    pub connector: Arc<Connector>,
    /// The record.
    pub audit: Audit,
    /// Who may be cancelled.
    pub cancels: Cancels,
    /// What logins are held to.
    pub doors: ArcSwap<Doors>,
    /// Makes up verifiers for unknown logins.
    pub mock_secret: [u8; 32],
    /// Stands in for the secret of whoever has none.
    pub mock_totp: String,
    /// What was good for one login only.
    pub used: Used,
    /// Failed logins of late.
    pub lockout: Lockout,
    /// Becomes true when rowgate is told to stop.
    pub stop: watch::Receiver<bool>,
    /// Wakes sessions that wait.
    pub alarms: super::Alarms,
    /// Constraint violations, by login.
    pub violations: super::Probes,
    /// Statements that run, by login.
    pub running: Running,
    /// What is counted.
    pub counters: super::Counters,
    /// Connections that are held, by login and role.
    pub shares: super::Shares,
    /// Settings that sessions have.
    pub known_settings: Known<BTreeMap<String, Setting>>,
    /// What the server has told of them.
    pub known_parameters: Known<Parameters>,
    /// What statements of sessions without temp relations are judged under.
    pub known_views: Known<SessionView>,
    /// The last session's number.
    pub sessions: AtomicU64,
}

impl Shared {
    /// The next session's number.
    pub fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What many sessions have, each kept once: it is the same wherever it is equal.
pub struct Known<T> {
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    all: HashSet<Arc<T>>,
    /// With so many, those are given up of which nobody makes use.
    sweep_at: usize,
}

/// How many may be kept of which nobody makes use.
const SPARE_KNOWN: usize = 1_000;

impl<T> Default for Known<T> {
    fn default() -> Self {
        let kept = Kept {
            all: HashSet::new(),
            sweep_at: SPARE_KNOWN,
        };
        Self { kept: Mutex::new(kept) }
    }
}

impl<T: Eq + Hash> Known<T> {
    /// The one that is equal, perhaps this one.
    pub(super) fn intern(&self, one: &Arc<T>) -> Arc<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.all.get(one) {
            return Arc::clone(known);
        }
        if kept.all.len() >= kept.sweep_at {
            kept.all.retain(|known| Arc::strong_count(known) > 1);
            // a look at all of them pays where half of them may be gone
            kept.sweep_at = SPARE_KNOWN.max(2 * kept.all.len());
        }
        kept.all.insert(Arc::clone(one));
        Arc::clone(one)
    }
}

/// How many statements of each person run at once: what a connection has in its queue runs one after the other.
#[derive(Default, Clone)]
pub struct Running {
    counts: Arc<Mutex<HashMap<String, u32>>>,
}

/// One session in which something runs; dropped when that has ended, however that happens.
pub(super) struct Counted {
    running: Running,
    login: String,
}

impl Running {
    fn counts(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more, unless `limit` run already.
    pub(super) fn begin(&self, login: &str, limit: u32) -> Option<Counted> {
        let mut counts = self.counts();
        let count = counts.entry(login.to_owned()).or_insert(0);
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Counted {
            running: self.clone(),
            login: login.to_owned(),
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.running.counts();
        if let Some(count) = counts.get_mut(&self.login) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.login);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_one_and_is_forgotten_when_nobody_has_it() {
        let known = Known::default();
        let one = known.intern(&Arc::new("one".to_owned()));
        assert!(Arc::ptr_eq(&one, &known.intern(&Arc::new("one".to_owned()))));
        let held: Vec<_> = (0..3 * SPARE_KNOWN)
            .map(|n| known.intern(&Arc::new(n.to_string())))
            .collect();
        assert_eq!(known.kept.lock().unwrap().all.len(), held.len() + 1);
        drop(held);
        for n in 0..3 * SPARE_KNOWN {
            known.intern(&Arc::new(format!("{n} in passing")));
        }
        assert!(known.kept.lock().unwrap().all.len() <= 4 * SPARE_KNOWN);
        assert!(Arc::ptr_eq(&one, &known.intern(&Arc::new("one".to_owned()))));
    }
}
