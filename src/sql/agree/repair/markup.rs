//! SQL/XML.

use super::Draft;
use pg_query::protobuf::Token as Pg;

pub(super) fn repair(draft: &mut Draft<'_>, at: usize) {
    let open = at + 1;
    match draft.kind(at) {
        Pg::Xmlelement | Pg::Xmlpi if draft.kind(open + 1) == Pg::NameP => {
            let more = draft.kind(open + 3) == Pg::Ascii44;
            draft.drop(open + 1..open + if more { 4 } else { 3 });
        }
        Pg::Xmlparse => within(
            draft,
            open,
            |kind| matches!(kind, Pg::Preserve | Pg::StripP | Pg::WhitespaceP),
            drop_one,
        ),
        Pg::Xmlroot => {
            within(
                draft,
                open,
                |kind| matches!(kind, Pg::VersionP | Pg::StandaloneP | Pg::No),
                drop_one,
            );
            within(
                draft,
                open,
                |kind| matches!(kind, Pg::YesP | Pg::ValueP),
                |draft, at| draft.put(at, &["NULL"]),
            );
        }
        Pg::Xmlserialize => {
            draft.put(at, &["CAST"]);
            draft.drop(open + 1..open + 2);
            within(draft, open, |kind| matches!(kind, Pg::No | Pg::Indent), drop_one);
        }
        Pg::Xmlexists => within(draft, open, |kind| kind == Pg::Passing, |draft, at| draft.comma(at)),
        Pg::Xmltable => table(draft, at),
        Pg::RefP | Pg::ValueP if draft.before(at) == Pg::By => draft.drop(at - 1..at + 1),
        _ => {}
    }
}

/// `XMLTABLE(row PASSING document COLUMNS …)` reads as a call of row and document; a reference in a column's
/// path or default is seen by PostgreSQL alone.
fn table(draft: &mut Draft<'_>, at: usize) {
    let open = at + 1;
    let Some(close) = draft.closing(open) else {
        return;
    };
    draft.name(at);
    if draft.kind(open + 1) == Pg::Xmlnamespaces
        && let Some(end) = draft.closing(open + 2)
    {
        draft.drop(open + 1..end + 2);
    }
    within(draft, open, |kind| kind == Pg::Passing, |draft, at| draft.comma(at));
    if let Some(columns) = draft.find(open + 1..close, &[Pg::Columns]) {
        draft.drop(columns..close);
    }
}

/// Edits the tokens of a kind directly inside the bracket at `open`.
fn within(draft: &mut Draft<'_>, open: usize, wanted: fn(Pg) -> bool, edit: fn(&mut Draft<'_>, usize)) {
    let Some(close) = draft.closing(open) else {
        return;
    };
    let mut depth = 0_usize;
    for at in open..close {
        match draft.kind(at) {
            Pg::Ascii40 => depth += 1,
            Pg::Ascii41 => depth = depth.saturating_sub(1),
            kind if depth == 1 && wanted(kind) => edit(draft, at),
            _ => {}
        }
    }
}

fn drop_one(draft: &mut Draft<'_>, at: usize) {
    draft.drop(at..at + 1);
}
