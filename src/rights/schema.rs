//! The schema `rowgate`: made, brought up to date, and checked before anything depends on it.

use crate::name::quote_ident;
use thiserror::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

/// What takes the schema from each version to the next; the first makes it.
const STEPS: [&str; 4] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
];

/// The version that this rowgate reads and writes.
pub fn version() -> i32 {
    i32::try_from(STEPS.len()).unwrap_or(i32::MAX)
}

/// Why the schema cannot be used as it is.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// It was never made.
    #[error("the database has no schema for temporary rights: run rowgate init")]
    Missing,
    /// An older rowgate made it.
    #[error("the schema rowgate has version {0} and this rowgate needs {needed}: run rowgate migrate", needed = version())]
    Older(i32),
    /// A newer rowgate made it.
    #[error("the schema rowgate has version {0} and this rowgate knows {known}: run a newer rowgate", known = version())]
    Newer(i32),
    /// The role that serves clients would own it.
    #[error(
        "the role \"{0}\" serves clients and may not own the schema rowgate: run rowgate init --database with the URL of the database's owner, or give what rowgate init --print tells to psql"
    )]
    Served(String),
    /// The role that serves clients may not read or change it.
    #[error("the role may not use the schema rowgate ({0}): run rowgate migrate")]
    Rights(String),
    /// A query failed.
    #[error("{}", said(.0))]
    Database(#[from] Error),
}

fn said(error: &Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |said| said.message().to_owned())
}

/// What `init` and `migrate` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Nothing was to do.
    Nothing,
    /// It was made.
    Made,
    /// It was brought from this version to [`version`].
    Migrated(i32),
}

/// The version that the database has; `None` where there is no schema for rights.
pub async fn found(client: &Client) -> Result<Option<i32>, Error> {
    match client.query_opt("SELECT version FROM rowgate.state", &[]).await {
        Ok(row) => row.map(|r| r.try_get(0)).transpose(),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_missing(error: &Error) -> bool {
    let missing = [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME];
    error.code().is_some_and(|code| missing.contains(code))
}

/// Is it there, of this version?
pub async fn check(client: &Client) -> Result<(), SchemaError> {
    match found(client).await {
        Ok(None) => Err(SchemaError::Missing),
        Ok(Some(found)) if found < version() => Err(SchemaError::Older(found)),
        Ok(Some(found)) if found > version() => Err(SchemaError::Newer(found)),
        Ok(Some(_)) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Err(no_rights(client, error).await),
        Err(error) => Err(error.into()),
    }
}

/// A role without any right on the schema cannot tell whether there is anything in it.
async fn no_rights(client: &Client, error: Error) -> SchemaError {
    let exists = client
        .query_one("SELECT pg_catalog.to_regclass('rowgate.state') IS NOT NULL", &[])
        .await
        .and_then(|row| row.try_get::<_, bool>(0));
    match exists {
        Ok(false) => SchemaError::Missing,
        Ok(true) | Err(_) => SchemaError::Rights(said(&error)),
    }
}

/// Makes the schema where there is none, brings an older one up to date, and lets `serving`, the role that rowgate
/// serves clients with, use it. All or nothing; several at once wait for each other.
pub async fn prepare(client: &mut Client, serving: &str, may_own: bool) -> Result<Done, SchemaError> {
    let transaction = client.transaction().await?;
    transaction
        .batch_execute("SELECT pg_catalog.pg_advisory_xact_lock(7305516); SET LOCAL search_path = pg_catalog")
        .await?;
    let user: String = transaction
        .query_one("SELECT session_user::text", &[])
        .await?
        .try_get(0)?;
    let exists: bool = transaction
        .query_one("SELECT pg_catalog.to_regclass('rowgate.state') IS NOT NULL", &[])
        .await?
        .try_get(0)?;
    let before: i32 = if exists {
        transaction
            .query_one("SELECT version FROM rowgate.state", &[])
            .await?
            .try_get(0)?
    } else {
        0
    };
    if before > version() {
        return Err(SchemaError::Newer(before));
    }
    if user == serving && !may_own && before < version() {
        return Err(SchemaError::Served(user));
    }
    transaction.batch_execute(&steps(before)).await?;
    if user != serving {
        transaction.batch_execute(&permissions(serving)).await?;
    }
    transaction.commit().await?;
    Ok(match before {
        0 => Done::Made,
        same if same == version() => Done::Nothing,
        older => Done::Migrated(older),
    })
}

/// All that comes after a version, 0 for none, as one text for psql.
pub fn script(serving: &str, before: i32) -> String {
    format!("BEGIN;\n{}{}COMMIT;\n", steps(before), permissions(serving))
}

fn steps(before: i32) -> String {
    let steps = STEPS.iter().skip(usize::try_from(before).unwrap_or(0));
    let mut text: String = steps.map(|step| format!("{step}\n")).collect();
    if before < version() {
        text.push_str(&format!("UPDATE rowgate.state SET version = {};\n", version()));
    }
    text
}

/// The serving role writes rights and requests; what is kept of their history comes from triggers and functions alone.
fn permissions(serving: &str) -> String {
    let role = quote_ident(serving);
    format!(
        "GRANT USAGE ON SCHEMA rowgate TO {role};\n\
         GRANT SELECT ON rowgate.state, rowgate.rights, rowgate.requests, rowgate.history, rowgate.policies TO {role};\n\
         GRANT INSERT, DELETE ON rowgate.rights TO {role};\n\
         GRANT INSERT, UPDATE (state, decided_by, decided_at) ON rowgate.requests TO {role};\n\
         GRANT EXECUTE ON FUNCTION rowgate.keep_policy, rowgate.passwords_of, rowgate.set_password, \
         rowgate.second_factor_of, rowgate.take_code, rowgate.set_second_factor, rowgate.remove_second_factor TO {role};\n"
    )
}
