//! The pool of connections to the database: a connection goes back only clean, and dead ones are dropped.

use super::{ConnectError, Connection, Connector};
use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use std::sync::Arc;
use std::time::Duration;

/// A pool of raw connections.
pub type Pool = managed::Pool<Manager>;
/// One of them, on loan: a pointer, as it changes hands with every transaction.
pub type Loan = managed::Object<Manager>;

/// Makes and checks the pool's connections.
pub struct Manager {
    connector: Arc<Connector>,
}

impl managed::Manager for Manager {
    type Type = Box<Connection>;
    type Error = ConnectError;

    async fn create(&self) -> Result<Box<Connection>, ConnectError> {
        // who only looks whether one is free gives up here, before anything is begun
        tokio::task::yield_now().await;
        self.connector.connect().await.map(Box::new)
    }

    async fn recycle(&self, connection: &mut Box<Connection>, _: &Metrics) -> RecycleResult<ConnectError> {
        if connection.is_clean() && connection.is_quiet() {
            Ok(())
        } else {
            Err(RecycleError::message(
                "the connection has ended or holds a session's state",
            ))
        }
    }
}

/// A pool of at most `size` connections. The one that was used last is given first: most of what is asked for stands
/// on it already.
pub fn pool(connector: Arc<Connector>, size: usize) -> Result<Pool, String> {
    Pool::builder(Manager { connector })
        .max_size(size)
        .queue_mode(managed::QueueMode::Lifo)
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|e| e.to_string())
}

/// Closes connections that nobody has used for a while; runs as long as the pool is open.
pub async fn close_idle(pool: Pool, after: Duration) {
    while !pool.is_closed() {
        tokio::time::sleep(after.min(Duration::from_secs(30))).await;
        pool.retain(|_, metrics| metrics.last_used() < after);
    }
}

/// What went wrong when a connection was asked for.
pub fn reason(error: managed::PoolError<ConnectError>) -> ConnectError {
    match error {
        managed::PoolError::Backend(error) => error,
        managed::PoolError::Timeout(_) => ConnectError::Timeout,
        other => ConnectError::Protocol(other.to_string()),
    }
}
