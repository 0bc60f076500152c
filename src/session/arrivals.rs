//! How many clients there may be at once, and who gives way where there are too many.

use crate::login::Place;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Clients beyond the limit that are still told so; any more are closed at once.
const SPARE: u32 = 50;

/// All clients that are connected.
pub struct Arrivals {
    most: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Clients that have a place.
    placed: u32,
    /// Clients that are there to be told that they have none.
    beyond: u32,
    next: u64,
    /// Clients that have not logged in yet, by where they come from, the oldest first.
    pending: HashMap<Place, BTreeMap<u64, Pending>>,
}

struct Pending {
    placed: bool,
    gives_way: CancellationToken,
}

/// One client that has not logged in yet.
pub struct Arrival {
    seat: Seat,
    wait: Wait,
}

/// A client's place, which is free again when this is dropped.
pub struct Seat {
    arrivals: Arc<Arrivals>,
    placed: bool,
}

/// It may have to give its place away, until this is dropped.
struct Wait {
    arrivals: Arc<Arrivals>,
    from: Place,
    number: u64,
    gives_way: CancellationToken,
}

impl Arrivals {
    /// `most`: clients at once.
    pub fn new(most: u32) -> Self {
        Self {
            most,
            state: Mutex::default(),
        }
    }

    /// A client has come. Where there is no place left, one that has not logged in yet gives way: the oldest of the
    /// address that most of these come from (of the one who waits longest, where as many come from several), if more come
    /// from there than from the newcomer's. So nobody shuts others out by sockets that stay silent. `None`: it is not even
    /// to be told that there are too many.
    pub fn arrive(self: &Arc<Self>, from: Place) -> Option<Arrival> {
        let mut state = self.state();
        let placed = state.placed < self.most || state.make_room(from, true);
        if !placed && state.beyond >= SPARE && !state.make_room(from, false) {
            return None;
        }
        *state.count(placed) += 1;
        let number = state.next;
        state.next += 1;
        let gives_way = CancellationToken::new();
        let pending = Pending {
            placed,
            gives_way: gives_way.clone(),
        };
        state.pending.entry(from).or_default().insert(number, pending);
        Some(Arrival {
            seat: Seat {
                arrivals: Arc::clone(self),
                placed,
            },
            wait: Wait {
                arrivals: Arc::clone(self),
                from,
                number,
                gives_way,
            },
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, placed: bool) -> &mut u32 {
        if placed { &mut self.placed } else { &mut self.beyond }
    }

    /// Puts out one of those who have a place, or of those beyond. Its place is counted until it is gone.
    fn make_room(&mut self, newcomer: Place, placed: bool) -> bool {
        // how many, and the oldest of them
        let of = |clients: &BTreeMap<u64, Pending>| {
            let mut those = clients
                .iter()
                .filter(|(_, c)| c.placed == placed)
                .map(|(number, _)| *number);
            let oldest = those.next()?;
            Some((1 + those.count(), Reverse(oldest)))
        };
        let own = self.pending.get(&newcomer).and_then(of).map_or(0, |(count, _)| count);
        let all = self.pending.iter();
        let most = all
            .filter_map(|(place, clients)| Some((of(clients)?, *place)))
            .max_by_key(|(rank, _)| *rank);
        let Some(((_, Reverse(oldest)), place)) = most.filter(|((count, _), _)| *count > own) else {
            return false;
        };
        let out = self.take(place, oldest);
        out.map(|out| out.gives_way.cancel()).is_some()
    }

    fn take(&mut self, from: Place, number: u64) -> Option<Pending> {
        let clients = self.pending.get_mut(&from)?;
        let client = clients.remove(&number);
        if clients.is_empty() {
            self.pending.remove(&from);
        }
        client
    }
}

impl Arrival {
    /// Does it only hear that there are too many?
    pub fn is_beyond(&self) -> bool {
        !self.seat.placed
    }

    /// Waits until it has to give way to another.
    pub async fn gives_way(&self) {
        self.wait.gives_way.cancelled().await;
    }

    /// It has logged in and keeps its place. `None`: it has given it away already.
    pub fn stays(self) -> Option<Seat> {
        let Self { seat, wait } = self;
        wait.is_over().then_some(seat)
    }
}

impl Wait {
    /// Nobody puts it out any more. `false`: it has been put out already.
    fn is_over(&self) -> bool {
        self.arrivals.state().take(self.from, self.number).is_some()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.is_over();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.arrivals.state().count(self.placed) -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn place(last: u8) -> Place {
        Place::of(Some(IpAddr::from([10, 0, 0, last])))
    }

    fn has_to_go(arrival: &Arrival) -> bool {
        arrival.wait.gives_way.is_cancelled()
    }

    #[test]
    fn the_oldest_of_the_address_with_most_gives_way() {
        let arrivals = Arc::new(Arrivals::new(4));
        let come = |last| arrivals.arrive(place(last)).unwrap();
        let (two, three) = (come(2), [come(3), come(3), come(3)]);
        let newcomer = come(1);
        assert!(!newcomer.is_beyond() && has_to_go(&three[0]));
        // one from there has as many as anybody, and hears that there are too many
        assert!(come(3).is_beyond());
        assert!(![&two, &three[1], &three[2], &newcomer].iter().any(|a| has_to_go(a)));
    }

    #[test]
    fn of_addresses_with_as_many_whoever_waits_longest_gives_way() {
        let arrivals = Arc::new(Arrivals::new(9));
        let come = |last| arrivals.arrive(place(last)).unwrap();
        let silent: Vec<_> = (1..=9).map(come).collect();
        let newcomers: Vec<_> = (11..=14).map(come).collect();
        let gone: Vec<bool> = silent.iter().map(has_to_go).collect();
        assert_eq!(gone, [true, true, true, true, false, false, false, false, false]);
        assert!(!newcomers.iter().any(has_to_go));
    }

    #[test]
    fn who_has_logged_in_never_gives_way() {
        let arrivals = Arc::new(Arrivals::new(2));
        let come = |last| arrivals.arrive(place(last)).unwrap();
        let stay = [come(2), come(2)].map(|arrival| arrival.stays().unwrap());
        assert!(come(1).is_beyond());
        drop(stay);
        assert!(!come(1).is_beyond());
    }

    #[test]
    fn those_beyond_the_limit_take_nobodys_place() {
        let arrivals = Arc::new(Arrivals::new(1));
        let come = |last| arrivals.arrive(place(last));
        let one = come(1).unwrap();
        let one = one.stays().unwrap();
        let mut beyond: Vec<_> = (0..SPARE).map(|_| come(2).unwrap()).collect();
        assert!(come(2).is_none());
        let told = come(3).unwrap();
        assert!(told.is_beyond() && has_to_go(&beyond[0]));
        drop(one);
        assert!(beyond.remove(0).stays().is_none());
        assert!(!come(3).unwrap().is_beyond());
        beyond.clear();
        assert_eq!(arrivals.state().beyond, 1);
        assert_eq!(arrivals.state().pending.len(), 1);
    }
}
