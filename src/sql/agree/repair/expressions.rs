//! Operators and the functions with a grammar of their own.

use super::{Draft, Edit, keyword};
use pg_query::protobuf::{KeywordKind, Token as Pg};
use sqlparser::tokenizer::Token;

pub(super) fn repair(draft: &mut Draft<'_>, at: usize) {
    match draft.kind(at) {
        Pg::Op => operator(draft, at),
        Pg::Operator => qualified_operator(draft, at),
        Pg::Symmetric | Pg::Asymmetric if draft.before(at) == Pg::Between => draft.drop(at..at + 1),
        Pg::Overlaps => draft.edit(at, Edit::As(Token::Eq)),
        Pg::DocumentP if matches!(draft.before(at), Pg::Is | Pg::Not) => draft.put(at, &["NULL"]),
        Pg::Isnull => draft.put(at, &["IS", "NULL"]),
        Pg::Notnull => draft.put(at, &["IS", "NOT", "NULL"]),
        Pg::CurrentP if draft.kind(at + 1) == Pg::Of => {
            draft.put(at, &["NULL"]);
            draft.drop(at + 1..at + 3);
        }
        Pg::Preceding | Pg::Following => frame_bound(draft, at),
        Pg::InP if draft.kind(at + 1) == Pg::Ascii40 && draft.kind(at + 2) == Pg::Ascii40 => list(draft, at + 1),
        Pg::Ascii40 => bracket(draft, at),
        Pg::Uescape if draft.kind(at + 1) == Pg::Sconst => draft.drop(at..at + 2),
        Pg::At if draft.kind(at + 1) == Pg::Local => draft.drop(at..at + 2),
        Pg::Collation if draft.kind(at + 1) == Pg::For => draft.drop(at..at + 2),
        Pg::Collate => collation(draft, at),
        Pg::Treat if draft.kind(at + 1) == Pg::Ascii40 => draft.put(at, &["CAST"]),
        // `f(name => value)`: the parameter's name
        Pg::EqualsGreater | Pg::ColonEquals => draft.drop(at.saturating_sub(1)..at + 1),
        Pg::Variadic => draft.drop(at..at + 1),
        Pg::Substring => substring(draft, at),
        Pg::Trim => trim(draft, at),
        _ => {}
    }
}

/// Any operator of more than one character or with a rare sign: one that sqlparser knows in that place.
fn operator(draft: &mut Draft<'_>, at: usize) {
    let token = if is_prefix(draft, at) {
        Token::Minus
    } else if matches!(draft.kind(at + 1), Pg::Any | Pg::Some | Pg::All) && draft.kind(at + 2) == Pg::Ascii40 {
        Token::Eq
    } else {
        Token::CustomBinaryOperator(draft.written(at).to_owned())
    };
    draft.edit(at, Edit::As(token));
}

/// Does nothing stand before the operator that it could take as its left side?
fn is_prefix(draft: &Draft<'_>, at: usize) -> bool {
    let Some(piece) = at.checked_sub(1).and_then(|at| draft.pieces.get(at)) else {
        return true;
    };
    match piece.pg {
        Pg::Ascii41 | Pg::Ascii93 | Pg::Ident | Pg::Param => false,
        Pg::Iconst | Pg::Fconst | Pg::Sconst | Pg::Bconst | Pg::Xconst | Pg::Usconst => false,
        Pg::Ascii42 => Draft::refers(&draft.first.columns, piece.start).is_none(),
        Pg::TrueP | Pg::FalseP | Pg::NullP | Pg::EndP | Pg::User | Pg::Default => false,
        Pg::CurrentCatalog | Pg::CurrentDate | Pg::CurrentRole | Pg::CurrentTime | Pg::CurrentTimestamp => false,
        Pg::CurrentUser | Pg::SessionUser | Pg::SystemUser | Pg::Localtime | Pg::Localtimestamp => false,
        _ => matches!(piece.keyword, KeywordKind::NoKeyword | KeywordKind::ReservedKeyword),
    }
}

/// `OPERATOR(s.+)` reads as `+`.
fn qualified_operator(draft: &mut Draft<'_>, at: usize) {
    if draft.kind(at + 1) != Pg::Ascii40 {
        return;
    }
    let Some(close) = draft.closing(at + 1) else {
        return;
    };
    let token = if is_prefix(draft, at) {
        Token::Minus
    } else if matches!(draft.kind(close + 1), Pg::Any | Pg::Some | Pg::All) {
        Token::Eq
    } else {
        Token::CustomBinaryOperator("+".to_owned())
    };
    let token = if draft.before(at) == Pg::Using {
        Token::Lt
    } else {
        token
    };
    draft.drop(at + 1..close + 1);
    draft.edit(at, Edit::As(token));
}

/// `'1 day'::interval PRECEDING`: the constant remains.
fn frame_bound(draft: &mut Draft<'_>, at: usize) {
    if let Some(cast) = at.checked_sub(2)
        && draft.kind(cast) == Pg::Typecast
    {
        draft.drop(cast..at);
    }
}

/// `IN ((SELECT 1), 2)`: sqlparser takes the first bracket for a subquery.
fn list(draft: &mut Draft<'_>, open: usize) {
    if let Some(close) = draft.closing(open + 1)
        && draft.kind(close + 1) == Pg::Ascii44
    {
        draft.edit(open, Edit::Then(vec![keyword("1"), keyword(",")]));
    }
}

/// `((SELECT 1) UNION SELECT 2)` in an expression, `ANY (VALUES (1), (2))`: a query that sqlparser does not
/// expect there, made the second arm of one that it does.
fn bracket(draft: &mut Draft<'_>, at: usize) {
    let arm = || {
        let close = draft.closing(at + 1)?;
        Some(matches!(draft.kind(close + 1), Pg::Union | Pg::Intersect | Pg::Except))
    };
    let values = draft.kind(at + 1) == Pg::Values && matches!(draft.before(at), Pg::Any | Pg::All | Pg::Some);
    if values || draft.kind(at + 1) == Pg::Ascii40 && arm() == Some(true) {
        draft.edit(at, Edit::Then(["SELECT", "1", "UNION"].map(keyword).to_vec()));
    }
}

/// `COLLATE s."name"`: names a collation, and sqlparser has it in some places only.
fn collation(draft: &mut Draft<'_>, at: usize) {
    let mut end = at + 2;
    while draft.kind(end) == Pg::Ascii46 {
        end += 2;
    }
    draft.drop(at..end);
}

/// `SUBSTRING(a SIMILAR b ESCAPE c)`, `SUBSTRING(a FOR b)` read as `SUBSTRING(a, b, c)`.
fn substring(draft: &mut Draft<'_>, at: usize) {
    if draft.kind(at + 1) != Pg::Ascii40 {
        return;
    }
    let Some(close) = draft.closing(at + 1) else {
        return;
    };
    let mut from = at + 2;
    while let Some(word) = draft.find(from..close, &[Pg::Similar, Pg::Escape, Pg::From, Pg::For]) {
        draft.comma(word);
        from = word + 1;
    }
}

/// `TRIM(BOTH a FROM b)` reads as `TRIM(a, b)`.
fn trim(draft: &mut Draft<'_>, at: usize) {
    if draft.kind(at + 1) != Pg::Ascii40 {
        return;
    }
    let Some(close) = draft.closing(at + 1) else {
        return;
    };
    let mut from = at + 2;
    if matches!(draft.kind(from), Pg::Both | Pg::Leading | Pg::Trailing) {
        draft.drop(from..from + 1);
        from += 1;
    }
    if draft.kind(from) == Pg::From {
        draft.drop(from..from + 1);
    } else if let Some(word) = draft.find(from..close, &[Pg::From]) {
        draft.comma(word);
    }
}
