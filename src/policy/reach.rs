//! What a new set of policies does to the rows that people reach: the statements that count it.

use super::decision::Rows;
use super::scope::{Scopes, Wording};
use super::written::RoleRule;
use super::{PolicySet, print};
use crate::catalog::Catalog;
use crate::identity::Principal;
use crate::identity::directory::Directory;
use std::collections::{BTreeMap, BTreeSet};

/// People with a role whose rows are counted at most; where there are more, every so many-th by login.
pub const MOST_PEOPLE: usize = 20;
/// All conditions together, in bytes: what goes beyond is not counted.
const MOST_TEXT: usize = 16 << 20;

/// A set of policies with what it is about.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What is allowed.
    pub policies: &'a PolicySet,
    /// What exists.
    pub catalog: &'a Catalog,
    /// Who people are.
    pub directory: &'a Directory,
}

/// A role and a table, by their names in the policies.
pub type Pair = (String, String);

/// How to count the rows of a table that people with a role view by it under one set and not under another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nobody has the role.
    Nobody,
    /// This statement gives one row of `bigint`: for each person the rows that are lost, then those that are gained.
    Count {
        /// The statement.
        sql: String,
        /// How many people it is about.
        counted: usize,
        /// How many have the role.
        people: usize,
    },
    /// It cannot be counted, and why.
    Not(&'static str),
}

/// What was counted of a role and a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// Nobody has the role.
    Nobody,
    /// The rows of whoever loses, and of whoever gains, the most of those who were counted.
    Rows {
        /// What they lose.
        lost: u64,
        /// What they gain.
        gained: u64,
        /// How many people were counted.
        counted: usize,
        /// How many have the role.
        people: usize,
    },
    /// Nothing, and why.
    Not(String),
}

/// What was counted.
pub type Counts = BTreeMap<Pair, Count>;

/// Every role and table whose rows are others for somebody, and those of which nobody can tell. Temporary rights and
/// other roles do not count.
pub fn compare(before: Side<'_>, after: Side<'_>) -> BTreeMap<Pair, Reach> {
    let mut found = BTreeMap::new();
    let people = people(before.directory, after.directory);
    let mut left = MOST_TEXT;
    let (old, new) = (&before.policies.written.roles, &after.policies.written.roles);
    let roles: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for role in roles {
        let (old, new) = (old.get(role), new.get(role));
        if [old, new].into_iter().flatten().any(|r| r.bypass) {
            continue;
        }
        let tables = [old, new].into_iter().flatten().flat_map(|r| r.tables.keys());
        for table in tables.collect::<BTreeSet<_>>() {
            let reach = match people.get(role.as_str()) {
                None => Some(Reach::Nobody),
                Some(logins) => one((before, old), (after, new), table, logins, &mut left),
            };
            if let Some(reach) = reach {
                found.insert((role.clone(), table.clone()), reach);
            }
        }
    }
    found
}

/// The logins of everybody with each role, on either side, in order.
fn people<'d>(before: &'d Directory, after: &'d Directory) -> BTreeMap<&'d str, Vec<&'d str>> {
    let mut people: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for person in before.listed().chain(after.listed()) {
        for role in &person.roles {
            people.entry(role).or_default().push(&person.login);
        }
    }
    for logins in people.values_mut() {
        logins.sort_unstable();
        logins.dedup();
    }
    people
}

type With<'a> = (Side<'a>, Option<&'a RoleRule>);

fn one(before: With<'_>, after: With<'_>, table: &str, logins: &[&str], left: &mut usize) -> Option<Reach> {
    let named = |(side, _): With<'_>| {
        let relation = side.policies.bound.relation_of(table);
        let relation = relation.and_then(|oid| side.catalog.relations.get(&oid));
        relation.map(|r| r.name.to_sql())
    };
    let (Some(old), Some(relation)) = (named(before), named(after)) else {
        return Some(Reach::Not("the table is in one of the sets alone"));
    };
    if old != relation {
        return Some(Reach::Not("the table is another relation"));
    }
    let counted = logins.len().min(MOST_PEOPLE);
    let sample = (0..counted).filter_map(|number| logins.get(number * logins.len() / counted));
    let people: Vec<(Rows, Rows)> = sample
        .map(|login| (rows(before, table, login), rows(after, table, login)))
        .collect();
    if people.iter().all(|(old, new)| old == new) {
        return None;
    }
    let mut counts = Vec::new();
    for (old, new) in &people {
        let (old, new) = (condition(old), condition(new));
        match left.checked_sub(2 * (old.len() + new.len())) {
            Some(rest) => *left = rest,
            None => return Some(Reach::Not("there are too many")),
        }
        let count = |has: &str, not: &str| {
            format!("pg_catalog.count(*) FILTER (WHERE ({has}) IS TRUE AND ({not}) IS NOT TRUE)")
        };
        counts.extend([count(old, new), count(new, old)]);
    }
    Some(Reach::Count {
        sql: format!("SELECT {} FROM {relation} AS {}", counts.join(", "), print::alias(0)),
        counted,
        people: logins.len(),
    })
}

/// The rows of a table that somebody views by a role; none if they do not have it.
fn rows((side, role): With<'_>, table: &str, login: &str) -> Rows {
    let policies = side.policies;
    if policies.bound.is_broken(table) {
        return Rows::None;
    }
    let has = |role: &&RoleRule| {
        let roles = side.directory.plain(login).map(|p| &p.roles);
        roles.is_some_and(|roles| roles.contains(&role.name))
    };
    let (Some(role), Some(who), Some(rule)) = (
        role.filter(has),
        side.directory.as_read(login),
        policies.written.tables.get(table),
    ) else {
        return Rows::None;
    };
    let Some(said) = role.tables.get(table) else {
        return Rows::None;
    };
    let who: &Principal = who;
    let scopes = Scopes {
        written: &policies.written,
        bound: &policies.bound,
        catalog: side.catalog,
        who,
        wording: Wording::Sets,
        closed: &BTreeSet::new(),
        roles: &[],
    };
    scopes.rows(role, rule, &said.view, 0).rows()
}

fn condition(rows: &Rows) -> &str {
    match rows {
        Rows::All => "TRUE",
        Rows::None => "FALSE",
        Rows::Where(sql) => sql,
    }
}
