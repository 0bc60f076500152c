//! Proves who a client is: which rule asks for what, the exchange, and how often it may fail. Whoever is refused gets the same
//! conversation and the same last word as whoever has a wrong password.

use super::{End, Shared};
use crate::audit::{Decision, Person};
use crate::backend::auth_query;
use crate::config::LoginMethod;
use crate::login::{Attempt, Place, Proof, Tried};
use crate::net::{Channel, Malformed, frame};
use crate::refusal::{Refusal, SqlState};
use crate::wire::startup::Startup;
use crate::wire::{answer, scram};
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Longest message of a client that has not logged in.
const LONGEST_LOGIN: usize = 10_000;

/// Asks a client to prove that it is who it says.
pub(super) async fn authenticate(
    shared: &Shared,
    channel: &mut Channel,
    startup: &Startup,
    person: &Person,
) -> Result<(), End> {
    let login = person.login.as_str();
    let address = person.client.parse::<SocketAddr>().ok().map(|a| a.ip());
    let (proof, rule) = decide(shared, channel, startup, login, address);
    let proved = match proof {
        Proof::Scram => by_scram(shared, channel, login, true).await?,
        Proof::Reject => by_scram(shared, channel, login, false).await?,
    };
    let tried = shared
        .lockout
        .judge(login, Place::of(address), proved.is_some(), Instant::now());
    let code = match (tried, proof) {
        (Tried::Locked, _) => "locked",
        (_, Proof::Reject) => "no-access-rule",
        _ => "wrong-password",
    };
    if let Tried::Wrong(Some(lock)) = tried {
        note_lock(shared, person, lock);
    }
    let (Tried::Allowed, Some(last)) = (tried, proved) else {
        let rule = rule.map_or_else(
            || "no access rule".to_owned(),
            |line| format!("the access rule in line {line}"),
        );
        tracing::info!(
            login,
            client = person.client,
            code,
            "a login is refused; it fell under {rule}"
        );
        return Err(End::Fatal(denied(code, login)));
    };
    if shared.world.current().directory.principal(login).is_none() {
        return Err(End::Fatal(
            Refusal::new(
                "not-in-directory",
                SqlState::InvalidAuthorization,
                format!("login \"{login}\" has no access: it is not an active person of the directory"),
            )
            .hint("Ask the database administrator."),
        ));
    }
    answer::authentication_sasl_final(&mut channel.output, last.as_bytes());
    answer::authentication_ok(&mut channel.output);
    Ok(())
}

fn decide(
    shared: &Shared,
    channel: &Channel,
    startup: &Startup,
    login: &str,
    address: Option<IpAddr>,
) -> (Proof, Option<usize>) {
    let world = shared.world.current();
    let attempt = Attempt {
        database: startup.get("database").unwrap_or(login),
        login,
        roles: world.directory.principal(login).map_or(&[], |who| who.roles.as_slice()),
        address,
        tls: channel.stream().is_tls(),
        now: chrono::Utc::now(),
    };
    shared.config.access.decide(&attempt)
}

/// SCRAM, by the verifier of the login, or by one that nothing fits: where there is none, and where it is not `open`
/// to this client. The server's last message, if the proof fits.
async fn by_scram(shared: &Shared, channel: &mut Channel, login: &str, open: bool) -> Result<Option<String>, End> {
    let stored = stored_verifier(shared, login).await?;
    let verifier = stored.as_deref().and_then(scram::Verifier::parse).filter(|_| open);
    let verifier = verifier.unwrap_or_else(|| scram::Verifier::mock(login, &shared.mock_secret));
    let plain = ScramServerAuth::new();
    let server = match &shared.tls {
        Some(tls) if channel.stream().is_tls() => &tls.scram,
        _ => &plain,
    };
    let mechanisms: &[&str] = if server.supports_channel_binding() {
        &[scram::PLUS, scram::PLAIN]
    } else {
        &[scram::PLAIN]
    };
    answer::authentication_sasl(&mut channel.output, mechanisms);
    let body = password_message(channel).await?;
    let (first, waiting) = match scram::first(&body, verifier, server) {
        Ok(began) => began,
        Err(scram::Failed::Malformed(message)) => return Err(End::Malformed(Malformed(message))),
        Err(scram::Failed::WrongPassword) => return Ok(None),
    };
    answer::authentication_sasl_continue(&mut channel.output, first.as_bytes());
    let body = password_message(channel).await?;
    Ok(scram::last(&body, &waiting).ok())
}

/// What stands for a login's password; looked up in the same way whoever the login is.
async fn stored_verifier(shared: &Shared, login: &str) -> Result<Option<String>, End> {
    let stored = match shared.config.login.method {
        LoginMethod::UsersFile => shared.users.load().get(login).cloned(),
        LoginMethod::Upstream => auth_query::verifier(&shared.pool, &shared.config.login.auth_query, login)
            .await
            .map_err(|error| {
                tracing::error!(%error, "the auth query failed");
                End::Fatal(error.refusal())
            })?,
    };
    if stored.as_deref().is_some_and(|v| scram::Verifier::parse(v).is_none()) {
        tracing::warn!(
            login,
            "the stored password is no SCRAM verifier: set it anew with password_encryption = scram-sha-256"
        );
    }
    Ok(stored)
}

async fn password_message(channel: &mut Channel) -> Result<bytes::BytesMut, End> {
    channel.drain().await.map_err(|_| End::Client)?;
    loop {
        match frame::take(&mut channel.input, |_| LONGEST_LOGIN).map_err(End::Malformed)? {
            Some((b'p', body)) => return Ok(body),
            Some(_) => return Err(End::Malformed(Malformed("expected a password message"))),
            None => {}
        }
        if channel.fill().await.map_err(|_| End::Client)? == 0 {
            return Err(End::Client);
        }
    }
}

/// The one answer to every login that is refused before it has proved anything.
fn denied(code: &'static str, login: &str) -> Refusal {
    let message = format!("password authentication failed for user \"{login}\"");
    Refusal::new(code, SqlState::InvalidPassword, message)
}

fn note_lock(shared: &Shared, person: &Person, lock: Duration) {
    tracing::warn!(
        login = person.login,
        client = person.client,
        seconds = lock.as_secs(),
        "too many failed logins: further ones are refused for a while"
    );
    super::login::record(shared, person, "lock-out", Decision::Refused, "locked");
}
