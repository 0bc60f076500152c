//! Makes connections to the database: socket, TLS, startup, password; and cancel requests beside them.

use super::Connection;
use super::tls;
use crate::config::{SslMode, Upstream};
use crate::name::{quote_ident, split_identifiers};
use crate::net::Fields;
use crate::net::certificate::end_point_hash;
use crate::net::frame::{self, put, put_cstr};
use crate::net::{Body, Channel, Malformed, Stream};
use crate::refusal::{Refusal, SqlState};
use bytes::{BufMut, BytesMut};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use rustls_pki_types::ServerName;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

/// Longest message of a server before its first ReadyForQuery.
const LONGEST_GREETING: usize = 30_000;

/// Why the database cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The network or the socket.
    #[error("cannot reach the database: {0}")]
    Io(#[from] io::Error),
    /// It answered with an error.
    #[error("the database refused the connection: {} ({})", .0.message(), .0.sqlstate())]
    Refused(Box<Fields>),
    /// It answered in a way that rowgate does not understand or may not accept.
    #[error("the database answered with {0}")]
    Protocol(String),
    /// It did not answer in time.
    #[error("the database did not answer in time")]
    Timeout,
    /// None of the pool came free within this time.
    #[error("no connection to the database came free within {0:?}")]
    Busy(Duration),
}

impl From<Malformed> for ConnectError {
    fn from(error: Malformed) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl ConnectError {
    /// What a client reads of it: nothing about where the database is or which role rowgate uses.
    pub fn refusal(&self) -> Refusal {
        if let Self::Busy(wait) = self {
            return Self::full(*wait, "All connections of the pool");
        }
        let starting = matches!(self, Self::Refused(fields) if matches!(fields.sqlstate(), "57P03" | "53300"));
        let (code, sqlstate, message) = if starting {
            (
                "upstream-not-ready",
                SqlState::CannotConnectNow,
                "the database is not ready to take connections",
            )
        } else {
            (
                "upstream-down",
                SqlState::ConnectionFailure,
                "cannot connect to the database behind rowgate",
            )
        };
        Refusal::new(code, sqlstate, message)
            .hint("Try again in a moment; if it lasts, tell the database administrator.")
            .log(self.to_string())
    }

    /// Who has waited for a connection and got none: `what` are in use.
    pub fn full(wait: Duration, what: &str) -> Refusal {
        Refusal::new(
            "pool-full",
            SqlState::TooManyConnections,
            format!("no connection to the database came free within {wait:?}"),
        )
        .detail(format!("{what} are in use."))
        .hint("Try again, or ask the database administrator for a larger pool.")
    }
}

/// Knows how to reach the database.
pub struct Connector {
    upstream: Upstream,
    tls: Option<TlsConnector>,
    /// The search_path that sessions begin with and RESET goes back to.
    search_path: OnceCell<String>,
}

impl Connector {
    /// Prepares TLS; fails where its files cannot be used.
    pub fn new(upstream: Upstream) -> Result<Self, String> {
        let tls = tls::connector(&upstream)?;
        Ok(Self {
            upstream,
            tls,
            search_path: OnceCell::new(),
        })
    }

    /// The part of the configuration it was made from.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// A connection that is logged in and ready for queries.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        // on the heap, so that a session that has its connection holds no room for getting one
        let connecting = Box::pin(async {
            let path = self.search_path.get_or_try_init(|| self.default_search_path()).await?;
            self.login(Some(path)).await
        });
        tokio::time::timeout(self.upstream.connect_timeout, connecting)
            .await
            .map_err(|_| ConnectError::Timeout)?
    }

    /// The default of the role and the database, for people instead of for rowgate's role: without `$user`, and
    /// without `pg_catalog`, which is searched first where it is not named.
    async fn default_search_path(&self) -> Result<String, ConnectError> {
        let mut connection = self.login(None).await?;
        let rows = connection.run("SHOW search_path", &[]).await?;
        connection.terminate();
        connection.drain().await?;
        let path = rows.into_iter().flatten().flatten().next().unwrap_or_default();
        let kept: Vec<String> = split_identifiers(&path)
            .iter()
            .filter(|name| !matches!(name.as_str(), "$user" | "pg_catalog" | "pg_temp" | ""))
            .map(|name| quote_ident(name))
            .collect();
        Ok(if kept.is_empty() {
            "\"\"".to_owned()
        } else {
            kept.join(", ")
        })
    }

    /// Asks the server to cancel what one of its processes is doing; returns once the server has closed the
    /// request's connection, so that the signal has been sent.
    pub async fn cancel(&self, process: i32, secret: i32) -> Result<(), ConnectError> {
        let asking = Box::pin(async {
            let mut stream = self.open().await?;
            let mut request = BytesMut::with_capacity(16);
            request.put_i32(16);
            request.put_u16(1234);
            request.put_u16(5678);
            request.put_i32(process);
            request.put_i32(secret);
            stream.write_all(&request).await?;
            stream.flush().await?;
            let _ = stream.read(&mut [0]).await;
            Ok(())
        });
        tokio::time::timeout(self.upstream.connect_timeout, asking)
            .await
            .map_err(|_| ConnectError::Timeout)?
    }

    /// Ends one of the server's processes that serve rowgate's own role, with everything that was sent to it.
    pub async fn terminate(&self, process: i32) -> Result<(), ConnectError> {
        let mut connection = self.connect().await?;
        let end = "SELECT pg_catalog.pg_terminate_backend($1::pg_catalog.int4)";
        connection.run(end, &[&process.to_string()]).await?;
        connection.terminate();
        connection.drain().await?;
        Ok(())
    }

    async fn open(&self) -> Result<Stream, ConnectError> {
        let Upstream { host, port, .. } = &self.upstream;
        if host.starts_with('/') {
            let socket = UnixStream::connect(Path::new(host).join(format!(".s.PGSQL.{port}"))).await?;
            return Ok(Stream::Unix(socket));
        }
        let mut tcp = TcpStream::connect((host.as_str(), *port)).await?;
        tcp.set_nodelay(true)?;
        socket2::SockRef::from(&tcp).set_keepalive(true)?;
        let Some(connector) = &self.tls else {
            return Ok(Stream::Tcp(tcp));
        };
        tcp.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
        match tcp.read_u8().await? {
            b'S' => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| ConnectError::Protocol(format!("a host name that TLS cannot use: {host}")))?;
                Ok(Stream::Client(Box::new(connector.connect(name, tcp).await?)))
            }
            b'N' if self.upstream.sslmode == SslMode::Prefer => Ok(Stream::Tcp(tcp)),
            b'N' => Err(ConnectError::Protocol(
                "no TLS, but upstream.sslmode asks for it".to_owned(),
            )),
            _ => Err(ConnectError::Protocol("no PostgreSQL".to_owned())),
        }
    }

    async fn login(&self, search_path: Option<&str>) -> Result<Connection, ConnectError> {
        let mut channel = Channel::new(self.open().await?);
        startup(&mut channel.output, &self.upstream, search_path);
        let mut parameters = BTreeMap::new();
        let mut key = (0, 0);
        let mut scram: Option<ScramSha256> = None;
        loop {
            channel.drain().await?;
            let (tag, body) = read(&mut channel).await?;
            let mut reader = Body::new(&body);
            match tag {
                b'R' => match reader.i32()? {
                    0 => {}
                    3 => password(&mut channel, self.password()?.as_bytes()),
                    5 => {
                        let salt = reader.u32()?.to_be_bytes();
                        let hash = md5_hash(self.upstream.user.as_bytes(), self.password()?.as_bytes(), salt);
                        password(&mut channel, hash.as_bytes());
                    }
                    10 => scram = Some(self.begin_scram(&mut channel, &mut reader)?),
                    11 => {
                        let exchange = scram.as_mut().ok_or(Malformed("SASL out of order"))?;
                        exchange.update(reader.rest())?;
                        put(&mut channel.output, b'p', |out| out.put_slice(exchange.message()));
                    }
                    12 => {
                        let exchange = scram.as_mut().ok_or(Malformed("SASL out of order"))?;
                        exchange.finish(reader.rest())?;
                    }
                    method => {
                        return Err(ConnectError::Protocol(format!(
                            "authentication method {method}, which rowgate does not speak"
                        )));
                    }
                },
                b'S' => {
                    let name = String::from_utf8_lossy(reader.cstr_bytes()?).into_owned();
                    parameters.insert(name, String::from_utf8_lossy(reader.cstr_bytes()?).into_owned());
                }
                b'K' => key = (reader.i32()?, reader.i32()?),
                b'E' => return Err(ConnectError::Refused(Box::new(Fields::decode(&body)?))),
                b'N' | b'v' => {}
                b'Z' => return Ok(Connection::new(channel, parameters, key)),
                other => {
                    return Err(ConnectError::Protocol(format!("an unexpected message (type {other})")));
                }
            }
        }
    }

    fn password(&self) -> Result<&str, ConnectError> {
        self.upstream.password.as_deref().ok_or_else(|| {
            ConnectError::Protocol("a request for a password, but upstream.password is not set".to_owned())
        })
    }

    fn begin_scram(&self, channel: &mut Channel, offered: &mut Body<'_>) -> Result<ScramSha256, ConnectError> {
        let (mut plain, mut plus) = (false, false);
        loop {
            match offered.cstr_bytes()? {
                b"" => break,
                m if m == SCRAM_SHA_256.as_bytes() => plain = true,
                m if m == SCRAM_SHA_256_PLUS.as_bytes() => plus = true,
                _ => {}
            }
        }
        let certificate = match channel.stream() {
            Stream::Client(tls) => tls.get_ref().1.peer_certificates().and_then(|c| c.first()),
            Stream::Tcp(_) | Stream::Unix(_) | Stream::Server(_) | Stream::Nobody => None,
        };
        let hash = certificate.and_then(|c| end_point_hash(c));
        let (mechanism, binding) = match hash {
            Some(hash) if plus => (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash)),
            Some(_) if plain => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            None if plain => (SCRAM_SHA_256, ChannelBinding::unsupported()),
            _ => {
                return Err(ConnectError::Protocol(
                    "no SASL mechanism that rowgate speaks".to_owned(),
                ));
            }
        };
        let exchange = ScramSha256::new(self.password()?.as_bytes(), binding);
        put(&mut channel.output, b'p', |out| {
            put_cstr(out, mechanism);
            out.put_i32(i32::try_from(exchange.message().len()).unwrap_or(0));
            out.put_slice(exchange.message());
        });
        Ok(exchange)
    }
}

/// Settings that judgements rely on, whatever the server, the database or the role has as its default.
const RELIED_ON: [(&str, &str); 7] = [
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    // lower levels would tell the text that rowgate sends
    ("client_min_messages", "notice"),
    ("application_name", "rowgate"),
];

/// The startup packet. The settings in it are what RESET and DISCARD ALL fall back to.
fn startup(out: &mut BytesMut, upstream: &Upstream, search_path: Option<&str>) {
    let start = out.len();
    out.put_i32(0);
    out.put_u16(3);
    out.put_u16(0);
    for (name, value) in [
        ("user", upstream.user.as_str()),
        ("database", upstream.database.as_str()),
    ]
    .into_iter()
    .chain(RELIED_ON)
    .chain(search_path.map(|path| ("search_path", path)))
    {
        put_cstr(out, name);
        put_cstr(out, value);
    }
    out.put_u8(0);
    let length = u32::try_from(out.len() - start).unwrap_or(0);
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&length.to_be_bytes());
    }
}

fn password(channel: &mut Channel, secret: &[u8]) {
    put(&mut channel.output, b'p', |out| {
        out.put_slice(secret);
        out.put_u8(0);
    });
}

async fn read(channel: &mut Channel) -> Result<(u8, BytesMut), ConnectError> {
    loop {
        if let Some(message) = frame::take(&mut channel.input, |_| LONGEST_GREETING)? {
            return Ok(message);
        }
        if channel.fill().await? == 0 {
            return Err(ConnectError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}
