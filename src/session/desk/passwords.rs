//! One's own password, where rowgate keeps it: it stands in no record.

use super::Talk;
use crate::audit::Decision;
use crate::login::kept::KeptError;
use crate::login::{Clear, Proof};
use crate::refusal::{Refusal, SqlState};
use crate::rights::desk::Answer;
use crate::rights::language;
use crate::session::login::record_command;
use std::borrow::Cow;

impl Talk<'_> {
    /// `CHANGE PASSWORD TO '…'`: one's own, where rowgate keeps it.
    pub(super) async fn change_password(&mut self, text: &str) -> Result<Answer, Refusal> {
        let done = self.new_password(text).await;
        let (decision, code) = match &done {
            Ok(_) => (Decision::Allowed, ""),
            Err(refusal) => (Decision::Refused, refusal.code),
        };
        record_command(self.shared, &self.person, "password", decision, code, "CHANGE PASSWORD");
        done
    }

    async fn new_password(&mut self, text: &str) -> Result<Answer, Refusal> {
        if !self.shared.audit.admits() {
            let message = "the command is refused because the audit record cannot be written";
            return Err(Refusal::new("audit-not-written", SqlState::IoError, message));
        }
        let words = language::words(text).unwrap_or_default();
        let is = |at: usize, word: &str| {
            words
                .get(at)
                .is_some_and(|w| !w.quoted && w.text.eq_ignore_ascii_case(word))
        };
        let password = words.get(3).filter(|w| w.quoted && words.len() == 4);
        let Some(password) = password.filter(|_| is(1, "password") && is(2, "to")) else {
            let message = "this command is CHANGE PASSWORD TO 'new password'";
            return Err(Refusal::new("rights-syntax", SqlState::SyntaxError, message));
        };
        if !self.stay.tls && self.stay.address.is_some() {
            let message = "a password is changed over TLS alone";
            return Err(Refusal::new("no-tls", SqlState::ObjectNotInPrerequisiteState, message));
        }
        // who has found a token that is good for some minutes would have a password that is good for ever
        if !matches!(self.stay.way, Proof::Scram | Proof::Clear(Clear::TOTP)) {
            let message = "permission denied: a password is changed by whoever has logged in with the old one";
            return Err(Refusal::forbidden("not-by-password", message));
        }
        let doors = self.shared.doors.load_full();
        let Some(kept) = &doors.kept else {
            let message = "this rowgate keeps no passwords";
            let refusal = Refusal::new("no-passwords", SqlState::ObjectNotInPrerequisiteState, message);
            return Err(refusal.hint("Ask the database administrator where yours is kept."));
        };
        let login = &self.person.login;
        let proved = self.stay.password.as_deref().unwrap_or_default();
        match kept
            .change(doors.passwords, login, &password.text, login, Some(proved))
            .await
        {
            Ok(verifier) => {
                self.stay.password = Some(verifier.into());
                Ok(Answer {
                    tag: "CHANGE PASSWORD".to_owned(),
                    ..Answer::default()
                })
            }
            // whoever has lost it to somebody else is given another by the operator, and not by the thief
            Err(KeptError::Replaced) => {
                let message = "permission denied: your password was changed since you have logged in";
                Err(Refusal::forbidden("password-replaced", message).hint("Log in again."))
            }
            Err(KeptError::Refused(why)) => Err(Refusal::new("password-refused", SqlState::InvalidParameterValue, why)),
            Err(KeptError::OutOfReach(why)) => {
                let message = "passwords cannot be reached now";
                Err(Refusal::new("passwords-out-of-reach", SqlState::ConnectionFailure, message).log(why))
            }
        }
    }
}

/// A command as it is written down: whole if it was understood. Of another text, which may hold anybody's data or a password
/// (psql's `\password` sends a verifier), the first word and the length.
pub(super) fn recorded(text: &str, is_command: bool) -> Cow<'_, str> {
    const LONGEST_WORD: usize = 20;
    if is_command {
        return Cow::Borrowed(text);
    }
    let letters = text.trim_start().chars().take_while(|c| c.is_ascii_alphabetic());
    let word: String = letters.take(LONGEST_WORD).collect();
    Cow::Owned(format!("{word} … ({} bytes)", text.len()))
}
