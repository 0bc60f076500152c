//! Temporary rights in a test's database: the schema made by its owner, rights put there as any instance would.

use super::Database;
use super::gate::Gate;
use rowgate::rights::schema;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Makes the schema; gives a connection of its owner.
pub async fn prepared(database: &Database) -> Client {
    let mut owner = database.superuser().await;
    schema::prepare(&mut owner, "rowgate", false).await.unwrap();
    owner
}

impl Gate {
    /// Until the world is another one than that of this generation.
    pub async fn after(&self, generation: u64) {
        self.until("another world", |world| world.generation > generation).await;
    }

    /// Until the world is like this; the promise is one second.
    pub async fn until(&self, what: &str, holds: impl Fn(&rowgate::world::World) -> bool) {
        let begun = Instant::now();
        let mut changed = self.world().watch();
        while !holds(&self.world().current()) {
            let left = Duration::from_secs(1).checked_sub(begun.elapsed());
            let left = left.unwrap_or_else(|| panic!("not within a second: {what}"));
            let _ = tokio::time::timeout(left, changed.changed()).await;
        }
    }

    /// Carries out a statement on the schema and waits until it is in force.
    pub async fn change(&self, owner: &Client, sql: &str) {
        let generation = self.world().current().generation;
        owner
            .batch_execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        self.after(generation).await;
    }
}
