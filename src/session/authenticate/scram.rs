//! SCRAM, by the verifier of the login or one that nothing fits.

use super::{End, LONGEST_LOGIN, Outcome, Proved, Shared, password_message};
use crate::backend::auth_query;
use crate::config::LoginMethod;
use crate::login::Proof;
use crate::login::kept::ITERATIONS;
use crate::net::{Channel, Malformed};
use crate::refusal::{Refusal, SqlState};
use crate::wire::{answer, scram};
use pgwire::api::auth::sasl::scram::ScramServerAuth;

/// Stands in where there is no verifier.
pub(super) fn mock(shared: &Shared, login: &str) -> scram::Verifier {
    let login_section = &shared.doors.load().login;
    let iterations = match login_section.method {
        LoginMethod::Rowgate => ITERATIONS,
        LoginMethod::Upstream | LoginMethod::UsersFile => login_section.scram_iterations,
    };
    scram::Verifier::mock(login, &shared.mock_secret, iterations)
}

/// SCRAM, by the verifier of the login, or by one that nothing fits: where there is none, and where it is not `open`
/// to this client.
pub(super) async fn by_scram(shared: &Shared, channel: &mut Channel, login: &str, open: bool) -> Result<Outcome, End> {
    let stored = stored(shared, login).await?;
    let mock = mock(shared, login);
    let verifier = match stored.verifier.as_deref().and_then(scram::Verifier::parse) {
        Some(verifier) if open => verifier,
        // another salt than from where they are let in would tell that there is one
        Some(verifier) => verifier.closed(mock),
        None => mock,
    };
    let plain = ScramServerAuth::new();
    let doors = shared.doors.load_full();
    let server = match &doors.tls {
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
        .map(|last| Proved {
            last: Some(last),
            is_over: stored.is_over,
            password: stored.verifier.as_deref().map(Into::into),
            ..Proved::by(Proof::Scram)
        })
        .map_err(|_| "wrong-password"))
}

/// What stands for a login's password.
#[derive(Default)]
pub(super) struct Stored {
    /// The verifier, as it is kept.
    pub verifier: Option<String>,
    /// It has to be changed.
    pub is_over: bool,
}

/// Looked up in the same way whoever the login is.
pub(super) async fn stored(shared: &Shared, login: &str) -> Result<Stored, End> {
    let doors = shared.doors.load_full();
    let kept = |verifier: String, changed| Stored {
        verifier: Some(verifier),
        is_over: doors.passwords.is_over(changed, chrono::Utc::now().date_naive()),
    };
    let stored = match (doors.login.method, &doors.kept) {
        (LoginMethod::UsersFile, _) => doors.users.get(login).map(|e| kept(e.verifier.clone(), e.changed)),
        (LoginMethod::Rowgate, Some(passwords)) => {
            let password = passwords.of(login).await.map_err(|error| {
                tracing::error!(%error, "nobody can log in by a password that rowgate keeps");
                out_of_reach()
            })?;
            password.map(|password| kept(password.verifier, password.changed))
        }
        (LoginMethod::Rowgate, None) => return Err(out_of_reach()),
        (LoginMethod::Upstream, _) => {
            // the client hears of it before its time to log in is over
            let wait = shared.config.pool.wait.min(shared.config.limits.login_timeout / 2);
            let verifier = auth_query::verifier(&shared.pool, wait, &doors.login.auth_query, login).await;
            let verifier = verifier.map_err(|error| {
                tracing::error!(%error, "the auth query failed");
                End::Fatal(error.refusal())
            })?;
            verifier.map(|verifier| Stored {
                verifier: Some(verifier),
                is_over: false,
            })
        }
    };
    let stored = stored.unwrap_or_default();
    if (stored.verifier.as_deref()).is_some_and(|v| scram::Verifier::parse(v).is_none()) {
        tracing::warn!(
            login,
            "the stored password is no SCRAM verifier: set it anew with password_encryption = scram-sha-256"
        );
    }
    Ok(stored)
}

/// The answer to everybody while nobody can tell who has which password.
pub(super) fn out_of_reach() -> End {
    let message = "nobody may log in now: passwords cannot be read";
    let refusal = Refusal::new("passwords-out-of-reach", SqlState::CannotConnectNow, message);
    End::Fatal(refusal.hint("Tell the database administrator."))
}
