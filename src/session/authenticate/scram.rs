//! SCRAM, by the verifier of the login or one that nothing fits.

use super::{End, LONGEST_LOGIN, Outcome, Proved, Shared, password_message};
use crate::backend::auth_query;
use crate::config::LoginMethod;
use crate::login::Proof;
use crate::net::{Channel, Malformed};
use crate::wire::{answer, scram};
use pgwire::api::auth::sasl::scram::ScramServerAuth;

/// Stands in where there is no verifier.
pub(super) fn mock(shared: &Shared, login: &str) -> scram::Verifier {
    scram::Verifier::mock(login, &shared.mock_secret, shared.doors.load().login.scram_iterations)
}

/// SCRAM, by the verifier of the login, or by one that nothing fits: where there is none, and where it is not `open`
/// to this client.
pub(super) async fn by_scram(shared: &Shared, channel: &mut Channel, login: &str, open: bool) -> Result<Outcome, End> {
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
        .map(|last| Proved {
            last: Some(last),
            ..Proved::by(Proof::Scram)
        })
        .map_err(|_| "wrong-password"))
}

/// What stands for a login's password; looked up in the same way whoever the login is.
async fn stored_verifier(shared: &Shared, login: &str) -> Result<Option<String>, End> {
    let doors = shared.doors.load_full();
    let stored = match doors.login.method {
        LoginMethod::UsersFile => doors.users.get(login).map(|e| e.verifier.clone()),
        LoginMethod::Upstream => auth_query::verifier(&shared.pool, &doors.login.auth_query, login)
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
