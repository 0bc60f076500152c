//! A text with other literals in the free places: how it is judged shows whether their values matter.

use super::{Class, Shape};
use std::ops::Range;

/// A text of the same shape with values of rowgate's own in its free places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The text.
    pub text: String,
    /// Where the free literals stand in it, in order.
    pub places: Vec<Range<usize>>,
}

impl Probe {
    /// The probe for a text; each of its own literals is written once.
    pub fn of(text: &str, shape: &Shape, free: &[bool]) -> Option<Self> {
        let mut probe = Self {
            text: String::with_capacity(text.len() + 16 * free.len()),
            places: Vec::with_capacity(free.len()),
        };
        let mut done = 0;
        for (number, literal) in shape.literals.iter().enumerate() {
            if free.get(number) != Some(&true) {
                continue;
            }
            probe.text.push_str(text.get(done..literal.at.start)?);
            let start = probe.text.len();
            probe.text.push_str(&sentinel(literal.class, number, literal.at.len()));
            probe.places.push(start..probe.text.len());
            done = literal.at.end;
        }
        probe.text.push_str(text.get(done..)?);
        Some(probe)
    }
}

/// A literal that no other text holds, of another length than the client's.
fn sentinel(class: Class, number: usize, length: usize) -> String {
    match class {
        Class::Int4 if length == 10 => format!("{}", 604_130_000 + number),
        Class::Int4 => format!("{}", 1_704_130_000 + number),
        Class::Int8 if length == 18 => format!("{}", 8_305_000_000_000_000_000_u64 + number as u64),
        Class::Int8 => format!("{}", 830_500_000_000_000_000_u64 + number as u64),
        Class::Decimal if length == 15 => format!("94061.{}", 12_340_000 + number),
        Class::Decimal => format!("94061.{}", 123_400_000 + number),
        Class::String if length == 21 => format!("'row''gate%{:09}_'", 17_000_000 + number),
        Class::String => format!("'row''gate%{:08}_'", 17_000_000 + number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_has_the_same_shape_and_other_lengths() {
        let text =
            "SELECT * FROM t WHERE a = 1 AND b = 1234567890 AND c = 'x' AND d = 2.5 AND e = 123456789012345678 LIMIT 3";
        let shape = Shape::of(text).unwrap();
        let probe = Probe::of(text, &shape, &[true, true, true, true, true, false]).unwrap();
        let other = Shape::of(&probe.text).unwrap();
        assert_eq!(other.blank, shape.blank);
        assert!(probe.text.ends_with("LIMIT 3"));
        let places: Vec<_> = other.literals.iter().map(|l| l.at.clone()).collect();
        assert_eq!(probe.places, places[..5]);
        for (ours, theirs) in other.literals.iter().zip(&shape.literals).take(5) {
            assert_ne!(ours.at.len(), theirs.at.len());
        }
    }

    #[test]
    fn sentinels_are_literals_of_their_class() {
        for class in [Class::Int4, Class::Int8, Class::Decimal, Class::String] {
            for length in 1..40 {
                for number in [0, 7, 255] {
                    let text = sentinel(class, number, length);
                    assert!(class.is_literal(&text) && text.len() != length, "{text}");
                }
            }
        }
    }
}
