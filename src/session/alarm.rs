//! Wakes sessions that wait, when the world has changed or rowgate stops.

use futures::task::AtomicWaker;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Context;

/// The bells of all sessions.
#[derive(Default)]
pub struct Alarms {
    bells: Mutex<Vec<Weak<Bell>>>,
}

/// What one session listens to. It costs a waiting session nothing but a place for its waker, and a busy one a look
/// at a flag.
pub(super) struct Bell {
    waker: AtomicWaker,
    rings: AtomicU64,
}

impl Alarms {
    /// A bell that has just been rung: what happened before it was there is not missed.
    pub(super) fn bell(&self) -> Arc<Bell> {
        let bell = Arc::new(Bell {
            waker: AtomicWaker::new(),
            rings: AtomicU64::new(1),
        });
        let mut bells = self.bells();
        if bells.len() == bells.capacity() {
            bells.retain(|bell| bell.strong_count() > 0);
        }
        bells.push(Arc::downgrade(&bell));
        bell
    }

    /// Rings all of them.
    pub fn ring(&self) {
        let bells: Vec<Arc<Bell>> = self.bells().iter().filter_map(Weak::upgrade).collect();
        for bell in bells {
            bell.rings.fetch_add(1, Ordering::Release);
            bell.waker.wake();
        }
    }

    fn bells(&self) -> MutexGuard<'_, Vec<Weak<Bell>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell {
    /// Has it rung since it was `heard` last? If not, the task is woken when it does.
    pub fn has_rung(&self, cx: &Context<'_>, heard: &mut u64) -> bool {
        self.waker.register(cx.waker());
        let rings = self.rings.load(Ordering::Acquire);
        std::mem::replace(heard, rings) != rings
    }
}
