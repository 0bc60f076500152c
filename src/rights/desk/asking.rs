//! What people ask for, what others decide on it, and what people take by themselves.

use super::{Desk, Done, allow, done, end, failed, forbidden, invalid, left, needed_end};
use crate::refusal::{Refusal, SqlState};
use crate::rights::language::{self, Name, Terms, What};
use crate::rights::may::Teller;
use crate::rights::store::{Change, NewRight};
use crate::rights::{find, when};
use crate::world::World;
use std::time::{Duration, SystemTime};

/// Requests of one person that wait for a decision at most.
const MOST_REQUESTS: i64 = 100;

impl Desk {
    pub(super) async fn request(
        &self,
        teller: &Teller,
        world: &World,
        what: &What,
        terms: &Terms,
        reason: &str,
    ) -> Result<Done, Refusal> {
        let now = SystemTime::now();
        find::what(world, what)?;
        let end = needed_end(terms, now)?;
        if reason.is_empty() {
            return Err(invalid("a request needs a reason").hint("Add REASON '…'."));
        }
        if !teller.may_request(world, what, left(end, now)) {
            let short = teller.may_request(world, what, Duration::ZERO);
            return Err(forbidden(if short {
                "ask for this for so long"
            } else {
                "ask for this"
            }));
        }
        let mut line = self.open().await?;
        let change = Change::begin(line.client_mut(), &teller.name(), reason)
            .await
            .map_err(failed)?;
        if change.waiting(&teller.name()).await.map_err(failed)? >= MOST_REQUESTS {
            return Err(invalid("too many of your requests wait for a decision"));
        }
        let number = change.ask(&what.to_string(), end).await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        Ok(done(
            "REQUEST",
            format!("request {number}: {what} until {}", when::shown(end)),
        ))
    }

    pub(super) async fn raise(
        &self,
        teller: &Teller,
        world: &World,
        role: Option<&Name>,
        terms: &Terms,
        reason: &str,
    ) -> Result<Done, Refusal> {
        let now = SystemTime::now();
        let raises = teller.raises(world);
        let named = |name: &str| role.is_none_or(|r| r.text == name);
        let wanted = raises.iter().filter(|(name, _)| named(name)).max_by_key(|(_, l)| *l);
        if role.is_none() && raises.iter().any(|(name, _)| Some(name) != wanted.map(|(w, _)| w)) {
            let roles: Vec<&str> = raises.iter().map(|(name, _)| name.as_str()).collect();
            return Err(
                invalid("there is more than one role to take").hint(format!("RAISE ROLE {} …", roles.join(" or ")))
            );
        }
        let (Teller::Person(login), Some((role, longest))) = (teller, wanted) else {
            return Err(forbidden("raise yourself"));
        };
        if reason.is_empty() {
            return Err(invalid("whoever raises themselves says why").hint("Add REASON '…'."));
        }
        let end = end(terms, now)?.unwrap_or(now + *longest);
        allow(left(end, now) <= *longest, "raise yourself for so long")?;
        let right = NewRight {
            kind: "raise",
            login: Some(login.clone()),
            role: Some(role.clone()),
            until: Some(end),
            ..NewRight::default()
        };
        let number = self.give(teller, reason, &right).await?;
        tracing::warn!(
            login,
            role,
            reason,
            until = when::shown(end),
            number,
            "somebody has raised their own rights"
        );
        Ok(done(
            "RAISE",
            format!("right {number}: role {role} until {}", when::shown(end)),
        ))
    }

    pub(super) async fn decide(
        &self,
        teller: &Teller,
        world: &World,
        number: i64,
        reason: &str,
        approve: bool,
    ) -> Result<Done, Refusal> {
        let mut line = self.open().await?;
        let change = Change::begin(line.client_mut(), &teller.name(), reason)
            .await
            .map_err(failed)?;
        let missing = || {
            Refusal::new(
                "no-such-request",
                SqlState::UndefinedObject,
                "there is no such open request",
            )
        };
        let (login, wanted, until, why) = change.request(number).await.map_err(failed)?.ok_or_else(missing)?;
        let what = language::what(&wanted).map_err(|_| missing())?;
        let length = if approve {
            left(until, SystemTime::now())
        } else {
            Duration::ZERO
        };
        allow(
            teller.may_decide(world, &login, &what, length),
            "decide on this request",
        )?;
        if !approve {
            change.decide(number, "rejected").await.map_err(failed)?;
            change.commit().await.map_err(failed)?;
            return Ok(done("REJECT", format!("request {number} is rejected")));
        }
        if until <= SystemTime::now() {
            return Err(invalid("the time that was asked for is over"));
        }
        let mut change = change;
        // what was asked for is why it is given, unless whoever decides says more
        if reason.is_empty() {
            change.because(&why);
        }
        let right = NewRight::given(&what, &login, until);
        let right = change.give(&right).await.map_err(failed)?;
        change.decide(number, "approved").await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        let note = format!("right {right}: {what} to {login} until {}", when::shown(until));
        Ok(done("APPROVE", note))
    }
}
