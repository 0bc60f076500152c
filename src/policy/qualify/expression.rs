//! Printing one expression: every kind of node that can be qualified, and a refusal for every other.

use super::total::{self, Kind};
use super::{ATTRIBUTE_MARK, names, zone};
use crate::catalog::{Catalog, Relation};
use crate::name::{quote_ident, quote_literal};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, BoolExpr, BoolExprType, BoolTestType, BooleanTest, CaseExpr, FuncCall, MinMaxOp, Node, NullTestType,
    SqlValueFunctionOp, TypeCast, a_const,
};

/// What an expression may hold and what its columns are.
pub(super) enum Mode<'a> {
    /// A DBA's expression with attributes.
    Policy { attributes: &'a [String] },
    /// A generation expression over inputs given as SQL; only what is total.
    Generated { input: &'a dyn Fn(&str) -> Option<String> },
}

/// Prints expressions over one row.
pub(super) struct Printer<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) row: &'a Relation,
    pub(super) mode: Mode<'a>,
    /// Relations of the sub-selects around the expression, the innermost last.
    pub(super) around: Vec<Vec<(String, &'a Relation)>>,
    depth: usize,
}

pub(super) type Printed = Result<String, String>;

impl<'a> Printer<'a> {
    pub(super) fn for_policy(catalog: &'a Catalog, row: &'a Relation, attributes: &'a [String]) -> Self {
        Self {
            catalog,
            row,
            mode: Mode::Policy { attributes },
            around: Vec::new(),
            depth: 0,
        }
    }

    pub(super) fn for_generated(
        catalog: &'a Catalog,
        row: &'a Relation,
        input: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            catalog,
            row,
            mode: Mode::Generated { input },
            around: Vec::new(),
            depth: 0,
        }
    }

    pub(super) fn expression(&mut self, node: &Node) -> Printed {
        const DEEPEST: usize = 100;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        let printed = self.node(node);
        self.depth -= 1;
        printed
    }

    fn node(&mut self, node: &Node) -> Printed {
        let Some(node) = &node.node else {
            return Err("a part of it is missing".to_owned());
        };
        match node {
            NodeEnum::AConst(constant) => literal(constant),
            NodeEnum::ColumnRef(column) => self.column(column),
            NodeEnum::ParamRef(parameter) => self.attribute(parameter.number),
            NodeEnum::TypeCast(cast) => self.cast(cast),
            NodeEnum::AExpr(operation) => self.operation(operation),
            NodeEnum::BoolExpr(both) => self.boolean(both),
            NodeEnum::NullTest(test) => {
                let is = match test.nulltesttype() {
                    NullTestType::IsNull => "IS NULL",
                    NullTestType::IsNotNull => "IS NOT NULL",
                    NullTestType::Undefined => return Err("a NULL test cannot be read".to_owned()),
                };
                Ok(format!("({} {is})", self.part(test.arg.as_deref())?))
            }
            NodeEnum::BooleanTest(test) => self.boolean_test(test),
            NodeEnum::CaseExpr(case) => self.case(case),
            NodeEnum::CoalesceExpr(list) => Ok(format!("COALESCE({})", self.list(&list.args)?)),
            NodeEnum::MinMaxExpr(list) => {
                let word = match list.op() {
                    MinMaxOp::IsGreatest => "GREATEST",
                    MinMaxOp::IsLeast => "LEAST",
                    MinMaxOp::Undefined => return Err("GREATEST or LEAST cannot be read".to_owned()),
                };
                Ok(format!("{word}({})", self.list(&list.args)?))
            }
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::AArrayExpr(array) => Ok(format!("ARRAY[{}]", self.list(&array.elements)?)),
            NodeEnum::SubLink(link) if self.is_policy() => self.sub_select(link),
            NodeEnum::SqlvalueFunction(value) if self.is_policy() => match value.op() {
                SqlValueFunctionOp::SvfopCurrentDate => {
                    Ok("(pg_catalog.timezone('UTC'::pg_catalog.text, pg_catalog.now()))::pg_catalog.date".to_owned())
                }
                SqlValueFunctionOp::SvfopCurrentTimestamp => Ok("pg_catalog.now()".to_owned()),
                _ => Err("it depends on the session (use :login for the person, now() for the time)".to_owned()),
            },
            NodeEnum::List(list) => self.list(&list.items),
            _ => Err("it holds a kind of expression that cannot be qualified".to_owned()),
        }
    }

    pub(super) fn is_policy(&self) -> bool {
        matches!(self.mode, Mode::Policy { .. })
    }

    pub(super) fn part(&mut self, node: Option<&Node>) -> Printed {
        self.expression(node.ok_or("a part of it is missing")?)
    }

    pub(super) fn list(&mut self, nodes: &[Node]) -> Printed {
        let printed: Result<Vec<String>, String> = nodes.iter().map(|n| self.expression(n)).collect();
        Ok(printed?.join(", "))
    }

    fn attribute(&self, number: i32) -> Printed {
        let Mode::Policy { attributes } = &self.mode else {
            return Err("it has a parameter".to_owned());
        };
        usize::try_from(number)
            .ok()
            .and_then(|n| attributes.get(n.checked_sub(1)?))
            .map(|name| format!("({ATTRIBUTE_MARK}{name}{ATTRIBUTE_MARK})"))
            .ok_or_else(|| "it has an unknown parameter".to_owned())
    }

    fn cast(&mut self, cast: &TypeCast) -> Printed {
        let to = cast.type_name.as_ref().ok_or("a cast has no type")?;
        let type_sql = names::type_name(self.catalog, to)?;
        let total = [
            "\"pg_catalog\".\"text\"",
            "\"pg_catalog\".\"varchar\"",
            "\"pg_catalog\".\"numeric\"",
            "\"pg_catalog\".\"bpchar\"",
        ];
        if self.is_policy() {
            zone::cast(self, cast, &type_sql)?;
        }
        let of_constant = matches!(
            cast.arg.as_ref().and_then(|a| a.node.as_ref()),
            Some(NodeEnum::AConst(_))
        );
        if !self.is_policy() && !of_constant && !total.contains(&type_sql.as_str()) {
            return Err("a cast that may fail".to_owned());
        }
        if !self.is_policy() && !of_constant && type_sql == "\"pg_catalog\".\"numeric\"" {
            let is_number = cast.arg.as_deref().and_then(|a| total::kind(self.row, self.catalog, a));
            if !matches!(is_number, Some(Kind::Whole | Kind::Decimal)) {
                return Err("a cast that may fail".to_owned());
            }
        }
        Ok(format!("({})::{type_sql}", self.part(cast.arg.as_deref())?))
    }

    fn boolean(&mut self, both: &BoolExpr) -> Printed {
        let printed: Result<Vec<String>, String> = both.args.iter().map(|n| self.expression(n)).collect();
        let printed = printed?;
        match both.boolop() {
            BoolExprType::AndExpr => Ok(format!("({})", printed.join(" AND "))),
            BoolExprType::OrExpr => Ok(format!("({})", printed.join(" OR "))),
            BoolExprType::NotExpr => Ok(format!("(NOT {})", printed.join(""))),
            BoolExprType::Undefined => Err("AND, OR or NOT cannot be read".to_owned()),
        }
    }

    fn boolean_test(&mut self, test: &BooleanTest) -> Printed {
        let is = match test.booltesttype() {
            BoolTestType::IsTrue => "IS TRUE",
            BoolTestType::IsNotTrue => "IS NOT TRUE",
            BoolTestType::IsFalse => "IS FALSE",
            BoolTestType::IsNotFalse => "IS NOT FALSE",
            BoolTestType::IsUnknown => "IS UNKNOWN",
            BoolTestType::IsNotUnknown => "IS NOT UNKNOWN",
            BoolTestType::Undefined => return Err("a boolean test cannot be read".to_owned()),
        };
        Ok(format!("({} {is})", self.part(test.arg.as_deref())?))
    }

    fn case(&mut self, case: &CaseExpr) -> Printed {
        let subject = match case.arg.as_deref() {
            Some(node) => Some(self.expression(node)?),
            None => None,
        };
        let mut out = String::from("(CASE");
        for arm in &case.args {
            let Some(NodeEnum::CaseWhen(arm)) = &arm.node else {
                return Err("a CASE has an arm that cannot be read".to_owned());
            };
            let when = self.part(arm.expr.as_deref())?;
            let when = match &subject {
                Some(subject) => format!("({subject} OPERATOR(pg_catalog.=) {when})"),
                None => when,
            };
            out.push_str(&format!(" WHEN {when} THEN {}", self.part(arm.result.as_deref())?));
        }
        if let Some(otherwise) = case.defresult.as_deref() {
            out.push_str(&format!(" ELSE {}", self.expression(otherwise)?));
        }
        out.push_str(" END)");
        Ok(out)
    }

    fn call(&mut self, call: &FuncCall) -> Printed {
        let plain = call.agg_order.is_empty()
            && call.agg_filter.is_none()
            && call.over.is_none()
            && !call.agg_within_group
            && !call.agg_star
            && !call.agg_distinct
            && !call.func_variadic;
        if !plain {
            return Err("aggregates, window functions and VARIADIC cannot be used".to_owned());
        }
        if call
            .args
            .iter()
            .any(|a| matches!(a.node, Some(NodeEnum::NamedArgExpr(_))))
        {
            return Err("named arguments cannot be used".to_owned());
        }
        let name = names::function(self.catalog, &call.funcname, call.args.len())?;
        if self.is_policy() {
            zone::call(self, &name, call)?;
        }
        if !self.is_policy()
            && !total::FUNCTIONS
                .iter()
                .any(|t| name == format!("pg_catalog.{}", quote_ident(t)))
        {
            return Err(format!("{name} may fail"));
        }
        Ok(format!("{name}({})", self.list(&call.args)?))
    }
}

fn literal(constant: &AConst) -> Printed {
    if constant.isnull {
        return Ok("NULL".to_owned());
    }
    Ok(match &constant.val {
        Some(a_const::Val::Ival(n)) => n.ival.to_string(),
        Some(a_const::Val::Fval(n)) => n.fval.clone(),
        Some(a_const::Val::Boolval(yes)) => if yes.boolval { "TRUE" } else { "FALSE" }.to_owned(),
        Some(a_const::Val::Sval(text)) => quote_literal(&text.sval),
        Some(a_const::Val::Bsval(_)) => return Err("bit strings cannot be used".to_owned()),
        None => "0".to_owned(),
    })
}
