//! One conversation: an explicit state machine over the simple, extended and copy protocols.
//!
//! A client's messages are taken in order (`front`), judged (`judging`), and forwarded; for each of them an
//! [`expect::Expect`] waits in a queue, and what the database answers (`back`) is matched against it. When a
//! judgement depends on the outcome of what is still under way, the queue is drained first.

mod aborted;
mod acting;
mod admission;
mod alarm;
mod arrivals;
mod authenticate;
mod back;
mod cancel;
mod copying;
mod counters;
mod desk;
mod doors;
mod enclosure;
mod expect;
mod front;
mod internal;
mod judging;
mod limits;
mod login;
mod naming;
mod overflow;
mod overtaken;
mod pooling;
mod portals;
mod prepared;
mod probes;
mod pump;
mod record;
mod returned;
mod rows;
mod setup;
mod shared;
mod shares;
mod staging;
mod state;
mod stay;
mod sure;

pub use alarm::Alarms;
pub use arrivals::Arrivals;
pub use cancel::Cancels;
pub use counters::Counters;
pub use doors::Doors;
pub use judging::Judgements;
pub use login::{Newcomer, prepare_socket, serve};
pub use pooling::Pin;
pub use probes::Probes;
pub use shared::{Known, Running, Shared};
pub use shares::Shares;

use crate::backend::carried::{Digest, Settings};
use crate::backend::{ConnectError, Connection, Parameters, pool::Loan};
use crate::net::{Channel, Fields, Malformed};
use crate::refusal::Refusal;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Why a session ends.
#[derive(Debug)]
enum End {
    /// The client said goodbye or is gone.
    Client,
    /// The client broke the protocol.
    Malformed(Malformed),
    /// Nobody may go on with this session: the reason is the client's to read.
    Fatal(Refusal),
    /// The database ended it, in its own words.
    Upstream(Fields),
    /// The connection to the database broke.
    Broken(String),
}

impl From<ConnectError> for End {
    fn from(error: ConnectError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// The session's connection to the database: from the pool, or its own where nobody else may ever have it.
enum Upstream {
    Pooled(Loan),
    Own(Box<Connection>),
    /// None at the moment; what is written to this one fails.
    Away(Box<Connection>),
}

impl Deref for Upstream {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Pooled(loan) => loan,
            Self::Own(connection) | Self::Away(connection) => connection,
        }
    }
}

impl DerefMut for Upstream {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Self::Pooled(loan) => loan,
            Self::Own(connection) | Self::Away(connection) => connection,
        }
    }
}

/// One client and one connection to the database.
struct Session<'s> {
    shared: &'s Shared,
    /// Its place among all clients.
    #[expect(dead_code, reason = "held until the session is dropped")]
    seat: arrivals::Seat,
    client: Channel,
    back: Upstream,
    state: state::State,
    queue: expect::Queue,
    /// Bytes of the message that is being passed through which have not come yet.
    passing: rows::Passing,
    /// A result has reached the policy's row limit.
    overflow: Option<overflow::Overflow>,
    /// The session's place among the person's running statements, while something of it runs.
    turn: std::sync::Weak<shared::Counted>,
    /// Rows of a result that the client gets only if there are not too many.
    held: limits::Held,
    /// A Query runs in a transaction that rowgate has opened for it.
    enclosure: Option<enclosure::Enclosure>,
    /// The database waits for the data of COPY FROM STDIN.
    copying: bool,
    /// What judgements may ask of the person, once it was needed.
    standing: Option<std::sync::Arc<crate::world::standing::Standing>>,
    /// What its last text was filled into, if it was.
    last: Option<judging::Last>,
    person: crate::audit::Person,
    /// Where cancel requests for this session go.
    registration: cancel::Registration,
    /// The session's number.
    number: u64,
    /// What stands in for the connection while there is none.
    away: Option<Box<Connection>>,
    /// The settings that are this session's, where it shares its connection.
    settings: Settings,
    /// What stands for those settings in what is prepared under them.
    mark: Digest,
    /// The server's parameters as the client knows them.
    told: Arc<Parameters>,
    /// What keeps it on its connection, as it was counted.
    pinned: Option<Pin>,
    /// Its place among those who hold connections.
    share: Option<shares::Share>,
    /// When statements that wait in the database are looked at again, since the world is another one.
    overtaken: Option<tokio::time::Instant>,
    /// Until when it may go on.
    stay: stay::Stay,
    /// Rings when the world has changed or rowgate stops.
    bell: Arc<alarm::Bell>,
    /// What of it was heard between statements, and while one ran.
    heard: (u64, u64),
}
