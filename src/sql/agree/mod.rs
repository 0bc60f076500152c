//! The second opinion: another parser reads the same text, and must see the same statement.
//!
//! rowgate reasons on PostgreSQL's own tree. A tree says nothing about a text that was cut into other tokens
//! than one believes, so sqlparser, which shares no code with PostgreSQL, cuts and parses the text too, and the
//! two must name the same tokens, statements, relations, columns and functions at the same places.
//!
//! Where sqlparser is known to misread valid PostgreSQL or cannot parse it, [`repair`] rewrites *tokens* for it
//! (never PostgreSQL's reading). A repair cannot hide a reference: whatever PostgreSQL sees must still be seen.

mod postgres;
mod repair;
mod second;
mod tokens;

use pg_query::protobuf::{KeywordKind, ParseResult, ScanToken};
use std::fmt;

/// Text longer than this many tokens is not given to the second parser.
const MAX_TOKENS: usize = 120_000;

/// How deep the second parser may nest before it gives up; `sql::parse` bounds the depth of what comes here.
const MAX_DEPTH: usize = 2_000;

/// Stack that the second parser and its tree may need: a fixed part, and a part that grows with the text
/// (a chain of operators makes a tree as deep as it is long). Pages that are not touched cost nothing.
const STACK: (usize, usize) = (512 * 1024, 4 * 1024);

/// How the two readings differ; a statement with a disagreement is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disagreement {
    /// sqlparser has no reading at all.
    SecondParserCannot {
        /// Its own words.
        message: String,
    },
    /// The text is cut into different tokens from this byte offset on.
    Tokens {
        /// Byte offset in the client's text.
        offset: usize,
    },
    /// One sees more statements than the other.
    StatementCount,
    /// A statement is of another kind.
    StatementKind,
    /// A relation that only one of them sees there.
    Relations {
        /// The relation as it is written, parts joined by dots.
        name: String,
        /// Byte offset in the client's text.
        offset: usize,
    },
    /// A column that only one of them sees there.
    Columns {
        /// The column as it is written, parts joined by dots.
        name: String,
        /// Byte offset in the client's text.
        offset: usize,
    },
    /// A function call that only one of them sees there.
    Functions {
        /// The function as it is written, parts joined by dots.
        name: String,
        /// Byte offset in the client's text.
        offset: usize,
    },
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondParserCannot { message } => write!(f, "the second parser cannot read it: {message}"),
            Self::Tokens { offset } => write!(f, "the text is cut differently at byte {offset}"),
            Self::StatementCount => f.write_str("the number of statements differs"),
            Self::StatementKind => f.write_str("the kind of a statement differs"),
            Self::Relations { name, offset } => write!(f, "relation \"{name}\" at byte {offset} is seen by one only"),
            Self::Columns { name, offset } => write!(f, "column \"{name}\" at byte {offset} is seen by one only"),
            Self::Functions { name, offset } => write!(f, "function \"{name}\" at byte {offset} is seen by one only"),
        }
    }
}

impl std::error::Error for Disagreement {}

/// A name that stands somewhere: parts joined by [`SEPARATOR`], folded as PostgreSQL folds them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    offset: usize,
    name: String,
}

/// Between the parts of a [`Reference`]'s name: a byte that no PostgreSQL text can hold.
const SEPARATOR: char = '\0';

/// The last part of a [`Reference`] to all columns (`c.*`), so that a column called `*` is another name.
const STAR: &str = "\0*";

impl Reference {
    fn readable(&self) -> String {
        self.name.replace(STAR, "*").replace(SEPARATOR, ".")
    }
}

/// Does sqlparser read `text` as PostgreSQL does, whose tree and tokens (comments included) are given?
pub fn agree(text: &str, tree: &ParseResult, tokens: &[ScanToken]) -> Result<(), Disagreement> {
    if tokens.len() > MAX_TOKENS {
        return Err(Disagreement::SecondParserCannot {
            message: format!("more than {MAX_TOKENS} tokens"),
        });
    }
    let (fixed, each) = STACK;
    let need = fixed + each * tokens.len();
    stacker::maybe_grow(need, need, || {
        // a parser that is not ours may panic on what it was never shown: that is no reading
        std::panic::catch_unwind(|| agree_on_this_stack(text, tree, tokens)).unwrap_or_else(|_| {
            Err(Disagreement::SecondParserCannot {
                message: "it panicked".to_owned(),
            })
        })
    })
}

fn agree_on_this_stack(text: &str, tree: &ParseResult, tokens: &[ScanToken]) -> Result<(), Disagreement> {
    let pieces = tokens::aligned(text, tokens)?;
    let mut first = postgres::read(tree)?;
    let repaired = repair::for_second_parser(text, pieces, tree, &first)?;
    let second = second::parse(repaired.tokens)?;
    let (kinds, mut second) = second.seen();
    if repaired.kinds.len() != kinds.len() {
        return Err(Disagreement::StatementCount);
    }
    if repaired.kinds != kinds {
        return Err(Disagreement::StatementKind);
    }
    let words = Words(tokens);
    // the second parser takes some of PostgreSQL's keywords for names, and has trees of its own for some calls
    first.functions.retain(|f| !words.has_own_syntax(f.offset));
    let shared = |list: &[Reference], reference: &Reference| list.binary_search(reference).is_ok();
    second
        .relations
        .retain(|r| !words.has_own_syntax(r.offset) || shared(&first.relations, r));
    second
        .columns
        .retain(|c| !words.is_keyword(c.offset) || shared(&first.columns, c));
    second
        .functions
        .retain(|f| !words.is_keyword(f.offset) || shared(&first.functions, f));
    compare(&first, &second)
}

/// PostgreSQL's keywords by their place.
struct Words<'a>(&'a [ScanToken]);

impl Words<'_> {
    fn class(&self, offset: usize) -> KeywordKind {
        let found = self
            .0
            .binary_search_by_key(&Some(offset), |token| usize::try_from(token.start).ok());
        let token = found.ok().and_then(|at| self.0.get(at));
        token.map_or(KeywordKind::NoKeyword, ScanToken::keyword_kind)
    }

    fn is_keyword(&self, offset: usize) -> bool {
        self.class(offset) != KeywordKind::NoKeyword
    }

    /// A keyword that cannot name a relation or function of the user's own unless it is quoted.
    fn has_own_syntax(&self, offset: usize) -> bool {
        !matches!(
            self.class(offset),
            KeywordKind::NoKeyword | KeywordKind::UnreservedKeyword
        )
    }
}

/// What kind of statement the second parser must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Query,
    Insert,
    Update,
    Delete,
    Merge,
    CreateTable,
    Other,
}

/// What a parser saw, in the order of the text.
#[derive(Debug, Default)]
struct Seen {
    relations: Vec<Reference>,
    columns: Vec<Reference>,
    functions: Vec<Reference>,
}

impl Seen {
    fn sort(&mut self) {
        self.relations.sort_unstable();
        self.columns.sort_unstable();
        self.functions.sort_unstable();
    }
}

fn compare(first: &Seen, second: &Seen) -> Result<(), Disagreement> {
    if let Some((name, offset)) = difference(&first.relations, &second.relations) {
        return Err(Disagreement::Relations { name, offset });
    }
    if let Some((name, offset)) = difference(&first.columns, &second.columns) {
        return Err(Disagreement::Columns { name, offset });
    }
    if let Some((name, offset)) = difference(&first.functions, &second.functions) {
        return Err(Disagreement::Functions { name, offset });
    }
    Ok(())
}

/// The first reference (both lists are sorted) that stands in one list only.
fn difference(one: &[Reference], other: &[Reference]) -> Option<(String, usize)> {
    let mut pairs = one.iter().zip(other);
    let odd = match pairs.find(|(a, b)| a != b) {
        Some((a, b)) => a.min(b),
        None => one.get(other.len()).or_else(|| other.get(one.len()))?,
    };
    Some((odd.readable(), odd.offset))
}
