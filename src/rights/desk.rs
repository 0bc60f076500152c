//! Carries out commands about temporary rights: reads them, asks who may, stores, and waits until it holds.

mod asking;
mod ending;
mod sharing;
mod turns;

use super::language::{self, Command, Name, Target, Terms, Wrong};
use super::may::{Teller, is_same};
use super::schema::{self, SchemaError};
use super::store::{Change, NewRight};
use super::{Line, Watch, find, show, when};
use crate::identity::Principal;
use crate::policy::written::Scope;
use crate::refusal::{Refusal, SqlState};
use crate::world::{World, WorldHandle};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
pub use turns::Turns;

/// Where commands are carried out.
#[derive(Clone)]
pub struct Desk {
    /// Where rights are kept.
    pub watch: Watch,
    /// The database behind, for looking records up.
    pub upstream: Watch,
    /// The world.
    pub world: WorldHandle,
    /// Whose turn it is.
    pub turns: Turns,
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
/// Rights, beside shares, that one person gives another at most: each is looked at for every statement that is judged.
const MOST_GIVEN: i64 = 200;
/// How long a person's command may take.
const LONGEST_WORK: Duration = Duration::from_secs(20);
/// The longest that any right of an operator's lasts.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// What a change came to.
struct Done {
    tag: &'static str,
    notes: Vec<String>,
}

impl Desk {
    /// Carries out one command.
    pub async fn carry_out(&self, teller: &Teller, text: &str) -> Result<Answer, Refusal> {
        let command = language::command(text).map_err(syntax)?;
        let turn = self.turns.take(&teller.name()).await?;
        let world = self.world.current();
        let work = self.work(teller, &world, &command);
        let answer = match teller {
            Teller::Operator(_) => work.await?,
            // a lock of somebody's in that database takes nobody else's turn for long
            Teller::Person(_) => {
                let answer = tokio::time::timeout(LONGEST_WORK, work).await;
                answer.map_err(|_| out_of_reach("a command took too long"))??
            }
        };
        drop(turn);
        if !matches!(command, Command::Show(_) | Command::Request(..) | Command::Reject(..)) {
            self.in_force(&world.rights).await;
        }
        Ok(answer)
    }

    async fn work(&self, teller: &Teller, world: &World, command: &Command) -> Result<Answer, Refusal> {
        if let Command::Show(what) = command {
            let mut line = None;
            if show::needs_schema(what) {
                line = Some(self.open().await?);
            }
            return show::list(line.as_ref().map(Line::client), teller, world, what).await;
        }
        let done = self.change(teller, world, command).await?;
        Ok(Answer {
            tag: done.tag.to_owned(),
            notes: done.notes,
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
        let heard = async {
            // not in the watch's own closure: it holds what whoever takes a world that is over needs to make the next one
            while *self.world.current().rights == *before && watch.changed().await.is_ok() {}
        };
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
                let length = left(end, now);
                if !teller.may_give(world, what, &to, length) {
                    let denied = if !teller.may_give_somebody(world, what) {
                        "give this"
                    } else if !teller.may_give(world, what, &to, Duration::ZERO) {
                        "give this to this person"
                    } else {
                        "give this for so long"
                    };
                    return Err(forbidden(denied));
                }
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
                if !teller.may_delegate(world, &from, &to, left(end, now)) {
                    let short = teller.may_delegate(world, &from, &to, Duration::ZERO);
                    return Err(forbidden(match short {
                        true => "have somebody stand in for so long",
                        false if !teller.may_delegate_of(world, &from) => "have anybody stand in for this person",
                        false => "have this person stand in",
                    }));
                }
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
                let mut done = done("DELEGATE", note);
                let to = [to];
                done.notes
                    .extend(gives_nothing(world, &to, table.as_ref(), &Scope::Delegated));
                Ok(done)
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
                let until = right
                    .until
                    .map_or_else(String::new, |end| format!(" until {}", when::shown(end)));
                let mut done = done("SUSPEND", format!("right {number}: {target} is suspended{until}"));
                done.notes.extend(other_logins(world, target));
                Ok(done)
            }
            Command::Resume(target, _) => self.resume(teller, world, target, &reason).await,
            Command::Share(record, partner, terms) => self.share(teller, world, record, partner, terms, &reason).await,
            Command::Unshare(record, partner, _) => self.unshare(teller, world, record, partner, &reason).await,
            Command::Revoke(number, _) => self.revoke(teller, world, *number, &reason).await,
            Command::Raise(role, terms) => self.raise(teller, world, role.as_ref(), terms, &reason).await,
            Command::Request(what, terms) => self.request(teller, world, what, terms, &reason).await,
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
        let is_bounded = right.kind != "suspension" && matches!(teller, Teller::Person(_));
        if is_bounded && change.given(right).await.map_err(failed)? >= MOST_GIVEN {
            let refusal = invalid("too many rights that you gave to this person last still");
            return Err(refusal.hint("End some by REVOKE first."));
        }
        let number = change.give(right).await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        Ok(number)
    }
}

/// Whose roles name a scope nowhere gets nothing by it.
fn gives_nothing(world: &World, to: &[Arc<Principal>], table: Option<&Name>, scope: &Scope) -> Option<String> {
    let roles = to.iter().flat_map(|to| &to.roles);
    let rules = roles.filter_map(|role| world.policies.written().roles.get(role));
    let mut tables = rules.flat_map(|rule| &rule.tables);
    let shows = tables.any(|(name, may)| {
        let named = table.is_none_or(|table| table.text == *name);
        named && may.view.iter().any(|word| word.scope == *scope)
    });
    (!shows).then(|| {
        let whom = match to {
            [one] => one.login.as_str(),
            _ => "them",
        };
        let what = table.map_or_else(|| "any table".to_owned(), |table| table.text.clone());
        let scope = scope.word();
        format!("this gives {whom} nothing: none of their roles shows rows of {what} by the scope \"{scope}\"")
    })
}

fn other_logins(world: &World, target: &Target) -> Option<String> {
    let Target::Person(name) = target else { return None };
    let person = world.directory.plain(&name.text)?;
    let others = world
        .directory
        .listed()
        .filter(|p| p.login != name.text && is_same(person, p));
    let others: Vec<&str> = others.map(|p| p.login.as_str()).collect();
    (!others.is_empty()).then(|| format!("so are their other logins: {}", others.join(", ")))
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
    end.map_err(|wrong| {
        let mut refusal = syntax(wrong);
        refusal.sqlstate = SqlState::InvalidParameterValue;
        refusal
    })
}

fn needed_end(terms: &Terms, now: SystemTime) -> Result<SystemTime, Refusal> {
    end(terms, now)?.ok_or_else(|| invalid("it has to end some time").hint("Add UNTIL '18:00' or FOR '2 hours'."))
}

fn left(end: SystemTime, now: SystemTime) -> Duration {
    end.duration_since(now).unwrap_or_default()
}

fn done(tag: &'static str, note: String) -> Done {
    Done { tag, notes: vec![note] }
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
