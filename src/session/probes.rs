//! Unique and foreign key violations by person: somebody who meets many in a short time may be asking which keys exist.

use crate::audit::Violations;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many violations …
const MANY: usize = 20;
/// … within this time are worth a line in the audit.
const WINDOW: Duration = Duration::from_secs(60);

/// When each person last met a violation.
#[derive(Debug, Default)]
pub struct Probes {
    recent: Mutex<HashMap<String, VecDeque<Instant>>>,
}

impl Probes {
    /// One more at `now`. `Some` when there have been too many, after which the count begins anew.
    pub(super) fn add(&self, login: &str, now: Instant) -> Option<Violations> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let times = recent.entry(login.to_owned()).or_default();
        while times.front().is_some_and(|first| now.duration_since(*first) > WINDOW) {
            times.pop_front();
        }
        times.push_back(now);
        if times.len() < MANY {
            return None;
        }
        recent.remove(login);
        Some(Violations {
            violations: MANY,
            seconds: WINDOW.as_secs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_in_a_short_time_are_told_once() {
        let probes = Probes::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let told = |seconds: u64| probes.add("eve", at(seconds)).is_some();
        assert!((0..19).all(|_| !told(0)));
        assert!(probes.add("bob", at(1)).is_none());
        assert!(told(60), "the twentieth");
        assert!(!told(60), "counted anew");
        // three a minute are nothing
        assert!((1..100).all(|n| !told(60 + n * 20)));
    }
}
