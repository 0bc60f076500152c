//! Proves who a client is: which rule asks for what, the exchange, and how often it may fail. Whoever is refused gets the same
//! conversation and the same last word as whoever has a wrong password.

use super::{End, Shared};
use crate::audit::{Decision, Person};
use crate::backend::auth_query;
use crate::config::LoginMethod;
use crate::login::claims::Unfit;
use crate::login::{Asked, Attempt, Clear, Place, Proof, Tried, certificate, totp};
use crate::net::{Channel, Malformed, frame};
use crate::refusal::{Refusal, SqlState};
use crate::wire::startup::Startup;
use crate::wire::{answer, scram};
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Longest message of a client that has not logged in.
const LONGEST_LOGIN: usize = 10_000;
/// Longest token, as in PostgreSQL.
const LONGEST_TOKEN: usize = 65_535;

/// How somebody has proved who they are.
enum Proved {
    /// By SCRAM: the server's last message.
    Scram(String),
    /// By a password that was sent as it is.
    Password,
    /// By something else.
    Otherwise,
}

/// Asks a client to prove that it is who it says.
pub(super) async fn authenticate(
    shared: &Shared,
    channel: &mut Channel,
    startup: &Startup,
    person: &Person,
) -> Result<(), End> {
    let login = person.login.as_str();
    let address = person.client.parse::<SocketAddr>().ok().map(|a| a.ip());
    let asked = decide(shared, channel, startup, login, address);
    let certified = || {
        let names = channel.stream().client_certificate().map(certificate::names);
        certificate::stand_for(&names.unwrap_or_default(), login, &shared.config.certificates)
    };
    let certified = certified();
    let open = certified || !asked.certificate;
    let mut proved = match asked.proof {
        Proof::Certificate => certified.then_some(Proved::Otherwise).ok_or("wrong-certificate"),
        Proof::Clear(clear) if channel.stream().is_tls() => by_token(shared, channel, login, clear).await?,
        Proof::Scram => by_scram(shared, channel, login, open).await?,
        Proof::Reject | Proof::Clear(_) => by_scram(shared, channel, login, false).await?,
    };
    if !open {
        proved = Err("wrong-certificate");
    } else if matches!(asked.proof, Proof::Reject) {
        proved = Err("no-access-rule");
    } else if matches!(asked.proof, Proof::Clear(_)) && !channel.stream().is_tls() {
        proved = Err("no-tls");
    }
    let place = Place::of(address);
    let tried = shared.lockout.judge(login, place, proved.is_ok(), Instant::now());
    if let Tried::Wrong(Some(lock)) = tried {
        note_lock(shared, person, lock);
    }
    let last = match (tried, proved) {
        (Tried::Allowed, Ok(proved)) => proved,
        (tried, proved) => {
            let code = match (tried, proved) {
                (Tried::Locked, _) => "locked",
                (_, Err(code)) => code,
                (Tried::Allowed | Tried::Wrong(_), Ok(_)) => "wrong-password",
            };
            let rule = asked
                .line
                .map_or_else(|| "none".to_owned(), |line| format!("line {line}"));
            tracing::info!(login, client = person.client, code, rule, "a login is refused");
            return Err(End::Fatal(denied(code, asked.proof, login)));
        }
    };
    if shared.world.people_outdated() {
        let message = "nobody may log in now: who people are could not be read for too long";
        return Err(End::Fatal(
            Refusal::new("people-outdated", SqlState::CannotConnectNow, message)
                .hint("Ask the database administrator."),
        ));
    }
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
    let by_password = matches!(asked.proof, Proof::Scram | Proof::Clear(Clear { totp: true, .. }));
    if by_password && !matches!(last, Proved::Otherwise) && is_over(shared, login) {
        let message = format!("the password of user \"{login}\" has expired");
        let refusal = Refusal::new("password-expired", SqlState::InvalidPassword, message);
        return Err(End::Fatal(
            refusal.hint("Ask the administrator of rowgate for a new one."),
        ));
    }
    if let Proved::Scram(last) = last {
        answer::authentication_sasl_final(&mut channel.output, last.as_bytes());
    }
    answer::authentication_ok(&mut channel.output);
    Ok(())
}

fn decide(shared: &Shared, channel: &Channel, startup: &Startup, login: &str, address: Option<IpAddr>) -> Asked {
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

/// What a login comes to: how it was proved, or the word for the log that says why not.
type Outcome = Result<Proved, &'static str>;

/// A token in place of the password, as it is: over TLS alone.
async fn by_token(shared: &Shared, channel: &mut Channel, login: &str, clear: Clear) -> Result<Outcome, End> {
    answer::authentication_cleartext_password(&mut channel.output);
    let body = password_message(channel, LONGEST_TOKEN).await?;
    let Some(secret) = body.strip_suffix(b"\0").and_then(|s| std::str::from_utf8(s).ok()) else {
        return Err(End::Malformed(Malformed("invalid password packet")));
    };
    let now = chrono::Utc::now().timestamp();
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let seconds = now as f64;
    let mut found = Err(Unfit("token-not-signed-by-a-known-key"));
    if let (true, Some(tokens)) = (clear.token, &shared.tokens) {
        found = tokens.check(secret, seconds).and_then(|token| {
            let number = token.once.map(|number| format!("token {number}"));
            let (ends, now) = (token.ends.saturating_add(60), u64::try_from(now).unwrap_or(0));
            let unused = number.is_none_or(|number| shared.used.first_time(number, ends, now));
            unused.then_some(token.login).ok_or(Unfit("token-used-before"))
        });
    }
    if let (true, true, Some(issuer)) = (found.is_err(), clear.jwt, &shared.issuer) {
        found = issuer.check(secret, seconds).await;
    }
    if found.is_err() && clear.totp {
        return by_one_time_password(shared, login, secret, u64::try_from(now).unwrap_or(0)).await;
    }
    Ok(match found {
        Ok(whose) if whose == login => Ok(Proved::Otherwise),
        Ok(_) => Err("token-of-another-login"),
        Err(Unfit(word)) => Err(word),
    })
}

/// The password with the code of an authenticator behind it; the same work whoever the login is.
async fn by_one_time_password(shared: &Shared, login: &str, secret: &str, now: u64) -> Result<Outcome, End> {
    let entry = shared.users.load().get(login).cloned();
    let stored = entry.as_ref().and_then(|e| scram::Verifier::parse(&e.verifier));
    let verifier = stored.unwrap_or_else(|| mock(shared, login));
    let (password, code) = totp::split(secret).unwrap_or((secret, ""));
    let password = password.to_owned();
    let fits = tokio::task::spawn_blocking(move || verifier.fits(&password))
        .await
        .unwrap_or(false);
    let no_secret = shared.mock_totp.as_str();
    let known = entry.as_ref().and_then(|e| e.totp.as_deref());
    let step = totp::check(known.unwrap_or(no_secret), code, now).filter(|_| known.is_some());
    let Some((step, ends)) = step.filter(|_| fits) else {
        return Ok(Err("wrong-password"));
    };
    let fresh = shared.used.first_time(format!("totp {step} {login}"), ends, now);
    Ok(if fresh {
        Ok(Proved::Password)
    } else {
        Err("code-used-before")
    })
}

/// Stands in where there is no verifier.
fn mock(shared: &Shared, login: &str) -> scram::Verifier {
    scram::Verifier::mock(login, &shared.mock_secret, shared.config.login.scram_iterations)
}

/// Has the password that the users file keeps to be changed?
fn is_over(shared: &Shared, login: &str) -> bool {
    let today = chrono::Utc::now().date_naive();
    shared.config.login.method == LoginMethod::UsersFile
        && (shared.users.load().get(login)).is_some_and(|e| shared.config.passwords.is_over(e.changed, today))
}

/// SCRAM, by the verifier of the login, or by one that nothing fits: where there is none, and where it is not `open`
/// to this client.
async fn by_scram(shared: &Shared, channel: &mut Channel, login: &str, open: bool) -> Result<Outcome, End> {
    let stored = stored_verifier(shared, login).await?;
    let verifier = stored.as_deref().and_then(scram::Verifier::parse).filter(|_| open);
    let verifier = verifier.unwrap_or_else(|| mock(shared, login));
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
    let body = password_message(channel, LONGEST_LOGIN).await?;
    let (first, waiting) = match scram::first(&body, verifier, server) {
        Ok(began) => began,
        Err(scram::Failed::Malformed(message)) => return Err(End::Malformed(Malformed(message))),
        Err(scram::Failed::WrongPassword) => return Ok(Err("wrong-password")),
    };
    answer::authentication_sasl_continue(&mut channel.output, first.as_bytes());
    let body = password_message(channel, LONGEST_LOGIN).await?;
    Ok(scram::last(&body, &waiting)
        .map(Proved::Scram)
        .map_err(|_| "wrong-password"))
}

/// What stands for a login's password; looked up in the same way whoever the login is.
async fn stored_verifier(shared: &Shared, login: &str) -> Result<Option<String>, End> {
    let stored = match shared.config.login.method {
        LoginMethod::UsersFile => shared.users.load().get(login).map(|e| e.verifier.clone()),
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

async fn password_message(channel: &mut Channel, longest: usize) -> Result<bytes::BytesMut, End> {
    channel.drain().await.map_err(|_| End::Client)?;
    loop {
        match frame::take(&mut channel.input, |_| longest).map_err(End::Malformed)? {
            Some((b'p', body)) => return Ok(body),
            Some(_) => return Err(End::Malformed(Malformed("expected a password message"))),
            None => {}
        }
        if channel.fill().await.map_err(|_| End::Client)? == 0 {
            return Err(End::Client);
        }
    }
}

/// The one answer to every login that is refused before it has proved anything: what was asked for tells which of
/// PostgreSQL's words it is, and who exists does not.
fn denied(code: &'static str, proof: Proof, login: &str) -> Refusal {
    let (method, sqlstate) = match proof {
        Proof::Certificate => ("certificate", SqlState::InvalidAuthorization),
        Proof::Scram | Proof::Clear(_) | Proof::Reject => ("password", SqlState::InvalidPassword),
    };
    let message = format!("{method} authentication failed for user \"{login}\"");
    Refusal::new(code, sqlstate, message)
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
