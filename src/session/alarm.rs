//! Wakes sessions that wait, when the world has changed or rowgate stops.

use futures::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
    /// When it rings by itself, in seconds since 1970.
    due: AtomicU64,
    /// It has.
    rang_by_itself: AtomicBool,
}

impl Alarms {
    /// A bell that has just been rung: what happened before it was there is not missed.
    pub(super) fn bell(&self) -> Arc<Bell> {
        let bell = Arc::new(Bell {
            waker: AtomicWaker::new(),
            rings: AtomicU64::new(1),
            due: AtomicU64::new(u64::MAX),
            rang_by_itself: AtomicBool::new(false),
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
        bells.iter().for_each(|bell| bell.ring());
    }

    /// Rings those whose time has come; `now` in seconds since 1970.
    pub fn strike(&self, now: u64) {
        let all = self.bells();
        let due: Vec<Arc<Bell>> = (all.iter().filter_map(Weak::upgrade))
            .filter(|bell| bell.due.load(Ordering::Acquire) <= now)
            .collect();
        drop(all);
        for bell in due {
            bell.due.store(u64::MAX, Ordering::Release);
            bell.rang_by_itself.store(true, Ordering::Release);
            bell.ring();
        }
    }

    fn bells(&self) -> MutexGuard<'_, Vec<Weak<Bell>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell {
    fn ring(&self) {
        self.rings.fetch_add(1, Ordering::Release);
        self.waker.wake();
    }

    /// It rings by itself at this moment, in seconds since 1970, or never.
    pub fn set(&self, due: Option<u64>) {
        self.rang_by_itself.store(false, Ordering::Release);
        self.due.store(due.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Has it rung by itself since it was set?
    pub fn rang_by_itself(&self) -> bool {
        self.rang_by_itself.load(Ordering::Acquire)
    }

    /// Has it rung since it was `heard` last? If not, the task is woken when it does.
    pub fn has_rung(&self, cx: &Context<'_>, heard: &mut u64) -> bool {
        self.waker.register(cx.waker());
        let rings = self.rings.load(Ordering::Acquire);
        std::mem::replace(heard, rings) != rings
    }
}
