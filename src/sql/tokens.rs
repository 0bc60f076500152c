//! PostgreSQL's tokens of a text, with the small walks that splicing needs: brackets, clauses, conjuncts.

use crate::refusal::{Refusal, SqlState};
use crate::sql::parse::{MAX_CHAIN, MAX_NESTING, MAX_TOKENS, PRIVATE_PREFIX};
use pg_query::protobuf::{ScanToken, Token};
use std::ops::Range;
use std::sync::Arc;

/// One token: where it stands and what it is.
#[derive(Debug, Clone, Copy)]
pub struct Tok {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What PostgreSQL's scanner calls it.
    pub kind: Token,
    /// Is it a keyword of any sort?
    pub keyword: bool,
}

/// The tokens of a text, comments left out.
#[derive(Debug)]
pub struct Tokens {
    text: Arc<str>,
    list: Vec<Tok>,
}

impl Tokens {
    /// Takes the scanner's tokens; refuses names that rowgate keeps for itself.
    pub fn new(text: &Arc<str>, scanned: &[ScanToken]) -> Result<Self, Refusal> {
        let mut list = Vec::with_capacity(scanned.len());
        for token in scanned {
            let kind = token.token();
            if matches!(kind, Token::SqlComment | Token::CComment) {
                continue;
            }
            let (start, end) = (token.start.max(0) as usize, token.end.max(0) as usize);
            list.push(Tok {
                start,
                end,
                kind,
                keyword: token.keyword_kind != 0,
            });
        }
        let tokens = Self {
            text: Arc::clone(text),
            list,
        };
        for tok in &tokens.list {
            let written = tokens.slice(tok.start..tok.end);
            let is_private = tok.kind == Token::Ident && written.contains(PRIVATE_PREFIX);
            if is_private || tok.kind == Token::Uident {
                return Err(
                    Refusal::unsupported("private-name", format!("identifier {written} is not allowed"))
                        .detail("Names that begin with \"rowgate:\" and identifiers with Unicode escapes are refused.")
                        .at(tok.start),
                );
            }
        }
        Ok(tokens)
    }

    /// Refuses texts whose tree would be deeper than every later stage is built for.
    pub fn check_bounds(&self) -> Result<(), Refusal> {
        let too_complex = |what: &str, at: usize| {
            Err(Refusal::new(
                "too-complex",
                SqlState::StatementTooComplex,
                format!("statement has {what}"),
            )
            .at(at))
        };
        if self.list.len() > MAX_TOKENS {
            return too_complex("too many tokens", 0);
        }
        let mut chains: Vec<usize> = vec![0];
        for tok in &self.list {
            match tok.kind {
                Token::Ascii40 | Token::Ascii91 | Token::Case => chains.push(0),
                Token::Ascii41 | Token::Ascii93 | Token::EndP if chains.len() > 1 => {
                    chains.pop();
                }
                Token::Ascii44 | Token::And | Token::Or | Token::When | Token::Then | Token::Else => {
                    if let Some(chain) = chains.last_mut() {
                        *chain = 0;
                    }
                }
                _ => {
                    if let Some(chain) = chains.last_mut() {
                        *chain += 1;
                        if *chain > MAX_CHAIN {
                            return too_complex("an expression that is too long", tok.start);
                        }
                    }
                }
            }
            if chains.len() > MAX_NESTING {
                return too_complex("too many levels of nesting", tok.start);
            }
        }
        Ok(())
    }

    /// All tokens.
    pub fn list(&self) -> &[Tok] {
        &self.list
    }

    /// The text of a byte range; empty where the range is not one of the text.
    pub fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or("")
    }

    /// The token at an index.
    pub fn get(&self, index: usize) -> Option<Tok> {
        self.list.get(index).copied()
    }

    /// What kind the token at an index is.
    pub fn kind(&self, index: usize) -> Option<Token> {
        self.list.get(index).map(|t| t.kind)
    }

    /// The index of the token that starts at a byte offset.
    pub fn at(&self, offset: usize) -> Option<usize> {
        self.list.binary_search_by_key(&offset, |t| t.start).ok()
    }

    /// The index of the token that starts at a location of the tree.
    pub fn at_location(&self, location: i32) -> Option<usize> {
        self.at(usize::try_from(location).ok()?)
    }

    /// Is the token at this index preceded by a dot (so that a keyword is only a name)?
    pub fn after_dot(&self, index: usize) -> bool {
        index.checked_sub(1).and_then(|i| self.kind(i)) == Some(Token::Ascii46)
    }

    /// The nearest token of this kind at or before an index, keywords used as names left out.
    pub fn back_to(&self, from: usize, kind: Token) -> Option<usize> {
        (0..=from)
            .rev()
            .find(|&i| self.kind(i) == Some(kind) && !self.after_dot(i))
    }

    /// The end (exclusive index) of the dotted name that starts at a token: `a.b.c`, `a.*`.
    pub fn name_end(&self, start: usize) -> usize {
        let mut i = start + 1;
        while self.kind(i) == Some(Token::Ascii46) {
            i += 2;
        }
        i
    }

    /// One past the bracket that closes the one at `open`.
    pub fn past_closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for i in open..self.list.len() {
            match self.kind(i)? {
                Token::Ascii40 | Token::Ascii91 => depth += 1,
                Token::Ascii41 | Token::Ascii93 => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(i + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Steps over one token, a whole bracket, or a whole CASE … END.
    pub fn step(&self, index: usize) -> usize {
        match self.kind(index) {
            Some(Token::Ascii40 | Token::Ascii91) => self.past_closing(index).unwrap_or(self.list.len()),
            Some(Token::Case) if !self.after_dot(index) => {
                let mut i = index + 1;
                while i < self.list.len() {
                    if self.kind(i) == Some(Token::EndP) && !self.after_dot(i) {
                        return i + 1;
                    }
                    i = self.step(i);
                }
                i
            }
            Some(_) | None => index + 1,
        }
    }

    /// The index at which the clause that begins at `start` ends: the first token at its own level that can
    /// only begin another clause, close the bracket around it, or end the statement.
    pub fn clause_end(&self, start: usize) -> usize {
        let mut i = start;
        while i < self.list.len() {
            if self.ends_clause(i) {
                return i;
            }
            i = self.step(i);
        }
        i
    }

    fn ends_clause(&self, i: usize) -> bool {
        if self.after_dot(i) {
            return false;
        }
        let next = self.kind(i + 1);
        match self.kind(i) {
            Some(
                Token::From
                | Token::Where
                | Token::Having
                | Token::Window
                | Token::Order
                | Token::Limit
                | Token::Offset
                | Token::Fetch
                | Token::For
                | Token::Union
                | Token::Intersect
                | Token::Except
                | Token::Returning
                | Token::Into
                | Token::Ascii41
                | Token::Ascii93
                | Token::Ascii59
                | Token::On
                | Token::Using,
            ) => !(self.kind(i) == Some(Token::From) && self.is_distinct_from(i)),
            // of MERGE; those of CASE are stepped over
            Some(Token::When) => i == 0 || self.kind(i - 1) != Some(Token::As),
            Some(Token::GroupP) => i == 0 || self.kind(i - 1) != Some(Token::Within),
            Some(Token::Left | Token::Right | Token::Full | Token::InnerP) => {
                matches!(next, Some(Token::Join | Token::OuterP))
            }
            // CREATE TABLE AS … WITH [NO] DATA
            Some(Token::With) => matches!(next, Some(Token::DataP | Token::No)),
            Some(Token::Cross) => next == Some(Token::Join),
            Some(Token::Natural) => {
                matches!(
                    next,
                    Some(Token::Join | Token::Left | Token::Right | Token::Full | Token::InnerP)
                )
            }
            Some(Token::Join) => next != Some(Token::Ascii40) || i > 0,
            Some(_) | None => false,
        }
    }

    fn is_distinct_from(&self, i: usize) -> bool {
        i > 0 && self.kind(i - 1) == Some(Token::Distinct)
    }

    /// The end (exclusive index) of the statement or bracketed query whose own level the token at `from` stands on.
    pub fn statement_end(&self, from: usize) -> Result<usize, Refusal> {
        let mut i = from;
        while let Some(kind) = self.kind(i) {
            if matches!(kind, Token::Ascii41 | Token::Ascii59) {
                break;
            }
            i = self.step(i);
        }
        if i > from {
            Ok(i)
        } else {
            Err(crate::sql::resolve::lost())
        }
    }

    /// The first token of this kind on the level of `from`, keywords used as names left out.
    pub fn top_level(&self, from: usize, end: usize, kind: Token) -> Option<usize> {
        let mut i = from;
        while i < end {
            if self.kind(i) == Some(kind) && !self.after_dot(i) {
                return Some(i);
            }
            i = self.step(i);
        }
        None
    }

    /// Splits a condition (token indexes) at the ANDs of its own level; one part where an OR stands there.
    pub fn conjuncts(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut start, mut i, mut betweens) = (range.start, range.start, 0usize);
        while i < range.end {
            match self.kind(i) {
                Some(Token::Or) if !self.after_dot(i) => return vec![range],
                Some(Token::Between) if !self.after_dot(i) => betweens += 1,
                Some(Token::And) if !self.after_dot(i) => {
                    if betweens > 0 {
                        betweens -= 1;
                    } else {
                        parts.push(start..i);
                        start = i + 1;
                    }
                }
                Some(_) | None => {}
            }
            i = self.step(i);
        }
        parts.push(start..range.end);
        parts.into_iter().flat_map(|part| self.unwrapped(part)).collect()
    }

    /// The conjuncts inside a bracket that holds one condition and nothing else.
    fn unwrapped(&self, part: Range<usize>) -> Vec<Range<usize>> {
        let bracketed =
            self.kind(part.start) == Some(Token::Ascii40) && self.past_closing(part.start) == Some(part.end);
        if !bracketed || part.len() < 3 {
            return vec![part];
        }
        let inside = part.start + 1..part.end - 1;
        let query = matches!(
            self.kind(inside.start),
            Some(Token::Select | Token::With | Token::Values | Token::Table)
        );
        let mut i = inside.start;
        let mut is_row = false;
        while i < inside.end {
            is_row |= self.kind(i) == Some(Token::Ascii44);
            i = self.step(i);
        }
        if query || is_row {
            vec![part]
        } else {
            self.conjuncts(inside)
        }
    }

    /// The byte range of a non-empty range of tokens.
    pub fn bytes(&self, range: Range<usize>) -> Option<Range<usize>> {
        let first = self.get(range.start)?;
        let last = self.get(range.end.checked_sub(1)?)?;
        Some(first.start..last.end)
    }

    /// The end (exclusive index) of the list item that begins at a token: at the next comma of its level or
    /// the clause's end.
    pub fn item_end(&self, start: usize) -> usize {
        let mut i = start;
        while i < self.list.len() {
            if self.kind(i) == Some(Token::Ascii44) || self.ends_clause(i) {
                return i;
            }
            i = self.step(i);
        }
        i
    }
}
