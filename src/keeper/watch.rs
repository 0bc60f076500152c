//! Watching: files, schema and people, each in its own rhythm, and at once when somebody says so.

use super::build::{self, Stale, StartError};
use super::record::Taken;
use super::{Keeper, files, listen};
use crate::backend::introspect;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

const FILES_EVERY: Duration = Duration::from_millis(300);
const SCHEMA_EVERY: Duration = Duration::from_secs(1);
/// Where a look takes long because the catalogue is huge, looks come so many times its length apart.
const SCHEMA_SHARE: u32 = 20;
/// By then every session has taken the next world.
const OLD_WORLD: Duration = Duration::from_secs(5);
const DIRECTORY_EVERY: Duration = Duration::from_secs(5);

impl Keeper {
    /// Watches until dropped. Nothing that goes wrong here ends it: the world in force stays.
    pub async fn run(mut self) {
        let (notify, mut notified) = mpsc::channel(1);
        let listener = tokio::spawn(listen::forward(self.source.clone(), notify));
        let _ends_with_us = EndWith(listener);
        let rights = self.source.rights.clone();
        let rights = rights.map(|rights| EndWith(tokio::spawn(rights.run(self.handle.clone()))));
        let _ends_with_us_too = rights;
        let mut files = interval(FILES_EVERY);
        let mut look_at_schema = Instant::now();
        let mut people_read = Instant::now();
        files.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trouble = String::new();
        let mut people_known = Instant::now();
        // what could not be looked at because the database did not answer
        let mut missed = Stale::default();
        loop {
            self.keep_logins(people_known);
            let stale = tokio::select! {
                _ = files.tick() => {
                    let look = files::look(&self.source.policies);
                    if look == self.state.look {
                        continue;
                    }
                    self.state.look = look;
                    Stale { policies: true, ..Stale::default() }
                }
                () = sleep_until(look_at_schema) => {
                    let begun = Instant::now();
                    let changed = self.schema_changed().await;
                    look_at_schema = Instant::now() + SCHEMA_EVERY;
                    match changed {
                        Ok(changed) => {
                            look_at_schema += begun.elapsed() * SCHEMA_SHARE;
                            if !changed && missed == Stale::default() {
                                continue;
                            }
                            Stale { catalogue: changed, ..Stale::default() }
                        }
                        Err(error) => {
                            tell_once(&mut trouble, &error);
                            continue;
                        }
                    }
                }
                () = sleep_until(people_read + self.directory_every()) => Stale { directory: true, ..Stale::default() },
                Some(()) = notified.recv() => Stale { directory: true, ..Stale::default() },
                () = self.handle.refresh_requested() => Stale { catalogue: true, policies: true, directory: true },
            };
            let stale = Stale {
                catalogue: stale.catalogue || missed.catalogue,
                policies: stale.policies || missed.policies || self.state.waits(),
                directory: stale.directory || missed.directory,
            };
            if stale.directory {
                people_read = Instant::now();
            }
            let looked = self.refresh(stale).await;
            missed = match &looked {
                Ok(()) | Err(StartError::Policies(_) | StartError::Nobody | StartError::PeopleUnknown(_)) => {
                    Stale::default()
                }
                Err(_) => stale,
            };
            match looked {
                Ok(()) => {
                    trouble.clear();
                    if stale.directory {
                        people_known = Instant::now();
                    }
                }
                Err(error) => tell_once(&mut trouble, &error),
            }
        }
    }

    /// As the policy in force says.
    fn directory_every(&self) -> Duration {
        let world = self.handle.current();
        let rule = world.policies.written().directory.as_ref();
        rule.map_or(DIRECTORY_EVERY, |d| d.refresh)
    }

    /// Whoever logs in is checked against people who were read not too long ago.
    fn keep_logins(&self, people_known: Instant) {
        let world = self.handle.current();
        let rule = world.policies.written().directory.as_ref();
        let is_old = rule.is_some_and(|d| people_known.elapsed() > d.keep);
        if is_old != self.handle.set_people_outdated(is_old) {
            if is_old {
                tracing::error!("who people are could not be read for too long: nobody may log in until it can");
            } else {
                tracing::info!("who people are is read again: people may log in");
            }
        }
    }

    async fn schema_changed(&self) -> Result<bool, StartError> {
        let client = self.pool.get().await?;
        Ok(introspect::fingerprint(&client).await? != self.state.fingerprint)
    }

    /// Reads again what is stale and swaps the world if anything is new.
    pub async fn refresh_all(&mut self) -> Result<(), StartError> {
        self.refresh(Stale {
            catalogue: true,
            policies: true,
            directory: true,
        })
        .await
    }

    async fn refresh(&mut self, stale: Stale) -> Result<(), StartError> {
        let current = self.handle.current();
        let mut client = self.pool.get().await?;
        let next = build::next(&self.source, &mut client, &mut self.state, &current, stale).await?;
        if let Some(world) = next.world {
            tracing::info!(
                generation = world.generation,
                people = world.directory.count(),
                relations = world.catalog.relations.len(),
                because = ?stale,
                "the world has changed"
            );
            for warning in &self.state.warnings {
                tracing::warn!("{warning}");
            }
            self.handle.replace(world);
            let after = self.handle.current();
            if !Arc::ptr_eq(&after.policies.written_arc(), &current.policies.written_arc()) {
                let new = Arc::new(self.state.texts.clone());
                let old = std::mem::replace(&mut self.state.in_force, Arc::clone(&new));
                if let Some(record) = &self.record {
                    record.take(Taken {
                        at: SystemTime::now(),
                        before: (Arc::clone(&current), old),
                        after: (after, new),
                    });
                }
            }
            // taken apart elsewhere, when nobody holds it any more: it may be large
            tokio::spawn(async move {
                tokio::time::sleep(OLD_WORLD).await;
                let _ = tokio::task::spawn_blocking(move || drop(current)).await;
            });
        }
        match next.refused {
            Some(refused) => Err(refused),
            None if next.people_unknown => Err(StartError::PeopleUnknown(self.state.warnings.join("\n"))),
            None => Ok(()),
        }
    }
}

/// The same trouble every second is told once.
fn tell_once(told: &mut String, error: &StartError) {
    let text = error.to_string();
    if *told != text {
        tracing::error!("what is new is not taken, what was in force stays: {text}");
        *told = text;
    }
}

/// A task that ends when this is dropped.
struct EndWith(tokio::task::JoinHandle<()>);

impl Drop for EndWith {
    fn drop(&mut self) {
        self.0.abort();
    }
}
