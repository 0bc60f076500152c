//! Which operators are total.

use super::casts::cast_is_total;
use super::oids::*;
use crate::catalog::Oid;

/// Is the built-in operator total for these operand types?
///
/// `None` on the left is a prefix operator; otherwise `None` is a type that the caller does not know, and the
/// answer is no. Pass [`UNKNOWN`] for a string constant without a type, [`ANY_ENUM`] for an enum, the base type for
/// a domain. Pattern operators (`~~`, `~` and their kin) are total in their left operand only: the caller checks the
/// pattern with [`super::like_pattern_is_safe`] or [`super::regex_is_safe`].
pub fn operator_is_total(symbol: &str, left: Option<Oid>, right: Option<Oid>) -> bool {
    let Some(right) = right else { return false };
    let Some(left) = left else {
        return prefix_is_total(symbol, right);
    };
    let (left, right) = match (left, right) {
        (UNKNOWN, UNKNOWN) => (TEXT, TEXT),
        (UNKNOWN, other) => (literal_beside(symbol, other), other),
        (other, UNKNOWN) => (other, literal_beside(symbol, other)),
        both => both,
    };
    match symbol {
        "=" | "<>" | "!=" => compares(left, right) || is_counter(left, right),
        "<" | "<=" | ">" | ">=" => compares(left, right),
        "~~" | "!~~" | "~~*" | "!~~*" | "~" | "!~" | "~*" | "!~*" => is_string(left) && is_string(right),
        "^@" | "~<~" | "~<=~" | "~>~" | "~>=~" => is_string(left) && is_string(right),
        "->" | "->>" => left == JSONB && (is_text(right) || matches!(right, INT4 | INT2)),
        "#>" | "#>>" => left == JSONB && right == TEXT_ARRAY,
        "?" => left == JSONB && is_text(right),
        "?|" | "?&" => left == JSONB && right == TEXT_ARRAY,
        "@>" => contains(left, right),
        "<@" => contains(right, left),
        "&&" => overlaps(left, right),
        "<<" | ">>" | "<<=" | ">>=" if is_network(left) && is_network(right) => true,
        "<<" | ">>" | "&<" | "&>" if left == right && range_element(left).is_some() => true,
        "<<" | ">>" => matches!(left, INT2 | INT4 | INT8) && matches!(right, INT2 | INT4),
        "&" | "|" | "#" => is_integer(left) && is_integer(right),
        "@@" => matches!((left, right), (TSVECTOR, TSQUERY) | (TSQUERY, TSVECTOR)),
        _ => false,
    }
}

/// The longest constant that is no deep value, whatever stands in it, in bytes.
pub const MOST_SHALLOW: usize = 1_000;

/// Operands over which an operator calls itself, level by level of the value, until the server's stack is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Over neither.
    Flat,
    /// As deep as the left one is.
    OfLeft,
    /// As deep as the right one is.
    OfRight,
    /// As deep as both are.
    OfBoth,
}

/// Which operands of a total operator have to be constants of no more than [`MOST_SHALLOW`] bytes, so that it stays
/// total: of [`Depth::OfBoth`] one is enough. Types as for [`operator_is_total`].
pub fn operator_depth(symbol: &str, left: Option<Oid>, right: Option<Oid>) -> Depth {
    match (symbol, left, right) {
        ("@>" | "<@", Some(JSONB), _) | ("@>" | "<@", _, Some(JSONB)) => Depth::OfBoth,
        ("@@", Some(TSQUERY), _) => Depth::OfLeft,
        ("@@", _, Some(TSQUERY)) => Depth::OfRight,
        _ => Depth::Flat,
    }
}

/// Can the built-in operator fail only where its result passes the limit of a single value (1 GB of text, 131,072
/// digits)?
///
/// Such an operator is total as long as its operands are bounded: each is a column of a stored table, a constant that
/// [`growing_constant_is_short`] accepts, or a total expression over these; and at most [`MOST_GROWING`] growing
/// operators and functions meet in one expression, where a column of a sub-select counts as what it is computed from.
/// (Otherwise `x || x` nested thirty times fails, or not, by the length of a hidden `x`.)
pub fn operator_is_growing(symbol: &str, left: Option<Oid>, right: Option<Oid>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    match symbol {
        "||" => match (left, right) {
            (UNKNOWN, other) | (other, UNKNOWN) => is_string(other) || other == UNKNOWN || other == BYTEA,
            (BYTEA, BYTEA) => true,
            (one, other) => (is_string(one) && joins(other)) || (is_string(other) && joins(one)),
        },
        "+" | "-" | "*" => {
            let exact = |oid| oid == NUMERIC || is_integer(oid) || oid == UNKNOWN;
            (left == NUMERIC || right == NUMERIC) && exact(left) && exact(right)
        }
        _ => false,
    }
}

/// How many growing operators and functions one expression may hold.
pub const MOST_GROWING: usize = 8;

/// Is the constant operand of a growing operator or function small enough?
pub fn growing_constant_is_short(symbol: &str, text: &str) -> bool {
    let is_number = matches!(symbol, "+" | "-" | "*");
    text.len() <= 1000
        && (!is_number
            || text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+')))
}

/// Types that `||` joins to a text.
fn joins(oid: Oid) -> bool {
    cast_is_total(oid, TEXT, false) && !matches!(oid, CHAR | OIDVECTOR)
}

/// Is a constant's text a number with an exponent, which can be great in few characters?
pub fn has_exponent(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E' | b'_' | b' ');
    text.contains(['e', 'E']) && text.bytes().any(|b| b.is_ascii_digit()) && text.trim().bytes().all(is_part)
}

/// Do the values of a type take a few bytes, whatever they are?
pub fn is_small(oid: Oid) -> bool {
    is_integer(oid) || is_moment(oid) || matches!(oid, BOOL | FLOAT4 | FLOAT8 | OID | UUID)
}

/// Does a type's modifier bound what its values take?
pub fn is_bounded_by_typmod(oid: Oid) -> bool {
    matches!(oid, VARCHAR | BPCHAR | NUMERIC | BIT | VARBIT)
}

fn prefix_is_total(symbol: &str, operand: Oid) -> bool {
    match symbol {
        "+" => is_number(operand),
        "~" => is_integer(operand),
        "-" | "@" => matches!(operand, FLOAT4 | FLOAT8 | NUMERIC),
        _ => false,
    }
}

/// The type that PostgreSQL gives to a string constant beside an operand of this type.
fn literal_beside(symbol: &str, other: Oid) -> Oid {
    match symbol {
        "->" | "->>" | "?" => TEXT,
        "#>" | "#>>" | "?|" | "?&" => TEXT_ARRAY,
        _ => other,
    }
}

fn compares(left: Oid, right: Oid) -> bool {
    if left == right {
        return scalar_compares(left) || comparable_element(left).is_some() || is_reg(left);
    }
    match (left, right) {
        (one, other) if is_string(one) && is_string(other) => true,
        (one, other) if is_network(one) && is_network(other) => true,
        (one, other) if is_moment(one) && is_moment(other) => true,
        (one, other) if is_number(one) && is_number(other) => {
            !matches!((one, other), (NUMERIC, FLOAT4 | FLOAT8) | (FLOAT4 | FLOAT8, NUMERIC))
        }
        (one, other) if is_object(one) && is_object(other) => true,
        (one, INT2 | INT4) | (INT2 | INT4, one) if is_object(one) => true,
        _ => false,
    }
}

/// Transaction counters have equality and no order.
fn is_counter(left: Oid, right: Oid) -> bool {
    matches!((left, right), (XID, XID | INT4) | (CID, CID))
}

fn contains(whole: Oid, part: Oid) -> bool {
    (whole == part && (whole == JSONB || comparable_element(whole).is_some() || range_element(whole).is_some()))
        || range_element(whole) == Some(part)
}

fn overlaps(left: Oid, right: Oid) -> bool {
    (left == right && (comparable_element(left).is_some() || range_element(left).is_some()))
        || (is_network(left) && is_network(right))
}

fn is_string(oid: Oid) -> bool {
    is_text(oid) || matches!(oid, BPCHAR | NAME)
}

/// Can values of these types all become the one type that PostgreSQL finds for them without fail? What is stored as a date
/// could lie too far for a timestamp, a numeric for a float, an int8 for an object's number.
pub fn convert_alike(types: &[Oid]) -> bool {
    let all = |is: fn(Oid) -> bool| types.iter().all(|&ty| is(ty));
    all(|ty| is_integer(ty) || ty == NUMERIC)
        || all(|ty| is_integer(ty) || matches!(ty, FLOAT4 | FLOAT8))
        || all(is_string)
        || all(is_network)
        || all(|ty| matches!(ty, BIT | VARBIT))
}

fn is_integer(oid: Oid) -> bool {
    matches!(oid, INT2 | INT4 | INT8)
}

fn is_number(oid: Oid) -> bool {
    is_integer(oid) || matches!(oid, FLOAT4 | FLOAT8 | NUMERIC)
}

fn is_network(oid: Oid) -> bool {
    matches!(oid, INET | CIDR)
}

/// Date and both timestamps: their cross-type comparisons allow for overflow.
pub fn is_moment(oid: Oid) -> bool {
    matches!(oid, DATE | TIMESTAMP | TIMESTAMPTZ)
}

fn is_object(oid: Oid) -> bool {
    oid == OID || is_reg(oid)
}
