//! Operators in a DBA's expression, and the words that stand for some.

use super::expression::{Printed, Printer};
use super::{names, total, zone};
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, Node};

impl Printer<'_> {
    pub(super) fn operation(&mut self, operation: &AExpr) -> Printed {
        let left = operation.lexpr.as_deref();
        let right = operation.rexpr.as_deref();
        if self.is_policy() {
            zone::operands(self, &[left, right])?;
        }
        match operation.kind() {
            AExprKind::AexprOp => {
                let operator = self.operator(&operation.name)?;
                if !self.is_policy() && !total::operation(self.row, self.catalog, operation) {
                    return Err("an operator that may fail".to_owned());
                }
                let shifted = if self.is_policy() {
                    zone::shifted(self, operation)
                } else {
                    None
                };
                let right = self.part(right)?;
                let Some(left) = left else {
                    return Ok(format!("({operator} {right})"));
                };
                let left = self.expression(left)?;
                Ok(match shifted {
                    Some(zone::Side::Left) => zone::in_utc(&format!("{} {operator} {right}", zone::in_utc(&left))),
                    Some(zone::Side::Right) => zone::in_utc(&format!("{left} {operator} {}", zone::in_utc(&right))),
                    None => format!("({left} {operator} {right})"),
                })
            }
            AExprKind::AexprOpAny | AExprKind::AexprOpAll => {
                let word = if operation.kind() == AExprKind::AexprOpAny {
                    "ANY"
                } else {
                    "ALL"
                };
                let operator = self.operator(&operation.name)?;
                let left = self.part(left)?;
                Ok(format!("({left} {operator} {word} ({}))", self.part(right)?))
            }
            AExprKind::AexprIn => {
                let operator = self.operator(&operation.name)?;
                let negated = operator.contains(".<>");
                let left = self.part(left)?;
                let Some(NodeEnum::List(list)) = right.and_then(|r| r.node.as_ref()) else {
                    return Err("IN has no list".to_owned());
                };
                let mut each = Vec::new();
                for item in &list.items {
                    each.push(format!("({left} {operator} {})", self.expression(item)?));
                }
                Ok(format!("({})", each.join(if negated { " AND " } else { " OR " })))
            }
            AExprKind::AexprLike | AExprKind::AexprIlike => {
                let operator = self.operator(&operation.name)?;
                let left = self.part(left)?;
                Ok(format!("({left} {operator} {})", self.part(right)?))
            }
            AExprKind::AexprBetween | AExprKind::AexprNotBetween => {
                let Some(NodeEnum::List(list)) = right.and_then(|r| r.node.as_ref()) else {
                    return Err("BETWEEN has no bounds".to_owned());
                };
                let [low, high] = list.items.as_slice() else {
                    return Err("BETWEEN has no bounds".to_owned());
                };
                let left = self.part(left)?;
                let (low, high) = (self.expression(low)?, self.expression(high)?);
                let inside =
                    format!("(({left} OPERATOR(pg_catalog.>=) {low}) AND ({left} OPERATOR(pg_catalog.<=) {high}))");
                Ok(if operation.kind() == AExprKind::AexprBetween {
                    inside
                } else {
                    format!("(NOT {inside})")
                })
            }
            AExprKind::AexprDistinct | AExprKind::AexprNotDistinct => {
                let (left, right) = (self.part(left)?, self.part(right)?);
                let same = format!(
                    "(CASE WHEN (({left} IS NULL) OR ({right} IS NULL)) THEN (({left} IS NULL) AND ({right} IS NULL)) \
                     ELSE ({left} OPERATOR(pg_catalog.=) {right}) END)"
                );
                Ok(if operation.kind() == AExprKind::AexprNotDistinct {
                    same
                } else {
                    format!("(NOT {same})")
                })
            }
            AExprKind::AexprNullif => {
                Err("NULLIF cannot be qualified: write CASE WHEN a = b THEN NULL ELSE a END".to_owned())
            }
            AExprKind::AexprSimilar
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym
            | AExprKind::Undefined => Err("it holds an operator that cannot be qualified".to_owned()),
        }
    }

    fn operator(&self, name: &[Node]) -> Printed {
        let (printed, symbol) = names::operator(self.catalog, name)?;
        let total = printed.starts_with("OPERATOR(pg_catalog.") && total::is_known(&symbol);
        if self.is_policy() || total {
            Ok(printed)
        } else {
            Err(format!("operator {symbol} may fail"))
        }
    }
}
