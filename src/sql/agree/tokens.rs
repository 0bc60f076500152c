//! Both scanners cut the text at the same places, and call the pieces by the same names.

use super::Disagreement;
use pg_query::protobuf::{KeywordKind, ScanToken, Token as Pg};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

/// One of PostgreSQL's tokens with sqlparser's reading of the same bytes; comments and white space are left out.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// sqlparser's token.
    pub token: Token,
    /// Byte offset of its start.
    pub start: usize,
    /// Byte offset of its end.
    pub end: usize,
    /// PostgreSQL's token.
    pub pg: Pg,
    /// PostgreSQL's class of keyword.
    pub keyword: KeywordKind,
}

/// sqlparser's token and its bytes.
struct Other {
    token: Token,
    start: usize,
    end: usize,
}

/// Cuts `text` with sqlparser's tokenizer and lays its tokens beside PostgreSQL's.
pub(super) fn aligned(text: &str, tokens: &[ScanToken]) -> Result<Vec<Piece>, Disagreement> {
    let mut others = cut(text)?.into_iter().filter(|o| !is_blank(&o.token)).peekable();
    let mut pieces = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.iter().peekable();
    while let Some(pg) = tokens.next() {
        let (Ok(start), Ok(end)) = (usize::try_from(pg.start), usize::try_from(pg.end)) else {
            return Err(Disagreement::Tokens { offset: 0 });
        };
        let (kind, keyword) = (pg.token(), pg.keyword_kind());
        let differ = Disagreement::Tokens { offset: start };
        let Some(mut other) = others.next() else {
            return Err(differ);
        };
        if other.start != start {
            return Err(Disagreement::Tokens {
                offset: start.min(other.start),
            });
        }
        if is_comment(kind) || matches!(other.token, Token::Whitespace(_)) {
            if !is_comment(kind) || !same_comment(text, end, &other) {
                return Err(differ);
            }
            continue;
        }
        while other.end < end {
            let Some(more) = others.next() else {
                return Err(differ);
            };
            other = joined(text, kind, other, more).ok_or_else(|| differ.clone())?;
        }
        if other.token == Token::AmpersandRightAngleBracket && text.get(end..other.end).is_some_and(is_space) {
            // sqlparser's `&>` takes the next character with it, whatever it is
            other.end = end;
        }
        if other.end == end {
            if !same_class(kind, &other.token) {
                return Err(differ);
            }
            pieces.push(Piece {
                token: other.token,
                start,
                end,
                pg: kind,
                keyword,
            });
            continue;
        }
        let mut reached = end;
        pieces.push(split(text, pg, &other).ok_or_else(|| differ.clone())?);
        while reached < other.end {
            let Some(pg) = tokens.next() else {
                return Err(differ);
            };
            if usize::try_from(pg.start).ok() != Some(reached) {
                return Err(differ);
            }
            let piece = split(text, pg, &other).ok_or_else(|| differ.clone())?;
            reached = piece.end;
            pieces.push(piece);
        }
        if reached != other.end {
            return Err(differ);
        }
    }
    match others.next() {
        None => Ok(pieces),
        Some(other) => Err(Disagreement::Tokens { offset: other.start }),
    }
}

/// PostgreSQL sees one token where sqlparser sees two: an operator cut in two, or one constant whose parts
/// stand on several lines. Neither holds a name in either reading.
fn joined(text: &str, pg: Pg, one: Other, more: Other) -> Option<Other> {
    let token = if is_operator(pg) && is_symbol(&one.token) && is_symbol(&more.token) && one.end == more.start {
        operator(text.get(one.start..more.end)?)
    } else if is_string(pg)
        && is_quoted(&one.token)
        && match more.token {
            Token::SingleQuotedString(_) => text.get(one.start..more.start)?.contains(['\n', '\r']),
            Token::Whitespace(Whitespace::SingleLineComment { .. }) => true,
            _ => false,
        }
    {
        one.token
    } else {
        return None;
    };
    Some(Other {
        token,
        start: one.start,
        end: more.end,
    })
}

/// sqlparser sees one token where PostgreSQL sees several: operators written together (`=-`), or the
/// keyword and the string of `N'…'`.
fn split(text: &str, pg: &ScanToken, other: &Other) -> Option<Piece> {
    let (start, end) = (usize::try_from(pg.start).ok()?, usize::try_from(pg.end).ok()?);
    if start < other.start || end > other.end {
        return None;
    }
    let token = match &other.token {
        Token::NationalStringLiteral(s) => match pg.token() {
            Pg::Nchar => Token::make_keyword("NCHAR"),
            Pg::Sconst => Token::SingleQuotedString(s.clone()),
            _ => return None,
        },
        symbol if is_symbol(symbol) && is_operator(pg.token()) => operator(text.get(start..end)?),
        _ => return None,
    };
    Some(Piece {
        token,
        start,
        end,
        pg: pg.token(),
        keyword: pg.keyword_kind(),
    })
}

fn is_blank(token: &Token) -> bool {
    matches!(
        token,
        Token::Whitespace(Whitespace::Space | Whitespace::Tab | Whitespace::Newline)
    )
}

fn is_space(text: &str) -> bool {
    matches!(text, " " | "\t" | "\n" | "\r")
}

fn is_comment(pg: Pg) -> bool {
    matches!(pg, Pg::SqlComment | Pg::CComment)
}

/// sqlparser counts the line's end to a `--` comment, PostgreSQL does not.
fn same_comment(text: &str, end: usize, other: &Other) -> bool {
    match other.token {
        Token::Whitespace(Whitespace::MultiLineComment(_)) => other.end == end,
        Token::Whitespace(Whitespace::SingleLineComment { .. }) => {
            other.end >= end
                && text
                    .get(end..other.end)
                    .is_some_and(|rest| matches!(rest, "" | "\n" | "\r" | "\r\n"))
        }
        _ => false,
    }
}

/// Operators and the characters that can be one; not brackets, commas, dots, colons, semicolons.
fn is_operator(pg: Pg) -> bool {
    matches!(
        pg,
        Pg::Op
            | Pg::LessEquals
            | Pg::GreaterEquals
            | Pg::NotEquals
            | Pg::EqualsGreater
            | Pg::Ascii37
            | Pg::Ascii42
            | Pg::Ascii43
            | Pg::Ascii45
            | Pg::Ascii47
            | Pg::Ascii60
            | Pg::Ascii61
            | Pg::Ascii62
            | Pg::Ascii63
            | Pg::Ascii94
    )
}

fn is_string(pg: Pg) -> bool {
    matches!(pg, Pg::Sconst | Pg::Usconst | Pg::Bconst | Pg::Xconst)
}

fn is_quoted(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
    )
}

/// sqlparser's token is made of nothing but operator characters.
fn is_symbol(token: &Token) -> bool {
    !matches!(
        token,
        Token::Word(_)
            | Token::Number(..)
            | Token::Char(_)
            | Token::Placeholder(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::Whitespace(_)
            | Token::SemiColon
            | Token::Comma
            | Token::LParen
            | Token::RParen
            | Token::LBracket
            | Token::RBracket
            | Token::Period
            | Token::Colon
            | Token::DoubleColon
            | Token::Assignment
    ) && !is_quoted(token)
}

fn same_class(pg: Pg, token: &Token) -> bool {
    match token {
        Token::Word(word) => pg == Pg::Ident || word.quote_style.is_none() && pg as i32 > Pg::CComment as i32,
        Token::Number(..) => matches!(pg, Pg::Iconst | Pg::Fconst),
        Token::HexStringLiteral(_) => matches!(pg, Pg::Xconst | Pg::Iconst | Pg::Fconst),
        Token::SingleQuotedByteStringLiteral(_) => pg == Pg::Bconst,
        Token::UnicodeStringLiteral(_) => pg == Pg::Usconst,
        Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_) => {
            pg == Pg::Sconst
        }
        Token::Placeholder(_) => pg == Pg::Param,
        Token::SemiColon => pg == Pg::Ascii59,
        Token::Comma => pg == Pg::Ascii44,
        Token::LParen => pg == Pg::Ascii40,
        Token::RParen => pg == Pg::Ascii41,
        Token::LBracket => pg == Pg::Ascii91,
        Token::RBracket => pg == Pg::Ascii93,
        Token::Period => pg == Pg::Ascii46,
        Token::Colon => pg == Pg::Ascii58,
        Token::DoubleColon => pg == Pg::Typecast,
        Token::Assignment => pg == Pg::ColonEquals,
        Token::NationalStringLiteral(_) | Token::Char(_) | Token::EOF => false,
        symbol => is_symbol(symbol) && is_operator(pg),
    }
}

/// The token that sqlparser has for an operator that is written like this.
fn operator(text: &str) -> Token {
    match text {
        "%" => Token::Mod,
        "*" => Token::Mul,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "/" => Token::Div,
        "<" => Token::Lt,
        "=" => Token::Eq,
        ">" => Token::Gt,
        "^" => Token::Caret,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "<>" | "!=" => Token::Neq,
        "=>" => Token::RArrow,
        "~" => Token::Tilde,
        "@" => Token::AtSign,
        "||" => Token::StringConcat,
        other => Token::CustomBinaryOperator(other.to_owned()),
    }
}

/// sqlparser's tokens with byte offsets instead of lines and columns (in characters, both from 1).
fn cut(text: &str) -> Result<Vec<Other>, Disagreement> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| Disagreement::SecondParserCannot {
            message: error.to_string(),
        })?;
    let ascii = text.is_ascii();
    let mut others = Vec::with_capacity(tokens.len());
    let mut at = Cursor {
        text,
        ascii,
        line: 1,
        column: 1,
        offset: 0,
    };
    for TokenWithSpan { token, span } in tokens {
        let start = at.offset;
        let end = at.forward(span.end.line, span.end.column)?;
        others.push(Other { token, start, end });
    }
    Ok(others)
}

struct Cursor<'a> {
    text: &'a str,
    ascii: bool,
    line: u64,
    column: u64,
    offset: usize,
}

impl Cursor<'_> {
    fn forward(&mut self, line: u64, column: u64) -> Result<usize, Disagreement> {
        let lost = Disagreement::Tokens { offset: self.offset };
        let rest = |offset| self.text.get(offset..).ok_or_else(|| lost.clone());
        while self.line < line {
            let newline = rest(self.offset)?.find('\n').ok_or_else(|| lost.clone())?;
            self.offset += newline + 1;
            self.line += 1;
            self.column = 1;
        }
        let characters = column.checked_sub(self.column).and_then(|n| usize::try_from(n).ok());
        let characters = characters.ok_or_else(|| lost.clone())?;
        self.offset += if self.ascii {
            characters
        } else {
            rest(self.offset)?.chars().take(characters).map(char::len_utf8).sum()
        };
        self.column = column;
        Ok(self.offset)
    }
}
