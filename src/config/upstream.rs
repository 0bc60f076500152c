//! `[upstream]`: the database behind.

use super::port;
use super::read::{Section, Source};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database behind.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// `host`: a name, an address, or a directory that holds the unix socket.
    pub host: String,
    /// `port`: 5432 unless told.
    pub port: u16,
    /// `database`: its name, which clients give too.
    pub database: String,
    /// `user`: the role that every statement runs as; no superuser.
    pub user: String,
    /// `password` or the content of `password_file`.
    pub password: Option<String>,
    /// `sslmode`: `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`.
    pub sslmode: SslMode,
    /// `root_cert`: PEM file with the certificate authorities that `verify-ca` and `verify-full` trust.
    pub root_cert: Option<PathBuf>,
    /// `connect_timeout`: 10 s unless told.
    pub connect_timeout: Duration,
    /// `idle_timeout`: after how long an unused connection is closed; 5 min unless told.
    pub idle_timeout: Duration,
    /// `allow_table_owner`: the role may own protected tables; false unless told.
    pub allow_table_owner: bool,
}

/// TLS towards the database, with libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// If the server can.
    Prefer,
    /// Always, but trust any certificate.
    Require,
    /// Always, with a certificate from `root_cert`.
    VerifyCa,
    /// And made for this host.
    VerifyFull,
}

impl Upstream {
    /// How to connect to it, for what is no client's; whether TLS is spoken is said elsewhere.
    pub fn to_config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.database)
            .user(&self.user)
            .connect_timeout(self.connect_timeout);
        if let Some(password) = &self.password {
            config.password(password);
        }
        config
    }

    pub(super) fn read(mut section: Section<'_, '_>, source: &mut Source<'_>, base: &Path) -> Self {
        let host = section.required(source, "host", "127.0.0.1");
        let port = port(section.number(source, "port", 5432, 1..=65_535));
        let database = section.required(source, "database", "crm");
        let user = section.required(source, "user", "rowgate");
        let mut password = section.spanned_text(source, "password").map(|(text, _)| text);
        if let Some((path, span)) = section.spanned_text(source, "password_file") {
            if password.is_some() {
                source.error(
                    span,
                    "upstream has both password and password_file",
                    "remove one of them",
                );
            } else {
                match std::fs::read_to_string(base.join(&path)) {
                    Ok(text) => password = Some(text.trim_end_matches(['\n', '\r']).to_owned()),
                    Err(error) => source.error(
                        span,
                        format!("cannot read upstream.password_file: {error}"),
                        "write the password into that file, readable by rowgate alone",
                    ),
                }
            }
        }
        let words = [
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ];
        let sslmode = section.choice(source, "sslmode", &words, SslMode::Prefer);
        let root_cert = if matches!(sslmode, SslMode::VerifyCa | SslMode::VerifyFull) {
            Some(section.required(source, "root_cert", "root.crt"))
        } else {
            section.text(source, "root_cert")
        };
        let upstream = Self {
            host,
            port,
            database,
            user,
            password,
            sslmode,
            root_cert: root_cert.map(|p| base.join(p)),
            connect_timeout: section.duration(source, "connect_timeout", Duration::from_secs(10)),
            idle_timeout: section.duration(source, "idle_timeout", Duration::from_secs(300)),
            allow_table_owner: section.flag(source, "allow_table_owner", false),
        };
        section.finish(source);
        upstream
    }
}
