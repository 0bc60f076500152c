//! Listings: rights, requests, history, people, and what one may do.

use super::desk::Answer;
use super::language::{About, Name, Show};
use super::listing::{self, Listing};
use super::may::Teller;
use super::schema::SchemaError;
use super::{language, when, words};
use crate::refusal::{Refusal, SqlState};
use crate::world::World;
use std::time::SystemTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};

/// Newest changes that one listing shows at most.
const MOST: i64 = 1_000;

/// Is the schema looked at for it?
pub(super) fn needs_schema(what: &Show) -> bool {
    matches!(
        what,
        Show::Rights(_) | Show::History(_) | Show::Requests | Show::PolicyChanges
    )
}

/// What a listing shows to whoever asks.
pub(super) async fn list(
    client: Option<&Client>,
    teller: &Teller,
    world: &World,
    what: &Show,
) -> Result<Answer, Refusal> {
    let mut listing = Listing::of(teller);
    match (what, client) {
        (Show::Rights(about), Some(client)) => rights(&mut listing, client, teller, world, about.as_ref()).await?,
        (Show::History(about), Some(client)) => history(&mut listing, client, teller, world, about.as_ref()).await?,
        (Show::Requests, Some(client)) => requests(&mut listing, client, teller, world).await.map_err(failed)?,
        (Show::PolicyChanges, Some(client)) => policy_changes(&mut listing, client, teller, world).await?,
        (Show::People, _) => people(&mut listing, teller, world),
        (Show::Policy, _) => listing.add_all(teller.powers(world).into_iter().map(|line| line.map(Some).to_vec())),
        (Show::Help, _) => listing.add_all(HELP.iter().map(|line| vec![Some((*line).to_owned())])),
        (Show::Pools | Show::Rights(_) | Show::History(_) | Show::Requests | Show::PolicyChanges, _) => {
            let message = "there is nothing to show of this here";
            let refusal = Refusal::new("nothing-to-show", SqlState::FeatureNotSupported, message);
            return Err(
                refusal.hint("Connections are those of a running rowgate: SHOW POOLS in its database \"rowgate\".")
            );
        }
    }
    Ok(listing.answer(what))
}

impl Show {
    /// The columns of the listing.
    pub fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::Rights(_) => vec!["number", "kind", "who", "what", "until", "reason", "given_by"],
            Self::History(_) => vec![
                "at", "who", "what", "login", "table", "record", "why", "before", "after",
            ],
            Self::Requests => vec!["number", "login", "wanted", "until", "reason", "state", "decided_by"],
            Self::People => vec!["login", "roles", "suspended"],
            Self::Policy => vec!["may", "how"],
            Self::PolicyChanges => vec!["at", "hash", "author", "change"],
            Self::Pools => vec!["database", "connections", "idle", "waiting", "most"],
            Self::Help => vec!["command"],
        }
    }
}

fn failed(error: Error) -> Refusal {
    let message = "temporary rights cannot be reached now";
    Refusal::new("rights-out-of-reach", SqlState::ConnectionFailure, message).log(SchemaError::from(error).to_string())
}

const HELP: [&str; 19] = [
    "GRANT view [, edit …] ON table SCOPE scope TO login UNTIL time REASON 'why'",
    "GRANT view ON table(column [, …]) TO login UNTIL time REASON 'why'",
    "GRANT ROLE role TO login UNTIL time REASON 'why'",
    "DELEGATE login TO login [ON table] UNTIL time REASON 'why'",
    "SHARE table key WITH login | TEAM team [UNTIL time] [REASON 'why']",
    "UNSHARE table key WITH login | TEAM team",
    "SUSPEND PERSON login | ROLE role | TABLE table [UNTIL time] [REASON 'why']",
    "RESUME PERSON login | ROLE role | TABLE table",
    "REVOKE number [REASON 'why']",
    "RAISE [ROLE role] [FOR '20 min'] REASON 'why'",
    "REQUEST view ON table(column) UNTIL time REASON 'why'; also rows and roles, as in GRANT",
    "APPROVE number; REJECT number [REASON 'why']",
    "CHANGE PASSWORD TO 'new password'",
    "SHOW RIGHTS [OF login | ON table [key]]",
    "SHOW HISTORY [OF login | ON table [key]]",
    "SHOW POLICY CHANGES",
    "SHOW REQUESTS; SHOW PEOPLE; SHOW POLICY; SHOW POOLS; SHOW HELP",
    "time: '18:00', '2026-12-31' (the end of that day), '2026-12-31 12:00'; instead of UNTIL: FOR '2 hours'",
    "names that are no plain words stand between quotes",
];

fn names(keys: &[Name]) -> Vec<String> {
    keys.iter().map(|k| k.text.clone()).collect()
}

async fn rights(
    listing: &mut Listing,
    client: &Client,
    teller: &Teller,
    world: &World,
    about: Option<&About>,
) -> Result<(), Refusal> {
    const SELECT: &str = "SELECT id, kind, login, team, delegator, until, reason, given_by, \
        (pg_catalog.to_jsonb(r) - 'reason')::text AS stored FROM rowgate.rights AS r \
        WHERE (until IS NULL OR until > pg_catalog.now()) AND ($1::text IS NULL OR login = $1 OR delegator = $1) \
        AND ($2::text IS NULL OR table_name = $2) AND ($3::text[] IS NULL OR record = $3) ORDER BY id DESC";
    let (login, table, key) = asked(world, about)?;
    let own_team = match teller {
        Teller::Person(login) => world
            .directory
            .plain(login)
            .and_then(|p| p.team_id.as_ref()?.values.first()),
        Teller::Operator(_) => None,
    };
    let mut any = false;
    let about_whom: [&(dyn ToSql + Sync); 3] = [&login, &table, &key];
    let found = listing::each(client, SELECT, &about_whom, |row| {
        any = true;
        let given_by: String = row.try_get("given_by")?;
        let text = |name: &str| row.try_get::<_, Option<String>>(name);
        let (login, team, delegator) = (text("login")?, text("team")?, text("delegator")?);
        let concerned = [&login, &delegator]
            .into_iter()
            .flatten()
            .any(|l| teller.may_see(world, l));
        let concerned = concerned || own_team.is_some() && team.as_ref() == own_team;
        if !concerned && !teller.is(&given_by) && matches!(teller, Teller::Person(_)) {
            return Ok(true);
        }
        let who = login.or_else(|| team.map(|t| format!("team {t}")));
        let until: Option<SystemTime> = row.try_get("until")?;
        Ok(listing.add(vec![
            Some(row.try_get::<_, i64>("id")?.to_string()),
            text("kind")?,
            who,
            text("stored")?.map(|stored| words::given(&stored)),
            until.map(when::shown),
            text("reason")?,
            Some(given_by),
        ]))
    });
    found.await.map_err(failed)?;
    // a name that is nobody's is more likely written wrongly
    if let Some(About::Person(name)) = about.filter(|_| !any) {
        super::find::person(teller, world, name)?;
    }
    listing.turn();
    Ok(())
}

type Asked = (Option<String>, Option<String>, Option<Vec<String>>);

fn asked(world: &World, about: Option<&About>) -> Result<Asked, Refusal> {
    Ok(match about {
        None => (None, None, None),
        // whoever has left still stands in the history
        Some(About::Person(name)) => (Some(name.text.clone()), None, None),
        Some(About::Table(record)) => {
            super::find::table(world, &record.table)?;
            let key = (!record.key.is_empty()).then(|| names(&record.key));
            (None, Some(record.table.text.clone()), key)
        }
    })
}

async fn history(
    listing: &mut Listing,
    client: &Client,
    teller: &Teller,
    world: &World,
    about: Option<&About>,
) -> Result<(), Refusal> {
    const SELECT: &str = "SELECT at, who, what, login, table_name, record, why, \
        (before - 'reason')::text AS before, (after - 'reason')::text AS after FROM rowgate.history \
        WHERE ($1::text IS NULL OR login = $1 OR coalesce(after, before) ->> 'delegator' = $1) \
        AND ($2::text IS NULL OR table_name = $2) AND ($3::text[] IS NULL OR record = $3) \
        AND ($5::text[] IS NULL OR login = ANY ($5) OR coalesce(after, before) ->> 'delegator' = ANY ($5) OR who = $6) \
        ORDER BY id DESC LIMIT $4";
    let (login, table, key) = asked(world, about)?;
    let most = about.is_none().then_some(MOST);
    // what others do takes no room in anybody's listing
    let seen: Option<Vec<&str>> = match teller {
        Teller::Operator(_) => None,
        Teller::Person(_) => {
            let people = world.directory.listed().map(|p| p.login.as_str());
            Some(people.filter(|login| teller.may_see(world, login)).collect())
        }
    };
    let name = teller.name();
    let about_whom: [&(dyn ToSql + Sync); 6] = [&login, &table, &key, &most, &seen, &name];
    let found = listing::each(client, SELECT, &about_whom, |row| {
        let text = |name: &str| row.try_get::<_, Option<String>>(name);
        let (who, login) = (text("who")?, text("login")?);
        let record: Option<Vec<String>> = row.try_get("record")?;
        Ok(listing.add(vec![
            Some(when::shown(row.try_get("at")?)),
            who,
            text("what")?,
            login,
            text("table_name")?,
            record.map(|r| r.join(", ")),
            text("why")?,
            text("before")?.map(|before| words::kept(&before)),
            text("after")?.map(|after| words::kept(&after)),
        ]))
    });
    found.await.map_err(failed)?;
    listing.turn();
    Ok(())
}

/// A line for each thing that a set changed. What other roles see is nobody's to read but theirs who see everything.
async fn policy_changes(listing: &mut Listing, client: &Client, teller: &Teller, world: &World) -> Result<(), Refusal> {
    const SELECT: &str = "SELECT at, hash, author, changes FROM rowgate.policies ORDER BY id DESC LIMIT $1";
    if let Teller::Person(login) = teller
        && !world.directory.principal(login).is_some_and(|who| who.bypass)
    {
        let message = "permission denied: changes of policies are shown to roles with bypass = true";
        return Err(Refusal::forbidden("not-for-you", message));
    }
    let found = listing::each(client, SELECT, &[&MOST], |row| {
        let at = when::shown(row.try_get("at")?);
        let (hash, author): (Option<String>, Option<String>) = (row.try_get("hash")?, row.try_get("author")?);
        let changes: Vec<String> = row.try_get("changes")?;
        let line = |change| vec![Some(at.clone()), hash.clone(), author.clone(), Some(change)];
        Ok(changes.into_iter().rev().all(|change| listing.add(line(change))))
    });
    found.await.map_err(failed)?;
    listing.turn();
    Ok(())
}

/// Open ones that whoever asks decides on, and their own.
async fn requests(listing: &mut Listing, client: &Client, teller: &Teller, world: &World) -> Result<(), Error> {
    const SELECT: &str = "SELECT id, login, wanted, until, reason, state, decided_by FROM rowgate.requests \
        WHERE state = 'open' OR asked_at > pg_catalog.now() - '30 days'::pg_catalog.interval ORDER BY id DESC";
    let found = listing::each(client, SELECT, &[], |row| {
        let (login, wanted, state): (String, String, String) =
            (row.try_get("login")?, row.try_get("wanted")?, row.try_get("state")?);
        let decides = language::what(&wanted)
            .is_ok_and(|what| teller.may_decide(world, &login, &what, std::time::Duration::ZERO));
        if !teller.is(&login) && !decides {
            return Ok(true);
        }
        Ok(listing.add(vec![
            Some(row.try_get::<_, i64>("id")?.to_string()),
            Some(login),
            Some(wanted),
            Some(when::shown(row.try_get("until")?)),
            row.try_get("reason")?,
            Some(state),
            row.try_get("decided_by")?,
        ]))
    });
    found.await?;
    listing.turn();
    Ok(())
}

fn people(listing: &mut Listing, teller: &Teller, world: &World) {
    let directory = &world.directory;
    let mut seen: Vec<_> = directory.listed().filter(|p| teller.may_see(world, &p.login)).collect();
    seen.sort_by(|a, b| a.login.cmp(&b.login));
    listing.add_all(seen.into_iter().map(|p| {
        let is_suspended = directory.is_suspended(&p.login);
        vec![
            Some(p.login.clone()),
            Some(directory.roles(&p.login).join(", ")),
            is_suspended.then(|| "suspended".to_owned()),
        ]
    }));
}

/// Those of these rights that somebody gave.
pub(super) async fn given_by(client: &Client, numbers: &[i64], who: &str) -> Result<Vec<i64>, Error> {
    const SELECT: &str = "SELECT id FROM rowgate.rights WHERE id = ANY ($1) AND given_by = $2";
    let rows = client.query(SELECT, &[&numbers, &who]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
