//! A password that an LDAP directory knows.

use super::{End, LONGEST_LOGIN, Outcome, Proved, Shared, password_message};
use crate::login::ldap::No;
use crate::login::{Place, Proof};
use crate::net::{Channel, Malformed};
use crate::wire::answer;
use std::sync::Arc;
use std::time::Instant;

/// Word for the log: nobody can tell whether the password is right.
pub(super) const OUT_OF_REACH: &str = "ldap-out-of-reach";

/// Asks for the password as it is, and the directory whether it fits. While the login is locked the directory is not
/// asked, so that guesses do not lock anybody out there.
pub(super) async fn by_ldap(shared: &Shared, channel: &mut Channel, login: &str, place: Place) -> Result<Outcome, End> {
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
    if shared.lockout.is_locked(login, place, Instant::now()) {
        return Ok(Err("locked"));
    }
    Ok(match directory.check(login, password).await {
        Ok(()) => Ok(Proved::by(Proof::Ldap)),
        Err(No::Wrong(word)) => Err(word),
        Err(No::OutOfReach(why)) => {
            tracing::error!("the LDAP directory cannot be asked: {why}");
            Err(OUT_OF_REACH)
        }
    })
}
