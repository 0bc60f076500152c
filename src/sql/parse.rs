//! The client's text as PostgreSQL's own scanner and grammar read it, within bounds.

use crate::refusal::{Refusal, SqlState};
use crate::sql::tokens::{Tok, Tokens};
use pg_query::ParserOptions;
use pg_query::protobuf::{ParseResult, ScanToken};
use std::sync::Arc;

/// The longest text that is judged, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// The most tokens of one text.
pub const MAX_TOKENS: usize = 120_000;
/// How deeply brackets and CASE may nest.
pub const MAX_NESTING: usize = 200;
/// How many operators may stand in one unbroken chain at one bracket level; each deepens the tree by one.
pub const MAX_CHAIN: usize = 4_000;

/// The longest text in which the place of a syntax error is looked for, in bytes.
const LONGEST_PLACED: usize = 64 << 10;

/// How many bytes the scanner may read again for comments that open inside comments.
const MAX_COMMENT_WORK: usize = 20_000_000;

/// Identifiers that begin so are rowgate's own.
pub const PRIVATE_PREFIX: &str = "rowgate:";

/// A text with its tokens and its tree.
#[derive(Debug)]
pub struct Parsed {
    /// The client's text.
    pub text: Arc<str>,
    /// Its tokens, comments left out.
    pub tokens: Tokens,
    /// Its tokens as the scanner gave them, comments included.
    pub scanned: Scanned,
    /// Its tree.
    pub tree: ParseResult,
}

/// A text and its tokens as PostgreSQL's scanner cuts them, comments included.
#[derive(Debug, Clone)]
pub struct Scanned {
    text: Arc<str>,
    tokens: Vec<ScanToken>,
}

impl Scanned {
    /// Scans a text; 42601 where that cannot be done.
    pub fn of(text: &str) -> Result<Self, Refusal> {
        let scanned = pg_query::scan(text).map_err(|e| placed(syntax_error(&e), text, &[]))?;
        Ok(Self {
            text: Arc::from(text),
            tokens: scanned.tokens,
        })
    }

    /// The text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Its tokens.
    pub fn tokens(&self) -> &[ScanToken] {
        &self.tokens
    }
}

/// Scans and parses a text, refusing what is too large, too deep or uses rowgate's private names.
pub fn parse(text: &str) -> Result<Parsed, Refusal> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(
            Refusal::new("too-long", SqlState::StatementTooComplex, "statement is too long").detail(format!(
                "The text has {} bytes; at most {MAX_TEXT_BYTES} are judged.",
                text.len()
            )),
        );
    }
    if let Some(at) = text.find('\0') {
        return Err(Refusal::new(
            "nul",
            SqlState::CharacterNotInRepertoire,
            "statement contains a NUL byte",
        )
        .at(at));
    }
    check_comments(text)?;
    let scanned = Scanned::of(text)?;
    let text = Arc::clone(scanned.text());
    let tokens = Tokens::new(&text, scanned.tokens())?;
    tokens.check_bounds()?;
    let tree =
        pg_query::parse(&text, ParserOptions::DEFAULT).map_err(|e| placed(syntax_error(&e), &text, tokens.list()))?;
    Ok(Parsed {
        text,
        tokens,
        scanned,
        tree: tree.protobuf,
    })
}

/// Refuses what would keep the scanner busy: at each `/*` it reads on as long as signs of operators follow, and
/// begins again behind those two bytes (`/*/*/*…` of 200 KB took it minutes). What stands in quotes is counted too.
fn check_comments(text: &str) -> Result<(), Refusal> {
    let (mut work, mut run, mut behind) = (0usize, 0usize, 0u8);
    for (at, byte) in text.bytes().enumerate().rev() {
        let is_sign = b"~!@#^&|`?+-*/%<>=".contains(&byte);
        run = if is_sign { run + 1 } else { 0 };
        if byte == b'/' && behind == b'*' {
            work = work.saturating_add(run);
        }
        if work > MAX_COMMENT_WORK {
            return Err(Refusal::new(
                "too-complex",
                SqlState::StatementTooComplex,
                "statement has too many comments within comments",
            )
            .at(at));
        }
        behind = byte;
    }
    Ok(())
}

/// The same with the place that PostgreSQL would give, which its parser tells and the crate around it does not: the
/// end of the text, the rest of it that cannot be scanned, or the first token with which the grammar fails.
fn placed(refusal: Refusal, text: &str, tokens: &[Tok]) -> Refusal {
    let message = refusal.message.clone();
    if message.ends_with(" at end of input") {
        return refusal.at(text.len());
    }
    let Some((what, near)) = message.split_once(" at or near \"") else {
        return refusal;
    };
    let near = near.strip_suffix('"').unwrap_or(near);
    if what != "syntax error" {
        return match text.strip_suffix(near) {
            Some(before) => refusal.at(before.len()),
            None => refusal,
        };
    }
    let fails_with = |tok: &Tok| {
        let upto = text.get(..tok.end).unwrap_or(text);
        let error = pg_query::parse(upto, ParserOptions::DEFAULT).err();
        error.is_some_and(|e| !syntax_error(&e).message.ends_with(" at end of input"))
    };
    let first = if text.len() > LONGEST_PLACED {
        None
    } else {
        tokens.get(tokens.partition_point(|tok| !fails_with(tok)))
    };
    match first.filter(|tok| text.get(tok.start..tok.end) == Some(near)) {
        Some(tok) => refusal.at(tok.start),
        None => refusal,
    }
}

fn syntax_error(error: &pg_query::Error) -> Refusal {
    let message = match error {
        pg_query::Error::Parse(message) | pg_query::Error::Scan(message) => message.clone(),
        other => {
            return Refusal::new("unreadable", SqlState::SyntaxError, "statement cannot be read")
                .log(other.to_string());
        }
    };
    Refusal::new("syntax", SqlState::SyntaxError, message)
}
