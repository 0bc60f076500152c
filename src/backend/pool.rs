//! The pool of connections to the database: a connection goes back only clean, and dead ones are dropped.

use super::at_hand::AtHand;
use super::{ConnectError, Connection, Connector};
use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use std::sync::Arc;
use std::time::Duration;

/// Raw connections, and those among them that sessions hand on to each other.
#[derive(Clone)]
pub struct Pool {
    all: managed::Pool<Manager>,
    at_hand: Arc<AtHand>,
}

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

impl Pool {
    /// A pool of at most `size` connections. The one that was used last is given first: most of what is asked for
    /// stands on it already.
    pub fn new(connector: Arc<Connector>, size: usize) -> Result<Self, String> {
        let all = managed::Pool::builder(Manager { connector })
            .max_size(size)
            .queue_mode(managed::QueueMode::Lifo)
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self {
            all,
            at_hand: Arc::default(),
        })
    }

    /// A connection that a session has just handed on, if there is one.
    pub fn at_hand(&self) -> Option<Loan> {
        self.at_hand.take()
    }

    /// A connection: waits until one is free, or makes it.
    pub async fn get(&self) -> Result<Loan, ConnectError> {
        let _waiting = match self.at_hand.take_or_wait() {
            Ok(loan) => return Ok(loan),
            Err(waiting) => waiting,
        };
        self.all.get().await.map_err(reason)
    }

    /// The same, but not for longer than `wait`.
    pub async fn get_within(&self, wait: Duration) -> Result<Loan, ConnectError> {
        let got = tokio::time::timeout(wait, self.get()).await;
        got.unwrap_or(Err(ConnectError::Busy(wait)))
    }

    /// Gives a connection that is clean to whoever asks next.
    pub fn hand_on(&self, loan: Loan) {
        self.at_hand.put(loan);
    }

    /// How many there are, and how many of them nobody holds.
    pub fn status(&self) -> managed::Status {
        let mut status = self.all.status();
        status.available += self.at_hand.len();
        status
    }

    /// Gives out no more connections.
    pub fn close(&self) {
        self.all.close();
        self.at_hand.clear();
    }

    /// Closes connections that nobody has used for a while; runs as long as the pool is open.
    pub async fn close_idle(self, after: Duration) {
        let step = after.min(Duration::from_secs(30));
        let mut looked = tokio::time::Instant::now();
        while !self.all.is_closed() {
            tokio::time::sleep(step).await;
            self.all.retain(|_, metrics| metrics.last_used() < after);
            if looked.elapsed() >= after {
                looked = tokio::time::Instant::now();
                self.at_hand.close_unused();
            }
        }
    }
}

fn reason(error: managed::PoolError<ConnectError>) -> ConnectError {
    match error {
        managed::PoolError::Backend(error) => error,
        managed::PoolError::Timeout(_) => ConnectError::Timeout,
        other => ConnectError::Protocol(other.to_string()),
    }
}
