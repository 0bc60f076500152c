//! The world at one moment: catalogue, policies and directory, immutable, swapped as one.

pub mod standing;

use crate::catalog::Catalog;
use crate::identity::directory::Directory;
use crate::policy::PolicySet;
use crate::sql::verify::bodies::Bodies;
use arc_swap::ArcSwap;
use standing::Standings;
use std::sync::Arc;
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
}

/// Where the current world is found: sessions read it once per statement, the keeper swaps it.
#[derive(Debug, Clone)]
pub struct WorldHandle {
    current: Arc<ArcSwap<World>>,
    generation: Arc<watch::Sender<u64>>,
    refresh: Arc<Notify>,
}

impl WorldHandle {
    /// A handle that begins with this world.
    pub fn new(world: World) -> Self {
        let (generation, _) = watch::channel(world.generation);
        Self {
            current: Arc::new(ArcSwap::from_pointee(world)),
            generation: Arc::new(generation),
            refresh: Arc::new(Notify::new()),
        }
    }

    /// The world as it is now; take it once per statement.
    pub fn current(&self) -> Arc<World> {
        self.current.load_full()
    }

    /// Swaps in a newer world and wakes every session that watches. Only the keeper calls this; its world's
    /// generation must be higher than the last.
    pub fn replace(&self, world: World) {
        let generation = world.generation;
        self.current.store(Arc::new(world));
        self.generation.send_replace(generation);
    }

    /// Tells when the world was swapped (the value is its generation).
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
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
