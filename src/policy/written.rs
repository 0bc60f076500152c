//! The policy as it is written: files turned into words, before anybody asks whether what they name exists.

use super::decision::RoleRights;
use super::file::{Spot, Word};
use super::temporary::Temporary;
use crate::name::QualifiedName;
use std::collections::BTreeMap;
use std::time::Duration;

/// A whole set of policy files.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// `[defaults]`
    pub defaults: Defaults,
    /// `[scopes.NAME]`
    pub scopes: BTreeMap<String, CustomScope>,
    /// The protected tables by the name that policies give them.
    pub tables: BTreeMap<String, TableRule>,
    /// The roles by name.
    pub roles: BTreeMap<String, RoleRule>,
    /// `[directory]`
    pub directory: Option<DirectoryRule>,
    /// The tests.
    pub tests: Vec<TestCase>,
    /// A file was no TOML, so its content is missing here.
    pub incomplete: bool,
}

/// What holds where nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// Columns that a role does not name show (`clear`) or do not (`hidden`).
    pub columns_clear: bool,
    /// Relations that no policy protects.
    pub unprotected: Unprotected,
    /// Those of them that may be written as the database lets rowgate's own role.
    pub unprotected_writes: Unprotected,
}

/// Relations that no policy protects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Unprotected {
    /// Nobody gets them.
    #[default]
    Denied,
    /// Everybody gets them whole.
    Open,
    /// Those listed are open, as `schema.name` or `schema.*`.
    Listed(Vec<String>),
}

impl Unprotected {
    /// Is this relation among them?
    pub fn names(&self, relation: &QualifiedName) -> bool {
        match self {
            Self::Denied => false,
            Self::Open => true,
            Self::Listed(list) => list.iter().any(|entry| {
                entry
                    .split_once('.')
                    .is_some_and(|(schema, name)| schema == relation.schema && (name == "*" || name == relation.name))
            }),
        }
    }
}

/// A scope of the DBA's own.
#[derive(Debug, Clone)]
pub struct CustomScope {
    /// The condition.
    pub condition: Word,
}

/// A protected table and whose each row is.
#[derive(Debug, Clone)]
pub struct TableRule {
    /// The name that policies give it.
    pub name: Word,
    /// `schema.name`
    pub relation: Word,
    /// The key's columns.
    pub key: Vec<Word>,
    /// Who is in charge of the row.
    pub owner: Option<Word>,
    /// Whose team's it is.
    pub team: Option<Word>,
    /// Collaborators.
    pub members: Option<MembersRule>,
    /// Whose it is through another table.
    pub parent: Option<ParentRule>,
    /// Functions of BEFORE triggers that leave what the policy looks at as it is, and where they are named.
    pub harmless_triggers: Vec<(QualifiedName, Word)>,
}

/// The relation of collaborators.
#[derive(Debug, Clone)]
pub struct MembersRule {
    /// `schema.name`
    pub relation: Word,
    /// The columns that name the row, in the order of its key.
    pub row: Vec<Word>,
    /// The column that names a person.
    pub user: Option<Word>,
    /// The column that names a team.
    pub team: Option<Word>,
}

/// The way to the parent row.
#[derive(Debug, Clone)]
pub struct ParentRule {
    /// The parent, by its name in the policies.
    pub table: Word,
    /// The columns that hold the parent's key, in its order.
    pub column: Vec<Word>,
}

/// One scope as a role names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeWord {
    /// How many `parent:` stand before it.
    pub up: usize,
    /// The scope itself.
    pub scope: Scope,
    /// Where it stands.
    pub at: Spot,
}

impl ScopeWord {
    /// The scope as it was written.
    pub fn written(&self) -> String {
        format!("{}{}", "parent:".repeat(self.up), self.scope.word())
    }
}

/// Which rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Owned by the person.
    Own,
    /// Of the person's team.
    Team,
    /// Of the person's team or one below.
    TeamTree,
    /// Owned by anybody below the person.
    Reports,
    /// The person, or their team, is a collaborator.
    Member,
    /// The parent row is visible by the same role.
    Parent,
    /// Would be `own` for somebody who delegated to the person.
    Delegated,
    /// Every row.
    All,
    /// A scope of `[scopes]`.
    Named(String),
}

impl Scope {
    /// The built-in words.
    pub const WORDS: [&'static str; 8] = [
        "own",
        "team",
        "team_tree",
        "reports",
        "member",
        "parent",
        "delegated",
        "all",
    ];

    /// The scope of this word; any other word names one of `[scopes]`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "own" => Self::Own,
            "team" => Self::Team,
            "team_tree" => Self::TeamTree,
            "reports" => Self::Reports,
            "member" => Self::Member,
            "parent" => Self::Parent,
            "delegated" => Self::Delegated,
            "all" => Self::All,
            other => Self::Named(other.to_owned()),
        }
    }

    /// The word of this scope.
    pub fn word(&self) -> &str {
        match self {
            Self::Own => "own",
            Self::Team => "team",
            Self::TeamTree => "team_tree",
            Self::Reports => "reports",
            Self::Member => "member",
            Self::Parent => "parent",
            Self::Delegated => "delegated",
            Self::All => "all",
            Self::Named(name) => name,
        }
    }
}

/// A role.
#[derive(Debug, Clone)]
pub struct RoleRule {
    /// Its name: the file's.
    pub name: String,
    /// Where its file begins.
    pub at: Spot,
    /// A title for people.
    pub title: Option<String>,
    /// Goes through unparsed, on connections of its own, every statement audited.
    pub bypass: bool,
    /// What it may do with each table, by the table's name.
    pub tables: BTreeMap<String, RoleTable>,
    /// What it may do beside tables.
    pub rights: RoleRights,
    /// What its people may give others for a time.
    pub temporary: Temporary,
}

/// What becomes of a result with more rows than `max_rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverMaxRows {
    /// As many rows as may be, then an error.
    #[default]
    Cut,
    /// The error alone.
    Refuse,
}

/// What a role may do with a table.
#[derive(Debug, Clone)]
pub struct RoleTable {
    /// The table's name and where it is named.
    pub table: Word,
    /// Rows to read.
    pub view: Vec<ScopeWord>,
    /// Rows to make.
    pub insert: Vec<ScopeWord>,
    /// Rows to change.
    pub edit: Vec<ScopeWord>,
    /// Rows to remove.
    pub delete: Vec<ScopeWord>,
    /// Rows to take out in bulk.
    pub export: Vec<ScopeWord>,
    /// The most rows of one result without `export`.
    pub max_rows: Option<u64>,
    /// What becomes of a result that has more.
    pub over_max_rows: OverMaxRows,
    /// Columns by name; `*` is every column not named.
    pub columns: BTreeMap<String, ColumnRule>,
}

impl RoleTable {
    /// The rule for a column: its own, or that of `*`.
    pub fn column(&self, name: &str) -> Option<&ColumnRule> {
        self.columns.get(name).or_else(|| self.columns.get("*"))
    }
}

/// What a role says of a column.
#[derive(Debug, Clone)]
pub struct ColumnRule {
    /// The column's name and place.
    pub name: Word,
    /// How it shows.
    pub show: Show,
    /// Scopes on whose rows it is in clear anyway.
    pub except: Vec<ScopeWord>,
    /// An exact match may use the real value.
    pub searchable: bool,
    /// May it be written? `None` follows the table's `edit`.
    pub edit: Option<bool>,
    /// To whom a row may be handed by this column.
    pub transfer: Option<Vec<ScopeWord>>,
    /// What an INSERT that leaves it out stores: `own` (the person's id) or `team`.
    pub default: Option<Scope>,
    /// It shows in clear everywhere for the time being, whatever is said here; what is said of writing holds.
    pub given: bool,
}

/// How a column shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// As it is.
    Clear,
    /// Not at all.
    Hidden,
    /// Under a mask.
    Mask(MaskRule),
}

/// A mask and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskRule {
    /// NULL.
    Null,
    /// A constant.
    Fixed {
        /// Its text.
        value: Word,
    },
    /// First and last characters.
    Partial {
        /// Characters kept at the beginning.
        first: u32,
        /// Characters kept at the end.
        last: u32,
    },
    /// First character and domain.
    Email,
    /// Keyed hash.
    Hash,
    /// `floor(x / n) * n`
    Bucket {
        /// `n`, a positive decimal number as text.
        size: Word,
    },
    /// `round(x, digits)`
    Round {
        /// Digits after the point; negative before it.
        digits: i32,
    },
    /// Cut to the year.
    Year,
    /// Cut to the month.
    Month,
    /// An expression of the DBA's.
    Sql {
        /// The expression.
        expression: Word,
    },
}

impl MaskRule {
    /// The words.
    pub const WORDS: [&'static str; 10] = [
        "null", "fixed", "partial", "email", "hash", "bucket", "round", "year", "month", "sql",
    ];

    /// The word of this mask.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Fixed { .. } => "fixed",
            Self::Partial { .. } => "partial",
            Self::Email => "email",
            Self::Hash => "hash",
            Self::Bucket { .. } => "bucket",
            Self::Round { .. } => "round",
            Self::Year => "year",
            Self::Month => "month",
            Self::Sql { .. } => "sql",
        }
    }
}

/// Where people come from.
#[derive(Debug, Clone)]
pub struct DirectoryRule {
    /// Yields `login, user_id, role, team_id, manager_id, active` and any further attributes.
    pub users: Word,
    /// Yields `team_id, parent_id`.
    pub teams: Option<Word>,
    /// How often both are read again.
    pub refresh: Duration,
    /// How long the people last read may log in while they cannot be read.
    pub keep: Duration,
}

/// A test that a reviewer can run.
#[derive(Debug, Clone)]
pub struct TestCase {
    /// Where it begins.
    pub at: Spot,
    /// What it is about.
    pub title: Option<String>,
    /// Who runs it.
    pub login: String,
    /// The statement.
    pub sql: String,
    /// The rows it must yield, each value as text, NULL as `None`.
    pub rows: Option<Vec<Vec<Option<String>>>>,
    /// The names of the result's columns.
    pub columns: Option<Vec<String>>,
    /// The SQLSTATE it must fail with.
    pub error: Option<String>,
}
