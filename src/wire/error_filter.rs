//! What a client may read of the database's own errors and notices.
//!
//! DETAIL, HINT and CONTEXT show keys, whole rows and the text that rowgate sent, so they pass only where they
//! are known to speak of the client's own text alone. SQLSTATE and the names of constraint, table, column, schema
//! and type stay.

use crate::gate::Verified;
use crate::name::QualifiedName;
use crate::net::Fields;
use crate::policy::RoleRights;
use crate::sql::raise::{Raise, Raised};

/// The prefix of every name that rowgate splices into a statement.
const PRIVATE: &str = "rowgate:";

/// What is known about the statement that an error or a notice belongs to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Statement<'a> {
    /// The text that was sent.
    pub sent: Option<&'a Verified>,
    /// The client's own text.
    pub original: Option<&'a str>,
    /// It writes to tables, so that its messages can carry their values.
    pub writes: bool,
    /// It copies the client's own data into a table, so that CONTEXT tells them the line.
    pub copies: bool,
}

/// Filters an error in place. Gives the refusal's code where the error is one that rowgate's own check raised.
pub fn error(
    fields: &mut Fields,
    statement: Statement<'_>,
    rights: &RoleRights,
    search_path: &[String],
) -> Option<&'static str> {
    if let Some(raised) = Raise::read(fields.sqlstate(), fields.message()) {
        let line = fields.get(b'W').filter(|_| statement.copies).and_then(line_of_data);
        let line = line.map(|line| line.context.to_owned());
        let code = refused(fields, raised);
        if let Some(line) = line {
            fields.set(b'W', line);
        }
        return Some(code);
    }
    let speaker = fields.get(b'W').and_then(raising_function);
    // what a statement of a function met is told by the server, and functions in SQL say nothing of their own
    let is_sql = |context: &str| context.starts_with("SQL statement ") || context.starts_with("SQL function ");
    let speaks_itself = fields.get(b'W').is_some_and(|context| !is_sql(context));
    let position = fields
        .get(b'P')
        .and_then(|p| p.parse().ok())
        .and_then(|p| statement.sent?.client_position(statement.original?, p));
    let line = fields.get(b'W').filter(|_| statement.copies).and_then(line_of_data);
    let in_data = line.as_ref().is_some_and(|line| line.holds_a_value) || is_of_format(fields);
    let line = line.map(|line| line.context.to_owned());
    let class = fields.sqlstate().get(..2).unwrap_or("").to_owned();
    keep_harmless(fields, &class);
    if let Some(line) = line {
        fields.set(b'W', line);
    }
    match position {
        Some(position) => fields.set(b'P', position.to_string()),
        None => fields.remove(b'P'),
    }
    match speaker {
        Some(name) if !may_speak(&name, rights, search_path) => {
            fields.set(b'M', "a function or trigger of the database raised an error");
            fields.remove(b'D');
            if speaks_itself {
                // it may have put anything into the places of names
                fields.keep(|tag| !matches!(tag, b's' | b't' | b'c' | b'd' | b'n'));
            }
            fields.set(
                b'H',
                "Its message is withheld: ask the database administrator to list the function under message_functions.",
            );
        }
        // raised while the client's own text was read, before any row was: only that has a place in it
        None if statement.writes
            && position.is_none()
            && !(statement.copies && in_data)
            && may_show_a_value(fields, &class) =>
        {
            fields.set(b'M', "a value is not valid in an expression of the table");
            fields.remove(b'D');
            fields.remove(b'H');
        }
        Some(_) | None if fields.message().contains(PRIVATE) => {
            fields.set(b'M', "the statement failed in a condition that the policy added");
        }
        Some(_) | None => {}
    }
    None
}

/// The refusal in place of the error that stands for it.
fn refused(fields: &mut Fields, raised: Raised) -> &'static str {
    let code = raised.refusal.code;
    *fields = Fields::of_refusal("ERROR", &raised.refusal, None);
    if let Some((table, constraint)) = raised.constraint {
        fields.set(b's', table.schema);
        fields.set(b't', table.name);
        fields.set(b'n', constraint);
    }
    code
}

/// Can the primary message of an error that came while rows were written hold a value of one? Errors about data do
/// unless they are known not to; a name that does not exist can be a value that was cast to one.
fn may_show_a_value(fields: &Fields, class: &str) -> bool {
    match class {
        "22" => !names_types_alone(fields.message()),
        "42" => matches!(fields.sqlstate(), "42P01" | "42704" | "42883" | "42601" | "42602"),
        // how long an index entry is, of all its columns
        "3F" | "54" => true,
        _ => false,
    }
}

/// The place in the client's data that CONTEXT tells.
struct Line<'a> {
    context: &'a str,
    /// The error is about one of its values as it was read, and about nothing else.
    holds_a_value: bool,
}

/// CONTEXT of COPY FROM, if it speaks of the client's data alone: `COPY t, line 3, column a: "x"`.
fn line_of_data(context: &str) -> Option<Line<'_>> {
    if context.contains('\n') || context.contains(PRIVATE) {
        return None;
    }
    let (_, rest) = context.strip_prefix("COPY ")?.split_once(", line ")?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    Some(Line {
        context,
        holds_a_value: rest.starts_with(", column "),
    })
}

/// Is the form of the client's data wrong, or its encoding?
fn is_of_format(fields: &Fields) -> bool {
    matches!(fields.sqlstate(), "22P04" | "22021")
}

/// Messages about a value that say no more than the type that it did not fit.
fn names_types_alone(message: &str) -> bool {
    let of_length = [
        "value too long for type character varying(",
        "value too long for type character(",
    ];
    let digits = |rest: &str| {
        rest.strip_suffix(')')
            .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    };
    of_length
        .iter()
        .any(|start| message.strip_prefix(start).is_some_and(digits))
        || matches!(
            message,
            "smallint out of range"
                | "integer out of range"
                | "bigint out of range"
                | "numeric field overflow"
                | "value overflows numeric format"
                | "timestamp out of range"
                | "date out of range"
                | "interval out of range"
                | "division by zero"
        )
}

/// Filters a notice in place; `false` drops it.
pub fn notice(fields: &mut Fields, rights: &RoleRights, search_path: &[String]) -> bool {
    let raised_by = fields.get(b'W').and_then(raising_function);
    if raised_by.is_some_and(|name| !may_speak(&name, rights, search_path)) {
        return false;
    }
    let class = fields.sqlstate().get(..2).unwrap_or("").to_owned();
    keep_harmless(fields, &class);
    fields.remove(b'P');
    !fields.message().contains(PRIVATE)
}

/// Drops what may carry values: CONTEXT and the internal query always, DETAIL and HINT unless the class of the
/// error says that they speak of the client's text (42), of the server's or the transaction's state (08, 25, 40,
/// 53, 55, 57).
fn keep_harmless(fields: &mut Fields, class: &str) {
    let about_text = class == "42";
    let about_state = matches!(class, "08" | "25" | "40" | "53" | "55" | "57");
    let private: Vec<u8> = [b'D', b'H']
        .into_iter()
        .filter(|tag| fields.get(*tag).is_some_and(|text| text.contains(PRIVATE)))
        .collect();
    fields.keep(|tag| match tag {
        b'S' | b'V' | b'C' | b'M' | b'P' | b's' | b't' | b'c' | b'd' | b'n' | b'F' | b'L' | b'R' => true,
        b'D' => about_text && !private.contains(&tag),
        b'H' => (about_text || about_state) && !private.contains(&tag),
        _ => false,
    });
}

/// The function that CONTEXT names on its first line, for languages that say it.
fn raising_function(context: &str) -> Option<String> {
    let line = context.lines().next()?;
    for prefix in [
        "PL/pgSQL function ",
        "SQL function ",
        "PL/Perl function ",
        "PL/Python function ",
        "PL/Tcl function ",
    ] {
        if let Some(rest) = line.strip_prefix(prefix) {
            let rest = rest.trim_start_matches('"');
            let end = rest.find(['(', '"', ' ']).unwrap_or(rest.len());
            return Some(rest.get(..end).unwrap_or(rest).to_owned());
        }
    }
    let of_the_statement = ["JSON data", "COPY ", "unnamed portal", "portal ", "parameter "];
    // any other context means that something beside the statement itself was running
    (!of_the_statement.iter().any(|prefix| line.starts_with(prefix))).then(String::new)
}

/// Does the role let this function's messages pass? An unqualified name is one that the search_path finds.
fn may_speak(function: &str, rights: &RoleRights, search_path: &[String]) -> bool {
    let named = |schema: &str, name: &str| rights.message_functions.contains(&QualifiedName::new(schema, name));
    match function.split_once('.') {
        Some((schema, name)) => named(schema, name),
        None => search_path.iter().any(|schema| named(schema, function)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(sqlstate: &str, message: &str, more: &[(u8, &str)]) -> Fields {
        let mut fields = Fields::new("ERROR", sqlstate, message);
        for (tag, value) in more {
            fields.set(*tag, *value);
        }
        fields
    }

    #[test]
    fn a_failing_row_is_not_shown() {
        let mut got = fields(
            "23514",
            "new row violates check constraint \"c\"",
            &[
                (b'D', "Failing row contains (1, secret)."),
                (b'W', "SQL statement \"…\""),
                (b't', "customers"),
                (b'n', "c"),
            ],
        );
        error(&mut got, Statement::default(), &RoleRights::default(), &[]);
        assert_eq!((got.get(b'D'), got.get(b'W')), (None, None));
        assert_eq!((got.get(b't'), got.get(b'n')), (Some("customers"), Some("c")));
    }

    #[test]
    fn a_check_that_raised_is_the_refusal_it_stands_for() {
        let raise = Raise::Reference {
            table: QualifiedName::new("crm", "contacts"),
            constraint: "contacts_customer".to_owned(),
        };
        let sql = raise.sql();
        let message = format!(
            "invalid input syntax for type integer: \"{}now\"",
            sql.split('\'').nth(1).unwrap()
        );
        let mut got = fields("22P02", &message, &[(b'P', "8"), (b'W', "…")]);
        let code = error(&mut got, Statement::default(), &RoleRights::default(), &[]);
        assert_eq!((code, got.sqlstate()), (Some("reference-policy"), "23503"));
        assert_eq!(
            [b's', b't', b'n', b'P', b'W'].map(|tag| got.get(tag)),
            [Some("crm"), Some("contacts"), Some("contacts_customer"), None, None]
        );
    }

    #[test]
    fn a_write_shows_no_value_but_of_its_own_text() {
        let writes = Statement {
            writes: true,
            ..Statement::default()
        };
        for (sqlstate, message, shown) in [
            ("22P02", "invalid input syntax for type integer: \"secret\"", false),
            ("22001", "value too long for type character varying(5)", true),
            ("22001", "value too long for type character varying(secret)", false),
            ("22012", "division by zero", true),
            (
                "54000",
                "index row size 2712 exceeds btree version 4 maximum 2704",
                false,
            ),
            ("42P01", "relation \"secret\" does not exist", false),
            ("42501", "permission denied for table t", true),
            ("23505", "duplicate key value violates unique constraint \"k\"", true),
        ] {
            let mut got = fields(sqlstate, message, &[]);
            error(&mut got, writes, &RoleRights::default(), &[]);
            assert_eq!(got.message() == message, shown, "{message}");
        }
    }

    #[test]
    fn advice_about_the_text_stays() {
        let mut got = fields(
            "42883",
            "function f() does not exist",
            &[(b'H', "No function matches."), (b'P', "8")],
        );
        error(&mut got, Statement::default(), &RoleRights::default(), &[]);
        assert_eq!(got.get(b'H'), Some("No function matches."));
        assert_eq!(got.get(b'P'), None);
    }

    #[test]
    fn only_listed_functions_speak() {
        let rights = RoleRights {
            message_functions: vec![QualifiedName::new("public", "polite")],
            ..RoleRights::default()
        };
        let path = ["public".to_owned()];
        let context = |name: &str| format!("PL/pgSQL function {name}(integer) line 3 at RAISE");
        for (name, passes) in [
            ("polite", true),
            ("public.polite", true),
            ("other.polite", false),
            ("rude", false),
        ] {
            let mut got = fields("00000", "phone is 123", &[(b'W', &context(name))]);
            assert_eq!(notice(&mut got, &rights, &path), passes, "{name}");
            let mut got = fields("P0001", "phone is 123", &[(b'W', &context(name)), (b't', "123")]);
            error(&mut got, Statement::default(), &rights, &path);
            assert_eq!(got.message().contains("123"), passes, "{name}");
            assert_eq!(got.get(b't').is_some(), passes, "{name}");
        }
    }
}
