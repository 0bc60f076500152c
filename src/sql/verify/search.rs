//! Where the private columns of searchable masks stand: compared with constants, in a conjunct of their own.

use super::{Check, broken};
use crate::refusal::Refusal;
use crate::sql::census::Census;
use pg_query::protobuf::{AExprKind, BoolExprType, JoinType, ParseResult};
use serde_json::Value;

/// How the private column of a searchable mask begins.
pub(super) const SEARCH: &str = "rowgate:search:";

impl Check<'_> {
    /// Every reference to such a column is one of those that a conjunct of WHERE or ON compares with constants. The
    /// tree is walked by its serialisation, so that no place of it is forgotten.
    pub(super) fn searches(&self, tree: &ParseResult, census: &Census) -> Result<(), Refusal> {
        let is_search = |parts: &[String]| parts.last().is_some_and(|name| name.starts_with(SEARCH));
        let written = census.columns.iter().filter(|c| is_search(&c.parts)).count();
        if written == 0 {
            return Ok(());
        }
        let tree = serde_json::to_value(tree).map_err(|e| broken(&format!("a tree that cannot be walked: {e}")))?;
        if count(&tree) == written {
            Ok(())
        } else {
            Err(broken("a searched column outside an exact match"))
        }
    }
}

/// How many exact matches there are in the conditions below.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(fields) => {
            let is_join = is(value, "jointype", JoinType::JoinInner as i32)
                || is(value, "jointype", JoinType::JoinLeft as i32)
                || is(value, "jointype", JoinType::JoinRight as i32);
            let is_query = fields.contains_key("from_clause") || fields.contains_key("using_clause");
            let condition = if is_join {
                fields.get("quals")
            } else if fields.contains_key("merge_when_clauses") {
                fields.get("join_condition")
            } else {
                fields.get("where_clause").filter(|_| is_query)
            };
            condition.map_or(0, exact_matches) + fields.values().map(count).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// How many conjuncts of a condition compare such a column with constants alone.
fn exact_matches(condition: &Value) -> usize {
    match node(condition) {
        Some(("BoolExpr", e)) if is(e, "boolop", BoolExprType::AndExpr as i32) => {
            list(e, "args").iter().map(exact_matches).sum()
        }
        Some(("AExpr", e)) => {
            let names: Vec<&str> = list(e, "name").iter().filter_map(word).collect();
            let equality = matches!(names.as_slice(), ["="] | ["pg_catalog", "="]);
            let kind = [AExprKind::AexprOp, AExprKind::AexprIn, AExprKind::AexprOpAny]
                .into_iter()
                .any(|kind| is(e, "kind", kind as i32));
            let (Some(left), Some(right)) = (e.get("lexpr"), e.get("rexpr")) else {
                return 0;
            };
            let matches = (searched(left) && constant(right)) || (searched(right) && constant(left));
            usize::from(equality && kind && matches)
        }
        _ => 0,
    }
}

fn searched(value: &Value) -> bool {
    match node(value) {
        Some(("ColumnRef", reference)) => list(reference, "fields")
            .last()
            .and_then(word)
            .is_some_and(|name| name.starts_with(SEARCH)),
        _ => false,
    }
}

fn constant(value: &Value) -> bool {
    match node(value) {
        Some(("AConst" | "ParamRef", _)) => true,
        Some(("TypeCast", cast)) => cast.get("arg").is_some_and(constant),
        Some(("AArrayExpr", array)) => list(array, "elements").iter().all(constant),
        Some(("List", items)) => list(items, "items").iter().all(constant),
        _ => false,
    }
}

/// The kind and the fields of a node.
fn node(value: &Value) -> Option<(&str, &Value)> {
    let (kind, fields) = value.get("node")?.as_object()?.iter().next()?;
    Some((kind, fields))
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is(value: &Value, field: &str, number: i32) -> bool {
    value.get(field).and_then(Value::as_i64) == Some(i64::from(number))
}

fn word(value: &Value) -> Option<&str> {
    match node(value)? {
        ("String", text) => text.get("sval")?.as_str(),
        _ => None,
    }
}
