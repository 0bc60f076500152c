//! The keeper of the world: reads catalogue, policies and directory, swaps them in as one, and keeps watching.

mod build;
mod count;
mod directory;
mod files;
mod listen;
mod record;
mod report;
mod spread;
mod trial;
mod watch;

pub use build::StartError;
pub use listen::DIRECTORY_CHANNEL;

use crate::rights::Watch;
use crate::rights::desk::{Desk, Turns};
use crate::world::WorldHandle;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the world is read from.
#[derive(Clone)]
pub struct Source {
    /// The database behind.
    pub upstream: tokio_postgres::Config,
    /// TLS towards it; `None` speaks none.
    pub tls: Option<tokio_postgres_rustls::MakeRustlsConnect>,
    /// The policies directory.
    pub policies: PathBuf,
    /// Temporary rights, where they are used.
    pub rights: Option<Watch>,
}

impl Source {
    /// The source that a configuration names.
    pub fn from_config(config: &crate::config::Config) -> Result<Self, String> {
        let over_socket = config.upstream.host.starts_with('/');
        let tls = crate::backend::tls::client_config(&config.upstream)?
            .filter(|_| !over_socket)
            .map(tokio_postgres_rustls::MakeRustlsConnect::new);
        let mode = match (&tls, config.upstream.sslmode) {
            (None, _) | (_, crate::config::SslMode::Disable) => tokio_postgres::config::SslMode::Disable,
            (Some(_), crate::config::SslMode::Prefer) => tokio_postgres::config::SslMode::Prefer,
            (Some(_), _) => tokio_postgres::config::SslMode::Require,
        };
        let mut upstream = config.upstream.to_config();
        upstream.application_name("rowgate keeper").ssl_mode(mode);
        let rights = config.rights.as_ref().map(|rights| {
            let mut database = rights.database(&config.upstream);
            if rights.database.is_none() {
                database.ssl_mode(mode);
            }
            Watch {
                database,
                tls: tls.clone(),
                patience: rights.patience,
            }
        });
        Ok(Self {
            upstream,
            tls,
            policies: config.policies.clone(),
            rights,
        })
    }

    /// Where commands about temporary rights are carried out, where these are used.
    pub fn desk(&self, world: &WorldHandle) -> Option<Desk> {
        let watch = self.rights.clone()?;
        let upstream = Watch {
            database: self.upstream.clone(),
            tls: self.tls.clone(),
            patience: watch.patience,
        };
        Some(Desk {
            watch,
            upstream,
            world: world.clone(),
            turns: Turns::default(),
        })
    }

    /// A small pool of connections for reading the world.
    pub fn pool(&self) -> Result<Pool, deadpool_postgres::BuildError> {
        const CONNECTIONS: usize = 2;
        const WAIT: Duration = Duration::from_secs(15);
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Verified,
        };
        let manager = match &self.tls {
            Some(tls) => Manager::from_config(self.upstream.clone(), tls.clone(), recycling),
            None => Manager::from_config(self.upstream.clone(), tokio_postgres::NoTls, recycling),
        };
        Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .runtime(Runtime::Tokio1)
            .build()
    }
}

/// Watches everything that the world is made of. Made by [`Keeper::begin`]; [`Keeper::run`] goes on until it is
/// dropped.
pub struct Keeper {
    source: Source,
    pool: Pool,
    handle: WorldHandle,
    state: build::State,
    record: Option<record::Record>,
}

impl Keeper {
    /// Reads everything for the first time; a policy with an error, or a database that cannot be read, is an
    /// error here. Warnings are in the keeper's [`Keeper::warnings`].
    pub async fn begin(source: Source) -> Result<Self, StartError> {
        let pool = source.pool().map_err(|e| StartError::Pool(e.to_string()))?;
        let (state, world) = build::first(&source, &pool).await?;
        let handle = WorldHandle::new(world);
        if let Some(rights) = &source.rights {
            handle.update_rights(rights.first().await?);
        }
        Ok(Self {
            source,
            pool,
            handle,
            state,
            record: None,
        })
    }

    /// Tells what new sets of policies change, and keeps it with the temporary rights where these are used: for the
    /// rowgate that serves, and not for commands beside it.
    #[must_use]
    pub fn recording(mut self) -> Self {
        let first = Arc::clone(&self.state.in_force);
        self.record = Some(record::Record::begin(&self.source, &self.pool, first));
        self
    }

    /// Where commands about temporary rights are carried out, where these are used.
    pub fn desk(&self) -> Option<Desk> {
        self.source.desk(&self.handle)
    }

    /// The handle on the world that this keeper keeps.
    pub fn handle(&self) -> WorldHandle {
        self.handle.clone()
    }

    /// What deserves a look, in policies and people.
    pub fn warnings(&self) -> &[String] {
        &self.state.warnings
    }

    /// The pool that the world is read through.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}
