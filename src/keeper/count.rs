//! Counts the rows that people lose and gain by a new set of policies: at bounded cost, while the new set is in force.

use crate::policy::reach::{Count, Counts, Reach, Side, compare};
use crate::world::World;
use deadpool_postgres::{Client, Pool};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

const SETTINGS: &str = "SET LOCAL search_path = ''; SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '100ms'; \
SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL datestyle = 'ISO, YMD'; \
SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex'; \
SET LOCAL extra_float_digits = 1";
/// What is begun for all roles and tables together.
const ALL: Duration = Duration::from_secs(10);
/// Longer than the statement may take: the database does not answer.
const ANSWER: Duration = Duration::from_secs(5);
const TOO_LONG: &str = "it takes too long";

/// Counts for every role and table whose rows may be others; what cannot be counted in time is said not to be.
pub(super) async fn count(pool: &Pool, before: &Arc<World>, after: &Arc<World>) -> Counts {
    let end = Instant::now() + ALL;
    let (before, after) = (Arc::clone(before), Arc::clone(after));
    let comparing = tokio::task::spawn_blocking(move || compare(side(&before), side(&after)));
    let Ok(compared) = comparing.await else {
        return Counts::new();
    };
    let mut counts = Counts::new();
    for (pair, reach) in compared {
        let count = match reach {
            Reach::Nobody => Count::Nobody,
            Reach::Not(why) => Count::Not(why.to_owned()),
            Reach::Count { .. } if Instant::now() > end => Count::Not(TOO_LONG.to_owned()),
            Reach::Count { sql, counted, people } => match one(pool, &sql).await {
                Ok((lost, gained)) => Count::Rows {
                    lost,
                    gained,
                    counted,
                    people,
                },
                Err(why) => Count::Not(why),
            },
        };
        counts.insert(pair, count);
    }
    counts
}

fn side(world: &World) -> Side<'_> {
    Side {
        policies: &world.policies,
        catalog: &world.catalog,
        directory: &world.directory,
    }
}

/// The most that anybody loses and gains, or why it cannot be told.
async fn one(pool: &Pool, sql: &str) -> Result<(u64, u64), String> {
    let failed = |error: tokio_postgres::Error| match error.as_db_error() {
        Some(said) if *said.code() == SqlState::QUERY_CANCELED => TOO_LONG.to_owned(),
        // its words may carry values of the table
        Some(said) => format!("error {}", said.code().code()),
        None => error.to_string(),
    };
    let mut client = pool.get().await.map_err(|e| e.to_string())?;
    match timeout(ANSWER, ask(&mut client, sql)).await {
        Ok(row) => row.and_then(|row| most(&row)).map_err(failed),
        Err(_) => {
            // nobody else waits for what it is still at
            drop(Client::take(client));
            Err(TOO_LONG.to_owned())
        }
    }
}

async fn ask(client: &mut Client, sql: &str) -> Result<Row, tokio_postgres::Error> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    transaction.batch_execute(SETTINGS).await?;
    let row = transaction.query_one(sql, &[]).await?;
    transaction.rollback().await?;
    Ok(row)
}

fn most(row: &Row) -> Result<(u64, u64), tokio_postgres::Error> {
    let (mut lost, mut gained) = (0, 0);
    for at in 0..row.len() {
        let rows = u64::try_from(row.try_get::<_, i64>(at)?).unwrap_or(0);
        let most = if at % 2 == 0 { &mut lost } else { &mut gained };
        *most = rows.max(*most);
    }
    Ok((lost, gained))
}
