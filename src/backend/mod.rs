//! The database behind: connections, pool, cancel, introspection. It sends nothing for a client but `Verified` text.

mod at_hand;
pub mod auth_query;
pub mod carried;
pub mod connect;
pub mod connection;
pub mod introspect;
pub mod pool;
pub mod role_check;
mod settings;
pub mod tls;

pub use connect::{ConnectError, Connector};
pub use connection::{Connection, Parameters};
pub use pool::{Manager, Pool};
