//! What a condition of the DBA's says of columns, as far as statistics can tell how many rows it holds on: it decides how a
//! scope is put into words, and never what it means.

use super::qualify;
use super::template::attribute_of;
use crate::identity::Principal;
use pg_query::NodeEnum;
use pg_query::protobuf::{AConst, AExpr, AExprKind, BoolExpr, BoolExprType, ColumnRef, Node, NullTestType, a_const};

/// The share that a comparison leaves of which nothing is known but that it leaves fewer rows: PostgreSQL's own guess.
const FEWER_ROWS: f32 = 0.33;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Chance {
    /// A column equals any of these.
    Equals(String, Vec<Value>),
    /// A column is NULL.
    Null(String),
    /// It does not hold.
    Not(Box<Chance>),
    /// All hold.
    All(Vec<Chance>),
    /// Any holds.
    Any(Vec<Chance>),
    /// Statistics do not tell.
    Unknown,
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A constant in text form.
    Text(String),
    /// Whatever the person has for this attribute.
    Attribute(String),
}

impl Chance {
    /// Of a condition that could be qualified.
    pub(super) fn of(text: &str) -> Self {
        qualify::parsed(text).map_or(Self::Unknown, |(node, names)| read(&node, &names))
    }

    /// The columns that it compares.
    pub(super) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Equals(column, _) | Self::Null(column) => vec![column],
            Self::Not(one) => one.columns(),
            Self::All(many) | Self::Any(many) => many.iter().flat_map(Self::columns).collect(),
            Self::Unknown => Vec::new(),
        }
    }

    /// The share of the rows on which it holds for this person, from 0 to 1. `equals` and `null` tell the share of the rows
    /// in which a column has a value or none; `None` where they do not know.
    pub(super) fn share(
        &self,
        who: &Principal,
        equals: &impl Fn(&str, &[String]) -> Option<f32>,
        null: &impl Fn(&str) -> Option<f32>,
    ) -> Option<f32> {
        let each = |many: &[Self]| -> (Vec<f32>, bool) {
            let shares: Vec<Option<f32>> = many.iter().map(|one| one.share(who, equals, null)).collect();
            let all_known = shares.iter().all(Option::is_some);
            (shares.into_iter().flatten().collect(), all_known)
        };
        match self {
            Self::Equals(column, values) => equals(column, &texts(values, who)),
            Self::Null(column) => null(column),
            Self::Not(one) => one.share(who, equals, null).map(|share| 1.0 - share),
            Self::All(many) => {
                let (known, all_known) = each(many);
                let rest = if all_known { 1.0 } else { FEWER_ROWS };
                (all_known || !known.is_empty()).then(|| known.iter().product::<f32>() * rest)
            }
            Self::Any(many) => {
                let (known, _) = each(many);
                (!known.is_empty()).then(|| known.iter().sum::<f32>().min(1.0))
            }
            Self::Unknown => None,
        }
    }
}

fn texts(values: &[Value], who: &Principal) -> Vec<String> {
    let of = |value: &Value| match value {
        Value::Text(text) => vec![text.clone()],
        Value::Attribute(name) => attribute_of(who, name).map_or_else(Vec::new, |found| found.values.clone()),
    };
    values.iter().flat_map(of).collect()
}

fn read(node: &Node, names: &[String]) -> Chance {
    match node.node.as_ref() {
        Some(NodeEnum::BoolExpr(both)) => boolean(both, names),
        Some(NodeEnum::AExpr(test)) => comparison(test, names).unwrap_or(Chance::Unknown),
        Some(NodeEnum::NullTest(test)) => match (test.arg.as_deref().and_then(column), test.nulltesttype()) {
            (Some(column), NullTestType::IsNull) => Chance::Null(column),
            (Some(column), NullTestType::IsNotNull) => Chance::Not(Box::new(Chance::Null(column))),
            (None, _) | (Some(_), NullTestType::Undefined) => Chance::Unknown,
        },
        Some(NodeEnum::ColumnRef(_)) => column(node).map_or(Chance::Unknown, |column| {
            Chance::Equals(column, vec![Value::Text("t".to_owned())])
        }),
        _ => Chance::Unknown,
    }
}

fn boolean(both: &BoolExpr, names: &[String]) -> Chance {
    let mut parts: Vec<Chance> = both.args.iter().map(|part| read(part, names)).collect();
    match both.boolop() {
        BoolExprType::AndExpr => Chance::All(parts),
        BoolExprType::OrExpr => Chance::Any(parts),
        BoolExprType::NotExpr => parts.pop().map_or(Chance::Unknown, |one| Chance::Not(Box::new(one))),
        BoolExprType::Undefined => Chance::Unknown,
    }
}

/// `column = value`, `column = ANY (values)`, `column IN (values)` and `<>`.
fn comparison(test: &AExpr, names: &[String]) -> Option<Chance> {
    let symbol = match test.name.last()?.node.as_ref()? {
        NodeEnum::String(symbol) => symbol.sval.as_str(),
        _ => return None,
    };
    let (left, right) = (test.lexpr.as_deref()?, test.rexpr.as_deref()?);
    let (column, other) = match (column(left), column(right), test.kind()) {
        (Some(column), None, _) => (column, right),
        (None, Some(column), AExprKind::AexprOp) => (column, left),
        _ => return None,
    };
    let equals = Chance::Equals(column, values(other, names)?);
    match (test.kind(), symbol) {
        (AExprKind::AexprOp | AExprKind::AexprOpAny | AExprKind::AexprIn, "=") => Some(equals),
        (AExprKind::AexprOp | AExprKind::AexprIn, "<>") => Some(Chance::Not(Box::new(equals))),
        _ => None,
    }
}

fn column(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(ColumnRef { fields, .. }) => match fields.last()?.node.as_ref()? {
            NodeEnum::String(name) => Some(name.sval.clone()),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => column(cast.arg.as_deref()?),
        _ => None,
    }
}

fn values(node: &Node, names: &[String]) -> Option<Vec<Value>> {
    let each = |nodes: &[Node]| -> Option<Vec<Value>> {
        let lists: Option<Vec<Vec<Value>>> = nodes.iter().map(|n| values(n, names)).collect();
        Some(lists?.concat())
    };
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => literal(constant).map(|text| vec![Value::Text(text)]),
        NodeEnum::ParamRef(parameter) => {
            let place = usize::try_from(parameter.number).ok()?.checked_sub(1)?;
            Some(vec![Value::Attribute(names.get(place)?.clone())])
        }
        NodeEnum::TypeCast(cast) => values(cast.arg.as_deref()?, names),
        NodeEnum::AArrayExpr(array) => each(&array.elements),
        NodeEnum::List(list) => each(&list.items),
        _ => None,
    }
}

fn literal(constant: &AConst) -> Option<String> {
    match constant.val.as_ref()? {
        a_const::Val::Ival(number) => Some(number.ival.to_string()),
        a_const::Val::Fval(number) => Some(number.fval.clone()),
        a_const::Val::Boolval(truth) => Some(if truth.boolval { "t" } else { "f" }.to_owned()),
        // an array in text form is not taken apart
        a_const::Val::Sval(text) if text.sval.starts_with('{') => None,
        a_const::Val::Sval(text) => Some(text.sval.clone()),
        a_const::Val::Bsval(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Attribute;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn share(text: &str) -> Option<f32> {
        let countries = Attribute {
            type_sql: "\"pg_catalog\".\"bpchar\"".into(),
            values: vec!["DE".to_owned(), "GB".to_owned()],
            is_list: true,
        };
        let who = Principal {
            attributes: Arc::new(BTreeMap::from([("countries".to_owned(), countries)])),
            ..Principal::default()
        };
        let equals = |column: &str, values: &[String]| (column != "other").then_some(0.125 * values.len() as f32);
        let null = |column: &str| (column != "other").then_some(0.5);
        Chance::of(text).share(&who, &equals, &null)
    }

    #[test]
    fn conditions_that_statistics_know() {
        for (text, expected) in [
            ("country = 'DE'", 0.125),
            ("7 = customers.team_id", 0.125),
            ("country = ANY(:countries)", 0.25),
            ("country::text IN ('a', 'b', 'c')", 0.375),
            ("level <> 'gold'::public.level", 0.875),
            ("owner_id IS NULL", 0.5),
            ("NOT (owner_id IS NOT NULL)", 0.5),
            ("open", 0.125),
            ("country = ARRAY['a'] OR owner_id IS NULL", 0.625),
            ("country = 'DE' AND owner_id IS NULL", 0.0625),
            ("country = 'DE' AND lower(city) = 'x'", 0.125 * FEWER_ROWS),
            ("country = 'DE' OR amount > 5", 0.125),
        ] {
            assert_eq!(share(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn conditions_that_they_do_not_know() {
        for text in [
            "amount > 5",
            "'DE' = ANY(tags)",
            "tags = '{a,b}'",
            "other = 1",
            "other = 1 AND amount > 5",
            "NOT (amount > 5)",
            "city = name",
            "EXISTS (SELECT FROM members WHERE user_id = 1)",
            "country = ALL(:countries)",
            "country LIKE 'D%'",
        ] {
            assert_eq!(share(text), None, "{text}");
        }
    }
}
