//! SQL/JSON: constructors and queries read as plain calls of their arguments.

use super::{Draft, Edit, keyword};
use pg_query::protobuf::Token as Pg;

pub(super) fn repair(draft: &mut Draft<'_>, at: usize) {
    let call = matches!(
        draft.kind(at),
        Pg::JsonObject
            | Pg::JsonObjectagg
            | Pg::JsonArray
            | Pg::JsonArrayagg
            | Pg::JsonValue
            | Pg::JsonQuery
            | Pg::JsonExists
            | Pg::JsonScalar
            | Pg::JsonSerialize
            | Pg::JsonTable
            | Pg::Json
    );
    let open = at + 1;
    if !call || draft.kind(open) != Pg::Ascii40 {
        return;
    }
    let Some(close) = draft.closing(open) else {
        return;
    };
    draft.name(at);
    if matches!(draft.kind(open + 1), Pg::Select | Pg::Values | Pg::With | Pg::Table) {
        // the items of a query: an argument in brackets of its own
        draft.edit(open, Edit::Then(vec![keyword("(")]));
        let end = draft.find(open + 1..close, &[Pg::Format, Pg::Absent, Pg::Returning]);
        draft.drop(end.unwrap_or(close)..close);
        draft.edit(close, Edit::Then(vec![keyword(")")]));
        return;
    }
    arguments(draft, open + 1, close);
}

/// Makes a list of expressions of what stands between the brackets.
fn arguments(draft: &mut Draft<'_>, from: usize, close: usize) {
    let mut at = from;
    while at < close {
        let next = option(draft, at, close);
        if next > at {
            draft.drop(at..next);
            at = next;
            continue;
        }
        match draft.kind(at) {
            Pg::Ascii58 => draft.comma(at),
            Pg::ValueP | Pg::Passing if at > from => draft.comma(at),
            // DEFAULT expression ON EMPTY
            Pg::Default => draft.comma(at),
            // a path's or a variable's name
            Pg::As => draft.drop(at..at + 2),
            Pg::Columns => {
                draft.drop(at..close);
                return;
            }
            Pg::Ascii40 | Pg::Ascii91 => at = draft.closing(at).unwrap_or(close),
            _ => {}
        }
        at += 1;
    }
}

/// The end of the option that begins here; the same place if none does.
fn option(draft: &Draft<'_>, at: usize, close: usize) -> usize {
    let kinds = [0, 1, 2, 3, 4].map(|further| draft.kind(at + further));
    let outcome = |kind| matches!(kind, Pg::EmptyP | Pg::ErrorP | Pg::NullP);
    match kinds {
        [
            Pg::Absent | Pg::NullP | Pg::ErrorP | Pg::EmptyP | Pg::TrueP | Pg::FalseP | Pg::Unknown,
            Pg::On,
            what,
            ..,
        ] if outcome(what) => at + 3,
        [Pg::EmptyP, Pg::Array | Pg::ObjectP, Pg::On, what, _] if outcome(what) => at + 4,
        [Pg::On, what, ..] if outcome(what) => at + 2,
        [Pg::With | Pg::Without, Pg::Unique, Pg::Keys, ..] => at + 3,
        [Pg::With | Pg::Without, Pg::Unique, ..] => at + 2,
        [Pg::With | Pg::Without, Pg::Wrapper, ..] => at + 2,
        [
            Pg::With | Pg::Without,
            Pg::Conditional | Pg::Unconditional | Pg::Array,
            Pg::Wrapper,
            ..,
        ] => at + 3,
        [
            Pg::With | Pg::Without,
            Pg::Conditional | Pg::Unconditional,
            Pg::Array,
            Pg::Wrapper,
            _,
        ] => at + 4,
        [Pg::Keep | Pg::Omit, Pg::Quotes, Pg::On, ..] => at + 5,
        [Pg::Keep | Pg::Omit, Pg::Quotes, ..] => at + 2,
        [Pg::Format, Pg::Json, Pg::Encoding, ..] => at + 4,
        [Pg::Format, Pg::Json, ..] => at + 2,
        [Pg::Returning, ..] => returned_type(draft, at, close),
        _ => at,
    }
}

/// `RETURNING type`: everything up to the next option that can follow a type.
fn returned_type(draft: &Draft<'_>, at: usize, close: usize) -> usize {
    let follows = [
        Pg::Format,
        Pg::Default,
        Pg::ErrorP,
        Pg::NullP,
        Pg::EmptyP,
        Pg::TrueP,
        Pg::FalseP,
        Pg::Unknown,
        Pg::With,
        Pg::Without,
        Pg::Keep,
        Pg::Omit,
    ];
    draft.find(at + 1..close, &follows).unwrap_or(close)
}
