//! What sqlparser misreads or cannot parse, said in words that it can.
//!
//! Repairs edit sqlparser's own tokens after both scanners have agreed on all of them. PostgreSQL's tokens and
//! tree say where. What is dropped here and yet refers to something is missed by the comparison, which refuses.

mod clauses;
mod conflict;
mod expressions;
mod json;
mod markup;
mod statements;
mod words;

use super::tokens::Piece;
use super::{Disagreement, Kind, Reference, SEPARATOR, Seen};
use pg_query::protobuf::{ParseResult, Token as Pg};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Whitespace, Word};
use std::ops::Range;

/// What the second parser gets, and the kinds of statement that it must find in it.
pub(super) struct Repaired {
    /// Tokens whose spans are line 1 and the byte offset as column, from 1; line 0 where we put them.
    pub tokens: Vec<TokenWithSpan>,
    /// One per statement.
    pub kinds: Vec<Kind>,
}

/// Edits the tokens of `text` for the second parser; `first` is what PostgreSQL sees.
pub(super) fn for_second_parser(
    text: &str,
    pieces: Vec<Piece>,
    tree: &ParseResult,
    first: &Seen,
) -> Result<Repaired, Disagreement> {
    let mut draft = Draft {
        text,
        edits: vec![Edit::Keep; pieces.len()],
        pieces,
        first,
    };
    let plan = statements::plan(&mut draft, tree)?;
    for at in plan.iter().flat_map(|(_, range)| range.clone()) {
        words::repair(&mut draft, at);
        if draft.is_label(at) {
            continue;
        }
        clauses::repair(&mut draft, at);
        conflict::repair(&mut draft, at);
        expressions::repair(&mut draft, at);
        json::repair(&mut draft, at);
        markup::repair(&mut draft, at);
    }
    Ok(draft.finish(plan))
}

/// What becomes of a token.
#[derive(Debug, Clone)]
enum Edit {
    Keep,
    Drop,
    /// Another reading of the same place.
    As(Token),
    /// Words of ours instead, which refer to nothing.
    Put(Vec<Token>),
    /// The token, and words of ours after it.
    Then(Vec<Token>),
}

/// The tokens of a text on their way to the second parser.
struct Draft<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
    edits: Vec<Edit>,
    first: &'a Seen,
}

impl Draft<'_> {
    /// PostgreSQL's token at an index; `Nul` beyond the ends.
    fn kind(&self, at: usize) -> Pg {
        self.pieces.get(at).map_or(Pg::Nul, |piece| piece.pg)
    }

    /// PostgreSQL's token before an index; `Nul` at the beginning.
    fn before(&self, at: usize) -> Pg {
        at.checked_sub(1).map_or(Pg::Nul, |at| self.kind(at))
    }

    /// Is it a word after `AS` or a dot, which is a name whatever it says?
    fn is_label(&self, at: usize) -> bool {
        match self.before(at) {
            Pg::Ascii46 => true,
            Pg::As => !matches!(self.kind(at), Pg::Ascii40 | Pg::Table | Pg::Select),
            _ => false,
        }
    }

    fn written(&self, at: usize) -> &str {
        let piece = self.pieces.get(at);
        piece
            .and_then(|piece| self.text.get(piece.start..piece.end))
            .unwrap_or_default()
    }

    /// What is dropped stays dropped.
    fn edit(&mut self, at: usize, edit: Edit) {
        match self.edits.get_mut(at) {
            None | Some(Edit::Drop) => {}
            Some(slot) => *slot = edit,
        }
    }

    fn drop(&mut self, range: Range<usize>) {
        for at in range {
            self.edit(at, Edit::Drop);
        }
    }

    fn put(&mut self, at: usize, words: &[&str]) {
        self.edit(at, Edit::Put(words.iter().map(|word| keyword(word)).collect()));
    }

    fn comma(&mut self, at: usize) {
        self.edit(at, Edit::As(Token::Comma));
    }

    /// The token as a plain name.
    fn name(&mut self, at: usize) {
        let name = Token::Word(Word {
            value: self.written(at).to_owned(),
            quote_style: None,
            keyword: Keyword::NoKeyword,
        });
        self.edit(at, Edit::As(name));
    }

    /// The bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in open..self.pieces.len() {
            match self.kind(at) {
                Pg::Ascii40 | Pg::Ascii91 => depth += 1,
                Pg::Ascii41 | Pg::Ascii93 => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The first token of a kind in a range, outside brackets opened there.
    fn find(&self, range: Range<usize>, wanted: &[Pg]) -> Option<usize> {
        let mut depth = 0_usize;
        for at in range {
            let kind = self.kind(at);
            if depth == 0 && wanted.contains(&kind) {
                return Some(at);
            }
            match kind {
                Pg::Ascii40 | Pg::Ascii91 => depth += 1,
                Pg::Ascii41 | Pg::Ascii93 => depth = depth.checked_sub(1)?,
                _ => {}
            }
        }
        None
    }

    fn refers(list: &[Reference], offset: usize) -> Option<&Reference> {
        let found = list.binary_search_by_key(&offset, |reference| reference.offset);
        found.ok().and_then(|at| list.get(at))
    }

    /// Where the relation that begins at an index ends, if PostgreSQL sees one there.
    fn relation_end(&self, at: usize) -> Option<usize> {
        let relation = Self::refers(&self.first.relations, self.pieces.get(at)?.start)?;
        Some(at + 1 + 2 * relation.name.matches(SEPARATOR).count())
    }

    /// The index of the token that begins at a byte offset or after it.
    fn index(&self, offset: usize) -> usize {
        self.pieces.partition_point(|piece| piece.start < offset)
    }

    fn finish(self, plan: Vec<(Kind, Range<usize>)>) -> Repaired {
        let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(self.pieces.len() + 8);
        let mut source = self.pieces.into_iter().zip(self.edits).enumerate().peekable();
        let nowhere = |token| TokenWithSpan::new(token, Span::empty());
        let mut kinds = Vec::with_capacity(plan.len());
        for (kind, range) in plan {
            if !kinds.is_empty() {
                tokens.push(nowhere(Token::SemiColon));
            }
            kinds.push(kind);
            while source.next_if(|(at, _)| *at < range.start).is_some() {}
            while let Some((_, (piece, edit))) = source.next_if(|(at, _)| *at < range.end) {
                let here = place(piece.start, piece.end);
                match edit {
                    Edit::Keep => tokens.push(TokenWithSpan::new(piece.token, here)),
                    Edit::Drop => {}
                    Edit::As(token) => tokens.push(TokenWithSpan::new(token, here)),
                    Edit::Put(words) => tokens.extend(words.into_iter().map(nowhere)),
                    Edit::Then(words) => {
                        tokens.push(TokenWithSpan::new(piece.token, here));
                        tokens.extend(words.into_iter().map(nowhere));
                    }
                }
                // else the second parser takes `:` or `@` and the word after it for one parameter
                if matches!(tokens.last().map(|t| &t.token), Some(Token::Colon | Token::AtSign)) {
                    tokens.push(nowhere(Token::Whitespace(Whitespace::Space)));
                }
            }
        }
        Repaired { tokens, kinds }
    }
}

/// The span that stands for bytes of the text.
fn place(start: usize, end: usize) -> Span {
    let at = |offset: usize| Location::new(1, offset as u64 + 1);
    Span::new(at(start), at(end))
}

/// A word or a sign of ours.
fn keyword(word: &str) -> Token {
    match word {
        "," => Token::Comma,
        "(" => Token::LParen,
        ")" => Token::RParen,
        "=" => Token::Eq,
        "1" => Token::Number("1".to_owned(), false),
        word => Token::make_keyword(word),
    }
}
