//! The database behind: connections, pool, cancel, introspection. It sends nothing for a client but `Verified` text.
