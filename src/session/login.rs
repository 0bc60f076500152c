//! From a fresh socket to a session: TLS, startup, password, connection, settings; and its end.

use super::arrivals::{Arrival, Seat};
use super::authenticate::authenticate;
use super::cancel::Before;
use super::expect::Queue;
use super::state::State;
use super::stay::Stay;
use super::{End, Session, Shared, Upstream};
use crate::audit::{Audit, Decision, Event, Person, StatementText};
use crate::backend::carried::{Digest, Settings};
use crate::backend::{Connection, pool};
use crate::config::{PoolMode, TlsMode};
use crate::identity::Principal;
use crate::net::{Channel, Fields, Malformed, Stream};
use crate::refusal::{Refusal, SqlState};
use crate::wire::answer;
use crate::wire::startup::{self, First, Startup};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a connection may take to be cleaned for the next session.
const CLEANING: Duration = Duration::from_secs(10);

/// Who comes, and from where.
pub struct Newcomer {
    /// What they have opened.
    pub stream: Stream,
    /// Where they come from, in words.
    pub address: String,
    /// Their place among those who have not logged in.
    pub arrival: Arrival,
}

/// Serves one client from its first byte to its last.
pub async fn serve(shared: Arc<Shared>, newcomer: Box<Newcomer>) {
    // what a login needs is given back once it is done
    let Some(mut session) = Box::pin(begin(&shared, newcomer)).await else {
        return;
    };
    shared.counters.logins.fetch_add(1, Ordering::Relaxed);
    let counted = shared.counters.session();
    let conversed = session.converse().await;
    drop(counted);
    let end = conversed.err().unwrap_or(End::Client);
    Box::pin(session.end(end)).await;
}

/// A session that is ready for the client's first statement; `None` where it has come to nothing, or was a talk with
/// rowgate itself.
async fn begin(shared: &Shared, newcomer: Box<Newcomer>) -> Option<Box<Session<'_>>> {
    let Newcomer {
        stream,
        address,
        arrival,
    } = *newcomer;
    let mut channel = Channel::new(stream);
    let mut stop = shared.stop.clone();
    let log_in = async {
        tokio::select! {
            logged_in = log_in(shared, &mut channel, &address, arrival.is_beyond()) => logged_in,
            () = arrival.gives_way() => Err(End::Fatal(too_many_clients())),
            _ = stop.wait_for(|stop| *stop) => Err(End::Fatal(stopping())),
        }
    };
    let logged_in = tokio::time::timeout(shared.config.limits.login_timeout, log_in).await;
    let stays = |logged_in| match arrival.stays() {
        Some(seat) => Ok((logged_in, seat)),
        None => Err(End::Fatal(too_many_clients())),
    };
    match logged_in.map(|logged_in| logged_in.and_then(stays)) {
        Ok(Ok((logged_in, seat))) => open(shared, channel, logged_in, seat).await,
        Ok(Err(end)) => {
            say_goodbye(channel, &end).await;
            None
        }
        Err(_) => {
            tracing::info!(client = address, "a login has run out of time");
            None
        }
    }
}

/// A client that has proved who it is.
struct LoggedIn {
    startup: Startup,
    person: Person,
    stay: Stay,
}

async fn log_in(shared: &Shared, channel: &mut Channel, address: &str, full: bool) -> Result<LoggedIn, End> {
    let startup = first_packets(shared, channel).await?;
    let mut person = Person {
        session: shared.next_session(),
        login: startup.get("user").unwrap_or("").to_owned(),
        roles: Vec::new(),
        through: None,
        client: address.to_owned(),
        application: startup.get("application_name").unwrap_or("").to_owned(),
    };
    let result = async {
        check_startup(shared, channel, &startup, full)?;
        authenticate(shared, channel, &startup, &mut person).await
    }
    .await;
    if let Err(End::Fatal(refusal)) = &result {
        shared.counters.refused_login(refusal.code);
        record_login(shared, &person, Decision::Refused, refusal.code);
    }
    result.map(|stay| LoggedIn { startup, person, stay })
}

/// Reads up to the StartupMessage; TLS is shaken on the way.
async fn first_packets(shared: &Shared, channel: &mut Channel) -> Result<Startup, End> {
    if let Stream::Tcp(tcp) = channel.stream() {
        let mut first = [0];
        // a TLS handshake without an SSLRequest before it
        if matches!(tcp.peek(&mut first).await, Ok(1)) && first == [0x16] {
            upgrade(shared, channel, true).await?;
        }
    }
    loop {
        let first = loop {
            if let Some(first) = startup::take(&mut channel.input).map_err(End::Malformed)? {
                break first;
            }
            if channel.fill().await.map_err(|_| End::Client)? == 0 {
                return Err(End::Client);
            }
        };
        match first {
            First::Tls if shared.doors.load().tls.is_some() && !channel.stream().is_tls() && is_tcp(channel) => {
                if !channel.input.is_empty() {
                    return Err(End::Malformed(Malformed("received unencrypted data after SSL request")));
                }
                channel.output.extend_from_slice(b"S");
                channel.drain().await.map_err(|_| End::Client)?;
                upgrade(shared, channel, false).await?;
            }
            First::Tls | First::Gss => {
                channel.output.extend_from_slice(b"N");
                channel.drain().await.map_err(|_| End::Client)?;
            }
            First::Cancel { process, secret } => {
                shared.cancels.cancel((process, secret), &shared.connector).await;
                return Err(End::Client);
            }
            First::Startup(startup) => return Ok(startup),
        }
    }
}

fn is_tcp(channel: &Channel) -> bool {
    matches!(channel.stream(), Stream::Tcp(_))
}

async fn upgrade(shared: &Shared, channel: &mut Channel, direct: bool) -> Result<(), End> {
    let doors = shared.doors.load_full();
    let Some(tls) = &doors.tls else {
        return Err(End::Client);
    };
    let (placeholder, _) = tokio::net::UnixStream::pair().map_err(|_| End::Client)?;
    let plain = std::mem::replace(channel, Channel::new(Stream::Unix(placeholder)));
    let Stream::Tcp(tcp) = plain.into_stream() else {
        return Err(End::Client);
    };
    let secure = tls.acceptor.accept(tcp).await.map_err(|error| {
        tracing::debug!(%error, "a TLS handshake failed");
        End::Client
    })?;
    if direct && secure.get_ref().1.alpn_protocol() != Some(b"postgresql") {
        return Err(End::Client);
    }
    *channel = Channel::new(Stream::Server(Box::new(secure)));
    Ok(())
}

fn check_startup(shared: &Shared, channel: &mut Channel, startup: &Startup, full: bool) -> Result<(), End> {
    let unknown: Vec<String> = startup
        .parameters
        .iter()
        .map(|(name, _)| name.clone())
        .filter(|name| name.starts_with("_pq_."))
        .collect();
    if startup.minor > answer::NEWEST_MINOR || !unknown.is_empty() {
        answer::negotiate_protocol_version(&mut channel.output, startup.minor, &unknown);
    }
    let fatal = |code, sqlstate, message: String| Refusal::new(code, sqlstate, message);
    let refusal = if *shared.stop.borrow() {
        stopping()
    } else if full {
        too_many_clients()
    } else if shared.doors.load().tls_mode == TlsMode::Require && is_tcp(channel) {
        fatal(
            "no-tls",
            SqlState::InvalidAuthorization,
            "this connection needs TLS".to_owned(),
        )
        .hint("Connect with sslmode=require or better.")
    } else if startup.get("user").is_none_or(str::is_empty) {
        let message = "no PostgreSQL user name specified in startup packet".to_owned();
        fatal("no-user", SqlState::InvalidAuthorization, message)
    } else if startup
        .get("replication")
        .is_some_and(|r| !matches!(r, "false" | "off" | "no" | "0" | ""))
    {
        Refusal::unsupported("replication", "replication connections are not supported")
    } else {
        return Ok(());
    };
    Err(End::Fatal(refusal))
}

fn stopping() -> Refusal {
    Refusal::new("stopping", SqlState::CannotConnectNow, "rowgate is shutting down")
}

fn too_many_clients() -> Refusal {
    Refusal::new("full", SqlState::TooManyConnections, "sorry, too many clients already")
}

/// Gets the session's connection and puts its settings in force.
async fn open(shared: &Shared, mut client: Channel, logged_in: LoggedIn, seat: Seat) -> Option<Box<Session<'_>>> {
    let LoggedIn {
        startup,
        mut person,
        mut stay,
    } = logged_in;
    let bell = shared.alarms.bell();
    if let Err(end) = stay.look(shared, &bell) {
        say_goodbye(client, &end).await;
        return None;
    }
    let world = shared.world.current();
    let login = stay.account().to_owned();
    let who = world.directory.principal(&login).cloned()?;
    let acts = !world.policies.rights(&who).may_act_for.is_empty();
    if !acts {
        person.roles = who.roles.clone();
    }
    let database = startup.get("database").unwrap_or(&stay.login);
    let desk = super::desk::of(shared, database);
    if let Some(named) = stay.named().filter(|_| !acts || desk.is_some()) {
        let refusal = super::acting::not_for(named);
        record_login(shared, &person, Decision::Refused, refusal.code);
        say_goodbye(client, &End::Fatal(refusal)).await;
        return None;
    }
    if let Some(desk) = desk {
        record_login(shared, &person, Decision::Allowed, "");
        let (client, person, end) = Box::pin(super::desk::serve(shared, desk, client, person, (stay, bell))).await;
        record(shared, &person, "logout", Decision::Allowed, "");
        say_goodbye(client, &end).await;
        return None;
    }
    let connection = if database == shared.config.upstream.database {
        Box::pin(connect(shared, &who, person.session)).await
    } else {
        let mut fields = Fields::new("FATAL", "3D000", format!("database \"{database}\" does not exist"));
        fields.set(
            b'H',
            format!(
                "This rowgate serves the database \"{}\".",
                shared.config.upstream.database
            ),
        );
        Err(End::Upstream(fields))
    };
    let back = match connection {
        Ok(back) => back,
        Err(end) => {
            record_login(shared, &person, Decision::Refused, "no-database");
            say_goodbye(client, &end).await;
            return None;
        }
    };
    let registration = shared.cancels.register(back.key());
    // the client may read on while the settings are put in force
    let _ = client.drain().await;
    let mut session = Box::new(Session {
        shared,
        seat,
        client,
        state: State::new(login, world, who),
        queue: Queue::default(),
        passing: super::rows::Passing::default(),
        overflow: None,
        held: super::limits::Held::default(),
        turn: std::sync::Weak::new(),
        copying: false,
        enclosure: None,
        standing: None,
        last: None,
        overtaken: None,
        registration,
        number: person.session,
        away: None,
        settings: Settings::default(),
        mark: Digest::default(),
        told: Arc::clone(&back.parameters),
        pinned: None,
        share: None,
        back,
        person,
        stay,
        bell,
        heard: (0, 0),
    });
    let setup = tokio::time::timeout(shared.config.limits.login_timeout, Box::pin(session.set_up(&startup))).await;
    let end = match setup {
        Ok(Ok(())) => {
            record_login(shared, &session.person, Decision::Allowed, "");
            session.greet();
            return Some(session);
        }
        Ok(Err(end)) => {
            let code = match &end {
                End::Fatal(refusal) => Some(refusal.code),
                End::Broken(_) => Some("no-database"),
                End::Client | End::Malformed(_) | End::Upstream(_) => None,
            };
            if let Some(code) = code {
                record_login(shared, &session.person, Decision::Refused, code);
            }
            end
        }
        Err(_) => {
            record_login(shared, &session.person, Decision::Refused, "no-database");
            End::Broken("it did not put the settings in force in time".to_owned())
        }
    };
    session.end(end).await;
    None
}

/// A session that shares its connections takes one up when it needs it.
async fn connect(shared: &Shared, who: &Principal, session: u64) -> Result<Upstream, End> {
    let connection = if who.bypass {
        shared.connector.connect().await.map(|c| Upstream::Own(Box::new(c)))
    } else if shared.config.pool.mode == PoolMode::Transaction {
        return Ok(Upstream::Away(Box::new(Connection::to_nobody())));
    } else {
        shared.pool.get_within(shared.config.pool.wait).await.map(|mut loan| {
            loan.take_over(session);
            Upstream::Pooled(loan)
        })
    };
    connection.map_err(|error| {
        tracing::error!(%error, "no connection to the database");
        End::Fatal(error.refusal())
    })
}

impl Session<'_> {
    /// What a server says once everything is in force.
    fn greet(&mut self) {
        let key = self.registration.key;
        self.told = self.known_parameters();
        let out = &mut self.client.output;
        out.clear();
        for (name, value) in self.told.iter() {
            let value = match name.as_str() {
                "session_authorization" => &self.state.login,
                _ => value,
            };
            answer::parameter_status(out, name, value);
        }
        answer::backend_key_data(out, key.0, key.1);
        answer::ready_for_query(out, self.state.status);
    }

    /// Says why, and gives the connection back if it is in a known state.
    async fn end(mut self, end: End) {
        let idle =
            self.queue.is_empty() && self.overflow.is_none() && self.enclosure.is_none() && !self.state.segment_open;
        let waits = self.queue.len() > 1;
        let is_between = self.passing.is_over() || self.passing.dropped || self.held.is_open();
        let target = self.back.key();
        self.record_broken_off();
        record(self.shared, &self.person, "logout", Decision::Allowed, "");
        let reusable = idle && matches!(end, End::Client | End::Malformed(_) | End::Fatal(_));
        let Self {
            client,
            back,
            shared,
            registration,
            pinned,
            ..
        } = self;
        let reusable = registration.end().await == Before::Quiet && reusable;
        shared.counters.repinned(pinned, None);
        // whoever is put out does not have to read that before their statement ends
        if !idle && matches!(end, End::Fatal(_)) && !matches!(back, Upstream::Away(_)) {
            // what was sent behind it would run if it were cancelled alone
            let ended = waits && shared.connector.terminate(target.0).await.is_ok();
            if !ended {
                let _ = shared.connector.cancel(target.0, target.1).await;
            }
        }
        // in the middle of a row a message would be a part of it
        if is_between {
            say_goodbye(client, &end).await;
        } else {
            hang_up(client, &end).await;
        }
        match back {
            Upstream::Pooled(mut loan) => {
                let cleaned = reusable && matches!(tokio::time::timeout(CLEANING, loan.clean()).await, Ok(Ok(())));
                if !cleaned {
                    drop(pool::Loan::take(loan));
                    if !idle {
                        let _ = shared.connector.cancel(target.0, target.1).await;
                    }
                }
            }
            Upstream::Own(mut connection) => {
                connection.terminate();
                let _ = connection.drain().await;
            }
            Upstream::Away(_) => {}
        }
    }
}

/// The last message, if there is one, and the end of the connection.
async fn say_goodbye(mut channel: Channel, end: &End) {
    let fields = match end {
        End::Client => None,
        End::Malformed(error) => Some(Fields::new("FATAL", "08P01", error.0)),
        End::Fatal(refusal) => Some(Fields::of_refusal("FATAL", refusal, None)),
        End::Upstream(fields) => {
            let mut fields = fields.clone();
            fields.keep(|tag| matches!(tag, b'S' | b'V' | b'C' | b'M' | b'H'));
            Some(fields)
        }
        End::Broken(_) => Some(Fields::new("FATAL", "08006", "the connection to the database was lost")),
    };
    if let Some(fields) = fields {
        fields.encode(b'E', &mut channel.output);
    }
    hang_up(channel, end).await;
}

async fn hang_up(channel: Channel, end: &End) {
    if let End::Broken(reason) = end {
        tracing::error!("the connection to the database was lost: {reason}");
    }
    let _ = tokio::time::timeout(Duration::from_secs(5), channel.close()).await;
}

fn record_login(shared: &Shared, person: &Person, decision: Decision, code: &str) {
    record(shared, person, "login", decision, code);
}

pub(super) fn record(shared: &Shared, person: &Person, event: &'static str, decision: Decision, code: &str) {
    record_with(shared, person, event, (decision, code), None);
}

/// A command of the database `rowgate`, in full.
pub(super) fn record_command(
    shared: &Shared,
    person: &Person,
    event: &'static str,
    decision: Decision,
    code: &str,
    text: &str,
) {
    let text = StatementText {
        statement: text.into(),
        fingerprint: "",
    };
    record_with(shared, person, event, (decision, code), Some(&text));
}

fn record_with(
    shared: &Shared,
    person: &Person,
    event: &'static str,
    (decision, code): (Decision, &str),
    text: Option<&StatementText<'_>>,
) {
    shared.audit.record(&Event {
        time: Audit::now(),
        event,
        person,
        generation: shared.world.current().generation,
        decision,
        code,
        text,
        reads: Vec::new(),
        parameters: None,
        outcome: None,
        violations: None,
    });
}

/// What a TCP connection is set to.
pub fn prepare_socket(tcp: &TcpStream) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    socket2::SockRef::from(tcp).set_keepalive(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_task<F: Future>(_: impl Fn(Arc<Shared>, Box<Newcomer>) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand clients wait most of the time, and each of them has all of this.
    #[test]
    fn a_client_who_waits_takes_little_room() {
        let (task, session) = (size_of_task(serve), size_of::<Session<'_>>());
        assert!(task <= 1_200 && session <= 1_280, "task {task}, session {session}");
    }
}
