//! `rowgate.toml`: where to listen, which database stands behind, who may log in, what is recorded, what is bounded.

mod access;
mod ldap;
mod pool;
mod proofs;
mod read;
mod rights;

pub use pool::{PoolConfig, PoolMode};
pub use proofs::{Proofs, TokenConfig};
pub use read::ConfigError;
pub use rights::RightsConfig;

use crate::gate::cache::Bounds;
use crate::login::Rules;
use crate::login::ldap as ldap_login;
use crate::login::lockout;
use crate::login::passwords::PasswordRules;
use read::{Section, Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole file.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[listen]`
    pub listen: Listen,
    /// `[tls]`
    pub tls: ClientTls,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[policies] directory`: where the policy files are; relative to the configuration file.
    pub policies: PathBuf,
    /// `[login]`
    pub login: Login,
    /// `[passwords]`
    pub passwords: PasswordRules,
    /// `[[access]]`
    pub access: Rules,
    /// `[token]` and `[jwt]`
    pub proofs: Proofs,
    /// `[ldap]`
    pub ldap: Option<ldap_login::Settings>,
    /// `[certificates]`: names of client certificates that stand for another login than themselves.
    pub certificates: BTreeMap<String, String>,
    /// `[audit]`
    pub audit: AuditConfig,
    /// `[metrics] address`: where `/metrics` and `/healthz` are served over HTTP, such as `127.0.0.1:9187`; nowhere
    /// unless told.
    pub metrics: Option<String>,
    /// `[pool]`
    pub pool: PoolConfig,
    /// `[limits]`
    pub limits: Limits,
    /// `[cache]`
    pub cache: Bounds,
    /// `[rights]`: temporary rights; without it there are none.
    pub rights: Option<RightsConfig>,
}

/// Where clients connect.
#[derive(Debug, Clone)]
pub struct Listen {
    /// `address`: the IP address or host name to bind; `127.0.0.1` unless told.
    pub address: String,
    /// `port`: 6432 unless told.
    pub port: u16,
    /// `unix_socket`: a socket file beside the port, such as `/run/rowgate/.s.PGSQL.6432`.
    pub unix_socket: Option<PathBuf>,
    /// `threads`: how many serve connections; unless told, one for every four cores. One thread serves a query with
    /// less work than two do, and tens of thousands of them a second.
    pub threads: usize,
}

/// TLS towards clients.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// `mode`: `off`, `allow` (the client decides) or `require`.
    pub mode: TlsMode,
    /// `cert`: PEM file with the certificate and its chain.
    pub cert: Option<PathBuf>,
    /// `key`: PEM file with the private key.
    pub key: Option<PathBuf>,
    /// `client_ca`: PEM file with the authorities whose client certificates are taken; none are asked for unless told.
    pub client_ca: Option<PathBuf>,
    /// `client_crl`: PEM file with certificates of theirs that are revoked.
    pub client_crl: Option<PathBuf>,
}

/// Is TLS spoken with clients?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Off,
    /// If the client asks for it.
    Allow,
    /// Connections without it are refused (but through the unix socket).
    Require,
}

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

/// How people prove who they are.
#[derive(Debug, Clone)]
pub struct Login {
    /// `method`
    pub method: LoginMethod,
    /// `auth_query`: for `upstream`: a query on the database with the login as `$1` that gives the login and its
    /// SCRAM verifier.
    pub auth_query: String,
    /// `users_file`: for `users_file`: lines of `"login" "SCRAM-SHA-256$…"`.
    pub users_file: Option<PathBuf>,
    /// `scram_iterations`: as many as stored verifiers have (PostgreSQL's setting of that name), for those who are made up;
    /// 4096 unless told.
    pub scram_iterations: usize,
    /// `attempts`: failures of one login at one address before it is locked there, 5 unless told;
    /// `attempts_per_address`: failures at one address, whatever the login, 100 unless told; `lock`: the first lock,
    /// 5 s unless told, doubled by each further failure up to `longest_lock`, 15 min unless told.
    pub lockout: lockout::Bounds,
    /// `sessions`: what becomes of those whose token, certificate or access hours end; they end unless told.
    pub sessions: Sessions,
}

/// What becomes of a session whose token or certificate ends, or whom no access rule lets in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// It ends.
    End,
    /// It goes on: only logins are asked.
    Keep,
}

/// Where SCRAM verifiers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// The database's own role passwords, by `auth_query`.
    Upstream,
    /// A file.
    UsersFile,
    /// The schema `rowgate`, where temporary rights are kept.
    Rowgate,
}

/// What is recorded.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// `output`: `stdout`, `file` or `off`.
    pub output: AuditOutput,
    /// `file`: appended to, opened anew on SIGHUP.
    pub file: Option<PathBuf>,
    /// `required`: refuse statements while the audit cannot be written; false unless told.
    pub required: bool,
    /// `literals`: write statements with their constants; false unless told.
    pub literals: bool,
    /// `parameters`: write the parameters of prepared statements; false unless told.
    pub parameters: bool,
}

/// Where audit lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutput {
    /// Standard output.
    Stdout,
    /// `audit.file`.
    File,
    /// Nowhere.
    Off,
}

/// What is bounded.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `max_connections`: clients at once; 100 unless told.
    pub max_connections: u32,
    /// `login_timeout`: for a client that never finishes to log in; 30 s unless told.
    pub login_timeout: Duration,
    /// `statement_bytes`: the longest SQL text; 1 MiB unless told.
    pub statement_bytes: usize,
    /// `message_bytes`: the longest message of a client (a Bind with its parameters); 64 MiB unless told.
    pub message_bytes: usize,
    /// `shutdown_timeout`: how long running statements may go on after SIGTERM; 30 s unless told.
    pub shutdown_timeout: Duration,
}

/// The auth query where the configuration names none.
pub const DEFAULT_AUTH_QUERY: &str =
    "SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename OPERATOR(pg_catalog.=) $1";

/// A length of time above zero: `500ms`, `30s`, `5min` (or `5m`), `1h`.
pub fn length_of_time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let total = number.parse::<u64>().ok()?.checked_mul(millis)?;
    (total > 0).then(|| Duration::from_millis(total))
}

impl Config {
    /// Reads a file; gives all of its errors at once.
    pub fn load(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![ConfigError {
                file: file.clone(),
                line: 1,
                column: 1,
                message: format!("cannot read the configuration: {error}"),
                help: "name the file with --config".to_owned(),
            }]
        })?;
        Self::parse(&file, &text, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads the text of a file; relative paths in it begin at `base`.
    pub fn parse(file: &str, text: &str, base: &Path) -> Result<Self, Vec<ConfigError>> {
        let mut source = Source::new(file, text);
        let document = source.document();
        let mut root = Section::root(&document);
        let tls = ClientTls::read(root.section(&mut source, "tls"), &mut source, base);
        let upstream = Upstream::read(root.section(&mut source, "upstream"), &mut source, base);
        let has_rights = root.has("rights");
        let login = Login::read(root.section(&mut source, "login"), &mut source, base, has_rights);
        let proofs = Proofs::read(&mut root, &mut source, base);
        let ldap = ldap::read(root.optional_section(&mut source, "ldap"), &mut source, base);
        let leans = access::Leans {
            tls: tls.mode,
            proofs: proofs.clone(),
            client_ca: tls.client_ca.is_some(),
            users_file: login.method == LoginMethod::UsersFile,
            ldap: ldap.is_some(),
        };
        let config = Self {
            listen: Listen::read(root.section(&mut source, "listen"), &mut source, base),
            tls,
            upstream,
            policies: {
                let mut section = root.section(&mut source, "policies");
                let directory = section.text(&mut source, "directory");
                section.finish(&mut source);
                base.join(directory.as_deref().unwrap_or("policies"))
            },
            login,
            passwords: read_passwords(root.section(&mut source, "passwords"), &mut source),
            access: access::read(&mut root, &mut source, &leans),
            proofs,
            ldap,
            certificates: proofs::certificates(root.section(&mut source, "certificates"), &mut source),
            audit: AuditConfig::read(root.section(&mut source, "audit"), &mut source, base),
            metrics: {
                let mut section = root.section(&mut source, "metrics");
                let address = section.text(&mut source, "address");
                section.finish(&mut source);
                address
            },
            pool: PoolConfig::read(root.section(&mut source, "pool"), &mut source),
            limits: Limits::read(root.section(&mut source, "limits"), &mut source),
            cache: read_cache(root.section(&mut source, "cache"), &mut source),
            rights: RightsConfig::read(root.section(&mut source, "rights"), &mut source, base),
        };
        root.finish(&mut source);
        let errors = source.finish();
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }
}

impl Listen {
    fn read(mut section: Section<'_, '_>, source: &mut Source<'_>, base: &Path) -> Self {
        let listen = Self {
            address: section
                .text(source, "address")
                .unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: port(section.number(source, "port", 6432, 0..=65_535)),
            unix_socket: section.text(source, "unix_socket").map(|p| base.join(p)),
            threads: threads(section.number(source, "threads", 0, 0..=1_024)),
        };
        section.finish(source);
        listen
    }
}

impl ClientTls {
    fn read(mut section: Section<'_, '_>, source: &mut Source<'_>, base: &Path) -> Self {
        let words = [
            ("off", TlsMode::Off),
            ("allow", TlsMode::Allow),
            ("require", TlsMode::Require),
        ];
        let mode = section.choice(source, "mode", &words, TlsMode::Off);
        let (cert, key) = if mode == TlsMode::Off {
            (section.text(source, "cert"), section.text(source, "key"))
        } else {
            (
                Some(section.required(source, "cert", "server.crt")),
                Some(section.required(source, "key", "server.key")),
            )
        };
        let client_ca = section.text(source, "client_ca").map(|p| base.join(p));
        let client_crl = section.text(source, "client_crl").map(|p| base.join(p));
        section.finish(source);
        Self {
            mode,
            client_ca,
            client_crl,
            cert: cert.map(|p| base.join(p)),
            key: key.map(|p| base.join(p)),
        }
    }
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

    fn read(mut section: Section<'_, '_>, source: &mut Source<'_>, base: &Path) -> Self {
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

impl Login {
    fn read(mut section: Section<'_, '_>, source: &mut Source<'_>, base: &Path, has_rights: bool) -> Self {
        let words = [
            ("upstream", LoginMethod::Upstream),
            ("users_file", LoginMethod::UsersFile),
            ("rowgate", LoginMethod::Rowgate),
        ];
        let method = section.choice(source, "method", &words, LoginMethod::Upstream);
        if method == LoginMethod::Rowgate && !has_rights {
            source.error(
                section.span_of("method"),
                "login.method \"rowgate\" needs the schema that rights are kept in",
                "write a section [rights] and run rowgate init",
            );
        }
        let auth_query = section
            .text(source, "auth_query")
            .unwrap_or_else(|| DEFAULT_AUTH_QUERY.to_owned());
        let users_file = match method {
            LoginMethod::Upstream | LoginMethod::Rowgate => section.text(source, "users_file"),
            LoginMethod::UsersFile => Some(section.required(source, "users_file", "users.txt")),
        };
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let iterations = section.number(source, "scram_iterations", 4_096, 1..=10_000_000);
        let lockout = lockout::Bounds {
            attempts: count(section.number(source, "attempts", 5, 1..=1_000_000)),
            per_address: count(section.number(source, "attempts_per_address", 100, 1..=1_000_000)),
            lock: section.duration(source, "lock", Duration::from_secs(5)),
            longest: section.duration(source, "longest_lock", Duration::from_secs(900)),
        };
        let words = [("end", Sessions::End), ("keep", Sessions::Keep)];
        let sessions = section.choice(source, "sessions", &words, Sessions::End);
        section.finish(source);
        Self {
            method,
            auth_query,
            users_file: users_file.map(|p| base.join(p)),
            scram_iterations: usize::try_from(iterations).unwrap_or(4_096),
            lockout,
            sessions,
        }
    }
}

impl AuditConfig {
    fn read(mut section: Section<'_, '_>, source: &mut Source<'_>, base: &Path) -> Self {
        let words = [
            ("stdout", AuditOutput::Stdout),
            ("file", AuditOutput::File),
            ("off", AuditOutput::Off),
        ];
        let output = section.choice(source, "output", &words, AuditOutput::Stdout);
        let file = match output {
            AuditOutput::File => Some(section.required(source, "file", "audit.jsonl")),
            AuditOutput::Stdout | AuditOutput::Off => section.text(source, "file"),
        };
        let audit = Self {
            output,
            file: file.map(|p| base.join(p)),
            required: section.flag(source, "required", false),
            literals: section.flag(source, "literals", false),
            parameters: section.flag(source, "parameters", false),
        };
        section.finish(source);
        audit
    }
}

impl Limits {
    fn read(mut section: Section<'_, '_>, source: &mut Source<'_>) -> Self {
        let max_connections = section.number(source, "max_connections", 100, 1..=100_000);
        let statement_bytes = section.number(source, "statement_bytes", 1 << 20, 1_024..=64 << 20);
        let message_bytes = section.number(source, "message_bytes", 64 << 20, 1_024..=1 << 30);
        let limits = Self {
            max_connections: u32::try_from(max_connections).unwrap_or(100),
            login_timeout: section.duration(source, "login_timeout", Duration::from_secs(30)),
            statement_bytes: usize::try_from(statement_bytes).unwrap_or(1 << 20),
            message_bytes: usize::try_from(message_bytes).unwrap_or(64 << 20),
            shutdown_timeout: section.duration(source, "shutdown_timeout", Duration::from_secs(30)),
        };
        section.finish(source);
        limits
    }
}

fn read_passwords(mut section: Section<'_, '_>, source: &mut Source<'_>) -> PasswordRules {
    let known = PasswordRules::default();
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let rules = PasswordRules {
        shortest: count(section.number(source, "shortest", 12, 1..=1_000)),
        strength: u8::try_from(section.number(source, "strength", 3, 0..=4)).unwrap_or(known.strength),
        history: count(section.number(source, "history", 5, 0..=100)),
        days: section.number(source, "days", 0, 0..=36_500),
    };
    section.finish(source);
    rules
}

/// `bytes`: of judgements that are kept, 64 MiB unless told; `entries`: how many, 100,000 unless told.
fn read_cache(mut section: Section<'_, '_>, source: &mut Source<'_>) -> Bounds {
    let bounds = Bounds {
        bytes: section.number(source, "bytes", 64 << 20, 0..=64 << 30),
        entries: section.number(source, "entries", 100_000, 1..=100_000_000),
    };
    section.finish(source);
    bounds
}

/// 0 is not told.
fn threads(number: u64) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match usize::try_from(number) {
        Ok(number) if number > 0 => number,
        _ => cores.div_ceil(4),
    }
}

fn port(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "[upstream]\nhost = \"127.0.0.1\"\ndatabase = \"crm\"\nuser = \"rowgate\"\n";

    #[test]
    fn the_smallest_file_has_defaults() {
        let config = Config::parse("r.toml", SMALL, Path::new("/etc/rowgate")).unwrap();
        assert_eq!(config.listen.port, 6432);
        assert_eq!(config.policies, Path::new("/etc/rowgate/policies"));
        assert_eq!(config.upstream.sslmode, SslMode::Prefer);
    }

    #[test]
    fn all_errors_come_at_once_with_their_place() {
        let text = format!("{SMALL}sslmod = \"require\"\n[listen]\nport = 70000\n[tls]\nmode = \"on\"\n[limit]\n");
        let errors: Vec<String> = Config::parse("r.toml", &text, Path::new(""))
            .unwrap_err()
            .iter()
            .map(|e| e.to_string().replace("\n    ", " | "))
            .collect();
        assert_eq!(
            errors,
            [
                "r.toml:5:1: unknown key upstream.sslmod | did you mean sslmode?",
                "r.toml:7:8: listen.port must be a whole number from 0 to 65535 | the default is 6432",
                "r.toml:9:8: tls.mode cannot be \"on\" | choose one of: off, allow, require",
                "r.toml:10:2: unknown key limit | did you mean limits?",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let errors = Config::parse("r.toml", "[login]\nmethod = \"users_file\"\n", Path::new("")).unwrap_err();
        let messages: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "upstream.host is missing",
                "upstream.database is missing",
                "upstream.user is missing",
                "login.users_file is missing"
            ]
        );
    }
}
