//! The end of rights, before their time.

use super::{Desk, Done, allow, done, failed, forbidden};
use crate::refusal::{Refusal, SqlState};
use crate::rights::Right;
use crate::rights::language::{Partner, Record, Target};
use crate::rights::may::Teller;
use crate::rights::show;
use crate::rights::store::Change;
use crate::world::World;
use std::time::SystemTime;

impl Desk {
    pub(super) async fn resume(
        &self,
        teller: &Teller,
        world: &World,
        target: &Target,
        reason: &str,
    ) -> Result<Done, Refusal> {
        allow(teller.may_suspend(world, target), "let this go on")?;
        let ended = world.rights.rights.iter();
        let ended = ended.filter(|r| r.subject.suspends(target, &world.directory));
        let ended: Vec<i64> = ended.map(|r| r.number).collect();
        if ended.is_empty() {
            let message = format!("{target} is not suspended");
            let refusal = Refusal::new("not-suspended", SqlState::UndefinedObject, message);
            return Err(refusal.at(target.name().at));
        }
        self.end(teller, reason, ended, "RESUME").await
    }

    /// Those who share a record with somebody end it each for themselves.
    pub(super) async fn unshare(
        &self,
        teller: &Teller,
        world: &World,
        record: &Record,
        partner: &Partner,
        reason: &str,
    ) -> Result<Done, Refusal> {
        let now = SystemTime::now();
        let rights = world.rights.rights.iter();
        let lasting = rights.filter(|r| r.until.is_none_or(|until| until > now));
        let found: Vec<&Right> = lasting.filter(|r| r.subject.shares(record, partner)).collect();
        let theirs = self.theirs(teller, world, &found).await?;
        allow(found.is_empty() || !theirs.is_empty(), "end this right")?;
        let more = found.len() > theirs.len();
        let mut done = self.end(teller, reason, theirs, "UNSHARE").await?;
        if more {
            done.notes.push(format!("others share {record} with {partner}, too"));
        }
        Ok(done)
    }

    pub(super) async fn revoke(
        &self,
        teller: &Teller,
        world: &World,
        number: i64,
        reason: &str,
    ) -> Result<Done, Refusal> {
        let rights = world.rights.rights.iter();
        let found: Vec<&Right> = rights.filter(|r| r.number == number).collect();
        let theirs = self.theirs(teller, world, &found).await?;
        if theirs.len() < found.len() {
            return Err(forbidden("end this right"));
        }
        self.end(teller, reason, theirs, "REVOKE").await
    }

    /// Which of these they may end. Whoever gave a right may, whoever holds it may give it back, and whoever may give it
    /// may take it. A suspension is ended by whoever may suspend that.
    async fn theirs(&self, teller: &Teller, world: &World, found: &[&Right]) -> Result<Vec<i64>, Refusal> {
        let numbers: Vec<i64> = found.iter().map(|r| r.number).collect();
        let line = self.open().await?;
        let given = show::given_by(line.client(), &numbers, &teller.name()).await;
        let given = given.map_err(failed)?;
        let may = |right: &Right| {
            let subject = &right.subject;
            let is_theirs = given.contains(&right.number) || subject.holder().is_some_and(|login| teller.is(login));
            is_theirs && !subject.is_brake() || subject.may_be_ended_by(teller, world)
        };
        Ok(found.iter().filter(|r| may(r)).map(|r| r.number).collect())
    }

    async fn end(&self, teller: &Teller, reason: &str, numbers: Vec<i64>, tag: &'static str) -> Result<Done, Refusal> {
        let mut line = self.open().await?;
        let change = Change::begin(line.client_mut(), &teller.name(), reason)
            .await
            .map_err(failed)?;
        let ended = change.end(&numbers).await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        if ended.is_empty() {
            return Err(Refusal::new(
                "no-such-right",
                SqlState::UndefinedObject,
                "there is no such right",
            ));
        }
        let numbers: Vec<String> = ended.iter().map(i64::to_string).collect();
        Ok(done(
            tag,
            match numbers.as_slice() {
                [one] => format!("right {one} is ended"),
                several => format!("rights {} are ended", several.join(", ")),
            },
        ))
    }
}
