//! A program that acts for other people: whom it has named, and what goes when it names somebody else.

use super::judging::{Text, Verdict};
use super::prepared::Prepared;
use super::{End, Session};
use crate::audit::Decision;
use crate::gate::acting::NAMES;
use crate::identity::Principal;
use crate::login::access::fits;
use crate::policy::RoleRights;
use crate::refusal::{Refusal, SqlState};
use crate::wire::startup::{Startup, split_options};
use crate::world::World;
use std::sync::Arc;

/// What goes with the person for whom it was made; cursors only where no portal of the client's is about to run.
const CLEANING: [&str; 5] = [
    "UNLISTEN *",
    "SELECT pg_catalog.pg_advisory_unlock_all()",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
    // those that the connection asked for are put in force again
    "RESET ALL",
];
const CURSORS: &str = "CLOSE ALL";

/// The state of such a session.
#[derive(Debug)]
pub(super) struct Acting {
    /// The login that has connected.
    pub service: String,
    /// Whom it has named; nobody at first.
    pub person: Option<String>,
    /// The first whom it named.
    first: Option<String>,
    /// What was cleaned away could still come back, as the transaction in which that was done has not ended.
    pub unclean: bool,
}

impl Acting {
    /// For somebody whose roles let them act for others.
    pub fn of(service: &str, rights: &RoleRights) -> Option<Box<Self>> {
        let acting = || {
            Box::new(Self {
                service: service.to_owned(),
                person: None,
                first: None,
                unclean: false,
            })
        };
        (!rights.may_act_for.is_empty()).then(acting)
    }

    /// Who it is at the moment, with whose rights; the person must be there, and the program must still be allowed to
    /// act for them.
    pub fn stands_for(&self, world: &World) -> Result<Arc<Principal>, &'static str> {
        let Some(service) = world.directory.principal(&self.service) else {
            return Err("this login has no access any more");
        };
        let rights = world.policies.rights(service);
        match &self.person {
            None if rights.may_act_for.is_empty() => Err("this login may act for nobody any more"),
            None => Ok(nobody(&self.service)),
            Some(person) => {
                let who = world
                    .directory
                    .principal(person)
                    .filter(|who| allows(world, &rights, who));
                who.cloned().ok_or("the person for whom it acts has no access any more")
            }
        }
    }
}

/// Somebody without any right.
pub(super) fn nobody(login: &str) -> Arc<Principal> {
    Arc::new(Principal {
        login: login.to_owned(),
        ..Principal::default()
    })
}

/// Somebody is named for whom this program may not act.
pub(super) fn not_for(login: &str) -> Refusal {
    let message = format!("permission denied to act for \"{login}\"");
    Refusal::forbidden("acting-for-another", message)
}

/// May whoever has these rights act for this person? Never for one who bypasses the policy, nor for one who may act for
/// others, themselves included.
fn allows(world: &World, rights: &RoleRights, who: &Principal) -> bool {
    let named = |pattern: &String| match pattern.strip_prefix("role:") {
        Some(role) => who.roles.iter().any(|held| held == role),
        None => fits(pattern, &who.login),
    };
    !who.bypass && rights.may_act_for.iter().any(named) && world.policies.rights(who).may_act_for.is_empty()
}

impl Session<'_> {
    /// Names the person of a connection as it begins: by a setting of the startup packet, or by the pattern of
    /// `application_name`, if there is one.
    pub(super) async fn act_from_start(&mut self, startup: &Startup) -> Result<(), End> {
        let Some(acting) = &self.state.acting else {
            return Ok(());
        };
        let world = Arc::clone(&self.state.world);
        let service = world.directory.principal(&acting.service);
        let pattern = service.and_then(|s| world.policies.rights(s).act_by_application);
        let options = startup.get("options").map(split_options);
        let options = options.and_then(Result::ok).unwrap_or_default();
        let settings = options.iter().chain(&startup.parameters);
        let named = settings
            .filter(|(name, _)| NAMES.contains(&name.to_ascii_lowercase().as_str()))
            .map(|(_, value)| value.clone())
            .next_back();
        let by_application = || {
            let (before, behind) = pattern.as_deref()?.split_once('*')?;
            let name = startup
                .get("application_name")?
                .strip_prefix(before)?
                .strip_suffix(behind)?;
            (!name.is_empty()).then(|| name.to_owned())
        };
        let by_login = self.stay.named().map(str::to_owned);
        if let (Some(person), Some(other)) = (&by_login, named.as_ref().filter(|n| by_login.as_ref() != Some(*n))) {
            tracing::info!(person, other, "a program names two people");
            return Err(End::Fatal(not_for(other)));
        }
        let Some(whom) = by_login.or(named).or_else(by_application) else {
            return Ok(());
        };
        match self.act(Some(&whom), true).await? {
            Ok(()) => Ok(()),
            Err(Verdict::Refused(refusal)) => Err(End::Fatal(refusal)),
            Err(Verdict::Failed(fields)) => Err(End::Upstream(fields)),
            Err(Verdict::Allowed(_) | Verdict::Skipped) => Err(End::Client),
        }
    }

    /// From now on the session is this person's, or nobody's.
    ///
    /// `cleans`: what the person before has left is dropped here; not where the statement itself is about to.
    pub(super) async fn act(&mut self, whom: Option<&str>, cleans: bool) -> Result<Result<(), Verdict>, End> {
        self.drain().await?;
        if self.state.skipping {
            return Ok(Err(Verdict::Skipped));
        }
        if self.state.status != b'I' || self.state.executes > 0 {
            let refusal = Refusal::new(
                "acting-in-transaction",
                SqlState::ActiveSqlTransaction,
                "the person that you act for cannot change while a transaction is open",
            );
            return Ok(Err(Verdict::Refused(refusal)));
        }
        self.renew_world()?;
        let Some(acting) = &self.state.acting else {
            return Ok(Ok(()));
        };
        if acting.person.as_deref() == whom {
            return Ok(Ok(()));
        }
        let (had, first) = (acting.person.is_some(), acting.first.clone());
        let world = Arc::clone(&self.state.world);
        let service = world.directory.principal(&acting.service);
        let rights = service.map(|s| world.policies.rights(s)).unwrap_or_default();
        let who = match whom {
            None => nobody(&acting.service),
            Some(login) => {
                let who = world
                    .directory
                    .principal(login)
                    .filter(|who| allows(&world, &rights, who));
                let Some(who) = who else {
                    let refusal = not_for(login);
                    self.record_act(Some(login), Decision::Refused, refusal.code);
                    return Ok(Err(Verdict::Refused(refusal)));
                };
                if !rights.act_again && first.as_deref().is_some_and(|first| first != login) {
                    let refusal = Refusal::forbidden(
                        "acting-for-a-second",
                        "permission denied: this connection has acted for somebody else",
                    )
                    .hint("Use a connection for each person, or let the policy say act_again = true.");
                    self.record_act(Some(login), Decision::Refused, refusal.code);
                    return Ok(Err(Verdict::Refused(refusal)));
                }
                Arc::clone(who)
            }
        };
        if had && let Some(failed) = self.clean_up(cleans).await? {
            return Ok(Err(failed));
        }
        let rights = world.rights_of(&who);
        self.state.limits_changed |= rights.limits != self.state.rights.limits;
        self.state.rights = rights;
        self.person.roles.clone_from(&who.roles);
        if let Some(acting) = &mut self.state.acting {
            acting.person = whom.map(str::to_owned);
            acting.first = acting.first.take().or_else(|| acting.person.clone());
            acting.unclean = had && (self.state.segment_open || !cleans);
            // whoever has the connection next must not meet what a rollback brings back
            self.back.carried.unknown |= acting.unclean;
            self.person.login.clone_from(&who.login);
            self.person.through = whom.map(|_| acting.service.clone());
        }
        self.state.login.clone_from(&who.login);
        self.state.who = who;
        self.state.stale = true;
        self.outdate_statements();
        self.record_act(whom, Decision::Allowed, "");
        Ok(Ok(()))
    }

    /// RESET ALL and DISCARD ALL: whoever was named is named no longer. `Some` when that must not be.
    pub(super) async fn act_for_nobody(&mut self, text: &Text, all: bool) -> Result<Option<Verdict>, End> {
        if text.judgement.statements.len() > 1 {
            let refusal = Refusal::unsupported(
                "acting-with-others",
                "RESET ALL must be sent by itself by those who act for others",
            );
            return Ok(Some(Verdict::Refused(refusal)));
        }
        Ok(self.act(None, !all).await?.err())
    }

    /// Drops what the former person has left on the connection: temporary tables, cursors, channels, locks, settings.
    async fn clean_up(&mut self, now: bool) -> Result<Option<Verdict>, End> {
        self.state.portals.clear();
        if now && !self.is_away() {
            let cursors = (!self.state.segment_open).then_some(CURSORS);
            for text in CLEANING.into_iter().chain(cursors) {
                if let Err(fields) = self.own_rows(text, &[]).await? {
                    return Ok(Some(self.failed(fields, None)));
                }
            }
        }
        self.state.bound.clear();
        self.state.forget_stored();
        self.state.stale = true;
        self.touch_settings();
        self.state.settings_lost = true;
        Ok(None)
    }

    /// Once the transaction has ended in which the last person's things were dropped: whatever came back goes again.
    pub(super) async fn finish_cleaning(&mut self) -> Result<Option<Verdict>, End> {
        let due = self.state.acting.as_ref().is_some_and(|a| a.unclean) && !self.state.segment_open;
        if !due {
            return Ok(None);
        }
        self.drain().await?;
        if self.state.skipping || self.state.status != b'I' {
            return Ok(None);
        }
        if self.is_away()
            && let Err(refusal) = Box::pin(self.take_up()).await?
        {
            return Ok(Some(Verdict::Refused(refusal)));
        }
        if let Some(acting) = &mut self.state.acting {
            acting.unclean = false;
        }
        Box::pin(self.clean_up(true)).await
    }

    /// Prepared statements stay and are judged anew when they are next used.
    fn outdate_statements(&mut self) {
        let names: Vec<String> = self.state.statements.keys().cloned().collect();
        for name in names {
            let Some(prepared) = self.state.statements.get(&name).cloned() else {
                continue;
            };
            let outdated = Prepared {
                text: Arc::new(Text::outdated(&prepared.text)),
                ..prepared.as_ref().clone()
            };
            self.state.prepare(name, outdated);
        }
    }

    fn record_act(&self, whom: Option<&str>, decision: Decision, code: &str) {
        let mut person = self.person.clone();
        if let (Some(whom), Some(acting)) = (whom, &self.state.acting) {
            person.login = whom.to_owned();
            person.through = Some(acting.service.clone());
        }
        super::login::record(self.shared, &person, "act-for", decision, code);
    }
}
