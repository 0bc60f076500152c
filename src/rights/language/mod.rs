//! The commands about temporary rights, as people write them.

mod parse;
mod words;

pub use parse::{command, what};
pub use words::{LONGEST, Token, Wrong, of_arguments, words};

use crate::identity::held::Operation;
use std::collections::BTreeSet;
use std::fmt;

/// A name with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands, in bytes.
    pub at: usize,
}

/// What is given, asked for, or may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// `view, edit ON customers SCOPE team`
    Rows {
        /// What may be done.
        operations: BTreeSet<Operation>,
        /// The table.
        table: Name,
        /// The scope.
        scope: Name,
    },
    /// `view ON contacts(phone, email)`
    Columns {
        /// The table.
        table: Name,
        /// The columns.
        columns: Vec<Name>,
    },
    /// `ROLE auditor`
    Role(Name),
}

/// When it ends, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ends {
    /// `UNTIL '18:00'`
    Until(Name),
    /// `FOR '2 hours'`
    For(Name),
}

/// How long and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The end.
    pub ends: Option<Ends>,
    /// The reason.
    pub reason: Option<String>,
}

/// Whom a suspension is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Somebody.
    Person(Name),
    /// A role.
    Role(Name),
    /// A table.
    Table(Name),
}

impl Target {
    /// Its name.
    pub fn name(&self) -> &Name {
        match self {
            Self::Person(name) | Self::Role(name) | Self::Table(name) => name,
        }
    }
}

/// With whom a record is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partner {
    /// Somebody.
    Person(Name),
    /// A team.
    Team(Name),
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its table.
    pub table: Name,
    /// Its key's values.
    pub key: Vec<Name>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => write!(f, "{}", quoted(&name.text)),
            Self::Role(name) => write!(f, "role {}", quoted(&name.text)),
            Self::Table(name) => write!(f, "table {}", quoted(&name.text)),
        }
    }
}

impl fmt::Display for Partner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => write!(f, "{}", quoted(&name.text)),
            Self::Team(name) => write!(f, "team {}", quoted(&name.text)),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<&str> = self.key.iter().map(|k| k.text.as_str()).collect();
        write!(f, "{} ({})", quoted(&self.table.text), key.join(", "))
    }
}

/// What is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// Rights that are in force or will be.
    Rights(Option<About>),
    /// Every change.
    History(Option<About>),
    /// Open requests, and one's own.
    Requests,
    /// People.
    People,
    /// What one may give, ask for and raise.
    Policy,
    /// Sets of policies that took force, and what they changed.
    PolicyChanges,
    /// Connections.
    Pools,
    /// The commands.
    Help,
}

/// Of whom or what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A person.
    Person(Name),
    /// A table, perhaps one record of it.
    Table(Record),
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `GRANT what TO person UNTIL … REASON …`
    Grant(What, Name, Terms),
    /// `DELEGATE person TO person [ON table] UNTIL …`
    Delegate {
        /// Whose rows.
        from: Name,
        /// Who stands in.
        to: Name,
        /// In which table alone.
        table: Option<Name>,
        /// How long and why.
        terms: Terms,
    },
    /// `SUSPEND PERSON bea REASON …`
    Suspend(Target, Terms),
    /// `RESUME PERSON bea`
    Resume(Target, Terms),
    /// `SHARE customers 42 WITH bea UNTIL …`
    Share(Record, Partner, Terms),
    /// `UNSHARE customers 42 WITH bea`
    Unshare(Record, Partner, Terms),
    /// `REVOKE 12`
    Revoke(i64, Terms),
    /// `RAISE ROLE emergency FOR '20 min' REASON …`
    Raise(Option<Name>, Terms),
    /// `REQUEST what UNTIL … REASON …`
    Request(What, Terms),
    /// `APPROVE 3`
    Approve(i64, Terms),
    /// `REJECT 3`
    Reject(i64, Terms),
    /// `SHOW …`
    Show(Show),
}

/// A name as it is written so that it is read back.
fn quoted(name: &str) -> String {
    if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_:".contains(c)) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows {
                operations,
                table,
                scope,
            } => {
                let words: Vec<&str> = operations.iter().map(|o| o.word()).collect();
                let (table, scope) = (quoted(&table.text), quoted(&scope.text));
                write!(f, "{} ON {table} SCOPE {scope}", words.join(", "))
            }
            Self::Columns { table, columns } => {
                let names: Vec<String> = columns.iter().map(|c| quoted(&c.text)).collect();
                write!(f, "view ON {}({})", quoted(&table.text), names.join(", "))
            }
            Self::Role(role) => write!(f, "ROLE {}", quoted(&role.text)),
        }
    }
}
