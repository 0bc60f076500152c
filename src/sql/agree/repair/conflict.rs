//! `ON CONFLICT (lower(a), b) WHERE p DO …`: what is looked for and where, which the second parser does not know, is
//! assigned to something instead.

use super::Draft;
use pg_query::protobuf::Token as Pg;
use std::ops::Range;

pub(super) fn repair(draft: &mut Draft<'_>, at: usize) {
    let open = at + 1;
    if draft.kind(at) != Pg::Conflict || draft.before(at) != Pg::On || draft.kind(open) != Pg::Ascii40 {
        return;
    }
    let Some(close) = draft.closing(open) else { return };
    let condition = (draft.kind(close + 1) == Pg::Where).then_some(close + 1);
    let Some(action) = draft.find(close + 1..draft.pieces.len(), &[Pg::Do]) else {
        return;
    };
    let elements = elements(draft, open + 1..close);
    if condition.is_none() && elements.iter().all(|element| element.len() == 1) {
        return;
    }
    draft.put(open, &["DO", "UPDATE", "SET", "rowgate", "=", "("]);
    for element in elements {
        shorten(draft, element);
    }
    match condition {
        Some(condition) => {
            draft.put(condition, &[",", "rowgate", "=", "("]);
            draft.put(action, &[")"]);
        }
        None => draft.drop(action..action + 1),
    }
    if draft.kind(action + 1) == Pg::Update {
        draft.comma(action + 1);
        draft.drop(action + 2..action + 3);
    } else {
        draft.drop(action + 1..action + 2);
    }
}

fn elements(draft: &Draft<'_>, list: Range<usize>) -> Vec<Range<usize>> {
    let mut elements = Vec::new();
    let mut from = list.start;
    while from < list.end {
        let end = draft.find(from..list.end, &[Pg::Ascii44]).unwrap_or(list.end);
        elements.push(from..end);
        from = end + 1;
    }
    elements
}

/// A column that is named by itself refers to nothing here, as in PostgreSQL's tree; a collation and an operator class
/// refer to nothing either.
fn shorten(draft: &mut Draft<'_>, element: Range<usize>) {
    let close = draft
        .find(element.clone(), &[Pg::Ascii40])
        .and_then(|open| draft.closing(open));
    match close {
        Some(close) => draft.drop(close + 1..element.end),
        None => {
            draft.put(element.start, &["1"]);
            draft.drop(element.start + 1..element.end);
        }
    }
}
