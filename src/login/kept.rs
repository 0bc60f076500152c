//! Passwords that rowgate keeps itself, in the schema `rowgate`: verifiers, never a password, with the former ones and who
//! set them when.

use super::passwords::PasswordRules;
use crate::rights::Watch;
use crate::rights::schema::{self, SchemaError};
use crate::wire::scram::Verifier;
use chrono::NaiveDate;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use std::time::{Duration, SystemTime};
use thiserror::Error;
use tokio_postgres::Row;

/// Connections for asking at once.
const CONNECTIONS: usize = 4;
/// How long one may take to come.
const WAIT: Duration = Duration::from_secs(5);
/// How many iterations these verifiers have.
pub const ITERATIONS: usize = 4_096;

/// Where they are.
#[derive(Clone)]
pub struct Kept {
    pool: Pool,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    /// The verifier.
    pub verifier: String,
    /// The day on which it was set, in UTC.
    pub changed: Option<NaiveDate>,
}

/// Why a password was not read, or not set.
#[derive(Debug, Error)]
pub enum KeptError {
    /// It is none that the rules take: what they say.
    #[error("{0}")]
    Refused(String),
    /// Another one was set since this one was proved.
    #[error("the password was changed meanwhile")]
    Replaced,
    /// The schema cannot be asked.
    #[error("what logins are held to cannot be reached: {0}")]
    OutOfReach(String),
}

impl From<tokio_postgres::Error> for KeptError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::OutOfReach(SchemaError::from(error).to_string())
    }
}

impl Kept {
    /// Those of the database that temporary rights are kept in; nothing is connected yet.
    pub fn open(watch: &Watch) -> Result<Self, String> {
        let mut database = watch.database.clone();
        database.application_name("rowgate passwords");
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = match &watch.tls {
            Some(tls) => Manager::from_config(database, tls.clone(), recycling),
            None => Manager::from_config(database, tokio_postgres::NoTls, recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self { pool })
    }

    pub(super) async fn client(&self) -> Result<Object, KeptError> {
        let client = self.pool.get().await;
        client.map_err(|e| KeptError::OutOfReach(e.to_string()))
    }

    /// The same for a change: it tells where the schema is not the one that this rowgate knows.
    pub(super) async fn fit_client(&self) -> Result<Object, KeptError> {
        let client = self.client().await?;
        let fits = schema::check(&client).await;
        fits.map_err(|e| KeptError::OutOfReach(e.to_string()))?;
        Ok(client)
    }

    /// The last passwords of one login, the one that counts first.
    async fn last(&self, login: &str, most: usize) -> Result<Vec<Password>, KeptError> {
        const SELECT: &str = "SELECT verifier, set_at FROM rowgate.passwords_of($1, $2)";
        let client = self.client().await?;
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let select = client.prepare_cached(SELECT).await?;
        let rows = client.query(&select, &[&login, &most]).await?;
        rows.iter().map(|row| Ok(read(row)?)).collect()
    }

    /// The password of one login, if it has one; the same question whoever the login is.
    pub async fn of(&self, login: &str) -> Result<Option<Password>, KeptError> {
        Ok(self.last(login, 1).await?.pop())
    }

    /// Sets a login's password if the rules take it; gives its verifier. Whoever sets their own has proved the verifier
    /// that it `replaces`, which has to be the one that counts still.
    pub async fn change(
        &self,
        rules: PasswordRules,
        login: &str,
        password: &str,
        by: &str,
        replaces: Option<&str>,
    ) -> Result<String, KeptError> {
        let mut client = self.fit_client().await?;
        let former = self.last(login, rules.history).await?;
        let (whose, password) = (login.to_owned(), password.to_owned());
        // some ten milliseconds for each former one
        let made = tokio::task::spawn_blocking(move || {
            let is_former = || {
                let mut verifiers = former.iter().filter_map(|p| Verifier::parse(&p.verifier));
                verifiers.any(|verifier| verifier.fits(&password))
            };
            rules.check(&whose, &password, is_former)?;
            Ok(postgres_protocol::password::scram_sha_256(password.as_bytes()))
        });
        let made = made.await.map_err(|e| KeptError::OutOfReach(e.to_string()))?;
        let verifier: String = made.map_err(KeptError::Refused)?;
        let change = client.transaction().await?;
        let wait = "SELECT pg_catalog.pg_advisory_xact_lock(7305517, pg_catalog.hashtext($1))";
        change.execute(wait, &[&login]).await?;
        if let Some(replaces) = replaces {
            let last = "SELECT verifier FROM rowgate.passwords_of($1, 1)";
            let last = change.query_opt(last, &[&login]).await?;
            let last: Option<String> = last.map(|row| row.try_get(0)).transpose()?;
            if last.as_deref() != Some(replaces) {
                return Err(KeptError::Replaced);
            }
        }
        let set = "SELECT rowgate.set_password($1, $2, $3)";
        change.execute(set, &[&login, &verifier, &by]).await?;
        change.commit().await?;
        Ok(verifier)
    }
}

fn read(row: &Row) -> Result<Password, tokio_postgres::Error> {
    let set_at: SystemTime = row.try_get("set_at")?;
    Ok(Password {
        verifier: row.try_get("verifier")?,
        changed: Some(chrono::DateTime::<chrono::Utc>::from(set_at).date_naive()),
    })
}
