//! What is in force at one moment: temporary rights laid over the directory.

use super::may::{Teller, is_same};
use super::snapshot::{Right, Snapshot, Subject, With};
use crate::identity::Principal;
use crate::identity::directory::Directory;
use crate::identity::held::{Delegated, Granted};
use crate::policy::written::Written;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

/// People as they are now, and tables that nobody gets at.
#[derive(Debug, Clone, Default)]
pub struct Force {
    /// The directory.
    pub directory: Directory,
    /// Tables by their names in the policies.
    pub closed: BTreeSet<String>,
    /// The next moment at which it is another.
    pub until: Option<SystemTime>,
}

/// People who are otherwise than the database says, as they are put together.
struct Changes<'a> {
    directory: &'a Directory,
    people: HashMap<String, Option<Principal>>,
    /// Who is in each team with which anything is shared.
    teams: HashMap<&'a str, Vec<&'a Principal>>,
    /// Roles that give nothing.
    without: BTreeSet<&'a str>,
    /// Who shares, by their names in the history.
    givers: HashMap<&'a str, Giver>,
}

/// Who has shared a record.
#[derive(Clone)]
enum Giver {
    /// Somebody, by what lasts.
    Person(Arc<Principal>),
    /// Somebody who may not come in: what they share rests.
    Resting,
    /// Whoever holds the database, or sees all of it anyway; and whoever has left.
    Database,
}

impl<'a> Changes<'a> {
    /// Puts somebody out, with every login of theirs.
    fn suspend(&mut self, login: &str) {
        self.people.insert(login.to_owned(), None);
        if let Some(person) = self.directory.plain(login).filter(|p| p.user_id.is_some()) {
            let others = self.directory.listed().filter(|other| is_same(person, other));
            self.people.extend(others.map(|other| (other.login.clone(), None)));
        }
    }

    /// Once everybody who is suspended is noted.
    fn giver(&mut self, name: &'a str, written: &Written) -> Giver {
        if let Some(known) = self.givers.get(name) {
            return known.clone();
        }
        let bypass = |role: &String| written.roles.get(role).is_some_and(|r| r.bypass);
        let giver = match Teller::named(name, self.directory) {
            None => Giver::Database,
            Some(person) if !self.is_in(&person.login) => Giver::Resting,
            Some(person) => {
                let mut lasting = Principal::clone(person);
                lasting.roles.retain(|role| !self.without.contains(role.as_str()));
                match lasting.roles.iter().any(bypass) {
                    true => Giver::Database,
                    false => Giver::Person(Arc::new(lasting)),
                }
            }
        };
        self.givers.insert(name, giver.clone());
        giver
    }

    /// Somebody to be changed; nobody if they are unknown or suspended.
    fn of(&mut self, login: &str) -> Option<&mut Principal> {
        if !self.people.contains_key(login) {
            let person = self.directory.as_read(login)?;
            self.people.insert(login.to_owned(), Some(person.as_ref().clone()));
        }
        self.people.get_mut(login)?.as_mut()
    }

    /// May they come in?
    fn is_in(&self, login: &str) -> bool {
        match self.people.get(login) {
            Some(changed) => changed.is_some(),
            None => self.directory.plain(login).is_some(),
        }
    }
}

/// Lays rights over a directory. Names that are unknown have no effect.
pub fn at(snapshot: &Snapshot, directory: &Directory, written: &Written, now: SystemTime) -> Force {
    let rights: Vec<_> = snapshot.at(now).collect();
    let mut changes = Changes {
        directory,
        people: HashMap::new(),
        teams: teams(directory, &rights),
        without: BTreeSet::new(),
        givers: HashMap::new(),
    };
    let mut closed = BTreeSet::new();
    for right in &rights {
        match &right.subject {
            Subject::SuspendPerson(login) => changes.suspend(login),
            Subject::SuspendRole(role) => drop(changes.without.insert(role)),
            Subject::SuspendTable(table) => drop(closed.insert(table.clone())),
            Subject::Grant { .. } | Subject::Role { .. } | Subject::Delegation { .. } | Subject::Share { .. } => {}
        }
    }
    for right in &rights {
        give(&mut changes, right, written);
    }
    let without = std::mem::take(&mut changes.without);
    if !without.is_empty() {
        let gone = |p: &Principal| p.roles.iter().any(|r| without.contains(r.as_str()));
        for person in directory.listed().filter(|p| gone(p)) {
            changes.of(&person.login);
        }
    }
    for person in changes.people.values_mut().flatten() {
        person.roles.retain(|role| !without.contains(role.as_str()));
        let bypass = |role: &String| written.roles.get(role).is_some_and(|r| r.bypass);
        person.bypass = person.roles.iter().any(bypass);
        person.held.delegated.sort();
        person.held.delegated.dedup();
    }
    let people = changes.people.into_iter();
    Force {
        directory: directory.with_changed(people.map(|(login, p)| (login, p.map(Arc::new))).collect()),
        closed,
        until: snapshot.next_change(now),
    }
}

fn give<'a>(changes: &mut Changes<'a>, right: &'a Right, written: &Written) {
    match &right.subject {
        Subject::Grant { login, table, gift } => {
            let own = changes.directory.plain(login).map(|p| &p.roles);
            let names = |role: &&String| written.roles.get(*role).is_some_and(|r| r.tables.contains_key(table));
            let through = own.and_then(|roles| roles.iter().find(names)).cloned();
            if let Some(person) = changes.of(login) {
                person.held.grants.push(Granted {
                    number: right.number,
                    table: table.clone(),
                    what: gift.clone(),
                    through,
                });
            }
        }
        Subject::Role { login, role } if written.roles.contains_key(role) => {
            if let Some(person) = changes.of(login)
                && !person.roles.contains(role)
            {
                person.roles.push(role.clone());
            }
        }
        // whoever has left or is suspended has nothing that anybody could stand in for
        Subject::Delegation {
            login,
            delegator,
            table,
        } if login != delegator && changes.is_in(delegator) => {
            let owner = changes.directory.plain(delegator).and_then(|p| p.user_id.as_ref());
            if let Some(owner) = owner.and_then(|id| id.values.first()).cloned()
                && let Some(person) = changes.of(login)
            {
                let table = table.clone();
                person.held.delegated.push(Delegated { table, owner });
            }
        }
        Subject::Share { with, table, key } => {
            let by = match changes.giver(&right.given_by, written) {
                Giver::Person(by) => Some(by),
                Giver::Database => None,
                Giver::Resting => return,
            };
            let members: Vec<&str> = match with {
                With::Person(login) => vec![login],
                // nobody gives anything to themselves, by way of their own team no more than otherwise
                With::Team(team) => changes.teams.get(team.as_str()).map_or_else(Vec::new, |people| {
                    let others = people.iter().filter(|p| !by.as_ref().is_some_and(|by| is_same(by, p)));
                    others.map(|p| p.login.as_str()).collect()
                }),
            };
            for login in members {
                if let Some(person) = changes.of(login) {
                    person.held.add_record(table, key, by.as_ref());
                }
            }
        }
        Subject::Role { .. }
        | Subject::Delegation { .. }
        | Subject::SuspendPerson(_)
        | Subject::SuspendRole(_)
        | Subject::SuspendTable(_) => {}
    }
}

/// The people of every team that these rights name.
fn teams<'a>(directory: &'a Directory, rights: &[&Right]) -> HashMap<&'a str, Vec<&'a Principal>> {
    let named: BTreeSet<&str> = rights
        .iter()
        .filter_map(|right| match &right.subject {
            Subject::Share {
                with: With::Team(team), ..
            } => Some(team.as_str()),
            _ => None,
        })
        .collect();
    let mut teams: HashMap<&str, Vec<&Principal>> = HashMap::new();
    if named.is_empty() {
        return teams;
    }
    for person in directory.listed() {
        let team = person.team_id.as_ref().and_then(|t| t.values.first());
        if let Some(team) = team.filter(|t| named.contains(t.as_str())) {
            teams.entry(team).or_default().push(person);
        }
    }
    teams
}
