//! What is sent as it is in place of a password: tokens, and passwords with a one-time password behind them.

use super::scram::{mock, stored};
use super::{End, LONGEST_TOKEN, Outcome, Proved, Shared, factor, now, of_pass, password_message};
use crate::login::claims::Unfit;
use crate::login::{Clear, Proof, totp};
use crate::net::{Channel, Malformed};
use crate::wire::{answer, scram};

/// A token in place of the password, as it is: over TLS alone.
pub(super) async fn by_token(
    shared: &Shared,
    channel: &mut Channel,
    login: &str,
    clear: Clear,
) -> Result<Outcome, End> {
    answer::authentication_cleartext_password(&mut channel.output);
    let body = password_message(channel, LONGEST_TOKEN).await?;
    let Some(secret) = body.strip_suffix(b"\0").and_then(|s| std::str::from_utf8(s).ok()) else {
        return Err(End::Malformed(Malformed("invalid password packet")));
    };
    let (now, seconds) = now();
    let doors = shared.doors.load_full();
    let (mut found, mut way) = (Err(Unfit("token-not-signed-by-a-known-key")), Clear::TOKEN);
    if let (true, Some(tokens)) = (clear.token, &doors.tokens) {
        found = tokens.check(secret, seconds).and_then(|token| {
            let number = token.once.map(|number| format!("token {number}"));
            let until = token.pass.until;
            let unused = number.is_none_or(|number| shared.used.first_time(number, until, now));
            unused.then_some(token.pass).ok_or(Unfit("token-used-before"))
        });
    }
    if let (true, true, Some(issuer)) = (found.is_err(), clear.jwt, &doors.issuer) {
        way = Clear::JWT;
        found = issuer.check(secret, seconds).await;
    }
    if found.is_err() && clear.totp {
        return by_one_time_password(shared, login, secret).await;
    }
    Ok(of_pass(found, login, Proof::Clear(way)))
}

/// The password with the code of an authenticator behind it; the same work whoever the login is.
async fn by_one_time_password(shared: &Shared, login: &str, secret: &str) -> Result<Outcome, End> {
    let stored = stored(shared, login).await?;
    let known = factor::known(shared, login).await?;
    let verifier = stored.verifier.as_deref().and_then(scram::Verifier::parse);
    let verifier = verifier.unwrap_or_else(|| mock(shared, login));
    let (password, code) = totp::split(secret).unwrap_or((secret, ""));
    let password = password.to_owned();
    let fits = tokio::task::spawn_blocking(move || verifier.fits(&password))
        .await
        .unwrap_or(false);
    let judged = factor::judge(shared, login, &known, (fits, code)).await?;
    Ok(judged.map(|()| Proved {
        is_over: stored.is_over,
        password: stored.verifier.as_deref().map(Into::into),
        ..Proved::by(Proof::Clear(Clear::TOTP))
    }))
}
