//! Times whose reading depends on the session's time zone or date style, which a client can change: a condition
//! must say what it means.

use super::expression::Printer;
use super::names;
use crate::policy::print;
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, FuncCall, Node, TypeCast, a_const};

/// What a part of an expression is, as far as time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    /// date
    Day,
    /// timestamp
    Local,
    /// timestamptz
    Zoned,
}

/// A cast between times of which one has a zone, or of a constant that does not say all.
pub(super) fn cast(printer: &Printer<'_>, cast: &TypeCast, to: &str) -> Result<(), String> {
    let Some(to) = time_of_type(to) else { return Ok(()) };
    let Some(from) = cast.arg.as_deref() else { return Ok(()) };
    if let Some(text) = constant(from) {
        return literal(text, to);
    }
    match time(printer, from) {
        Some(from) if (from == Time::Zoned) != (to == Time::Zoned) => Err(between()),
        _ => Ok(()),
    }
}

/// Operands of which one is a time: constants must say all, and a time with a zone meets only its like.
pub(super) fn operands(printer: &Printer<'_>, operands: &[Option<&Node>]) -> Result<(), String> {
    let mut parts: Vec<&Node> = Vec::new();
    for node in operands.iter().flatten() {
        match &node.node {
            Some(NodeEnum::List(list)) => parts.extend(&list.items),
            _ => parts.push(node),
        }
    }
    let times: Vec<Time> = parts.iter().filter_map(|n| time(printer, n)).collect();
    let Some(first) = times.first().copied() else {
        return Ok(());
    };
    if times.iter().any(|t| (*t == Time::Zoned) != (first == Time::Zoned)) {
        return Err(between());
    }
    for text in parts.iter().filter_map(|n| constant(n)) {
        // a length of time beside a time needs no zone
        if text.contains('-') || text.contains('/') {
            literal(text, first)?;
        }
    }
    Ok(())
}

/// Functions that cut or print a time with a zone as the session's zone has it.
pub(super) fn call(printer: &Printer<'_>, name: &str, call: &FuncCall) -> Result<(), String> {
    let zoned = call.args.iter().any(|a| time(printer, a) == Some(Time::Zoned));
    let plain = name.trim_start_matches("pg_catalog.").trim_matches('"');
    let cuts = matches!(
        plain,
        "date_trunc" | "date_part" | "extract" | "date" | "age" | "to_char" | "timestamp"
    );
    if zoned && cuts && !(plain == "date_trunc" && call.args.len() == 3) {
        return Err(format!(
            "{plain} of a timestamptz depends on the session's time zone: write AT TIME ZONE 'UTC' first"
        ));
    }
    Ok(())
}

/// Which operand of a sum is a time with a zone.
pub(super) enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

/// A time with a zone plus or minus a length of time counts days as the session's zone has them; it is made to
/// count them in UTC.
pub(super) fn shifted(printer: &Printer<'_>, operation: &AExpr) -> Option<Side> {
    let symbol = names::parts(&operation.name)?.last().copied()?;
    let of = |node: Option<&Node>| node.and_then(|n| time(printer, n));
    match (symbol, of(operation.lexpr.as_deref()), of(operation.rexpr.as_deref())) {
        ("+" | "-", Some(Time::Zoned), None) if operation.rexpr.as_deref().and_then(constant).is_none() => {
            Some(Side::Left)
        }
        ("+", None, Some(Time::Zoned)) => Some(Side::Right),
        _ => None,
    }
}

/// Into UTC from a time with a zone, and back.
pub(super) fn in_utc(sql: &str) -> String {
    format!("(pg_catalog.timezone('UTC'::pg_catalog.text, {sql}))")
}

fn between() -> String {
    "a timestamptz meets a date or timestamp, which depends on the session's time zone: write AT TIME ZONE 'UTC'"
        .to_owned()
}

fn literal(text: &str, what: Time) -> Result<(), String> {
    let text = text.trim();
    if matches!(text, "infinity" | "-infinity") {
        return Ok(());
    }
    let bytes = text.as_bytes();
    let iso = bytes.len() >= 10
        && bytes.iter().take(10).enumerate().all(|(at, b)| match at {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        });
    if !iso {
        return Err(format!(
            "'{text}' depends on the session's date style: write it as '2024-12-31'"
        ));
    }
    let rest = text.get(10..).unwrap_or_default();
    let says_zone = rest.contains('+') || rest.contains('-') || rest.ends_with(['Z', 'z']) || rest.ends_with("UTC");
    if what == Time::Zoned && !says_zone {
        return Err(format!(
            "'{text}' depends on the session's time zone: write it as '2024-12-31 00:00:00+00'"
        ));
    }
    Ok(())
}

fn constant(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(a_const::Val::Sval(text)) => Some(&text.sval),
            _ => None,
        },
        _ => None,
    }
}

fn time_of_type(type_sql: &str) -> Option<Time> {
    let name = type_sql.strip_prefix("\"pg_catalog\".\"")?.split('"').next()?;
    match name {
        "date" => Some(Time::Day),
        "timestamp" => Some(Time::Local),
        "timestamptz" => Some(Time::Zoned),
        _ => None,
    }
}

fn time(printer: &Printer<'_>, node: &Node) -> Option<Time> {
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(column) => {
            let parts = names::parts(&column.fields)?;
            let found = printer.column_named(&parts)?;
            let base = print::base_type(printer.catalog, found.type_oid);
            time_of_type(&printer.catalog.types.get(&base)?.name.to_sql())
        }
        NodeEnum::TypeCast(cast) => time_of_type(&names::type_name(printer.catalog, cast.type_name.as_ref()?).ok()?),
        NodeEnum::SqlvalueFunction(value) => match value.op() {
            pg_query::protobuf::SqlValueFunctionOp::SvfopCurrentDate => Some(Time::Day),
            _ => Some(Time::Zoned),
        },
        NodeEnum::FuncCall(call) => match *names::parts(&call.funcname)?.last()? {
            "now" | "to_timestamp" | "make_timestamptz" => Some(Time::Zoned),
            "timezone" => match time(printer, call.args.get(1)?)? {
                Time::Zoned => Some(Time::Local),
                Time::Day | Time::Local => Some(Time::Zoned),
            },
            "date_trunc" => time(printer, call.args.get(1)?),
            _ => None,
        },
        NodeEnum::AExpr(operation) => {
            let left = operation.lexpr.as_deref().and_then(|n| time(printer, n));
            let right = operation.rexpr.as_deref().and_then(|n| time(printer, n));
            let symbol = names::parts(&operation.name)?.last().copied()?;
            match (symbol, left, right) {
                ("-", Some(_), Some(_)) => None,
                ("+" | "-", Some(one), None) | ("+", None, Some(one)) => Some(one),
                _ => None,
            }
        }
        NodeEnum::CoalesceExpr(list) => list.args.iter().find_map(|n| time(printer, n)),
        _ => None,
    }
}
