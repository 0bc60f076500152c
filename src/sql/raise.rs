//! How a statement fails on a row that the policy forbids: SQL that raises as soon as it is evaluated, and what its
//! error means to the client.

use crate::name::QualifiedName;
use crate::refusal::{Refusal, SqlState};
use std::fmt::Write as _;
use std::sync::OnceLock;

/// What was wrong with a row that a statement was about to write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Raise {
    /// The new row is not one that the person may make, or it would leave what they may change.
    Row {
        /// The table's name.
        table: String,
    },
    /// An existing row that ON CONFLICT or MERGE would write may not be written by the person.
    Target {
        /// The table's name.
        table: String,
    },
    /// A column got another value than the one that shows.
    Column {
        /// The table's name.
        table: String,
        /// The column's name.
        column: String,
    },
    /// The row would be handed to somebody whom the policy does not name, or would give its author more than before.
    Transfer {
        /// The table's name.
        table: String,
        /// The column's name.
        column: String,
    },
    /// A row that is written through a view does not meet its condition.
    View {
        /// The view's name.
        view: String,
    },
    /// A function is called on what the person may not call it on.
    Function {
        /// The function's name.
        function: String,
    },
    /// A foreign key would point to a row that the person does not see.
    Reference {
        /// The referencing table.
        table: QualifiedName,
        /// The foreign key's name.
        constraint: String,
    },
}

/// What the client reads in place of the database's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Code, message, detail and hint.
    pub refusal: Refusal,
    /// The referencing table and the foreign key, where the error names them in fields of their own.
    pub constraint: Option<(QualifiedName, String)>,
}

/// A word that no client can know, so that no value of theirs is taken for a row that was forbidden.
fn nonce() -> &'static str {
    static NONCE: OnceLock<String> = OnceLock::new();
    NONCE.get_or_init(|| format!("rowgate:{:032x}:", rand::random::<u128>()))
}

impl Raise {
    /// SQL of type `text` that raises when it is evaluated and at no other time: it is volatile, so that the planner
    /// neither folds nor estimates it.
    pub fn sql(&self) -> String {
        let (word, names): (&str, Vec<&str>) = match self {
            Self::Row { table } => ("row", vec![table]),
            Self::Target { table } => ("target", vec![table]),
            Self::Column { table, column } => ("column", vec![table, column]),
            Self::Transfer { table, column } => ("transfer", vec![table, column]),
            Self::View { view } => ("view", vec![view]),
            Self::Function { function } => ("function", vec![function]),
            Self::Reference { table, constraint } => ("reference", vec![&table.schema, &table.name, constraint]),
        };
        let mut code = format!("{}{word}", nonce());
        for name in names {
            code.push('.');
            for byte in name.as_bytes() {
                let _ = write!(code, "{byte:02x}");
            }
        }
        format!(
            "((pg_catalog.concat('{code}:'::pg_catalog.text, pg_catalog.clock_timestamp()))::pg_catalog.int4)::pg_catalog.text"
        )
    }

    /// What an error of the database means, if it was raised by such SQL.
    pub fn read(sqlstate: &str, message: &str) -> Option<Raised> {
        if sqlstate != "22P02" {
            return None;
        }
        let (_, rest) = message.split_once(nonce())?;
        let (code, _) = rest.split_once(':')?;
        let mut parts = code.split('.');
        let word = parts.next()?;
        let names: Vec<String> = parts.map(from_hex).collect::<Option<_>>()?;
        let raise = match (word, names.as_slice()) {
            ("row", [table]) => Self::Row { table: table.clone() },
            ("target", [table]) => Self::Target { table: table.clone() },
            ("column", [table, column]) => Self::Column {
                table: table.clone(),
                column: column.clone(),
            },
            ("transfer", [table, column]) => Self::Transfer {
                table: table.clone(),
                column: column.clone(),
            },
            ("view", [view]) => Self::View { view: view.clone() },
            ("function", [function]) => Self::Function {
                function: function.clone(),
            },
            ("reference", [schema, name, constraint]) => Self::Reference {
                table: QualifiedName::new(schema, name),
                constraint: constraint.clone(),
            },
            _ => return None,
        };
        Some(raise.raised())
    }

    /// What the client reads.
    pub fn raised(&self) -> Raised {
        let refusal = match self {
            Self::Row { table } => Refusal::forbidden(
                "row-policy",
                format!("new row violates row-level policy for table \"{table}\""),
            )
            .hint("Ask the administrator of rowgate for a policy that lets your role write such rows."),
            Self::Target { table } => Refusal::forbidden(
                "target-policy",
                format!("target row violates row-level policy for table \"{table}\""),
            )
            .hint("Ask the administrator of rowgate for a policy that lets your role change such rows."),
            Self::Column { table, column } => column_denied(table, column)
                .detail("Only the value that is shown may be written back: it leaves what is stored as it is."),
            Self::Transfer { table, column } => Refusal::forbidden(
                "transfer-policy",
                format!("permission denied to transfer a row of table {table} by column {column}"),
            )
            .hint("Ask the administrator of rowgate whom your role may hand rows to."),
            Self::Function { function } => Refusal::forbidden(
                "function-not-allowed",
                format!("permission denied for function {function}"),
            ),
            Self::View { view } => Refusal::new(
                "check-option",
                SqlState::WithCheckOptionViolation,
                format!("new row violates check option for view \"{view}\""),
            ),
            Self::Reference { table, constraint } => Refusal::new(
                "reference-policy",
                SqlState::ForeignKeyViolation,
                format!(
                    "insert or update on table \"{}\" violates foreign key constraint \"{constraint}\"",
                    table.name
                ),
            ),
        };
        let constraint = match self {
            Self::Reference { table, constraint } => Some((table.clone(), constraint.clone())),
            Self::Row { .. }
            | Self::Target { .. }
            | Self::Column { .. }
            | Self::Transfer { .. }
            | Self::View { .. }
            | Self::Function { .. } => None,
        };
        Raised { refusal, constraint }
    }
}

/// 42501 for a column that may not be written.
pub fn column_denied(table: &str, column: &str) -> Refusal {
    Refusal::forbidden(
        "column-policy",
        format!("permission denied for column {column} of table {table}"),
    )
    .hint("Ask the administrator of rowgate for edit on the column.")
}

fn from_hex(hex: &str) -> Option<String> {
    let byte = |i: usize| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_a_raise_made_is_read_again() {
        let raise = Raise::Column {
            table: "a \"b\":c.d".to_owned(),
            column: "é".to_owned(),
        };
        let sql = raise.sql();
        let code = sql.split('\'').nth(1).unwrap();
        let message = format!("invalid input syntax for type integer: \"{code}2026-01-01 00:00:00+00\"");
        assert_eq!(Raise::read("22P02", &message), Some(raise.raised()));
        assert_eq!(
            Raise::read("22P02", "invalid input syntax for type integer: \"rowgate:row\""),
            None
        );
        assert_eq!(Raise::read("XX000", &message), None);
    }
}
