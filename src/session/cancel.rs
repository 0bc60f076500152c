//! Cancel requests: a client's process and secret are rowgate's own, mapped to those of the database.

use crate::backend::Connector;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// One session's target, which changes with every transaction where connections are shared.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    /// None once the session is over.
    target: Option<(i32, i32)>,
    /// Requests on their way to it.
    under_way: usize,
    /// A request for it was given up: the database may read it at any time.
    is_lost: bool,
}

/// A request on its way, which is lost unless it is told to have arrived.
struct UnderWay<'a> {
    slot: &'a Slot,
    has_arrived: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.slot.state();
        state.under_way -= 1;
        state.is_lost |= !self.has_arrived;
        drop(state);
        self.slot.arrived.notify_waiters();
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` while a request is on its way to the target that it has; else what is left of that.
    fn try_set(&self, target: Option<(i32, i32)>) -> Option<Before> {
        let mut state = self.state();
        if state.under_way > 0 {
            return None;
        }
        state.target = target;
        Some(match std::mem::take(&mut state.is_lost) {
            true => Before::MayBeCancelled,
            false => Before::Quiet,
        })
    }

    /// Waits until no request is on its way to the target that it has.
    async fn set(&self, target: Option<(i32, i32)>) -> Before {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // whatever arrives from here on is told
            arrived.as_mut().enable();
            if let Some(before) = self.try_set(target) {
                return before;
            }
            arrived.await;
        }
    }

    fn begin(&self) -> Option<((i32, i32), UnderWay<'_>)> {
        let mut state = self.state();
        let target = state.target?;
        state.under_way += 1;
        let under_way = UnderWay {
            slot: self,
            has_arrived: false,
        };
        Some((target, under_way))
    }
}

/// The connection that a session had until now.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nobody's request can reach it any more.
    Quiet,
    /// A request for it was given up, and the database may still read it: nobody else's statement may run there.
    MayBeCancelled,
}

type Slots = Mutex<HashMap<(i32, i32), Arc<Slot>>>;

/// All sessions that can be cancelled.
#[derive(Default)]
pub struct Cancels {
    slots: Arc<Slots>,
}

/// A session's place among them, given up when it is dropped.
pub(super) struct Registration {
    /// Process and secret as the client knows them.
    pub key: (i32, i32),
    slot: Arc<Slot>,
    slots: Arc<Slots>,
}

impl Registration {
    /// The session has this connection now, or none. Waits until no request for the one it had is on its way.
    pub(super) async fn point_to(&self, target: Option<(i32, i32)>) -> Before {
        match self.slot.try_set(target) {
            Some(before) => before,
            None => Box::pin(self.slot.set(target)).await,
        }
    }

    /// A request of rowgate's own for the connection that the session has was given up.
    pub(super) fn lose(&self) {
        self.slot.state().is_lost = true;
    }

    /// Gives it up, and waits until no request for it is on its way any more.
    pub(super) async fn end(self) -> Before {
        let slot = Arc::clone(&self.slot);
        drop(self);
        slot.set(None).await
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.remove(&self.key);
    }
}

impl Cancels {
    /// Makes a key for a session whose database connection has this one.
    pub(super) fn register(&self, target: (i32, i32)) -> Registration {
        let slot = Arc::<Slot>::default();
        slot.state().target = Some(target);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let key = (rand::random_range(1..=i32::MAX), rand::random());
            if let std::collections::hash_map::Entry::Vacant(place) = slots.entry(key) {
                place.insert(Arc::clone(&slot));
                return Registration {
                    key,
                    slot,
                    slots: Arc::clone(&self.slots),
                };
            }
        }
    }

    /// Forwards a client's request; one that names nobody does nothing, as in PostgreSQL.
    pub async fn cancel(&self, key: (i32, i32), connector: &Connector) {
        let slot = self
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        let Some(slot) = slot else { return };
        let Some(((process, secret), mut under_way)) = slot.begin() else {
            return;
        };
        match connector.cancel(process, secret).await {
            Ok(()) => under_way.has_arrived = true,
            Err(error) => tracing::warn!(%error, "a cancel request could not be forwarded"),
        }
    }
}
