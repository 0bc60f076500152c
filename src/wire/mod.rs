//! The client in front: frames, TLS and login, errors as the client reads them.

pub mod answer;
pub mod error_filter;
pub mod message;
pub mod oauthbearer;
pub mod row_description;
pub mod scram;
pub mod startup;
pub mod tls;
pub mod users_file;
