//! A password that an LDAP directory knows.

use super::{End, LONGEST_LOGIN, Outcome, Proved, Shared, password_message};
use crate::login::ldap::No;
use crate::login::{Place, Proof};
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
/// login is locked, a name is tried there that nobody has: guesses then lock nobody out in the directory.
pub(super) async fn by_ldap(
    shared: &Shared,
    channel: &mut Channel,
    login: &str,
    (place, open): (Place, bool),
) -> Result<Outcome, End> {
    answer::authentication_cleartext_password(&mut channel.output);
    let body = password_message(channel, LONGEST_LOGIN).await?;
    let Some(password) = body.strip_suffix(b"\0").and_then(|s| std::str::from_utf8(s).ok()) else {
        return Err(End::Malformed(Malformed("invalid password packet")));
    };
    if password.contains('\0') {
        return Err(End::Malformed(Malformed("invalid password packet")));
    }
    let Some(directory) = shared.doors.load().ldap.as_ref().map(Arc::clone) else {
        return Ok(Err(OUT_OF_REACH));
    };
    let begun = Instant::now();
    let locked = shared.lockout.is_locked(login, place, begun.into_std());
    let outcome = match directory.check(login, password, locked || !open).await {
        Ok(()) => return Ok(Ok(Proved::by(Proof::Ldap))),
        Err(No::Wrong(_)) if locked => Err("locked"),
        Err(No::Wrong(word)) => Err(word),
        Err(No::OutOfReach(why)) => {
            tracing::error!("the LDAP directory cannot be asked: {why}");
            Err(OUT_OF_REACH)
        }
    };
    sleep_until(begun + beats(begun.elapsed())).await;
    Ok(outcome)
}

/// The whole beats that hold so long a time.
fn beats(elapsed: Duration) -> Duration {
    let whole = elapsed.as_millis() / BEAT.as_millis() + 1;
    BEAT * u32::try_from(whole).unwrap_or(1)
}
