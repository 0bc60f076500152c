//! Where the demonstration's data lives: a throwaway server, or a database of the user's own.

use super::data::{self, DATABASE, Scale};
use super::front::Behind;
use crate::cluster::{Cluster, ClusterError};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// A database with the demonstration's data in it.
#[derive(Debug)]
pub struct Place {
    superuser: Config,
    host: String,
    port: u16,
    /// Kept so that it lives as long.
    cluster: Option<Cluster>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The throwaway server.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The user's own database cannot be used as it is.
    #[error("{0}")]
    Own(String),
}

impl Place {
    /// A throwaway server, filled.
    pub async fn throwaway(scale: Scale) -> Result<Self, PlaceError> {
        let key = format!("demonstration\n{}", data::sql(scale));
        let cluster = Cluster::start(&key, async |cluster| {
            let admin = connect(&cluster.superuser("postgres")).await?;
            let create = format!("CREATE DATABASE {DATABASE}");
            admin.batch_execute(&create).await.map_err(|e| told(&e))?;
            let mut client = connect(&cluster.superuser(DATABASE)).await?;
            data::fill(&mut client, scale).await.map_err(|e| e.to_string())
        })
        .await?;
        Ok(Self {
            superuser: cluster.superuser(DATABASE),
            host: "127.0.0.1".to_owned(),
            port: cluster.port(),
            cluster: Some(cluster),
        })
    }

    /// A database of the user's own; it is filled unless the demonstration's tables are there already.
    pub async fn own(url: &str, scale: Scale) -> Result<Self, PlaceError> {
        let superuser: Config = url
            .parse()
            .map_err(|e| PlaceError::Own(format!("this is not the URL of a database: {e}")))?;
        if superuser.get_dbname().is_none() {
            return Err(PlaceError::Own("the URL names no database".to_owned()));
        }
        let host = match superuser.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(directory)) => directory.display().to_string(),
            None => return Err(PlaceError::Own("the URL names no host".to_owned())),
        };
        let port = superuser.get_ports().first().copied().unwrap_or(5432);

        let mut client = connect(&superuser).await.map_err(PlaceError::Own)?;
        let there = "SELECT to_regclass('crm.users') IS NOT NULL AND to_regclass('public.customers') IS NOT NULL";
        let filled: bool = client
            .query_one(there, &[])
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|e| PlaceError::Own(told(&e)))?;
        if !filled {
            data::fill(&mut client, scale)
                .await
                .map_err(|e| PlaceError::Own(e.to_string()))?;
        }
        Ok(Self {
            superuser,
            host,
            port,
            cluster: None,
        })
    }

    /// A connection that sees everything.
    pub async fn superuser(&self) -> Result<Client, String> {
        connect(&self.superuser).await
    }

    /// The same place for rowgate's own role.
    pub fn behind(&self) -> Behind {
        Behind {
            host: self.host.clone(),
            port: self.port,
            database: self.database().to_owned(),
        }
    }

    /// The database.
    pub fn database(&self) -> &str {
        self.superuser.get_dbname().unwrap_or(DATABASE)
    }

    /// What kind of place, in a few words.
    pub fn describe(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("a throwaway PostgreSQL {}", cluster.version()),
            None => format!("PostgreSQL at {}:{}", self.host, self.port),
        }
    }
}

/// Connects without TLS; the error is a sentence for people.
pub(super) async fn connect(config: &Config) -> Result<Client, String> {
    let (client, connection) = config.connect(NoTls).await.map_err(|e| told(&e))?;
    // its errors come back through the client
    tokio::spawn(connection);
    Ok(client)
}

/// The server's own message where there is one, since a driver's says only that there was an error.
pub(super) fn told(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => match said.hint() {
            Some(hint) => format!("{}; {hint}", said.message()),
            None => said.message().to_owned(),
        },
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
