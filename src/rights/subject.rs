//! Who a right is about, and who may end it.

use super::language::{Name, Partner, Record, Target, What};
use super::may::{Teller, is_same};
use super::snapshot::{Subject, With};
use crate::identity::directory::Directory;
use crate::identity::held::Gift;
use crate::world::World;
use std::time::Duration;

fn name(text: &str) -> Name {
    Name {
        text: text.to_owned(),
        at: 0,
    }
}

impl Subject {
    /// Who has it, or is suspended.
    pub fn holder(&self) -> Option<&str> {
        match self {
            Self::Grant { login, .. }
            | Self::Role { login, .. }
            | Self::Delegation { login, .. }
            | Self::Share {
                with: With::Person(login),
                ..
            }
            | Self::SuspendPerson(login) => Some(login),
            Self::Share { .. } | Self::SuspendRole(_) | Self::SuspendTable(_) => None,
        }
    }

    /// Does it suspend this? A person is suspended with every login of theirs.
    pub fn suspends(&self, target: &Target, directory: &Directory) -> bool {
        match (self, target) {
            (Self::SuspendPerson(a), Target::Person(b)) => {
                let both = directory.plain(a).zip(directory.plain(&b.text));
                *a == b.text || both.is_some_and(|(a, b)| is_same(a, b))
            }
            (Self::SuspendRole(a), Target::Role(b)) | (Self::SuspendTable(a), Target::Table(b)) => *a == b.text,
            _ => false,
        }
    }

    /// Does it share a record of this table with them?
    pub fn is_shared(&self, table: &Name, partner: &Partner) -> bool {
        let Self::Share { with, table: of, .. } = self else {
            return false;
        };
        let same = match (with, partner) {
            (With::Person(a), Partner::Person(b)) | (With::Team(a), Partner::Team(b)) => *a == b.text,
            _ => false,
        };
        same && *of == table.text
    }

    /// Does it share this record with them?
    pub fn shares(&self, record: &Record, partner: &Partner) -> bool {
        let same_key = match self {
            Self::Share { key, .. } => key.iter().eq(record.key.iter().map(|k| &k.text)),
            _ => false,
        };
        same_key && self.is_shared(&record.table, partner)
    }

    /// Whoever may give a right may end it, whatever its length.
    pub fn may_be_ended_by(&self, teller: &Teller, world: &World) -> bool {
        if matches!(teller, Teller::Operator(_)) {
            return true;
        }
        let person = |login: &str| world.directory.as_read(login);
        let short = Duration::ZERO;
        match self {
            Self::Grant { login, table, gift } => person(login).is_some_and(|to| {
                let table = name(table);
                let what = match gift {
                    Gift::Rows { operations, scope } => What::Rows {
                        operations: operations.clone(),
                        table,
                        scope: name(scope),
                    },
                    Gift::Columns(columns) => What::Columns {
                        table,
                        columns: columns.iter().map(|c| name(c)).collect(),
                    },
                };
                teller.may_give(world, &what, to, short)
            }),
            Self::Role { login, role } => {
                person(login).is_some_and(|to| teller.may_give(world, &What::Role(name(role)), to, short))
            }
            Self::Delegation { login, delegator, .. } => {
                teller.is(delegator)
                    || person(login)
                        .zip(person(delegator))
                        .is_some_and(|(to, from)| teller.may_delegate(world, from, to, short))
            }
            Self::Share { .. } => false,
            Self::SuspendPerson(login) => teller.may_suspend(world, &Target::Person(name(login))),
            Self::SuspendRole(role) => teller.may_suspend(world, &Target::Role(name(role))),
            Self::SuspendTable(table) => teller.may_suspend(world, &Target::Table(name(table))),
        }
    }
}
