//! One shape, against which texts are held: whether a text has just this one costs less than making its own.

use super::{LONGEST, Shape, closes, number, opened, string};

/// A shape and where its literals stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    blank: Box<[u8]>,
    marks: Box<[usize]>,
}

impl Outline {
    /// The outline of a text's shape.
    pub fn of(shape: &Shape) -> Self {
        let mut left_out = 0;
        let marks = shape.literals.iter().map(|literal| {
            let at = literal.at.start - left_out;
            left_out += literal.at.len() - 1;
            at
        });
        Self {
            marks: marks.collect(),
            blank: shape.blank.as_slice().into(),
        }
    }

    /// The literals of a text that has this shape, in order; `None` where it has another one, or none.
    ///
    /// Between two literals nothing is looked at twice: [`Shape::of`] goes on from the end of a literal in the same way
    /// whatever stood before it, and never looks further back than a literal's delimiter.
    pub fn literals<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let bytes = text.as_bytes();
        if bytes.len() > LONGEST {
            return None;
        }
        let mut literals = Vec::with_capacity(self.marks.len());
        let (mut done, mut at) = (0, 0);
        for mark in &self.marks {
            at = same(bytes, at, self.blank.get(done..*mark)?)?;
            let first = *bytes.get(at)?;
            let literal = match first {
                b'\'' if opened(bytes, at, first) => string(bytes, at),
                b'0'..=b'9' if opened(bytes, at, first) => number(text, at),
                _ => None,
            }?;
            if self.blank.get(*mark) != Some(&literal.class.mark()) || !closes(bytes, literal.at.end, literal.class) {
                return None;
            }
            at = literal.at.end;
            done = mark + 1;
            literals.push(text.get(literal.at)?);
        }
        let end = same(bytes, at, self.blank.get(done..)?)?;
        (end == bytes.len()).then_some(literals)
    }

    /// Bytes that it has on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.blank.len() + size_of_val(&*self.marks)
    }
}

/// Where what follows `part` begins, if that stands here.
fn same(bytes: &[u8], at: usize, part: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(part).then(|| at + part.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pieces of which texts are put together that often have a shape, and often the same.
    const PIECES: [&str; 36] = [
        "SELECT",
        "a",
        " ",
        " ",
        " ",
        ",",
        "(",
        ")",
        "=",
        "<",
        "-",
        "- ",
        "--",
        "/",
        "/*",
        "1",
        "23",
        "4.5",
        "3000000000",
        "'x'",
        "'it''s'",
        "''",
        "'ü'",
        "'a\\'",
        "\"q\"",
        "\"q",
        "$1",
        "$",
        ";",
        "::",
        ".",
        "&",
        "E",
        "1e5",
        "\n",
        "ü",
    ];

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(&PIECES[..]), 0..14).prop_map(|pieces| pieces.concat())
    }

    /// A text with some of its pieces put for others.
    fn pair() -> impl Strategy<Value = (String, String)> {
        let piece = || prop::sample::select(&PIECES[..]);
        prop::collection::vec((piece(), prop::option::weighted(0.2, piece())), 1..14).prop_map(|pieces| {
            let one = pieces.iter().map(|(piece, _)| *piece).collect();
            let other = pieces.iter().map(|(piece, other)| other.unwrap_or(piece)).collect();
            (one, other)
        })
    }

    fn held(one: &str, other: &str) -> Result<(), TestCaseError> {
        let Some(shape) = Shape::of(one) else { return Ok(()) };
        let outline = Outline::of(&shape);
        let own: Vec<&str> = shape.texts(one).collect();
        prop_assert_eq!(outline.literals(one), Some(own));
        let others = Shape::of(other).filter(|s| s.blank == shape.blank);
        prop_assert_eq!(
            outline.literals(other),
            others.as_ref().map(|s| s.texts(other).collect())
        );
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn a_text_has_a_shape_where_its_own_is_the_same((one, other) in pair()) {
            held(&one, &other)?;
        }

        #[test]
        fn other_texts_have_other_shapes(one in text(), other in text()) {
            held(&one, &other)?;
        }
    }

    #[test]
    fn literals_of_other_values_are_found() {
        let shape = Shape::of("SELECT a FROM t WHERE b = 5 AND c IN ('x', 'y') AND d < - 1.5;").unwrap();
        let outline = Outline::of(&shape);
        let other = "SELECT a FROM t WHERE b = 2147483647 AND c IN ('', 'it''s ü') AND d < - 0.25;";
        assert_eq!(
            outline.literals(other).unwrap(),
            ["2147483647", "''", "'it''s ü'", "0.25"]
        );
        for text in [
            "SELECT a FROM t WHERE b = 2147483648 AND c IN ('x', 'y') AND d < - 1.5;",
            "SELECT a FROM t WHERE b = 5 AND c IN ('x', 'y') AND d < -- 1.5;",
            "SELECT a FROM t WHERE b = 5 AND c IN ('x', 'y' 'z') AND d < - 1.5;",
            "SELECT a FROM t WHERE b = 5 OR 1=1 AND c IN ('x', 'y') AND d < - 1.5;",
            "SELECT a FROM t WHERE b = 5 AND c IN ('x', 'y') AND d < - 1.5; ",
        ] {
            assert_eq!(outline.literals(text), None, "{text}");
        }
    }
}
