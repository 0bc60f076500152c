//! How many connections to the database the sessions of one login, or of everybody with a role, may hold at once.

use crate::config::PoolConfig;
use crate::identity::Principal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Whose share it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    Login(String),
    Role(String),
}

/// All shares that are limited.
#[derive(Default)]
pub struct Shares {
    places: Mutex<HashMap<Whose, Arc<Semaphore>>>,
}

/// A session's place in each of them; given up when it is dropped.
pub(super) struct Share {
    #[expect(dead_code, reason = "held until it is dropped")]
    permits: Vec<OwnedSemaphorePermit>,
}

impl Shares {
    /// Waits for a place; `None` where nothing is limited.
    pub(super) async fn take(&self, who: &Principal, config: &PoolConfig) -> Option<Share> {
        let login = (config.per_login > 0).then(|| (Whose::Login(who.login.clone()), config.per_login));
        let roles = who.roles.iter().filter_map(|role| {
            let most = *config.per_role.get(role)?;
            Some((Whose::Role(role.clone()), most))
        });
        // everybody waits for the roles in one order, so that two cannot wait for each other
        let mut limited: Vec<(Whose, usize)> = roles.collect();
        limited.sort_by(|(a, _), (b, _)| a.name().cmp(b.name()));
        limited.splice(0..0, login);
        let mut permits = Vec::with_capacity(limited.len());
        for (whose, most) in limited {
            let places = self.places(whose, most);
            permits.extend(places.acquire_owned().await);
        }
        (!permits.is_empty()).then_some(Share { permits })
    }

    fn places(&self, whose: Whose, most: usize) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(whose).or_insert_with(|| Arc::new(Semaphore::new(most))))
    }
}

impl Whose {
    fn name(&self) -> &str {
        match self {
            Self::Login(name) | Self::Role(name) => name,
        }
    }
}
