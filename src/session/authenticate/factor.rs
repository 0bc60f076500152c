//! The second factor: an authenticator's code behind a password, whatever keeps the password.

use super::scram::out_of_reach;
use super::{End, Shared, now};
use crate::config::LoginMethod;
use crate::login::factors::{Factor, Lacks};
use crate::login::kept::KeptError;
use crate::login::totp;

/// What a login's codes are held to: looked up before its password is tried, and in the same way whoever the login is.
pub(super) enum Known {
    /// The users file's secret, if there is one.
    Written(Option<String>),
    /// What the schema `rowgate` keeps.
    Kept(Factor),
}

/// Looks a login's second factor up.
pub(super) async fn known(shared: &Shared, login: &str) -> Result<Known, End> {
    let doors = shared.doors.load_full();
    if doors.login.method == LoginMethod::UsersFile {
        let entry = doors.users.get(login);
        return Ok(Known::Written(entry.and_then(|entry| entry.totp.clone())));
    }
    let Some(factors) = &doors.factors else {
        return Err(out_of_reach());
    };
    let factor = factors.of(login).await.map_err(|error| unreachable_now(&error))?;
    if factor.lacks == Some(Lacks::Key) {
        tracing::error!(
            login,
            "the second factor was set with another totp_key: give this rowgate that key, or set the factor anew"
        );
    }
    Ok(Known::Kept(factor))
}

/// Does the code prove the second factor of a login whose password fits, or does not? A code is taken where both are right, and
/// what is asked for that is asked for everybody. The error is the word for the log.
pub(super) async fn judge(
    shared: &Shared,
    login: &str,
    known: &Known,
    (fits, code): (bool, &str),
) -> Result<Result<(), &'static str>, End> {
    let now = now().0;
    let (secret, lacks) = match known {
        Known::Written(Some(secret)) => (secret, None),
        Known::Written(None) => (&shared.mock_totp, Some(Lacks::Any)),
        Known::Kept(factor) => (&factor.secret, factor.lacks),
    };
    let right = totp::check(secret, code, now).filter(|_| fits && lacks.is_none());
    let taken = match known {
        Known::Written(_) => {
            right.is_some_and(|(step, ends)| shared.used.first_time(format!("totp {step} {login}"), ends, now))
        }
        Known::Kept(factor) => {
            let doors = shared.doors.load_full();
            let Some(factors) = &doors.factors else {
                return Err(out_of_reach());
            };
            let taken = factors.take(login, factor, right.map(|(step, _)| step)).await;
            taken.map_err(|error| unreachable_now(&error))?
        }
    };
    Ok(match (fits, lacks, right) {
        (false, ..) => Err("wrong-password"),
        (true, Some(Lacks::Any), _) => Err("no-second-factor"),
        (true, Some(Lacks::Key), _) => Err("second-factor-of-another-key"),
        (true, None, None) => Err("wrong-code"),
        (true, None, Some(_)) if !taken => Err("code-used-before"),
        (true, None, Some(_)) => Ok(()),
    })
}

fn unreachable_now(error: &KeptError) -> End {
    tracing::error!(%error, "nobody can log in by a second factor that rowgate keeps");
    out_of_reach()
}
