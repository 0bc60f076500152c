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

use pg_query::protobuf::{ParseResult, ScanToken};
use std::fmt;

/// Text longer than this many tokens is not given to the second parser.
const MAX_TOKENS: usize = 100_000;

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
    stacker::maybe_grow(need, need, || agree_on_this_stack(text, tree, tokens))
}

fn agree_on_this_stack(text: &str, tree: &ParseResult, tokens: &[ScanToken]) -> Result<(), Disagreement> {
    let pieces = tokens::aligned(text, tokens)?;
    let first = postgres::read(tree)?;
    let repaired = repair::for_second_parser(text, pieces, tree)?;
    let second = second::parse(repaired)?;
    compare(&first, &second.seen())
}

/// What a parser saw, in the order of the text.
#[derive(Debug, Default)]
struct Seen {
    kinds: Vec<&'static str>,
    relations: Vec<Reference>,
    columns: Vec<Reference>,
    functions: Vec<Reference>,
}

fn compare(first: &Seen, second: &Seen) -> Result<(), Disagreement> {
    if first.kinds.len() != second.kinds.len() {
        return Err(Disagreement::StatementCount);
    }
    if first.kinds != second.kinds {
        return Err(Disagreement::StatementKind);
    }
    if let Some(odd) = difference(&first.relations, &second.relations) {
        return Err(Disagreement::Relations {
            name: odd.readable(),
            offset: odd.offset,
        });
    }
    if let Some(odd) = difference(&first.columns, &second.columns) {
        return Err(Disagreement::Columns {
            name: odd.readable(),
            offset: odd.offset,
        });
    }
    if let Some(odd) = difference(&first.functions, &second.functions) {
        return Err(Disagreement::Functions {
            name: odd.readable(),
            offset: odd.offset,
        });
    }
    Ok(())
}

/// The first reference (both lists are sorted) that stands in one list only.
fn difference<'a>(one: &'a [Reference], other: &'a [Reference]) -> Option<&'a Reference> {
    let mut pairs = one.iter().zip(other);
    if let Some((a, b)) = pairs.find(|(a, b)| a != b) {
        return Some(a.min(b));
    }
    one.get(other.len()).or_else(|| other.get(one.len()))
}
