//! A walk over tokens: brackets, CASE … END, and the clauses of one statement.

use pg_query::protobuf::{ScanToken, Token};
use std::ops::Range;

/// A walk over the tokens of the text that will be sent, comments left out.
pub(super) struct Walk<'t> {
    tokens: Vec<&'t ScanToken>,
    length: usize,
}

impl<'t> Walk<'t> {
    pub(super) fn new(text: &str, tokens: &'t [ScanToken]) -> Self {
        let plain = |t: &&ScanToken| !matches!(t.token(), Token::SqlComment | Token::CComment);
        Self {
            tokens: tokens.iter().filter(plain).collect(),
            length: text.len(),
        }
    }

    pub(super) fn kind(&self, index: usize) -> Option<Token> {
        self.tokens.get(index).map(|t| t.token())
    }

    pub(super) fn start(&self, index: usize) -> usize {
        self.tokens
            .get(index)
            .map_or(self.length, |t| usize::try_from(t.start).unwrap_or(0))
    }

    pub(super) fn finish(&self, index: usize) -> usize {
        self.tokens
            .get(index)
            .map_or(self.length, |t| usize::try_from(t.end).unwrap_or(0))
    }

    pub(super) fn at(&self, byte: usize) -> Option<usize> {
        let byte = i32::try_from(byte).ok()?;
        self.tokens.binary_search_by_key(&byte, |t| t.start).ok()
    }

    fn is_name(&self, index: usize) -> bool {
        index.checked_sub(1).and_then(|i| self.kind(i)) == Some(Token::Ascii46)
    }

    /// One past a token, a bracket or a CASE.
    pub(super) fn step(&self, index: usize) -> usize {
        let (open, close) = match self.kind(index) {
            Some(Token::Ascii40) => (Token::Ascii40, Token::Ascii41),
            Some(Token::Ascii91) => (Token::Ascii91, Token::Ascii93),
            Some(Token::Case) if !self.is_name(index) => (Token::Case, Token::EndP),
            Some(_) | None => return index + 1,
        };
        let mut i = index + 1;
        while let Some(kind) = self.kind(i) {
            if kind == close && !(open == Token::Case && self.is_name(i)) {
                return i + 1;
            }
            i = self.step(i);
        }
        i
    }

    /// The end of the statement or bracket in which a token stands.
    pub(super) fn end(&self, from: usize) -> usize {
        let mut i = from;
        while let Some(kind) = self.kind(i) {
            if matches!(kind, Token::Ascii41 | Token::Ascii59) {
                break;
            }
            i = self.step(i);
        }
        i
    }

    pub(super) fn top_level(&self, from: usize, end: usize, kind: Token) -> Option<usize> {
        let mut i = from;
        while i < end {
            if self.kind(i) == Some(kind) && !self.is_name(i) {
                return Some(i);
            }
            i = self.step(i);
        }
        None
    }

    /// The bytes of a statement that writes, from its own first word: the queries of a WITH before it see nothing of the
    /// table that it writes.
    pub(super) fn writing(&self, target: usize) -> Range<usize> {
        let whole = self.around(target);
        let words = [Token::Insert, Token::Update, Token::DeleteP, Token::Merge];
        let mut first = self
            .tokens
            .partition_point(|t| usize::try_from(t.start).unwrap_or(0) < whole.start);
        let mut start = whole.start;
        while first < target {
            if self.kind(first).is_some_and(|kind| words.contains(&kind)) {
                start = self.start(first);
            }
            first = self.step(first);
        }
        start..whole.end
    }

    /// The bytes of the statement or bracket in which a token stands.
    pub(super) fn around(&self, from: usize) -> Range<usize> {
        let end = self.start(self.end(from));
        let mut depth = 0usize;
        let mut i = from;
        while i > 0 {
            match self.kind(i - 1) {
                Some(Token::Ascii41) => depth += 1,
                Some(Token::Ascii40) if depth == 0 => break,
                Some(Token::Ascii40) => depth -= 1,
                Some(Token::Ascii59) if depth == 0 => break,
                Some(_) | None => {}
            }
            i -= 1;
        }
        self.start(i)..end
    }
}
