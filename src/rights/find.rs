//! Names in commands: what they mean, or what may have been meant.

use super::language::{Name, Record, Target, What};
use super::may::Teller;
use crate::identity::Principal;
use crate::identity::held::Operation;
use crate::policy::file::{did_you_mean, nearest};
use crate::refusal::{Refusal, SqlState};
use crate::world::World;
use std::sync::Arc;

fn unknown<'n>(kind: &str, name: &Name, known: impl Iterator<Item = &'n str>) -> Refusal {
    let message = format!("no such {kind}: \"{}\"", name.text);
    let refusal = Refusal::new("no-such-name", SqlState::UndefinedObject, message).at(name.at);
    match did_you_mean(&name.text, known) {
        Some(hint) => refusal.hint(hint),
        None => refusal,
    }
}

/// Somebody of the directory, suspended or not. Nobody is told of people whom they may not see.
pub(super) fn person(teller: &Teller, world: &World, name: &Name) -> Result<Arc<Principal>, Refusal> {
    let found = world.directory.plain(&name.text).cloned();
    found.ok_or_else(|| {
        let mut refusal = unknown("person", name, std::iter::empty());
        let logins = world.directory.listed().map(|p| p.login.as_str());
        let meant = nearest(&name.text, logins).filter(|login| teller.may_see(world, login));
        refusal.hint = meant.map(|login| format!("did you mean \"{login}\"?"));
        refusal
    })
}

/// The people of a team.
pub(super) fn team(world: &World, name: &Name) -> Result<Vec<Arc<Principal>>, Refusal> {
    let team = |p: &&Arc<Principal>| p.team_id.as_ref().is_some_and(|t| t.values.contains(&name.text));
    let people: Vec<_> = world.directory.listed().filter(team).cloned().collect();
    if people.is_empty() {
        let teams = world
            .directory
            .listed()
            .filter_map(|p| p.team_id.as_ref()?.values.first());
        return Err(unknown("team", name, teams.map(String::as_str)));
    }
    Ok(people)
}

pub(super) fn role(world: &World, name: &Name) -> Result<(), Refusal> {
    let roles = &world.policies.written().roles;
    if roles.contains_key(&name.text) {
        return Ok(());
    }
    Err(unknown("role", name, roles.keys().map(String::as_str)))
}

pub(super) fn table(world: &World, name: &Name) -> Result<(), Refusal> {
    let tables = &world.policies.written().tables;
    if tables.contains_key(&name.text) {
        return Ok(());
    }
    Err(unknown("table", name, tables.keys().map(String::as_str)))
}

pub(super) fn target(teller: &Teller, world: &World, target: &Target) -> Result<(), Refusal> {
    match target {
        Target::Person(name) => person(teller, world, name).map(drop),
        Target::Role(name) => role(world, name),
        Target::Table(name) => table(world, name),
    }
}

/// Everything that a gift names has to exist, and its scope to mean something on its table.
pub(super) fn what(world: &World, what: &What) -> Result<(), Refusal> {
    match what {
        What::Role(name) => role(world, name),
        What::Rows {
            operations,
            table: name,
            scope,
        } => {
            table(world, name)?;
            let known = world.policies.scopes_of(&name.text);
            if !known.contains(&scope.text) {
                return Err(unknown(
                    &format!("scope of table {}", name.text),
                    scope,
                    known.iter().map(String::as_str),
                ));
            }
            if operations.is_empty() {
                let message = format!(
                    "one of {} should stand here",
                    Operation::ALL.map(Operation::word).join(", ")
                );
                return Err(Refusal::new("command-syntax", SqlState::SyntaxError, message));
            }
            Ok(())
        }
        What::Columns { table: name, columns } => {
            table(world, name)?;
            let known = world.policies.columns_of(&name.text, &world.catalog);
            for column in columns {
                if !known.contains(&column.text.as_str()) {
                    return Err(unknown("column", column, known.iter().copied()));
                }
            }
            Ok(())
        }
    }
}

/// A record's key has as many values as that of its table.
pub(super) fn key(world: &World, record: &Record) -> Result<(), Refusal> {
    table(world, &record.table)?;
    let key = world.policies.written().tables.get(&record.table.text).map(|t| &t.key);
    let names: Vec<&str> = key.into_iter().flatten().map(|w| w.text.as_str()).collect();
    if names.is_empty() {
        let message = format!("the policies name no key of table {}", record.table.text);
        return Err(Refusal::new("no-key", SqlState::InvalidParameterValue, message).at(record.table.at));
    }
    if names.len() != record.key.len() {
        let at = record.key.first().map_or(record.table.at, |k| k.at);
        let message = format!("the key of table {} is ({})", record.table.text, names.join(", "));
        let values = vec!["'…'"; names.len()].join(", ");
        let hint = format!("Write it as {} ({values}).", record.table.text);
        return Err(Refusal::new("wrong-key", SqlState::InvalidParameterValue, message)
            .at(at)
            .hint(hint));
    }
    if let Some(why) = world.policies.unshareable(&record.table.text, &world.catalog) {
        let message = format!("records of table {} cannot be shared: {why}", record.table.text);
        let refusal = Refusal::new("key-not-unique", SqlState::ObjectNotInPrerequisiteState, message);
        return Err(refusal.at(record.table.at));
    }
    Ok(())
}
