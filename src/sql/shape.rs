//! The shape of a text: its bytes with the plain literals left out, where these can be told for sure.
//!
//! One pass over the bytes, which knows little and gives up on the rest: comments, dollar quotes, escapes, prefixed and
//! continued strings, numbers with exponents, letters beyond ASCII outside quotes. Whoever has no shape is judged as a
//! whole. What PostgreSQL's scanner makes of a text that has one is the same for all texts of this shape.

pub mod free;
pub mod outline;
pub mod probe;

use std::ops::Range;

/// The longest text that is given a shape, in bytes.
pub const LONGEST: usize = 2 << 10;
/// The most literals of a shape.
const MOST_LITERALS: usize = 256;
/// The longest string that is taken for like any other, in bytes without its quotes.
const LONGEST_STRING: usize = 256;
/// The most digits of a decimal number.
const MOST_DIGITS: usize = 30;

/// What PostgreSQL takes a literal for, before it looks at its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A whole number that fits `int4`.
    Int4,
    /// A whole number that fits `int8` only.
    Int8,
    /// Digits, a point, digits.
    Decimal,
    /// `'…'`
    String,
}

impl Class {
    /// The byte that stands for a literal of this class in a shape; no text that has a shape holds it.
    fn mark(self) -> u8 {
        match self {
            Self::Int4 => 1,
            Self::Int8 => 2,
            Self::Decimal => 3,
            Self::String => 4,
        }
    }

    /// Is this one literal of the class, from its first byte to its last, and nothing else?
    pub fn is_literal(self, text: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let whole = |text: &str| digits(text) && (text.len() == 1 || !text.starts_with('0'));
        match self {
            Self::Int4 => whole(text) && text.parse::<i32>().is_ok(),
            Self::Int8 => whole(text) && text.parse::<i32>().is_err() && text.parse::<i64>().is_ok(),
            Self::Decimal => {
                text.len() <= MOST_DIGITS
                    && text
                        .split_once('.')
                        .is_some_and(|(before, after)| digits(before) && digits(after))
            }
            Self::String => text
                .strip_prefix('\'')
                .and_then(|t| t.strip_suffix('\''))
                .is_some_and(|inner| {
                    inner.len() <= LONGEST_STRING
                        && !inner.contains(['\\', '\0'])
                        // quotes in pairs
                        && inner.split('\'').skip(1).step_by(2).all(str::is_empty)
                        && inner.matches('\'').count() % 2 == 0
                }),
        }
    }
}

/// A literal of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// Its bytes, quotes included.
    pub at: Range<usize>,
    /// What it is.
    pub class: Class,
}

/// A text's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The text with a byte of its class for every literal.
    pub blank: Vec<u8>,
    /// The literals, in order.
    pub literals: Vec<Literal>,
}

impl Shape {
    /// The shape of a text that has one, and a literal.
    pub fn of(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = text.as_bytes();
        let mut shape = Self {
            blank: Vec::with_capacity(bytes.len()),
            literals: Vec::with_capacity(8),
        };
        let (mut at, mut done) = (0, 0);
        while let Some(&byte) = bytes.get(at) {
            if is_plain(byte) {
                at += 1;
                continue;
            }
            let next = bytes.get(at + 1).copied();
            match byte {
                b'\'' | b'0'..=b'9' => {
                    if !opened(bytes, at, byte) {
                        return None;
                    }
                    let literal = if byte == b'\'' {
                        string(bytes, at)
                    } else {
                        number(text, at)
                    }?;
                    if shape.literals.len() >= MOST_LITERALS || !closes(bytes, literal.at.end, literal.class) {
                        return None;
                    }
                    shape.blank.extend_from_slice(bytes.get(done..at)?);
                    shape.blank.push(literal.class.mark());
                    at = literal.at.end;
                    done = at;
                    shape.literals.push(literal);
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    at = run(bytes, at, is_word);
                    // what else could belong to the word or make a prefix of it
                    if matches!(bytes.get(at), Some(b'$' | b'\'' | b'"' | 0x80..)) {
                        return None;
                    }
                }
                b'"' => at = quoted(bytes, at)?,
                b'$' => {
                    let end = run(bytes, at + 1, |b| b.is_ascii_digit());
                    let bounded = !matches!(bytes.get(end), Some(b'$' | b'_' | b'\'' | b'"' | 0x80..))
                        && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
                    if end == at + 1 || !bounded {
                        return None;
                    }
                    at = end;
                }
                b'-' if next == Some(b'-') => return None,
                b'/' if next == Some(b'*') => return None,
                b'&' if matches!(next, Some(b'\'' | b'"')) => return None,
                b'.' if next.is_some_and(|b| b.is_ascii_digit()) => return None,
                b';' => {
                    if run(bytes, at + 1, is_space) < bytes.len() {
                        return None;
                    }
                    at += 1;
                }
                b'-' | b'/' | b'&' | b'.' => at += 1,
                _ => return None,
            }
        }
        shape.blank.extend_from_slice(bytes.get(done..)?);
        (!shape.literals.is_empty()).then_some(shape)
    }

    /// The literals' texts.
    pub fn texts<'t>(&'t self, text: &'t str) -> impl Iterator<Item = &'t str> + 't {
        self.literals.iter().map(|l| text.get(l.at.clone()).unwrap_or_default())
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Does the byte stand for itself, whatever follows it?
fn is_plain(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t'
            | b'\n'
            | b'\r'
            | b'('
            | b')'
            | b','
            | b'['
            | b']'
            | b':'
            | b'+'
            | b'*'
            | b'<'
            | b'>'
            | b'='
            | b'~'
            | b'!'
            | b'@'
            | b'#'
            | b'%'
            | b'^'
            | b'|'
    )
}

/// May the byte stand within a word?
fn is_word(byte: u8) -> bool {
    WORD.get(usize::from(byte)).is_some_and(|word| *word)
}

/// Most of a text's bytes are asked about: a look is cheaper than comparisons.
const WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut rest: &mut [bool] = &mut word;
    let mut byte = 0_u8;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = byte.is_ascii_alphanumeric() || byte == b'_';
        byte = byte.wrapping_add(1);
        rest = others;
    }
    word
};

/// Does a literal that begins here begin for sure: does nothing before it belong to it? Of a number a minus may stand
/// before it, which is a token of its own if it is the first sign of an operator.
fn opened(bytes: &[u8], at: usize, first: u8) -> bool {
    let before = |at: usize| at.checked_sub(1).and_then(|i| bytes.get(i)).copied();
    let opens = |byte: u8| is_space(byte) || matches!(byte, b'(' | b',' | b'=' | b'<' | b'>');
    match before(at) {
        Some(b'-') if first != b'\'' => before(at - 1).is_some_and(|b| is_space(b) || matches!(b, b'(' | b',')),
        Some(byte) => opens(byte),
        None => false,
    }
}

/// Does a literal end here for sure? A string may go on in the next line.
fn closes(bytes: &[u8], end: usize, class: Class) -> bool {
    let closed = match bytes.get(end) {
        None => true,
        Some(byte) => is_space(*byte) || matches!(byte, b')' | b',' | b';' | b':' | b']'),
    };
    let goes_on = class == Class::String && bytes.get(run(bytes, end, is_space)) == Some(&b'\'');
    closed && !goes_on
}

/// Where the run of such bytes that begins here ends.
fn run(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|b| !belongs(*b)).unwrap_or(rest.len())
}

fn number(text: &str, at: usize) -> Option<Literal> {
    let bytes = text.as_bytes();
    let digits = |from| run(bytes, from, |b| b.is_ascii_digit());
    let mut end = digits(at);
    let has_point = bytes.get(end) == Some(&b'.');
    if has_point {
        end = digits(end + 1);
    }
    let written = text.get(at..end)?;
    let classes: &[Class] = if has_point {
        &[Class::Decimal]
    } else {
        &[Class::Int4, Class::Int8]
    };
    let class = classes.iter().find(|c| c.is_literal(written))?;
    Some(Literal {
        at: at..end,
        class: *class,
    })
}

/// Past the closing quote of a quoted name.
fn quoted(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        end = run(bytes, end, |b| b != b'"' && b >= b' ');
        if bytes.get(end) != Some(&b'"') {
            return None;
        }
        end += 1;
        match bytes.get(end) {
            Some(b'"') => end += 1,
            Some(b'\'' | b'_' | b'$' | 0x80..) => return None,
            Some(b) if b.is_ascii_alphanumeric() => return None,
            Some(_) | None => return Some(end),
        }
    }
}

fn string(bytes: &[u8], at: usize) -> Option<Literal> {
    let mut end = at + 1;
    loop {
        end = run(bytes, end, |b| !matches!(b, b'\'' | b'\\' | 0));
        if bytes.get(end) != Some(&b'\'') {
            return None;
        }
        end += 1;
        if bytes.get(end) != Some(&b'\'') {
            break;
        }
        end += 1;
    }
    (end - at <= LONGEST_STRING + 2).then_some(Literal {
        at: at..end,
        class: Class::String,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(text: &str) -> Option<Vec<&str>> {
        let shape = Shape::of(text)?;
        assert!(
            shape.literals.iter().all(|l| l.class.is_literal(&text[l.at.clone()])),
            "{text}"
        );
        Some(shape.literals.iter().map(|l| &text[l.at.clone()]).collect())
    }

    #[test]
    fn plain_literals_are_left_out() {
        let text =
            "SELECT a.b, \"C\"\"d\" FROM t WHERE a=1 AND b IN ('x', 'it''s ü') AND c < 12.50 AND d = 3000000000;";
        assert_eq!(
            literals(text).unwrap(),
            ["1", "'x'", "'it''s ü'", "12.50", "3000000000"]
        );
        let other = text
            .replace("=1 ", "=2147483647 ")
            .replace("'x'", "''")
            .replace("12.50", "0.1");
        assert_eq!(Shape::of(text).unwrap().blank, Shape::of(&other).unwrap().blank);
        assert_eq!(literals("SELECT $1, 5").unwrap(), ["5"]);
        assert_eq!(literals("SELECT a + -5, a -6, (-7)").unwrap(), ["5", "6", "7"]);
    }

    #[test]
    fn classes_are_part_of_the_shape() {
        let shapes = ["SELECT 2147483647", "SELECT 2147483648", "SELECT 1.0", "SELECT '1'"];
        let blanks: Vec<_> = shapes.iter().map(|s| Shape::of(s).unwrap().blank).collect();
        assert!((0..4).all(|a| (0..4).all(|b| a == b || blanks[a] != blanks[b])));
    }

    #[test]
    fn what_is_not_plain_has_no_shape() {
        for text in [
            "SELECT 1 -- x",
            "SELECT 1 /* x */",
            "SELECT E'a'",
            "SELECT U&'a'",
            "SELECT U&\"a\", 1",
            "SELECT B'1'",
            "SELECT x'1'",
            "SELECT N'1'",
            "SELECT 'a\\b'",
            "SELECT 'a' 'b'",
            "SELECT 'a'\n'b'",
            "SELECT 'a'\n\t 'b'",
            "SELECT 'a",
            "SELECT \"a",
            "SELECT $$1$$",
            "SELECT $a$1$a$",
            "SELECT $1a, 2",
            "SELECT 1e5",
            "SELECT 1_000",
            "SELECT 1.",
            "SELECT .5",
            "SELECT 1..2",
            "SELECT 0x1F",
            "SELECT 007",
            "SELECT 1a",
            "SELECT 99999999999999999999",
            "SELECT ü, 1",
            "SELECT aü, 1",
            "SELECT a$1, 1",
            "SELECT 1; SELECT 2",
            "SELECT a=-5",
            "SELECT a+-5",
            "SELECT a-5",
            "SELECT -'5'",
            "SELECT --5",
            "SELECT @-5",
            "SELECT 'a\0b'",
            "SELECT {1}",
            "SELECT `1`",
            "SELECT 1\u{b}",
            "SELECT 'a'\u{c}'b'",
            "SELECT 1?",
            "1",
            "SELECT a",
        ] {
            assert_eq!(Shape::of(text), None, "{text:?}");
        }
        assert_eq!(Shape::of(&format!("SELECT '{}'", "x".repeat(300))), None);
    }

    #[test]
    fn a_literal_is_one_and_nothing_else() {
        for text in [
            "",
            "'",
            "''x'",
            "'x",
            "x'",
            "'a'b'",
            "'\\'",
            "'a' OR 'b'",
            "'''",
            "1",
            "'a''",
        ] {
            assert!(!Class::String.is_literal(text), "{text}");
        }
        for text in ["''", "'x'", "''''", "'a''b'", "''''''"] {
            assert!(Class::String.is_literal(text), "{text}");
        }
        for text in ["", "-1", "+1", "1 ", "01", "1.0", "2147483648", "１"] {
            assert!(!Class::Int4.is_literal(text), "{text}");
        }
        for text in ["1", "2147483647", "9223372036854775808"] {
            assert!(!Class::Int8.is_literal(text), "{text}");
        }
        for text in ["1", ".5", "1.", "1.5.", "1.5e3", "1,5"] {
            assert!(!Class::Decimal.is_literal(text), "{text}");
        }
    }
}
