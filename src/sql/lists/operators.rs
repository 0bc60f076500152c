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
        "=" | "<>" | "!=" | "<" | "<=" | ">" | ">=" => compares(left, right),
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

/// Can the built-in operator fail only where its result passes the limit of a single value (1 GB)? Such an operator
/// is total as long as no operand is a value of the client's making and of unbounded size: each operand must be a
/// column of a stored table, a short constant, or a total expression over these.
pub fn operator_is_growing(symbol: &str, left: Option<Oid>, right: Option<Oid>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    symbol == "||"
        && match (left, right) {
            (UNKNOWN, other) | (other, UNKNOWN) => is_string(other) || other == UNKNOWN || other == BYTEA,
            (BYTEA, BYTEA) => true,
            (one, other) => {
                (is_string(one) && cast_is_total(other, TEXT, false))
                    || (is_string(other) && cast_is_total(one, TEXT, false))
            }
        }
}

const TEXT_ARRAY: Oid = 1009;

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
        return scalar_compares(left)
            || comparable_element(left).is_some()
            || is_reg(left)
            || matches!(left, XID | CID);
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
        (XID, INT4) => true,
        (1009, 1015) | (1015, 1009) => true,
        _ => false,
    }
}

fn contains(whole: Oid, part: Oid) -> bool {
    (whole == part && (whole == JSONB || comparable_element(whole).is_some() || range_element(whole).is_some()))
        || range_element(whole) == Some(part)
        || matches!((whole, part), (1009, 1015) | (1015, 1009) | (TSQUERY, TSQUERY))
}

fn overlaps(left: Oid, right: Oid) -> bool {
    (left == right && (comparable_element(left).is_some() || range_element(left).is_some()))
        || (is_network(left) && is_network(right))
        || matches!((left, right), (1009, 1015) | (1015, 1009))
}

fn is_string(oid: Oid) -> bool {
    is_text(oid) || matches!(oid, BPCHAR | NAME)
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
fn is_moment(oid: Oid) -> bool {
    matches!(oid, DATE | TIMESTAMP | TIMESTAMPTZ)
}

fn is_object(oid: Oid) -> bool {
    oid == OID || is_reg(oid)
}
