//! Bytes on sockets, the same on both sides: streams, buffered channels, and frames cut by their length.

pub mod body;
pub mod certificate;
pub mod channel;
pub mod fields;
pub mod frame;
mod spare;
pub mod stream;

pub use body::{Body, Malformed};
pub use channel::Channel;
pub use fields::Fields;
pub use stream::Stream;
