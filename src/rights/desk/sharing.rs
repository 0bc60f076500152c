//! Single records that people share.

use super::{Desk, Done, LONGEST, allow, done, end, failed, gives_nothing, invalid, left};
use crate::identity::Principal;
use crate::policy::written::Scope;
use crate::refusal::{Refusal, SqlState};
use crate::rights::language::{Partner, Record, Terms};
use crate::rights::may::Teller;
use crate::rights::store::{Change, NewRight};
use crate::rights::{find, when};
use crate::world::World;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Records of one table that are shared with one person or team at most: they stand in every statement's text.
const MOST_SHARED: i64 = 1_000;
/// Of these by one person at most, so that nobody takes the room of all others.
const MOST_OWN: i64 = 200;

impl Desk {
    pub(super) async fn share(
        &self,
        teller: &Teller,
        world: &World,
        record: &Record,
        partner: &Partner,
        terms: &Terms,
        reason: &str,
    ) -> Result<Done, Refusal> {
        let now = SystemTime::now();
        find::key(world, record)?;
        let people = match partner {
            Partner::Person(name) => vec![find::person(teller, world, name)?],
            Partner::Team(name) => find::team(world, name)?,
        };
        let longest = world
            .policies
            .written()
            .roles
            .values()
            .map(|r| r.temporary.longest)
            .max();
        let until = match (end(terms, now)?, teller) {
            (None, Teller::Operator(_)) => None,
            (None, Teller::Person(_)) => longest
                .filter(|_| !people.is_empty())
                .map(|_| now + shortest_share(teller, world, record, &people)),
            (some, _) => some,
        };
        let length = until.map_or(LONGEST, |end| left(end, now));
        allow(
            teller.may_share(world, record, &people, length),
            "share records of this table with them",
        )?;
        self.sees(teller, world, record).await?;
        let right = NewRight {
            kind: "share",
            table: Some(record.table.text.clone()),
            record: Some(record.key.iter().map(|k| k.text.clone()).collect()),
            until,
            login: match partner {
                Partner::Person(name) => Some(name.text.clone()),
                Partner::Team(_) => None,
            },
            team: match partner {
                Partner::Team(name) => Some(name.text.clone()),
                Partner::Person(_) => None,
            },
            ..NewRight::default()
        };
        let mut line = self.open().await?;
        let change = Change::begin(line.client_mut(), &teller.name(), reason).await;
        let change = change.map_err(failed)?;
        // said again, it is given anew
        change.unshare(&right).await.map_err(failed)?;
        let (all, own) = change.shared(&right).await.map_err(failed)?;
        let most_own = match teller {
            Teller::Operator(_) => MOST_SHARED,
            Teller::Person(_) => MOST_OWN,
        };
        if all >= MOST_SHARED || own >= most_own {
            let refusal = invalid("too many records of this table are shared with them");
            return Err(refusal.hint("Give them a scope instead."));
        }
        let number = change.give(&right).await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        let until = until.map_or_else(String::new, |end| format!(" until {}", when::shown(end)));
        let note = format!("right {number}: {record} is shared with {partner}{until}");
        let mut done = done("SHARE", note);
        done.notes
            .extend(gives_nothing(world, &people, Some(&record.table), &Scope::Member));
        Ok(done)
    }

    /// The record has to be there, and whoever shares it has to see it by more than what they hold for a time.
    async fn sees(&self, teller: &Teller, world: &World, record: &Record) -> Result<(), Refusal> {
        let missing = || {
            let at = record.key.first().map_or(0, |k| k.at);
            let refusal = Refusal::new("no-such-record", SqlState::UndefinedObject, "there is no such record").at(at);
            match teller {
                Teller::Operator(_) => refusal,
                Teller::Person(_) => refusal.hint("A record that you see for a time alone is not yours to share."),
            }
        };
        let who = match teller {
            Teller::Operator(_) => None,
            Teller::Person(_) => Some(teller.lasting(world).ok_or_else(missing)?),
        };
        let key: Vec<String> = record.key.iter().map(|k| k.text.clone()).collect();
        let policies = &world.policies;
        if let Some(who) = &who
            && !policies.shows_key(&record.table.text, who, &world.catalog)
        {
            let message = format!(
                "permission denied: the key of table {} does not show to you",
                record.table.text
            );
            return Err(Refusal::forbidden("key-hidden", message).at(record.table.at));
        }
        let sql = policies.record_query(&record.table.text, &key, who.as_ref(), &world.catalog);
        let sql = sql.ok_or_else(missing)?;
        let line = self.upstream.open().await.map_err(failed)?;
        let settings = "SET statement_timeout = '5s'; SET search_path = pg_catalog; SET datestyle = 'ISO, YMD'; SET timezone = 'UTC'";
        line.client().batch_execute(settings).await.map_err(failed)?;
        match line.client().query_opt(&sql, &[]).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(missing()),
            Err(error) if error.as_db_error().is_some() => Err(missing()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// How long a share lasts where nothing is said: as long as the policy lets it.
fn shortest_share(teller: &Teller, world: &World, record: &Record, people: &[Arc<Principal>]) -> Duration {
    let roles = world.policies.written().roles.values();
    let lengths = roles.map(|r| r.temporary.longest);
    lengths
        .filter(|length| teller.may_share(world, record, people, *length))
        .max()
        .unwrap_or(LONGEST)
}
