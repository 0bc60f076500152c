//! Slows guessing down: failures count for a login *at one address*, and for an address; never for a login alone, so
//! that nobody can lock somebody else out from elsewhere.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Logins at addresses, and addresses, that are remembered at once: some 10 MB. The one that failed longest ago is
/// forgotten for the next.
const MOST: usize = 65_536;

/// What is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Failures of one login at one address before it is locked there.
    pub attempts: u32,
    /// Failures at one address, whatever the login, before the address is locked.
    pub per_address: u32,
    /// The first lock; every further failure doubles it.
    pub lock: Duration,
    /// The longest lock, and after how long without a failure everything is forgotten.
    pub longest: Duration,
}

/// Where failures are counted: one IPv4 address, one IPv6 network of 64 bits (a single client may use all of it), or
/// the unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(Option<u128>);

impl Place {
    /// Of a client's address; `None` is the unix socket.
    pub fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6) >> 64 << 64,
        }))
    }
}

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// The proof fits.
    Allowed,
    /// It does not; for how long this locks, if it does.
    Wrong(Option<Duration>),
    /// Locked: whether the proof fits is not told.
    Locked,
}

/// A login is remembered by a keyed hash: names may be long.
type Key = (Option<u64>, Place);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    first: Instant,
    last: Instant,
    until: Option<Instant>,
    order: u64,
}

#[derive(Debug, Default)]
struct State {
    all: HashMap<Key, Failures>,
    by_age: BTreeMap<u64, Key>,
    next: u64,
}

/// Failed logins of late.
#[derive(Debug)]
pub struct Lockout {
    bounds: Bounds,
    hash: RandomState,
    state: Mutex<State>,
}

impl Lockout {
    /// Nobody has failed yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            hash: RandomState::new(),
            state: Mutex::default(),
        }
    }

    /// Judges one attempt whose proof has been checked, and counts it; one after the other, so that guesses which
    /// come at once gain nothing.
    pub fn judge(&self, login: &str, place: Place, proved: bool, now: Instant) -> Tried {
        let pair = (Some(self.hash.hash_one(login)), place);
        let address = (None, place);
        let mut state = self.state();
        if [pair, address].iter().any(|key| state.is_locked(key, now)) {
            return Tried::Locked;
        }
        if proved {
            state.forget(&pair);
            return Tried::Allowed;
        }
        let by_pair = state.fail(pair, self.bounds.attempts, &self.bounds, now);
        // whoever reaches rowgate through the unix socket is this machine's: only the login is held back
        let by_address = (place.0.is_some()).then(|| state.fail(address, self.bounds.per_address, &self.bounds, now));
        Tried::Wrong(by_pair.max(by_address.flatten()))
    }

    /// Would an attempt be refused at this moment, whatever it proves?
    pub fn is_locked(&self, login: &str, place: Place, now: Instant) -> bool {
        let state = self.state();
        let pair = (Some(self.hash.hash_one(login)), place);
        [pair, (None, place)].iter().any(|key| state.is_locked(key, now))
    }

    /// How many locks hold now.
    pub fn locked(&self, now: Instant) -> usize {
        let state = self.state();
        state.all.keys().filter(|key| state.is_locked(key, now)).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_locked(&self, key: &Key, now: Instant) -> bool {
        let until = self.all.get(key).and_then(|failures| failures.until);
        until.is_some_and(|until| now < until)
    }

    fn forget(&mut self, key: &Key) {
        if let Some(failures) = self.all.remove(key) {
            self.by_age.remove(&failures.order);
        }
    }

    /// Counts one more; for how long that locks.
    fn fail(&mut self, key: Key, most: u32, bounds: &Bounds, now: Instant) -> Option<Duration> {
        let known = self.all.get(&key).copied();
        self.forget(&key);
        // an address is used by many: what counts there is a rate, for a login what failed since it last succeeded
        let since = |f: &Failures| now.saturating_duration_since(if key.0.is_some() { f.last } else { f.first });
        let known = known.filter(|f| since(f) < bounds.longest.saturating_mul(if f.until.is_some() { 2 } else { 1 }));
        let count = known.map_or(0, |f| f.count).saturating_add(1);
        let lock = count.checked_sub(most).map(|beyond| {
            let doubled = 2_u32.saturating_pow(beyond.min(31));
            bounds.lock.saturating_mul(doubled).min(bounds.longest)
        });
        while self.all.len() >= MOST {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                break;
            };
            self.all.remove(&oldest);
        }
        self.next += 1;
        let failures = Failures {
            count,
            first: known.map_or(now, |f| f.first),
            last: now,
            until: lock.map(|lock| now + lock),
            order: self.next,
        };
        self.by_age.insert(self.next, key);
        self.all.insert(key, failures);
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        attempts: 3,
        per_address: 10,
        lock: Duration::from_secs(5),
        longest: Duration::from_secs(60),
    };

    fn place(text: &str) -> Place {
        Place::of(Some(text.parse().unwrap()))
    }

    fn wrong(seconds: u64) -> Tried {
        Tried::Wrong((seconds > 0).then(|| Duration::from_secs(seconds)))
    }

    #[test]
    fn locks_double_and_are_forgotten() {
        let lockout = Lockout::new(BOUNDS);
        let (here, start) = (place("10.0.0.1"), Instant::now());
        let after = |seconds, proved| lockout.judge("alice", here, proved, start + Duration::from_secs(seconds));
        assert_eq!(
            [after(0, false), after(0, false), after(0, false)],
            [wrong(0), wrong(0), wrong(5)]
        );
        // locked: the right password does not help, and a wrong one does not count
        assert_eq!(
            [after(4, true), after(4, false), after(5, false)],
            [Tried::Locked, Tried::Locked, wrong(10)]
        );
        assert_eq!([after(15, false), after(35, false)], [wrong(20), wrong(40)]);
        assert_eq!(lockout.locked(start + Duration::from_secs(36)), 1);
        assert_eq!(
            [after(75, false), after(134, false), after(135, true)],
            [wrong(60), Tried::Locked, Tried::Allowed]
        );
        assert_eq!(after(136, false), wrong(0));
        assert_eq!(
            [after(200, false), after(200, false), after(200, false)],
            [wrong(0), wrong(0), wrong(5)]
        );
    }

    #[test]
    fn nobody_is_locked_out_from_elsewhere() {
        let lockout = Lockout::new(BOUNDS);
        let now = Instant::now();
        for _ in 0..50 {
            lockout.judge("alice", place("10.0.0.1"), false, now);
        }
        assert_eq!(lockout.judge("alice", place("10.0.0.1"), true, now), Tried::Locked);
        assert_eq!(lockout.judge("alice", place("10.0.0.2"), true, now), Tried::Allowed);
        assert_eq!(lockout.judge("bob", place("10.0.0.1"), true, now), Tried::Allowed);
    }

    #[test]
    fn an_address_is_bounded_too() {
        let lockout = Lockout::new(BOUNDS);
        let now = Instant::now();
        for guess in 0..10 {
            lockout.judge(&format!("login{guess}"), place("2001:db8::1"), false, now);
        }
        assert_eq!(lockout.judge("alice", place("2001:db8::2"), true, now), Tried::Locked);
        assert_eq!(
            lockout.judge("alice", place("2001:db8:0:1::2"), true, now),
            Tried::Allowed
        );
        for guess in 0..50 {
            lockout.judge(&format!("login{guess}"), Place::of(None), false, now);
        }
        assert_eq!(lockout.judge("alice", Place::of(None), true, now), Tried::Allowed);
    }

    #[test]
    fn memory_is_bounded() {
        let lockout = Lockout::new(BOUNDS);
        let now = Instant::now();
        for guess in 0..70_000_u32 {
            lockout.judge("alice", Place::of(Some(IpAddr::from(guess.to_be_bytes()))), false, now);
        }
        let state = lockout.state();
        assert!(state.all.len() <= MOST && state.by_age.len() == state.all.len());
    }
}
