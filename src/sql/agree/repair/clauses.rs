//! The clauses of a query: FROM, GROUP BY, windows, locking, limits, recursion.

use super::{Draft, Edit, keyword};
use pg_query::protobuf::Token as Pg;
use sqlparser::tokenizer::Token;

pub(super) fn repair(draft: &mut Draft<'_>, at: usize) {
    match draft.kind(at) {
        Pg::Only => only(draft, at),
        Pg::Table => table(draft, at),
        Pg::Using => {
            using_alias(draft, at);
            merge_source(draft, at);
        }
        Pg::As => column_definitions(draft, at),
        Pg::Rows => rows_from(draft, at),
        Pg::Tablesample => sample(draft, at),
        Pg::By if draft.before(at) == Pg::GroupP && matches!(draft.kind(at + 1), Pg::Distinct | Pg::All) => {
            draft.drop(at + 1..at + 2);
        }
        Pg::Fetch => fetch(draft, at),
        Pg::For => locking(draft, at),
        Pg::Exclude => frame_exclusion(draft, at),
        Pg::Search | Pg::Cycle => recursion(draft, at),
        Pg::Ascii91 => part_of_target(draft, at),
        Pg::Local | Pg::Global
            if matches!(draft.kind(at + 1), Pg::Temp | Pg::Temporary)
                && matches!(draft.before(at), Pg::Into | Pg::Create) =>
        {
            draft.drop(at..at + 1);
        }
        Pg::Including | Pg::Excluding => draft.drop(at..at + 2),
        Pg::Overriding if matches!(draft.kind(at + 1), Pg::SystemP | Pg::User) && draft.kind(at + 2) == Pg::ValueP => {
            draft.drop(at..at + 3);
        }
        // `MERGE … THEN INSERT DEFAULT VALUES`
        Pg::Default if draft.before(at) == Pg::Insert && draft.kind(at + 1) == Pg::Values => {
            draft.put(at, &["VALUES"]);
            draft.put(at + 1, &["(", "1", ")"]);
        }
        Pg::Select if nothing_selected(draft, at) => draft.put(at, &["SELECT", "1"]),
        _ => {}
    }
    if let Some(end) = draft.relation_end(at)
        && draft.kind(end) == Pg::Ascii42
    {
        // `t *` says what `t` says
        draft.drop(end..end + 1);
    }
}

/// `MERGE … USING (VALUES …) AS s(a, b) ON`: the names of the source's columns.
fn merge_source(draft: &mut Draft<'_>, at: usize) {
    let Some(close) = draft.closing(at + 1).filter(|_| draft.kind(at + 1) == Pg::Ascii40) else {
        return;
    };
    let name = close + 1 + usize::from(draft.kind(close + 1) == Pg::As);
    if draft.kind(name + 1) == Pg::Ascii40
        && let Some(end) = draft.closing(name + 1)
        && draft.kind(end + 1) == Pg::On
    {
        draft.drop(name + 1..end + 1);
    }
}

/// `SET a[1] = …` says `SET a = …`; what a subscript refers to is missed by the comparison.
fn part_of_target(draft: &mut Draft<'_>, at: usize) {
    let of_set = at
        .checked_sub(2)
        .is_some_and(|at| matches!(draft.kind(at), Pg::Set | Pg::Ascii44));
    if of_set
        && let Some(close) = draft.closing(at)
        && draft.kind(close + 1) == Pg::Ascii61
    {
        draft.drop(at..close + 1);
    }
}

/// `SELECT` alone is a query too.
fn nothing_selected(draft: &Draft<'_>, at: usize) -> bool {
    let end = [Pg::Nul, Pg::Ascii41, Pg::Ascii59, Pg::Union, Pg::Intersect, Pg::Except];
    end.contains(&draft.kind(at + 1))
}

/// `ONLY t`, `ONLY (t)`; the word also ends FETCH FIRST and FOR READ.
fn only(draft: &mut Draft<'_>, at: usize) {
    if matches!(draft.before(at), Pg::Row | Pg::Rows | Pg::Read) {
        return;
    }
    draft.drop(at..at + 1);
    if draft.kind(at + 1) == Pg::Ascii40
        && let Some(close) = draft.closing(at + 1)
    {
        draft.drop(at + 1..at + 2);
        draft.drop(close..close + 1);
    }
}

/// `TABLE t` as a query.
fn table(draft: &mut Draft<'_>, at: usize) {
    let definition = matches!(
        draft.before(at),
        Pg::Create
            | Pg::Temp
            | Pg::Temporary
            | Pg::Unlogged
            | Pg::Into
            | Pg::Foreign
            | Pg::Drop
            | Pg::Alter
            | Pg::LockP
    );
    let name = (at + 1..at + 4).find(|&name| !matches!(draft.kind(name), Pg::Only | Pg::Ascii40));
    if !definition && name.is_some_and(|name| draft.relation_end(name).is_some()) {
        draft.put(at, &["SELECT", "FROM"]);
    }
}

/// `USING (a, b) AS j`: the name that the join gets.
fn using_alias(draft: &mut Draft<'_>, at: usize) {
    if draft.kind(at + 1) == Pg::Ascii40
        && let Some(close) = draft.closing(at + 1)
        && draft.kind(close + 1) == Pg::As
    {
        draft.drop(close + 1..close + 3);
    }
}

/// `f() AS (a int, b text)`: without a name of its own.
fn column_definitions(draft: &mut Draft<'_>, at: usize) {
    let query = matches!(
        draft.kind(at + 2),
        Pg::Select
            | Pg::With
            | Pg::Table
            | Pg::Values
            | Pg::Insert
            | Pg::Update
            | Pg::DeleteP
            | Pg::Merge
            | Pg::Ascii40
    );
    if draft.before(at) == Pg::Ascii41 && draft.kind(at + 1) == Pg::Ascii40 && !query {
        draft.edit(at, Edit::Then(vec![Token::make_word("x", None)]));
    }
}

/// `ROWS FROM (f(), g()) WITH ORDINALITY`: a join of them.
fn rows_from(draft: &mut Draft<'_>, at: usize) {
    if draft.kind(at + 1) != Pg::From || draft.kind(at + 2) != Pg::Ascii40 {
        return;
    }
    let Some(close) = draft.closing(at + 2) else {
        return;
    };
    draft.drop(at..at + 2);
    if draft.before(at) == Pg::LateralP {
        draft.drop(at - 1..at);
    }
    let mut from = at + 3;
    while let Some(comma) = draft.find(from..close, &[Pg::Ascii44]) {
        draft.put(comma, &["CROSS", "JOIN"]);
        from = comma + 1;
    }
    if from == at + 3 {
        draft.drop(at + 2..at + 3);
        draft.drop(close..close + 1);
    }
    if draft.kind(close + 1) == Pg::With && draft.kind(close + 2) == Pg::Ordinality {
        draft.drop(close + 1..close + 3);
    }
}

/// `TABLESAMPLE method (…) REPEATABLE (…)`: if there is a reference in it, PostgreSQL alone sees it.
fn sample(draft: &mut Draft<'_>, at: usize) {
    let Some(open) = draft.find(at..draft.pieces.len(), &[Pg::Ascii40]) else {
        return;
    };
    let Some(mut end) = draft.closing(open) else {
        return;
    };
    if draft.kind(end + 1) == Pg::Repeatable
        && let Some(close) = draft.closing(end + 2)
    {
        end = close;
    }
    draft.drop(at..end + 1);
}

/// `FETCH FIRST n ROWS WITH TIES` is a LIMIT to who asks what is referred to.
fn fetch(draft: &mut Draft<'_>, at: usize) {
    if !matches!(draft.kind(at + 1), Pg::FirstP | Pg::Next) {
        return;
    }
    let Some(rows) = draft.find(at + 2..draft.pieces.len(), &[Pg::Row, Pg::Rows]) else {
        return;
    };
    let end = match draft.kind(rows + 1) {
        Pg::Only => rows + 2,
        Pg::With => rows + 3,
        _ => return,
    };
    let count = rows > at + 2;
    draft.put(at, if count { &["LIMIT"] } else { &[] });
    draft.drop(at + 1..at + 2);
    draft.drop(rows..end);
}

fn locking(draft: &mut Draft<'_>, at: usize) {
    let mut next = at + 1;
    match (draft.kind(next), draft.kind(next + 1)) {
        (Pg::No, Pg::Key) => {
            draft.drop(next..next + 2);
            next += 2;
        }
        (Pg::Key, Pg::Share) => {
            draft.drop(next..next + 1);
            next += 1;
        }
        (Pg::Read, Pg::Only) => {
            draft.drop(at..at + 3);
            return;
        }
        (Pg::Update | Pg::Share, _) => {}
        _ => return,
    }
    if draft.kind(next + 1) != Pg::Of {
        return;
    }
    let mut name = next + 2;
    while let Some(end) = draft.relation_end(name)
        && draft.kind(end) == Pg::Ascii44
    {
        draft.edit(
            end,
            Edit::Put(["FOR", "UPDATE", "OF"].iter().map(|word| keyword(word)).collect()),
        );
        name = end + 1;
    }
}

fn frame_exclusion(draft: &mut Draft<'_>, at: usize) {
    let end = match draft.kind(at + 1) {
        Pg::CurrentP | Pg::No => at + 3,
        Pg::GroupP | Pg::Ties => at + 2,
        _ => return,
    };
    if draft.kind(end) == Pg::Ascii41 {
        draft.drop(at..end);
    }
}

/// `SEARCH DEPTH FIRST BY a SET b`, `CYCLE a SET b TO 1 DEFAULT 0 USING c` after a recursive term: names of
/// its own columns and constants.
fn recursion(draft: &mut Draft<'_>, at: usize) {
    let search = draft.kind(at) == Pg::Search;
    let by = matches!(draft.kind(at + 1), Pg::Depth | Pg::Breadth) && draft.kind(at + 2) == Pg::FirstP;
    if search && !by {
        return;
    }
    let mut set = if search { at + 5 } else { at + 2 };
    while draft.kind(set) == Pg::Ascii44 {
        set += 2;
    }
    if draft.kind(set) != Pg::Set {
        return;
    }
    if search {
        draft.drop(at..set + 2);
    } else if let Some(using) = draft.find(set..draft.pieces.len(), &[Pg::Using]) {
        draft.drop(at..using + 2);
    }
}
