//! Cancel requests: a client's process and secret are rowgate's own, mapped to those of the database.

use crate::backend::Connector;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One session's target; empty once the session is over.
type Slot = Arc<tokio::sync::Mutex<Option<(i32, i32)>>>;

type Slots = Mutex<HashMap<(i32, i32), Slot>>;

/// All sessions that can be cancelled.
#[derive(Default)]
pub struct Cancels {
    slots: Arc<Slots>,
}

/// A session's place among them, given up when it is dropped.
pub(super) struct Registration {
    /// Process and secret as the client knows them.
    pub key: (i32, i32),
    slot: Slot,
    slots: Arc<Slots>,
}

impl Registration {
    /// The session has this connection now, or none. Waits until no request for the one it had is on its way.
    pub(super) async fn point_to(&self, target: Option<(i32, i32)>) {
        match self.slot.try_lock() {
            Ok(mut slot) => *slot = target,
            Err(_) => *self.slot.lock().await = target,
        }
    }

    /// Gives it up, and waits until no request for it is on its way any more.
    pub(super) async fn end(self) {
        let slot = Arc::clone(&self.slot);
        drop(self);
        slot.lock().await.take();
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
        let slot: Slot = Arc::new(tokio::sync::Mutex::new(Some(target)));
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
        let target = slot.lock().await;
        if let Some((process, secret)) = *target
            && let Err(error) = connector.cancel(process, secret).await
        {
            tracing::warn!(%error, "a cancel request could not be forwarded");
        }
    }
}
