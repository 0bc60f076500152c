//! The form of an audit line.

use crate::gate::Read;
use pg_query::{FingerprintOptions, ParserOptions};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::OnceLock;

/// Longest statement that a line shows, in bytes.
const LONGEST: usize = 128 << 10;

/// Whose connection it is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Person {
    /// The connection's number since rowgate started.
    pub session: u64,
    /// The login.
    pub login: String,
    /// The login that acts for them, where somebody else has connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// Roles at the time of the line.
    pub roles: Vec<String>,
    /// The client's address.
    pub client: String,
    /// `application_name` as the client gave it at login.
    pub application: String,
}

/// A statement as the audit may show it.
#[derive(Debug, Clone, Serialize)]
pub struct StatementText<'a> {
    /// The text, its constants replaced by `$n` unless literals are configured.
    pub statement: Cow<'a, str>,
    /// The same for statements that differ in constants alone.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub fingerprint: &'a str,
}

/// What the audit shows of statements that differ in constants alone; made when it is first asked for.
#[derive(Debug, Default)]
pub struct Common {
    normal: OnceLock<String>,
    fingerprint: OnceLock<String>,
}

impl Common {
    /// Reads one of the texts; one that PostgreSQL's grammar cannot read is not shown without `literals`.
    pub fn show<'a>(&'a self, text: &'a str, literals: bool) -> StatementText<'a> {
        if text.len() > LONGEST {
            return StatementText {
                statement: Cow::Owned(format!("<a statement of {} bytes>", text.len())),
                fingerprint: "",
            };
        }
        let normal = || pg_query::normalize(text).unwrap_or_else(|_| "<not readable as SQL>".to_owned());
        let fingerprint = || {
            pg_query::fingerprint(text, ParserOptions::DEFAULT, FingerprintOptions::DEFAULT)
                .map(|f| f.hex)
                .unwrap_or_default()
        };
        StatementText {
            statement: Cow::Borrowed(if literals {
                text
            } else {
                self.normal.get_or_init(normal)
            }),
            fingerprint: self.fingerprint.get_or_init(fingerprint),
        }
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It went through.
    Allowed,
    /// It did not.
    Refused,
    /// It went through unparsed.
    Bypassed,
}

/// How it ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// SQLSTATE of the error, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// Rows that the client got.
    pub rows: u64,
    /// From its arrival to its last message.
    pub duration_ms: f64,
}

/// One line.
#[derive(Debug, Serialize)]
pub struct Event<'a> {
    /// UTC, to the microsecond.
    pub time: String,
    /// `login`, `logout`, `lock-out`, `act-for`, `statement`, or `repeated-violations`.
    pub event: &'static str,
    /// Whose.
    #[serde(flatten)]
    pub person: &'a Person,
    /// The policy's generation.
    pub generation: u64,
    /// What was decided.
    pub decision: Decision,
    /// The refusal's code; empty when it went through; `broken-off` where the session ended before the statement had,
    /// so that nobody knows whether it was done.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub code: &'a str,
    /// The statement.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a StatementText<'a>>,
    /// What it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<ReadLine<'a>>,
    /// Parameters, if they are configured to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<&'a [Option<String>]>,
    /// How it ended.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How often constraints have told this person of keys.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub violations: Option<Violations>,
}

/// Unique and foreign key violations of one person within a short time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Violations {
    /// How many.
    pub violations: usize,
    /// Within how many seconds.
    pub seconds: u64,
}

/// One relation of a line.
#[derive(Debug, Serialize)]
pub struct ReadLine<'a> {
    relation: &'a str,
    columns: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    masked: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    searched: &'a [String],
}

impl<'a> From<&'a Read> for ReadLine<'a> {
    fn from(read: &'a Read) -> Self {
        Self {
            relation: &read.relation,
            columns: &read.columns,
            masked: &read.masked,
            searched: &read.searched,
        }
    }
}

/// Now, as lines show it.
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
