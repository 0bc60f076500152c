//! What sqlparser misreads or cannot parse, said in words that it can.

use super::Disagreement;
use super::tokens::Piece;
use pg_query::protobuf::ParseResult;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Whitespace};

/// The span that stands for a byte offset.
pub(super) fn place(start: usize, end: usize) -> Span {
    let at = |offset: usize| Location::new(1, offset as u64 + 1);
    Span::new(at(start), at(end))
}

/// The tokens to parse.
pub(super) fn for_second_parser(
    _text: &str,
    pieces: Vec<Piece>,
    _tree: &ParseResult,
) -> Result<Vec<TokenWithSpan>, Disagreement> {
    let mut tokens = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let span = place(piece.start, piece.end);
        let apart = matches!(piece.token, Token::Colon | Token::AtSign);
        tokens.push(TokenWithSpan::new(piece.token, span));
        if apart {
            tokens.push(TokenWithSpan::new(Token::Whitespace(Whitespace::Space), span));
        }
    }
    Ok(tokens)
}
