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
}

/// A request on its way; dropped when it has arrived.
struct UnderWay<'a>(&'a Slot);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
        self.0.arrived.notify_waiters();
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `false` while a request is on its way to the target that it has.
    fn try_set(&self, target: Option<(i32, i32)>) -> bool {
        let mut state = self.state();
        let is_free = state.under_way == 0;
        if is_free {
            state.target = target;
        }
        is_free
    }

    /// Waits until no request is on its way to the target that it has.
    async fn set(&self, target: Option<(i32, i32)>) {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // whatever arrives from here on is told
            arrived.as_mut().enable();
            if self.try_set(target) {
                return;
            }
            arrived.await;
        }
    }

    fn begin(&self) -> Option<((i32, i32), UnderWay<'_>)> {
        let mut state = self.state();
        let target = state.target?;
        state.under_way += 1;
        Some((target, UnderWay(self)))
    }
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
    pub(super) async fn point_to(&self, target: Option<(i32, i32)>) {
        if !self.slot.try_set(target) {
            Box::pin(self.slot.set(target)).await;
        }
    }

    /// Gives it up, and waits until no request for it is on its way any more.
    pub(super) async fn end(self) {
        let slot = Arc::clone(&self.slot);
        drop(self);
        slot.set(None).await;
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
        slot.try_set(Some(target));
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
        if let Some(((process, secret), _under_way)) = slot.begin()
            && let Err(error) = connector.cancel(process, secret).await
        {
            tracing::warn!(%error, "a cancel request could not be forwarded");
        }
    }
}
