//! Statements by which a program names the person that it acts for. They never reach the database: what is sent in
//! their place changes nothing there.

use super::{Effect, Judged, Judgement, Leaves, Returned};
use crate::name::MAX_IDENTIFIER_BYTES;
use crate::refusal::{Refusal, SqlState};
use crate::sql::parse::{self, Scanned};
use crate::sql::verify::Verified;
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, Token, VariableSetKind, VariableSetStmt, a_const::Val};
use std::borrow::Cow;
use std::ops::Range;

/// The setting that is nothing but this.
pub const SETTING: &str = "rowgate.user";

/// Words by which somebody is named: PostgreSQL's own, and rowgate's.
pub const NAMES: [&str; 3] = [SETTING, "role", "session_authorization"];

/// Is this text one statement that names a person, or nobody, and nothing else?
///
/// Only for sessions of those who may act for others: for everybody else it is a statement like any other.
pub fn acting(text: &str) -> Option<Result<Judgement, Refusal>> {
    // what does not begin so is none, and need not be read twice
    let first = text.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let starts = |word: &str| first.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word));
    if !starts("set") && !starts("reset") && !text.contains("/*") && !text.contains("--") {
        return None;
    }
    let parsed = parse::parse(&quoted(text)?).ok()?;
    let [statement] = parsed.tree.stmts.as_slice() else {
        return None;
    };
    let Some(NodeEnum::VariableSetStmt(set)) = statement.stmt.as_ref()?.node.as_ref() else {
        return None;
    };
    let name = set.name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()).then(|| match cuts_a_name(text) {
        true => Err(unclear("a name of more than 63 bytes without quotes for a text")),
        false => switch(set, &name),
    })
}

/// PostgreSQL cuts what is written as an identifier: the rest could be another person's login.
fn cuts_a_name(text: &str) -> bool {
    let is_long = |t: &pg_query::protobuf::ScanToken| {
        let place = usize::try_from(t.start).ok().zip(usize::try_from(t.end).ok());
        let written = place.and_then(|(start, end)| text.get(start..end));
        t.token() == Token::Ident && written.is_none_or(|w| w.trim_matches('"').len() > MAX_IDENTIFIER_BYTES)
    };
    Scanned::of(text).is_ok_and(|scanned| scanned.tokens().iter().any(is_long))
}

/// PostgreSQL's grammar knows `user` as a word of its own and takes `rowgate.user` with quotes alone; here it is
/// understood without them.
fn quoted(text: &str) -> Option<Cow<'_, str>> {
    let scanned = Scanned::of(text).ok()?;
    let words = scanned.tokens().iter().filter(|t| !is_comment(t.token()));
    let places: Vec<Range<usize>> = words
        .take(5)
        .map(|t| Some(usize::try_from(t.start).ok()?..usize::try_from(t.end).ok()?))
        .collect::<Option<_>>()?;
    let word = |at: usize| places.get(at).and_then(|place| text.get(place.clone())).unwrap_or("");
    let is = |at: usize, what: &str| word(at).eq_ignore_ascii_case(what);
    let at = if is(1, "session") || is(1, "local") { 2 } else { 1 };
    let place = places
        .get(at + 2)
        .filter(|_| is(at, "rowgate") && is(at + 1, ".") && is(at + 2, "user"));
    Some(match place {
        None => Cow::Borrowed(text),
        Some(place) => Cow::Owned(format!(
            "{}\"user\"{}",
            text.get(..place.start)?,
            text.get(place.end..)?
        )),
    })
}

fn is_comment(token: Token) -> bool {
    matches!(token, Token::SqlComment | Token::CComment)
}

fn unclear(what: &str) -> Refusal {
    let message = format!("{what} is not a way to name the person that you act for");
    Refusal::unsupported("acting-unclear", message).hint("Write SET rowgate.user = 'login', by itself.")
}

fn switch(set: &VariableSetStmt, name: &str) -> Result<Judgement, Refusal> {
    if set.is_local {
        return Err(unclear("SET LOCAL"));
    }
    let (kind, text, whom) = match set.kind() {
        VariableSetKind::VarReset => ("RESET", "RESET ROLE", None),
        VariableSetKind::VarSetDefault => ("SET", "SET ROLE NONE", None),
        VariableSetKind::VarSetValue => {
            let [value] = set.args.as_slice() else {
                return Err(unclear("a list"));
            };
            let whom = text_of(value).ok_or_else(|| unclear("this value"))?;
            let nobody = whom.is_empty() || name == "role" && whom == "none";
            ("SET", "SET ROLE NONE", (!nobody).then_some(whom))
        }
        VariableSetKind::VarSetCurrent
        | VariableSetKind::VarSetMulti
        | VariableSetKind::VarResetAll
        | VariableSetKind::Undefined => return Err(unclear("this form of SET")),
    };
    Ok(Judgement {
        text: Verified::standing_in(text),
        statements: [Judged {
            kind,
            effect: Effect::Act(whom),
            origins: Vec::new(),
            row_limit: None,
            returned: Returned::AsIs,
            writes: false,
            stores: None,
            staged: None,
            leaves: Leaves::default(),
            explain_output: None,
            reads: Vec::new(),
            touches_protected: false,
            notes: Vec::new(),
        }]
        .into(),
    })
}

fn text_of(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(text) => Some(text.sval.clone()),
            Val::Ival(_) | Val::Fval(_) | Val::Boolval(_) | Val::Bsval(_) => None,
        },
        _ => None,
    }
}

/// Kinds of statements that may run while nobody is named, where they read nothing but catalogue and constants.
const FOR_NOBODY: [&str; 15] = [
    "SELECT",
    "SET",
    "RESET",
    "SHOW",
    "SET CONSTRAINTS",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
    "DECLARE CURSOR",
    "FETCH",
    "MOVE",
    "CLOSE CURSOR",
    "DISCARD",
    "DISCARD TEMP",
    "DISCARD ALL",
];

/// Nobody is named yet: may a judged text run? What is open to everybody is not open to nobody.
pub fn for_nobody(judgement: &Judgement) -> Result<(), Refusal> {
    let may = |s: &Judged| {
        let harmless = s.effect == Effect::Transaction || FOR_NOBODY.contains(&s.kind);
        harmless && !s.touches_protected && s.reads.is_empty() && !s.leaves.unknown
    };
    if judgement.statements.iter().all(may) {
        return Ok(());
    }
    let refusal = Refusal::new(
        "acting-for-nobody",
        SqlState::InsufficientPrivilege,
        "permission denied: this login acts for others and has named nobody",
    );
    Err(advise(refusal))
}

/// Tells what to do about it, where nobody is named.
pub fn advise(refusal: Refusal) -> Refusal {
    match (refusal.sqlstate, &refusal.hint) {
        (SqlState::InsufficientPrivilege, None) => {
            refusal.hint("This login acts for others: name the person first, SET rowgate.user = 'login'.")
        }
        _ => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Option<Result<Option<String>, &'static str>> {
        acting(text).map(|judged| match judged {
            Ok(judged) => match &judged.statements[0].effect {
                Effect::Act(whom) => Ok(whom.clone()),
                other => panic!("{other:?}"),
            },
            Err(refusal) => Err(refusal.code),
        })
    }

    #[test]
    fn ways_to_name_somebody() {
        let alice = Some(Ok(Some("alice".to_owned())));
        for text in [
            "SET rowgate.user = 'alice'",
            "SET rowgate.\"user\" = alice",
            "set session ROWGATE.USER to alice",
            "set -- now\n rowgate /* . */ . user = 'alice';",
            "SET ROLE alice;",
            "SET ROLE \"alice\";",
            "SET ROLE Alice",
            "SET SESSION ROLE 'alice'",
            "SET SESSION AUTHORIZATION 'alice';",
            "/* tool */ SET SESSION AUTHORIZATION alice -- x",
            "SET role = 'alice'",
            "SET session_authorization TO alice",
        ] {
            assert_eq!(names(text), alice, "{text}");
        }
        for text in [
            "SET ROLE NONE;",
            "RESET ROLE",
            "RESET rowgate.user",
            "RESET SESSION AUTHORIZATION",
            "SET SESSION AUTHORIZATION DEFAULT",
            "SET rowgate.user TO DEFAULT",
            "SET rowgate.user = ''",
        ] {
            assert_eq!(names(text), Some(Ok(None)), "{text}");
        }
        assert_eq!(names("SET ROLE \"Alice\""), Some(Ok(Some("Alice".to_owned()))));
    }

    #[test]
    fn a_name_is_not_cut() {
        let (fits, longer) = ("p".repeat(63), "p".repeat(64));
        for (written, whom) in [
            (fits.clone(), &fits),
            (format!("\"{fits}\""), &fits),
            (format!("'{longer}'"), &longer),
        ] {
            assert_eq!(names(&format!("SET ROLE {written}")), Some(Ok(Some(whom.clone()))));
        }
        for written in [longer.clone(), format!("\"{longer}\"")] {
            assert_eq!(names(&format!("SET ROLE {written}")), Some(Err("acting-unclear")));
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "SET LOCAL ROLE alice",
            "SET rowgate.user = alice, bob",
            "SET rowgate.user = 7",
            "SET rowgate.user FROM CURRENT",
        ] {
            assert_eq!(names(text), Some(Err("acting-unclear")), "{text}");
        }
        for text in [
            "SET ROLE alice; SELECT 1",
            "SELECT 1; SET ROLE alice",
            "SELECT set_config('role', 'alice', false)",
            "SET rowgate.users = 'alice'",
            "SET rowgate.user.user = 'alice'",
            "SELECT rowgate.user",
            "SET work_mem = '1MB'",
            "RESET ALL",
            "DISCARD ALL",
            "DO $$ BEGIN SET ROLE alice; END $$",
            "",
        ] {
            assert_eq!(names(text), None, "{text}");
        }
    }
}
