//! Every "no": a stable code, the SQLSTATE, what the client reads, and what only the log reads.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// PostgreSQL's condition codes that rowgate itself answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlState {
    /// 42501: the policy forbids it.
    InsufficientPrivilege,
    /// 0A000: rowgate cannot secure it.
    FeatureNotSupported,
    /// 42601: not SQL.
    SyntaxError,
    /// 42P01: no such relation in this person's database.
    UndefinedTable,
    /// 42703: no such column in this person's database.
    UndefinedColumn,
    /// 42702: a column name fits more than one.
    AmbiguousColumn,
    /// 42P09: a table name fits more than one.
    AmbiguousAlias,
    /// 42704: no such type or setting.
    UndefinedObject,
    /// 42883: no such function.
    UndefinedFunction,
    /// 22023: a value that a setting does not take.
    InvalidParameterValue,
    /// 42809: not that kind of relation.
    WrongObjectType,
    /// 42P10: a column that may not stand there.
    InvalidColumnReference,
    /// 3F000: no such schema.
    InvalidSchemaName,
    /// 22021: the text is not valid in the client's encoding.
    CharacterNotInRepertoire,
    /// 08P01: the client broke the protocol.
    ProtocolViolation,
    /// 54001: too deep or too long.
    StatementTooComplex,
    /// 53400: a limit of the policy was reached.
    ConfigurationLimitExceeded,
    /// 53300: too many connections.
    TooManyConnections,
    /// 28000: this login may not come in.
    InvalidAuthorization,
    /// 28P01: wrong password.
    InvalidPassword,
    /// 26000: no such prepared statement.
    InvalidSqlStatementName,
    /// 42P05: a prepared statement of this name exists.
    DuplicatePreparedStatement,
    /// 34000: no such cursor or portal.
    InvalidCursorName,
    /// 23503: a foreign key points to no row of this person's database.
    ForeignKeyViolation,
    /// 44000: a row that is written through a view does not belong to it.
    WithCheckOptionViolation,
    /// 55000: the object is not in a state for it, such as a view that cannot be written.
    ObjectNotInPrerequisiteState,
    /// 42804: an expression's type does not fit its column.
    DatatypeMismatch,
    /// 42803: an aggregate where none may stand.
    GroupingError,
    /// 25P02: the transaction is aborted.
    InFailedTransaction,
    /// 25001: not while a transaction is open.
    ActiveSqlTransaction,
    /// 57P01: the session was ended.
    AdminShutdown,
    /// 57P03: not ready to take connections.
    CannotConnectNow,
    /// 08006: the database behind went away.
    ConnectionFailure,
    /// 57014: cancelled.
    QueryCanceled,
    /// XX000: rowgate's own fault.
    InternalError,
    /// 58030: the audit record could not be written.
    IoError,
}

impl SqlState {
    /// The five characters on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::InsufficientPrivilege => "42501",
            Self::FeatureNotSupported => "0A000",
            Self::SyntaxError => "42601",
            Self::UndefinedTable => "42P01",
            Self::UndefinedColumn => "42703",
            Self::AmbiguousColumn => "42702",
            Self::AmbiguousAlias => "42P09",
            Self::UndefinedObject => "42704",
            Self::UndefinedFunction => "42883",
            Self::InvalidParameterValue => "22023",
            Self::WrongObjectType => "42809",
            Self::InvalidColumnReference => "42P10",
            Self::InvalidSchemaName => "3F000",
            Self::CharacterNotInRepertoire => "22021",
            Self::ProtocolViolation => "08P01",
            Self::StatementTooComplex => "54001",
            Self::ConfigurationLimitExceeded => "53400",
            Self::TooManyConnections => "53300",
            Self::InvalidAuthorization => "28000",
            Self::InvalidPassword => "28P01",
            Self::InvalidSqlStatementName => "26000",
            Self::DuplicatePreparedStatement => "42P05",
            Self::InvalidCursorName => "34000",
            Self::ForeignKeyViolation => "23503",
            Self::WithCheckOptionViolation => "44000",
            Self::ObjectNotInPrerequisiteState => "55000",
            Self::DatatypeMismatch => "42804",
            Self::GroupingError => "42803",
            Self::InFailedTransaction => "25P02",
            Self::ActiveSqlTransaction => "25001",
            Self::AdminShutdown => "57P01",
            Self::CannotConnectNow => "57P03",
            Self::ConnectionFailure => "08006",
            Self::QueryCanceled => "57014",
            Self::InternalError => "XX000",
            Self::IoError => "58030",
        }
    }
}

/// A statement or a login that does not go through, with what each reader may know.
///
/// One pointer: hardly any of what may end in a refusal does, and all of it keeps room for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Box<Words>);

/// What a refusal says.
///
/// `message`, `detail` and `hint` go to the client in PostgreSQL's style (lower case, no full stop in the
/// primary message) and name no hidden value; `log` stays with the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// A stable word for the audit and for tests, such as `function-not-allowed`.
    pub code: &'static str,
    /// The condition the client's driver reacts to.
    pub sqlstate: SqlState,
    /// The primary message.
    pub message: String,
    /// More about this occurrence.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Byte offset in the client's text that the refusal is about.
    pub offset: Option<usize>,
    /// What only the operator's log reads.
    pub log: Option<String>,
}

impl Deref for Refusal {
    type Target = Words;

    fn deref(&self) -> &Words {
        &self.0
    }
}

impl DerefMut for Refusal {
    fn deref_mut(&mut self) -> &mut Words {
        &mut self.0
    }
}

impl Refusal {
    /// A refusal with its primary message.
    pub fn new(code: &'static str, sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(Words {
            code,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            offset: None,
            log: None,
        }))
    }

    /// 42501: the policy forbids it.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, SqlState::InsufficientPrivilege, message)
    }

    /// 0A000: rowgate cannot secure it.
    pub fn unsupported(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, SqlState::FeatureNotSupported, message)
    }

    /// Adds the detail line.
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = Some(text.into());
        self
    }

    /// Adds the hint line.
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }

    /// Says where in the client's text (byte offset).
    pub fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Adds what only the log reads.
    pub fn log(mut self, text: impl Into<String>) -> Self {
        self.log = Some(text.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.sqlstate.code())
    }
}

impl std::error::Error for Refusal {}
