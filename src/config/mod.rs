//! `rowgate.toml`: where to listen, which database stands behind, who may log in, what is recorded, what is bounded.

mod access;
mod ldap;
mod login;
mod pool;
mod proofs;
mod read;
mod rights;
mod upstream;

pub use login::{DEFAULT_AUTH_QUERY, Login, LoginMethod, Sessions};
pub use pool::{PoolConfig, PoolMode};
pub use proofs::{Proofs, TokenConfig};
pub use read::ConfigError;
pub use rights::RightsConfig;
pub use upstream::{SslMode, Upstream};

use crate::gate::cache::Bounds;
use crate::login::Rules;
use crate::login::ldap as ldap_login;
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
            totp: login.method == LoginMethod::UsersFile || login.totp_key.is_some(),
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
            passwords: login::read_passwords(root.section(&mut source, "passwords"), &mut source),
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
