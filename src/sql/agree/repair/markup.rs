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
        Pg::Xmlroot => root(draft, open),
        Pg::Xmlserialize => {
            draft.put(at, &["CAST"]);
            draft.drop(open + 1..open + 2);
            within(draft, open, |kind| matches!(kind, Pg::No | Pg::Indent), drop_one);
        }
        Pg::Xmlexists => passing(draft, open),
        Pg::Xmltable => table(draft, at),
        _ => {}
    }
}

/// `XMLTABLE(row PASSING document COLUMNS …)` reads as a call of the expressions in it.
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
    passing(draft, open);
    if let Some(at) = draft.find(open + 1..close, &[Pg::Columns]) {
        columns(draft, at, close);
    }
}

/// `COLUMNS name type PATH a DEFAULT b, …`: the expressions remain, as further arguments.
fn columns(draft: &mut Draft<'_>, at: usize, close: usize) {
    let mut from = at;
    while from < close {
        let end = draft.find(from + 1..close, &[Pg::Ascii44]).unwrap_or(close);
        let mut word = draft.find(from + 1..end, &[Pg::Path, Pg::Default]);
        draft.drop(from..word.unwrap_or(end));
        while let Some(at) = word {
            draft.comma(at);
            word = draft.find(at + 1..end, &[Pg::Path, Pg::Default]);
        }
        if draft.before(end) == Pg::NullP && draft.kind(end.saturating_sub(2)) == Pg::Not {
            draft.drop(end - 2..end);
        }
        from = end;
    }
}

/// `XMLROOT(a, VERSION b, STANDALONE YES)` reads as a call of a and b.
fn root(draft: &mut Draft<'_>, open: usize) {
    let Some(close) = draft.closing(open) else {
        return;
    };
    if let Some(standalone) = draft.find(open + 1..close, &[Pg::StandaloneP]) {
        draft.drop(standalone - 1..close);
    }
    if let Some(version) = draft.find(open + 1..close, &[Pg::VersionP]) {
        match draft.kind(version + 1) {
            Pg::No => draft.drop(version - 1..version + 3),
            _ => draft.drop(version..version + 1),
        }
    }
}

/// `PASSING BY REF document BY VALUE`: one more argument.
fn passing(draft: &mut Draft<'_>, open: usize) {
    within(draft, open, |kind| kind == Pg::Passing, |draft, at| draft.comma(at));
    within(
        draft,
        open,
        |kind| kind == Pg::By,
        |draft, at| {
            if matches!(draft.kind(at + 1), Pg::RefP | Pg::ValueP) {
                draft.drop(at..at + 2);
            }
        },
    );
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
