//! What gives a result for every value of its arguments, so that a generated column can be computed from masked
//! inputs without ever raising.

use super::names;
use crate::catalog::{Catalog, Relation};
use crate::policy::print;
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, Node, a_const};

/// Functions of `pg_catalog` that are total.
pub(super) const FUNCTIONS: [&str; 15] = [
    "lower",
    "upper",
    "left",
    "right",
    "btrim",
    "ltrim",
    "rtrim",
    "length",
    "char_length",
    "md5",
    "reverse",
    "initcap",
    "replace",
    "abs",
    "round",
];

/// What sort of value an expression yields, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An integer: its arithmetic can overflow.
    Whole,
    /// A numeric: its arithmetic cannot, within what a column holds.
    Decimal,
    /// Text.
    Text,
}

/// Operators that may stand in a total expression at all.
pub(super) fn is_known(symbol: &str) -> bool {
    matches!(
        symbol,
        "||" | "=" | "<>" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/"
    )
}

/// Is this use of an operator total? Arithmetic only on numerics, and division only by a constant that is not 0.
pub(super) fn operation(row: &Relation, catalog: &Catalog, operation: &AExpr) -> bool {
    let symbol = names::parts(&operation.name).and_then(|p| p.last().copied());
    let kinds = || {
        let left = operation.lexpr.as_deref().and_then(|n| kind(row, catalog, n))?;
        let right = operation.rexpr.as_deref().and_then(|n| kind(row, catalog, n))?;
        Some((left, right))
    };
    let decimal = || {
        matches!(
            kinds(),
            Some((Kind::Decimal, Kind::Decimal | Kind::Whole) | (Kind::Whole, Kind::Decimal))
        )
    };
    match symbol {
        Some("+" | "-" | "*") => decimal(),
        Some("/") => decimal() && operation.rexpr.as_deref().is_some_and(is_not_zero),
        Some(symbol) => is_known(symbol),
        None => false,
    }
}

fn is_not_zero(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_not_zero),
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(a_const::Val::Ival(n)) => n.ival != 0,
            Some(a_const::Val::Fval(n)) => n.fval.parse::<f64>().is_ok_and(|n| n != 0.0),
            _ => false,
        },
        _ => false,
    }
}

/// The kind of an expression; `None` where it is of another or cannot be told.
pub(super) fn kind(row: &Relation, catalog: &Catalog, node: &Node) -> Option<Kind> {
    let of = |node: Option<&Node>| node.and_then(|n| kind(row, catalog, n));
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref() {
            Some(a_const::Val::Ival(_)) => Some(Kind::Whole),
            Some(a_const::Val::Fval(_)) => Some(Kind::Decimal),
            Some(a_const::Val::Sval(_)) => Some(Kind::Text),
            Some(a_const::Val::Boolval(_) | a_const::Val::Bsval(_)) => None,
            None => (!constant.isnull).then_some(Kind::Whole),
        },
        NodeEnum::ColumnRef(column) => {
            let names = names::parts(&column.fields)?;
            let found = row.column(names.last()?)?;
            match print::family(catalog, found.type_oid)? {
                print::Family::Integer(..) => Some(Kind::Whole),
                print::Family::Numeric => Some(Kind::Decimal),
                print::Family::Text => Some(Kind::Text),
                print::Family::Uuid | print::Family::Same(..) => None,
            }
        }
        NodeEnum::TypeCast(cast) => match names::type_name(catalog, cast.type_name.as_ref()?).ok()?.as_str() {
            "\"pg_catalog\".\"numeric\"" => Some(Kind::Decimal),
            "\"pg_catalog\".\"text\"" | "\"pg_catalog\".\"varchar\"" | "\"pg_catalog\".\"bpchar\"" => Some(Kind::Text),
            _ => None,
        },
        NodeEnum::AExpr(operation) if operation.kind() == AExprKind::AexprOp => {
            match names::parts(&operation.name)?.last().copied()? {
                "+" | "-" | "*" | "/" => match (of(operation.lexpr.as_deref())?, of(operation.rexpr.as_deref())?) {
                    (Kind::Decimal, Kind::Decimal | Kind::Whole) | (Kind::Whole, Kind::Decimal) => Some(Kind::Decimal),
                    (Kind::Whole, Kind::Whole) => Some(Kind::Whole),
                    _ => None,
                },
                "||" => Some(Kind::Text),
                _ => None,
            }
        }
        NodeEnum::FuncCall(call) => match names::parts(&call.funcname)?.last().copied()? {
            "round" | "abs" => of(call.args.first()),
            "length" | "char_length" => Some(Kind::Whole),
            _ => Some(Kind::Text),
        },
        NodeEnum::CoalesceExpr(list) => of(list.args.first()),
        _ => None,
    }
}
