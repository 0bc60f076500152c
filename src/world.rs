//! The world at one moment: catalogue, policies and directory, immutable, swapped as one.

pub mod standing;

use crate::catalog::Catalog;
use crate::identity::directory::Directory;
use crate::policy::PolicySet;
use crate::rights::{Lost, Snapshot, force};
use crate::sql::verify::bodies::Bodies;
use arc_swap::ArcSwap;
use standing::Standings;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};

/// Everything a judgement depends on beside the statement, the person and their session.
#[derive(Debug, Clone)]
pub struct World {
    /// What exists.
    pub catalog: Arc<Catalog>,
    /// What is allowed.
    pub policies: Arc<PolicySet>,
    /// Who people are.
    pub directory: Arc<Directory>,
    /// Counts up with every swap.
    pub generation: u64,
    /// What was verified under it and comes again.
    pub bodies: Arc<Bodies>,
    /// What is known of people under it.
    pub standings: Arc<Standings>,
    /// Temporary rights; those in force are in `directory` and `policies` already.
    pub rights: Arc<Snapshot>,
    /// The moment at which others are in force.
    pub until: Option<SystemTime>,
}

impl World {
    /// The same with what of these rights is in force at a moment.
    pub fn at(&self, rights: Arc<Snapshot>, now: SystemTime) -> Self {
        let force = force::at(&rights, &self.directory, self.policies.written(), now);
        Self {
            catalog: Arc::clone(&self.catalog),
            policies: Arc::new(self.policies.with_closed(force.closed)),
            directory: Arc::new(force.directory),
            generation: self.generation,
            bodies: Arc::default(),
            standings: Arc::default(),
            rights,
            until: force.until,
        }
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| SystemTime::now() >= until)
    }
}

/// Where the current world is found: sessions read it once per statement, the keeper swaps it.
#[derive(Debug, Clone)]
pub struct WorldHandle {
    current: Arc<ArcSwap<World>>,
    /// Held by whoever makes the next world out of the current one.
    swapping: Arc<Mutex<()>>,
    generation: Arc<watch::Sender<u64>>,
    refresh: Arc<Notify>,
    people_outdated: Arc<AtomicBool>,
}

impl WorldHandle {
    /// A handle that begins with this world.
    pub fn new(world: World) -> Self {
        let (generation, _) = watch::channel(world.generation);
        Self {
            current: Arc::new(ArcSwap::from_pointee(world)),
            swapping: Arc::default(),
            generation: Arc::new(generation),
            refresh: Arc::new(Notify::new()),
            people_outdated: Arc::default(),
        }
    }

    /// The world as it is now; take it once per statement. A right that has ended is in no world that is given.
    pub fn current(&self) -> Arc<World> {
        let world = self.current.load_full();
        if world.is_over() { self.renewed() } else { world }
    }

    /// Is this what [`WorldHandle::current`] would give?
    pub fn is_current(&self, world: &Arc<World>) -> bool {
        let current = self.current.load();
        Arc::ptr_eq(&current, world) && !current.is_over()
    }

    fn renewed(&self) -> Arc<World> {
        let held = self.hold();
        let world = self.current.load_full();
        if world.is_over() {
            self.swap(&held, world.at(Arc::clone(&world.rights), SystemTime::now()));
        }
        self.current.load_full()
    }

    fn hold(&self) -> MutexGuard<'_, ()> {
        self.swapping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swap(&self, _held: &MutexGuard<'_, ()>, mut world: World) {
        let generation = world.generation.max(self.current.load().generation + 1);
        world.generation = generation;
        self.current.store(Arc::new(world));
        self.generation.send_replace(generation);
    }

    /// Swaps in a newer world and wakes every session that watches; temporary rights stay as they are. Only the
    /// keeper calls this.
    pub fn replace(&self, world: World) {
        let held = self.hold();
        let rights = Arc::clone(&self.current.load().rights);
        self.swap(&held, world.at(rights, SystemTime::now()));
    }

    /// Puts other temporary rights in force.
    pub fn update_rights(&self, rights: Snapshot) {
        let held = self.hold();
        let world = self.current.load_full();
        if *world.rights != rights {
            self.swap(&held, world.at(Arc::new(rights), SystemTime::now()));
        }
    }

    /// Temporary rights are out of reach: nobody knows what has become of them since `now`. Those that were given end
    /// after so long at the latest.
    pub fn lose_rights(&self, now: SystemTime, patience: Duration) {
        let held = self.hold();
        let world = self.current.load_full();
        if world.rights.lost.is_none() {
            let lost = Some(Lost {
                since: now,
                end: now + patience,
            });
            let rights = Snapshot {
                lost,
                ..Snapshot::clone(&world.rights)
            };
            self.swap(&held, world.at(Arc::new(rights), now));
        }
    }

    /// Tells when the world was swapped (the value is its generation). Nobody takes a world while the value is borrowed,
    /// `wait_for` included: one that is over is swapped there and then, and waits for the borrow.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Notes whether who people are was read too long ago for anybody to log in; gives what was noted before.
    pub fn set_people_outdated(&self, outdated: bool) -> bool {
        self.people_outdated.swap(outdated, Ordering::Relaxed)
    }

    /// Was it?
    pub fn people_outdated(&self) -> bool {
        self.people_outdated.load(Ordering::Relaxed)
    }

    /// Asks the keeper to read everything again now: DDL went through, or the operator says so.
    pub fn request_refresh(&self) {
        self.refresh.notify_one();
    }

    /// Waits until somebody asks for a refresh; for the keeper alone.
    pub async fn refresh_requested(&self) {
        self.refresh.notified().await;
    }
}
