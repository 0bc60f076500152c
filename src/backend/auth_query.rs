//! SCRAM verifiers from the database's own role passwords, as PgBouncer's `auth_query` does.

use super::ConnectError;
use super::pool::{self, Pool};
use std::time::Duration;

/// The verifier of one login; `None` where there is no such role or it has no password. It waits for a connection no longer
/// than `wait`.
pub async fn verifier(pool: &Pool, wait: Duration, query: &str, login: &str) -> Result<Option<String>, ConnectError> {
    let mut connection = pool.get_within(wait).await?;
    let fresh = connection.make_fresh().await;
    let rows = match fresh {
        Ok(()) => connection.run_text(query, &[login]).await,
        Err(error) => Err(error),
    };
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => {
            drop(pool::Loan::take(connection));
            return Err(error);
        }
    };
    let [row] = rows.as_slice() else {
        return Ok(None);
    };
    match row.as_slice() {
        [Some(name), verifier] if name == login => Ok(verifier.clone()),
        _ => Ok(None),
    }
}
