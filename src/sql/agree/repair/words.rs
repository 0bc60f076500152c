//! Names that sqlparser takes for keywords, all-columns stars, and the types before typed constants.

use super::{Draft, Edit, SEPARATOR};
use crate::sql::agree::STAR;
use pg_query::protobuf::{KeywordKind, Token as Pg};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Word};

pub(super) fn repair(draft: &mut Draft<'_>, at: usize) {
    let Some(piece) = draft.pieces.get(at) else {
        return;
    };
    match piece.pg {
        Pg::Ident => plain(draft, at),
        Pg::Ascii42 => star(draft, at),
        Pg::Sconst => typed_constant(draft, at),
        _ if piece.keyword == KeywordKind::UnreservedKeyword => named_by_keyword(draft, at),
        _ => {}
    }
}

/// What is no keyword to PostgreSQL is none to the second parser.
fn plain(draft: &mut Draft<'_>, at: usize) {
    if let Some(piece) = draft.pieces.get_mut(at)
        && let Token::Word(word) = &mut piece.token
    {
        word.keyword = Keyword::NoKeyword;
    }
}

/// An unreserved keyword where PostgreSQL sees a column, a relation or a function is a name.
fn named_by_keyword(draft: &mut Draft<'_>, at: usize) {
    let Some(offset) = draft.pieces.get(at).map(|piece| piece.start) else {
        return;
    };
    let first = draft.first;
    let lists = [&first.relations, &first.columns, &first.functions];
    let parts = lists
        .iter()
        .filter_map(|list| Draft::refers(list, offset))
        .map(|reference| reference.name.matches(SEPARATOR).count())
        .max();
    if let Some(parts) = parts {
        (0..=parts).for_each(|part| plain(draft, at + 2 * part));
    }
}

/// `*` and `c.*` where PostgreSQL sees all columns become a name that no text can hold: sqlparser has stars
/// in some places only.
fn star(draft: &mut Draft<'_>, at: usize) {
    let Some(piece) = draft.pieces.get(at) else {
        return;
    };
    let qualified = draft.before(at) == Pg::Ascii46;
    let bare = || {
        let column = Draft::refers(&draft.first.columns, piece.start);
        column.is_some_and(|column| column.name == STAR)
    };
    if qualified || bare() {
        draft.edit(
            at,
            Edit::As(Token::Word(Word {
                value: STAR.to_owned(),
                quote_style: Some('"'),
                keyword: Keyword::NoKeyword,
            })),
        );
    }
}

/// `s.type 'constant'`: the constant remains.
fn typed_constant(draft: &mut Draft<'_>, at: usize) {
    let mut name = at;
    while is_name(draft, name.wrapping_sub(1)) {
        name -= 1;
        if draft.before(name) != Pg::Ascii46 {
            break;
        }
        name -= 1;
    }
    // a bare keyword here belongs to the syntax (`INTERVAL '1'`, `LIKE 'x'`), which sqlparser knows
    draft.drop(name..at);
}

fn is_name(draft: &Draft<'_>, at: usize) -> bool {
    let Some(piece) = draft.pieces.get(at) else {
        return false;
    };
    matches!(piece.pg, Pg::Ident | Pg::NameP) || draft.before(at) == Pg::Ascii46
}
