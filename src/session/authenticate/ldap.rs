//! A password that an LDAP directory knows.

use super::{End, LONGEST_LOGIN, Outcome, Proved, Shared, factor, password_message};
use crate::login::ldap::No;
use crate::login::{Place, Proof, totp};
use crate::net::{Channel, Malformed};
use crate::wire::answer;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Word for the log: nobody can tell whether the password is right.
pub(super) const OUT_OF_REACH: &str = "ldap-out-of-reach";

/// A no is told after a whole number of these. How long a directory takes for a password tells whether it knows the name:
/// what it does to compare one is not done for nobody.
const BEAT: Duration = Duration::from_millis(250);

/// Asks for the password as it is, and the directory whether it fits. Where it is not `open` to this client, and while the
/// login is locked, a name is tried there that nobody has: guesses then lock nobody out in the directory. With `totp` the code
/// of an authenticator stands behind the password, which the directory is not given.
pub(super) async fn by_ldap(
    shared: &Shared,
    channel: &mut Channel,
    login: &str,
    (place, open, totp): (Place, bool, bool),
) -> Result<Outcome, End> {
    answer::authentication_cleartext_password(&mut channel.output);
    let body = password_message(channel, LONGEST_LOGIN).await?;
    let Some(secret) = body.strip_suffix(b"\0").and_then(|s| std::str::from_utf8(s).ok()) else {
        return Err(End::Malformed(Malformed("invalid password packet")));
    };
    if secret.contains('\0') {
        return Err(End::Malformed(Malformed("invalid password packet")));
    }
    let begun = Instant::now();
    let locked = shared.lockout.is_locked(login, place, begun.into_std());
    let outcome = proved(shared, login, secret, (locked || !open, totp)).await;
    let outcome = match outcome {
        Ok(Ok(())) => return Ok(Ok(Proved::by(Proof::Ldap { totp }))),
        Ok(Err(word)) if locked && word != OUT_OF_REACH => Ok(Err("locked")),
        Ok(Err(word)) => Ok(Err(word)),
        Err(end) => Err(end),
    };
    sleep_until(begun + beats(begun.elapsed())).await;
    outcome
}

/// Asks the directory, and what is kept of second factors where there has to be one.
async fn proved(
    shared: &Shared,
    login: &str,
    secret: &str,
    (as_nobody, totp): (bool, bool),
) -> Result<Result<(), &'static str>, End> {
    let Some(directory) = shared.doors.load().ldap.as_ref().map(Arc::clone) else {
        return Ok(Err(OUT_OF_REACH));
    };
    let (password, code) = match totp::split(secret).filter(|_| totp) {
        Some((password, code)) => (password, Some(code)),
        None => (secret, totp.then_some("")),
    };
    let known = match code {
        Some(code) => Some((factor::known(shared, login).await?, code)),
        None => None,
    };
    let checked = match directory.check(login, password, as_nobody).await {
        Ok(()) => Ok(()),
        Err(No::Wrong(word)) => Err(word),
        Err(No::OutOfReach(why)) => {
            tracing::error!("the LDAP directory cannot be asked: {why}");
            return Ok(Err(OUT_OF_REACH));
        }
    };
    match known {
        None => Ok(checked),
        Some((known, code)) => {
            let judged = factor::judge(shared, login, &known, (checked.is_ok(), code)).await?;
            Ok(checked.and(judged))
        }
    }
}

/// The whole beats that hold so long a time.
fn beats(elapsed: Duration) -> Duration {
    let whole = elapsed.as_millis() / BEAT.as_millis() + 1;
    BEAT * u32::try_from(whole).unwrap_or(1)
}
