//! How long somebody may stay: until what they have proved is over, or no access rule would let them in any more.

use super::alarm::Bell;
use super::{End, Shared};
use crate::config::Sessions;
use crate::login::{Asked, Attempt, Clear, Proof};
use crate::refusal::{Refusal, SqlState};
use chrono::{DateTime, Utc};
use std::net::IpAddr;
use std::sync::Arc;

/// What somebody was let in by.
#[derive(Debug, Clone)]
pub(super) struct Stay {
    /// The database that they asked for.
    pub database: String,
    /// The login that has connected.
    pub login: String,
    /// Where it comes from; `None` through the unix socket.
    pub address: Option<IpAddr>,
    /// Is the connection encrypted?
    pub tls: bool,
    /// How they have proved who they are.
    pub way: Proof,
    /// The program that has logged in under this name, if it is none of the person's own.
    pub program: Option<Arc<str>>,
    /// They have a certificate of this login.
    pub certified: bool,
    /// The verifier of the password that was proved, as it is kept.
    pub password: Option<Arc<str>>,
    /// By a password that has to be changed first.
    pub must_change: bool,
    /// When that is over, in seconds since 1970.
    pub until: Option<u64>,
    /// Which doors it was looked at with.
    pub doors: Option<u64>,
}

impl Stay {
    /// Whose password, certificate and lock-out it is: the program's where one comes under a person's name.
    pub fn account(&self) -> &str {
        self.program.as_deref().unwrap_or(&self.login)
    }

    /// The person under whose name a program has come.
    pub fn named(&self) -> Option<&str> {
        Some(self.login.as_str()).filter(|login| *login != self.account())
    }

    /// What the access rules ask of them at this moment.
    pub fn asked(&self, shared: &Shared, now: DateTime<Utc>) -> Asked {
        let world = shared.world.current();
        let roles = world.directory.principal(&self.login).map_or(&[][..], |who| &who.roles);
        shared.doors.load().access.decide(&Attempt {
            database: &self.database,
            login: &self.login,
            roles,
            address: self.address,
            tls: self.tls,
            now,
        })
    }

    /// Looks again where the bell has rung by itself or the doors are others: may they stay, and until when is that so?
    pub fn look(&mut self, shared: &Shared, bell: &Bell) -> Result<(), End> {
        let doors = shared.doors.load();
        if self.doors == Some(doors.number) && !bell.rang_by_itself() {
            return Ok(());
        }
        self.doors = Some(doors.number);
        if doors.login.sessions == Sessions::Keep {
            bell.set(None);
            return Ok(());
        }
        let now = Utc::now();
        let seconds = |at: DateTime<Utc>| u64::try_from(at.timestamp()).unwrap_or(0);
        if self.until.is_some_and(|until| seconds(now) >= until) {
            let what = match self.way {
                Proof::Clear(Clear::TOTP) => "its certificate has expired",
                Proof::Clear(_) | Proof::OAuth => "its token has expired",
                Proof::Certificate | Proof::Scram | Proof::Ldap { .. } | Proof::Reject => "its certificate has expired",
            };
            return Err(over("proof-over", what));
        }
        let asked = self.asked(shared, now);
        if !asked.admits(self.way, self.certified) || asked.program != self.program {
            return Err(over("access-over", "no access rule lets this login in any more"));
        }
        let changes = asked.changes.map(seconds);
        bell.set([self.until, changes].into_iter().flatten().min());
        Ok(())
    }
}

fn over(code: &'static str, why: &str) -> End {
    let message = format!("terminating connection because {why}");
    End::Fatal(Refusal::new(code, SqlState::AdminShutdown, message).hint("Log in again."))
}
