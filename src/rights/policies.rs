//! The record of the sets of policies that took force, in the schema of temporary rights.

use super::schema::{self, SchemaError};
use super::watch::Watch;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;
use tokio_postgres::{Client, Error};

/// How long it may take to keep a change before the schema counts as out of reach.
const ANSWER: Duration = Duration::from_secs(5);

/// A set of policies that took force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    /// When, by the clock of the machine that rowgate runs on.
    pub at: SystemTime,
    /// Its name, a hash of its files.
    pub hash: String,
    /// The name of the set before; `None` where rowgate has just begun.
    pub before: Option<String>,
    /// Who made its last commit, where the files are kept in git.
    pub author: Option<String>,
    /// What is otherwise than before, a line each.
    pub changes: Vec<String>,
}

/// Keeps a change, unless another instance has kept it. `seen` is the number that this gave for the change before,
/// `None` at the beginning; an error means that nothing is kept and that it may be tried again.
pub async fn keep(watch: &Watch, seen: Option<i64>, change: &PolicyChange) -> Result<i64, Trouble> {
    let kept = async {
        let line = watch.open().await.map_err(SchemaError::from)?;
        schema::check(line.client()).await?;
        Ok(store(line.client(), seen, change).await.map_err(SchemaError::from)?)
    };
    timeout(ANSWER, kept).await.unwrap_or(Err(Trouble::Silence))
}

/// Why a change is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The schema.
    #[error("{0}")]
    Schema(#[from] SchemaError),
    /// Nothing is heard of it.
    #[error("the database with the schema rowgate does not answer")]
    Silence,
}

async fn store(client: &Client, seen: Option<i64>, change: &PolicyChange) -> Result<i64, Error> {
    const KEEP: &str = "SELECT rowgate.keep_policy($1, $2, $3, $4, $5, $6)";
    let PolicyChange {
        at,
        hash,
        before,
        author,
        changes,
    } = change;
    let row = client
        .query_one(KEEP, &[&seen, at, before, hash, author, changes])
        .await?;
    row.try_get(0)
}
