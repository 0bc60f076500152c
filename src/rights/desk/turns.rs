//! Whose turn it is: commands take connections of the database that no pool counts, so a few are carried out at once, and
//! one of each person.

use crate::refusal::{Refusal, SqlState};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// Commands at once.
const AT_ONCE: usize = 4;
/// How long one waits for its turn.
const WAIT: Duration = Duration::from_secs(10);

type Person = tokio::sync::Mutex<()>;

/// Everybody's.
#[derive(Clone)]
pub struct Turns {
    all: Arc<Semaphore>,
    people: Arc<Mutex<HashMap<String, Weak<Person>>>>,
}

/// A command's, until it is dropped.
pub(super) struct Turn {
    #[expect(dead_code, reason = "given back when it is dropped")]
    of_all: OwnedSemaphorePermit,
    #[expect(dead_code, reason = "given back when it is dropped")]
    own: OwnedMutexGuard<()>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            people: Arc::default(),
        }
    }
}

impl Turns {
    /// Waits for it.
    pub(super) async fn take(&self, who: &str) -> Result<Turn, Refusal> {
        let own = self.of(who);
        let both = async {
            let own = own.lock_owned().await;
            let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Turn { of_all, own })
        };
        let turn = tokio::time::timeout(WAIT, both).await.ok().flatten();
        turn.ok_or_else(|| {
            let message = "too many commands of temporary rights are under way";
            Refusal::new("desk-full", SqlState::TooManyConnections, message)
        })
    }

    fn of(&self, who: &str) -> Arc<Person> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = people.get(who).and_then(Weak::upgrade) {
            return known;
        }
        people.retain(|_, person| person.strong_count() > 0);
        let own = Arc::new(Person::default());
        people.insert(who.to_owned(), Arc::downgrade(&own));
        own
    }
}
