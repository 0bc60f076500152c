//! Carries out commands about temporary rights: reads them, asks who may, stores, and waits until it holds.

use super::language::{self, Command, Name, Partner, Record, Target, Terms, Wrong};
use super::may::Teller;
use super::schema::{self, SchemaError};
use super::store::{Change, NewRight};
use super::{Line, Watch, find, show, when};
use crate::identity::Principal;
use crate::refusal::{Refusal, SqlState};
use crate::world::{World, WorldHandle};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Where commands are carried out.
#[derive(Clone)]
pub struct Desk {
    /// Where rights are kept.
    pub watch: Watch,
    /// The database behind, for looking records up.
    pub upstream: Watch,
    /// The world.
    pub world: WorldHandle,
}

/// What a command yields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The command tag.
    pub tag: String,
    /// What there is to say about it, a line each.
    pub notes: Vec<String>,
    /// The columns of a listing; none for other commands.
    pub columns: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<Option<String>>>,
}

/// How long it may take until a change holds in this process.
const IN_FORCE: Duration = Duration::from_secs(1);
/// Records of one table that are shared with one person or team at most: they stand in every statement's text.
const MOST_SHARED: usize = 1_000;
/// Requests of one person that wait for a decision at most.
const MOST_REQUESTS: i64 = 100;
/// The longest that any right of an operator's lasts.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// What a change came to.
struct Done {
    tag: &'static str,
    note: String,
}

impl Desk {
    /// Carries out one command.
    pub async fn carry_out(&self, teller: &Teller, text: &str) -> Result<Answer, Refusal> {
        let command = language::command(text).map_err(syntax)?;
        let world = self.world.current();
        if let Command::Show(what) = &command {
            let mut line = None;
            if show::needs_schema(what) {
                line = Some(self.open().await?);
            }
            return show::list(line.as_ref().map(Line::client), teller, &world, what).await;
        }
        let known = Arc::clone(&world.rights);
        let done = self.change(teller, &world, &command).await?;
        if !matches!(command, Command::Request(..) | Command::Reject(..)) {
            self.in_force(&known).await;
        }
        Ok(Answer {
            tag: done.tag.to_owned(),
            notes: vec![done.note],
            ..Answer::default()
        })
    }

    async fn open(&self) -> Result<Line, Refusal> {
        let line = tokio::time::timeout(Duration::from_secs(5), self.watch.open()).await;
        let line = line.map_err(|_| out_of_reach("it does not answer"))?;
        let line = line.map_err(|e| out_of_reach(&SchemaError::from(e).to_string()))?;
        schema::check(line.client())
            .await
            .map_err(|e| out_of_reach(&e.to_string()))?;
        Ok(line)
    }

    /// Waits until the world has heard of it; what takes longer holds in a moment.
    async fn in_force(&self, before: &super::Snapshot) {
        let mut watch = self.world.watch();
        let heard = watch.wait_for(|_| *self.world.current().rights != *before);
        let _ = tokio::time::timeout(IN_FORCE, heard).await;
    }

    async fn change(&self, teller: &Teller, world: &World, command: &Command) -> Result<Done, Refusal> {
        let now = SystemTime::now();
        let (_, reason) = match command {
            Command::Grant(_, _, t)
            | Command::Delegate { terms: t, .. }
            | Command::Suspend(_, t)
            | Command::Resume(_, t)
            | Command::Share(_, _, t)
            | Command::Unshare(_, _, t)
            | Command::Revoke(_, t)
            | Command::Raise(_, t)
            | Command::Request(_, t)
            | Command::Approve(_, t)
            | Command::Reject(_, t) => (&t.ends, t.reason.clone().unwrap_or_default()),
            Command::Show(_) => (&None, String::new()),
        };
        match command {
            Command::Grant(what, to, terms) => {
                let to = find::person(teller, world, to)?;
                find::what(world, what)?;
                let end = needed_end(terms, now)?;
                allow(
                    teller.may_give(world, what, &to, left(end, now)),
                    "give this to this person",
                )?;
                let right = NewRight::given(what, &to.login, end);
                let number = self.give(teller, &reason, &right).await?;
                Ok(done(
                    "GRANT",
                    format!("right {number}: {what} to {} until {}", to.login, when::shown(end)),
                ))
            }
            Command::Delegate { from, to, table, terms } => {
                let (from, to) = (find::person(teller, world, from)?, find::person(teller, world, to)?);
                if let Some(table) = table {
                    find::table(world, table)?;
                }
                let end = needed_end(terms, now)?;
                if from.login == to.login {
                    return Err(invalid("nobody stands in for themselves"));
                }
                allow(
                    teller.may_delegate(world, &from, &to, left(end, now)),
                    "have this person stand in",
                )?;
                let right = NewRight {
                    kind: "delegation",
                    login: Some(to.login.clone()),
                    delegator: Some(from.login.clone()),
                    table: table.as_ref().map(|t| t.text.clone()),
                    until: Some(end),
                    ..NewRight::default()
                };
                let number = self.give(teller, &reason, &right).await?;
                let note = format!(
                    "right {number}: {} stands in for {} until {}",
                    to.login,
                    from.login,
                    when::shown(end)
                );
                Ok(done("DELEGATE", note))
            }
            Command::Suspend(target, terms) => {
                find::target(teller, world, target)?;
                allow(teller.may_suspend(world, target), "suspend this")?;
                let right = NewRight {
                    kind: "suspension",
                    until: end(terms, now)?,
                    ..of_target(target)
                };
                let number = self.give(teller, &reason, &right).await?;
                Ok(done("SUSPEND", format!("right {number}: suspended")))
            }
            Command::Resume(target, _) => {
                allow(teller.may_suspend(world, target), "let this go on")?;
                let ended = world.rights.rights.iter();
                let ended = ended.filter(|r| r.subject.suspends(target)).map(|r| r.number).collect();
                self.end(teller, &reason, ended, "RESUME").await
            }
            Command::Share(record, partner, terms) => self.share(teller, world, record, partner, terms, &reason).await,
            Command::Unshare(record, partner, _) => {
                let ended = world.rights.rights.iter();
                let ended = ended
                    .filter(|r| r.subject.shares(record, partner))
                    .map(|r| r.number)
                    .collect();
                self.revoke(teller, world, ended, &reason, "UNSHARE").await
            }
            Command::Revoke(number, _) => self.revoke(teller, world, vec![*number], &reason, "REVOKE").await,
            Command::Raise(role, terms) => self.raise(teller, world, role.as_ref(), terms, &reason).await,
            Command::Request(what, terms) => {
                find::what(world, what)?;
                let end = needed_end(terms, now)?;
                if reason.is_empty() {
                    return Err(invalid("a request needs a reason").hint("Add REASON '…'."));
                }
                allow(teller.may_request(world, what, left(end, now)), "ask for this")?;
                let mut line = self.open().await?;
                let change = Change::begin(line.client_mut(), &teller.name(), &reason)
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
            Command::Approve(number, _) => self.decide(teller, world, *number, &reason, true).await,
            Command::Reject(number, _) => self.decide(teller, world, *number, &reason, false).await,
            Command::Show(_) => Err(invalid("nothing is changed by SHOW")),
        }
    }

    async fn give(&self, teller: &Teller, reason: &str, right: &NewRight) -> Result<i64, Refusal> {
        let mut line = self.open().await?;
        let change = Change::begin(line.client_mut(), &teller.name(), reason)
            .await
            .map_err(failed)?;
        let number = change.give(right).await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        Ok(number)
    }

    async fn end(&self, teller: &Teller, reason: &str, numbers: Vec<i64>, tag: &'static str) -> Result<Done, Refusal> {
        let mut line = self.open().await?;
        let change = Change::begin(line.client_mut(), &teller.name(), reason)
            .await
            .map_err(failed)?;
        let ended = change.end(&numbers).await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        if ended == 0 {
            return Err(Refusal::new(
                "no-such-right",
                SqlState::UndefinedObject,
                "there is no such right",
            ));
        }
        Ok(done(tag, format!("{ended} ended")))
    }

    /// Whoever gave a right may end it, whoever holds it may give it back, and whoever may give it may take it. A
    /// suspension is ended by whoever may suspend that.
    async fn revoke(
        &self,
        teller: &Teller,
        world: &World,
        numbers: Vec<i64>,
        reason: &str,
        tag: &'static str,
    ) -> Result<Done, Refusal> {
        let line = self.open().await?;
        let mine = show::given_by(line.client(), &numbers, &teller.name())
            .await
            .map_err(failed)?;
        drop(line);
        let found = world.rights.rights.iter().filter(|r| numbers.contains(&r.number));
        for right in found {
            let subject = &right.subject;
            let theirs = subject.holder().is_some_and(|login| teller.is(login)) && !subject.is_brake();
            let allowed =
                mine.contains(&right.number) && !subject.is_brake() || theirs || subject.may_be_ended_by(teller, world);
            allow(allowed, "end this right")?;
        }
        let known = |n: &i64| world.rights.rights.iter().any(|r| r.number == *n);
        let numbers = numbers.into_iter().filter(known).collect();
        self.end(teller, reason, numbers, tag).await
    }

    async fn share(
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
        let rights = world.rights.rights.iter();
        let shared = rights.filter(|r| r.subject.is_shared(&record.table, partner));
        if shared.count() >= MOST_SHARED {
            let refusal = invalid("too many records of this table are shared with them");
            return Err(refusal.hint("Give them a scope instead."));
        }
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
        let number = self.give(teller, reason, &right).await?;
        Ok(done("SHARE", format!("right {number}: shared")))
    }

    /// The record has to be there, and whoever shares it has to see it by more than what they hold for a time.
    async fn sees(&self, teller: &Teller, world: &World, record: &Record) -> Result<(), Refusal> {
        let missing = || {
            let at = record.key.first().map_or(0, |k| k.at);
            Refusal::new("no-such-record", SqlState::UndefinedObject, "there is no such record").at(at)
        };
        let who = match teller {
            Teller::Operator(_) => None,
            Teller::Person(_) => Some(teller.lasting(world).ok_or_else(missing)?),
        };
        let sql = world
            .policies
            .record_query(&record.table.text, who.as_ref(), &world.catalog)
            .ok_or_else(missing)?;
        let line = self.upstream.open().await.map_err(failed)?;
        let settings = "SET statement_timeout = '5s'; SET search_path = pg_catalog; SET datestyle = 'ISO, YMD'; SET timezone = 'UTC'";
        line.client().batch_execute(settings).await.map_err(failed)?;
        let keys: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = record
            .key
            .iter()
            .map(|k| &k.text as &(dyn tokio_postgres::types::ToSql + Sync))
            .collect();
        match line.client().query_opt(&sql, &keys).await {
            Ok(Some(_)) => Ok(()),
            // what is no value of the key's type names no record
            Ok(None) => Err(missing()),
            Err(error) if error.as_db_error().is_some() => Err(missing()),
            Err(error) => Err(failed(error)),
        }
    }

    async fn raise(
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

    async fn decide(
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
        let (login, wanted, until) = change.request(number).await.map_err(failed)?.ok_or_else(missing)?;
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
        let right = change
            .give(&NewRight::given(&what, &login, until))
            .await
            .map_err(failed)?;
        change.decide(number, "approved").await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        let note = format!("right {right}: {what} to {login} until {}", when::shown(until));
        Ok(done("APPROVE", note))
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

fn of_target(target: &Target) -> NewRight {
    let mut right = NewRight::default();
    match target {
        Target::Person(name) => right.login = Some(name.text.clone()),
        Target::Role(name) => right.role = Some(name.text.clone()),
        Target::Table(name) => right.table = Some(name.text.clone()),
    }
    right
}

fn end(terms: &Terms, now: SystemTime) -> Result<Option<SystemTime>, Refusal> {
    let end = terms.ends.as_ref().map(|ends| when::end(ends, now)).transpose();
    end.map_err(|wrong| Refusal {
        sqlstate: SqlState::InvalidParameterValue,
        ..syntax(wrong)
    })
}

fn needed_end(terms: &Terms, now: SystemTime) -> Result<SystemTime, Refusal> {
    end(terms, now)?.ok_or_else(|| invalid("it has to end some time").hint("Add UNTIL '18:00' or FOR '2 hours'."))
}

fn left(end: SystemTime, now: SystemTime) -> Duration {
    end.duration_since(now).unwrap_or_default()
}

fn done(tag: &'static str, note: String) -> Done {
    Done { tag, note }
}

fn allow(allowed: bool, what: &str) -> Result<(), Refusal> {
    if allowed { Ok(()) } else { Err(forbidden(what)) }
}

fn forbidden(what: &str) -> Refusal {
    Refusal::forbidden(
        "right-not-given",
        format!("permission denied: the policy does not let you {what}"),
    )
    .hint("SHOW POLICY tells what you may give, and for how long.")
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("invalid-command", SqlState::InvalidParameterValue, message)
}

fn syntax(wrong: Wrong) -> Refusal {
    let refusal = Refusal::new("command-syntax", SqlState::SyntaxError, wrong.message).at(wrong.at);
    match wrong.hint {
        Some(hint) => refusal.hint(hint),
        None => refusal.hint("SHOW HELP lists the commands."),
    }
}

fn out_of_reach(why: &str) -> Refusal {
    Refusal::new(
        "rights-out-of-reach",
        SqlState::ConnectionFailure,
        "temporary rights cannot be reached now",
    )
    .log(why)
}

fn failed(error: tokio_postgres::Error) -> Refusal {
    out_of_reach(&SchemaError::from(error).to_string())
}
