//! Operators: which one a symbol means, and whether it is total for its operands.

use super::facts::Facts;
use super::scope::{Col, Scope};
use super::{Analysis, lost, name_parts, oid, unsupported};
use crate::catalog::Oid;
use crate::refusal::Refusal;
use crate::sql::lists::{self, Depth};
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, Node};

impl Analysis<'_> {
    /// Reads an operation in any of the grammar's forms.
    pub fn operation(&mut self, operation: &AExpr, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let names = name_parts(&operation.name).ok_or_else(lost)?;
        let left = match operation.lexpr.as_deref() {
            Some(node) => Some(self.expression(node, scope)?),
            None => None,
        };
        let right = operation.rexpr.as_deref().ok_or_else(lost)?;
        let at = operation.location;
        match operation.kind() {
            AExprKind::AexprOp => {
                let right = self.expression(right, scope)?;
                self.operator_facts(&names, left.as_ref(), &right, at)
            }
            AExprKind::AexprDistinct | AExprKind::AexprNotDistinct => {
                let right = self.expression(right, scope)?;
                let mut facts = self.operator_facts(&["="], left.as_ref(), &right, at)?;
                facts.ty = Some(oid::BOOL);
                Ok(facts)
            }
            AExprKind::AexprNullif => {
                let right = self.expression(right, scope)?;
                let ty = left.as_ref().and_then(|l| l.ty);
                let mut facts = self.operator_facts(&["="], left.as_ref(), &right, at)?;
                facts.ty = ty;
                Ok(facts)
            }
            AExprKind::AexprOpAny | AExprKind::AexprOpAll => {
                let right = self.expression(right, scope)?;
                let element = right.ty.and_then(|t| self.element_of(t));
                let known = element.is_some() || right.untyped;
                let each = Facts {
                    ty: element,
                    literal: None,
                    ..right
                };
                let mut facts = self.operator_facts(&names, left.as_ref(), &each, at)?;
                if !known {
                    facts.not_total(|| "ANY or ALL of an array of unknown type".to_owned());
                }
                if names.last().is_some_and(|n| is_pattern(n)) {
                    facts.not_total(|| "a pattern that is not a constant".to_owned());
                }
                facts.ty = Some(oid::BOOL);
                Ok(facts)
            }
            AExprKind::AexprIn => {
                let Some(NodeEnum::List(list)) = right.node.as_ref() else {
                    return Err(lost());
                };
                let mut types = left.iter().filter(|f| !f.untyped).map(|f| f.ty).collect::<Vec<_>>();
                let mut facts = self.each(&["="], left.as_ref(), &list.items, &mut types, (scope, at))?;
                // what stands in it is brought to one type first
                if !self.convert_alike(&types) {
                    facts.not_total(|| "IN over different types".to_owned());
                }
                Ok(facts)
            }
            AExprKind::AexprLike | AExprKind::AexprIlike => {
                let right = self.expression(right, scope)?;
                self.operator_facts(&names, left.as_ref(), &right, at)
            }
            AExprKind::AexprSimilar => {
                let right = self.expression(right, scope)?;
                let mut facts = Facts::of(Some(oid::BOOL));
                if let Some(left) = &left {
                    facts.absorb(left);
                }
                facts.absorb(&right);
                facts.not_total(|| "SIMILAR TO".to_owned());
                Ok(facts)
            }
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {
                let Some(NodeEnum::List(list)) = right.node.as_ref() else {
                    return Err(lost());
                };
                self.each(&["<="], left.as_ref(), &list.items, &mut Vec::new(), (scope, at))
            }
            AExprKind::Undefined => Err(unsupported("this operation")),
        }
    }

    fn each(
        &mut self,
        names: &[&str],
        left: Option<&Facts>,
        items: &[Node],
        types: &mut Vec<Option<Oid>>,
        (scope, at): (&Scope<'_>, i32),
    ) -> Result<Facts, Refusal> {
        let mut whole = Facts::of(Some(oid::BOOL));
        for item in items {
            let right = self.expression(item, scope)?;
            if !right.untyped {
                types.push(right.ty);
            }
            let facts = self.operator_facts(names, left, &right, at)?;
            whole.absorb(&facts);
        }
        whole.ty = Some(oid::BOOL);
        Ok(whole)
    }

    /// The facts of one operator over operands that have been read.
    pub fn operator_facts(
        &mut self,
        names: &[&str],
        left: Option<&Facts>,
        right: &Facts,
        at: i32,
    ) -> Result<Facts, Refusal> {
        let (schema, symbol) = match names {
            [symbol] => (None, *symbol),
            [schema, symbol] => (Some(*schema), *symbol),
            _ => return Err(lost()),
        };
        let symbol = if symbol == "!=" { "<>" } else { symbol };
        let mut facts = Facts::default();
        if let Some(left) = left {
            facts.absorb(left);
        }
        facts.absorb(right);
        let ours = self.operator_is_builtin(schema, symbol, left, right, at)?;
        let l = left.map(|f| self.operand(f));
        let r = self.operand(right);
        facts.ty = self.result_type(symbol, l, r);
        let listed = match (l, r) {
            (Some(None), _) | (_, None) => false,
            (Some(l), r) => {
                lists::operator_is_total(symbol, l, r)
                    || (lists::operator_is_growing(symbol, l, r) && facts.may_grow())
                    || shifts_now(symbol, left, right)
            }
            (None, r) => lists::operator_is_total(symbol, None, r),
        };
        let leakproof = || {
            let (Some(Some(l)), Some(r)) = (l, r) else { return false };
            self.world.catalog.operators.get(symbol).is_some_and(|all| {
                all.iter()
                    .any(|o| o.leakproof && o.name.schema == "pg_catalog" && o.left == l && o.right == r)
            })
        };
        facts.now = shifts_now(symbol, left, right);
        facts.volatile |= !ours;
        let mut total = ours && (listed || leakproof()) && facts.collates();
        if total && is_pattern(symbol) {
            total = right.literal.as_deref().is_some_and(|pattern| {
                if symbol.contains("~~") {
                    lists::like_pattern_is_safe(pattern)
                } else {
                    lists::regex_is_safe(pattern)
                }
            });
        }
        let [left_is_shallow, right_is_shallow] = [left, Some(right)].map(|f| f.is_some_and(|f| f.shallow));
        total &= match lists::operator_depth(symbol, l.flatten(), r) {
            Depth::Flat => true,
            Depth::OfLeft => left_is_shallow,
            Depth::OfRight => right_is_shallow,
            Depth::OfBoth => left_is_shallow || right_is_shallow,
        };
        if !total {
            facts.not_total(|| format!("operator {symbol}"));
        }
        Ok(facts)
    }

    /// An operand's type as the lists know it; a literal or parameter takes the other side's.
    fn operand(&self, facts: &Facts) -> Option<Oid> {
        if facts.untyped {
            Some(lists::UNKNOWN)
        } else {
            facts.ty.map(|t| self.list_type(t))
        }
    }

    fn result_type(&self, symbol: &str, left: Option<Option<Oid>>, right: Option<Oid>) -> Option<Oid> {
        let all = self.world.catalog.operators.get(symbol)?;
        let builtin = || all.iter().filter(|o| o.name.schema == "pg_catalog");
        let (l, r) = match (left, right) {
            (Some(Some(lists::UNKNOWN)), Some(r)) => (r, r),
            (Some(Some(l)), Some(lists::UNKNOWN)) => (l, l),
            (Some(Some(l)), Some(r)) => (l, r),
            (None, Some(r)) => (0, r),
            _ => (u32::MAX, u32::MAX),
        };
        if let Some(exact) = builtin().find(|o| o.left == l && o.right == r) {
            return Some(exact.result);
        }
        let mut results = builtin().map(|o| o.result);
        let first = results.next()?;
        results.all(|r| r == first).then_some(first)
    }

    /// Does the symbol mean an operator of `pg_catalog` here? One of another schema needs the policy's word.
    fn operator_is_builtin(
        &self,
        schema: Option<&str>,
        symbol: &str,
        left: Option<&Facts>,
        right: &Facts,
        at: i32,
    ) -> Result<bool, Refusal> {
        let all = self.world.catalog.operators.get(symbol);
        let path = &self.unit()?.search_path;
        let mut others = all.into_iter().flatten().filter(|o| match schema {
            Some(s) => o.name.schema == s && s != "pg_catalog",
            None => o.name.schema != "pg_catalog" && path.contains(&o.name.schema),
        });
        let builtins = || all.into_iter().flatten().filter(|o| o.name.schema == "pg_catalog");
        if schema == Some("pg_catalog") {
            return Ok(true);
        }
        if schema.is_none() {
            let l = left.and_then(|f| f.ty);
            let r = right.ty;
            let exact = match (left.is_some(), l, r) {
                (true, Some(l), Some(r)) => builtins().any(|o| o.left == l && o.right == r),
                (true, Some(l), None) if right.untyped => builtins().any(|o| o.left == l && o.right == l),
                (true, None, Some(r)) if left.is_some_and(|f| f.untyped) => {
                    builtins().any(|o| o.left == r && o.right == r)
                }
                (false, _, Some(r)) => builtins().any(|o| o.left == 0 && o.right == r),
                _ => false,
            };
            if exact {
                return Ok(true);
            }
        }
        let mut found = false;
        let refused = others.find(|o| {
            found = true;
            !self.rights.functions.contains(&o.function_name)
        });
        if let Some(operator) = refused {
            return Err(self.place(
                Refusal::forbidden("operator-not-allowed", format!("permission denied for operator {}", operator.name))
                    .hint(format!(
                        "Write OPERATOR(pg_catalog.{symbol}), or ask the administrator of rowgate to name {} among your role's functions.",
                        operator.function_name
                    )),
                at,
            ));
        }
        Ok(!found && schema.is_none())
    }

    /// USING and NATURAL compare with `=`: of types of their own schema it needs the policy's word.
    pub fn merge_operator(&mut self, left: &Col, right: &Col) -> Result<(), Refusal> {
        let (one, other) = (self.facts_of_column(left), self.facts_of_column(right));
        let mut facts = self.operator_facts(&["="], Some(&one), &other, -1)?;
        if !self.convert_alike(&[left.ty, right.ty]) {
            facts.not_total(|| "a merged column of different types".to_owned());
        }
        self.note(&facts);
        if facts.leaks() {
            return self.fence(&facts.reach.all(), "a merged column whose comparison may raise");
        }
        Ok(())
    }

    /// What sorts, groups or tells values apart compares them: of types that compare without fail.
    pub fn require_comparable(&self, facts: &mut Facts, what: &str) {
        let ty = if facts.untyped { Some(oid::TEXT) } else { facts.ty };
        let compares = ty.is_some_and(|t| {
            let t = self.list_type(t);
            lists::operator_is_total("<", Some(t), Some(t))
        });
        if !compares || !facts.collates() {
            facts.not_total(|| what.to_owned());
        }
    }

    /// Notes a key of sorting, grouping or telling apart.
    pub fn note_comparison(&mut self, facts: &Facts, what: &str) {
        let mut key = facts.clone();
        self.require_comparable(&mut key, what);
        self.note(&key);
    }

    /// Can values of these types be brought to one type without fail?
    pub fn convert_alike(&self, types: &[Option<Oid>]) -> bool {
        let listed: Option<Vec<Oid>> = types.iter().map(|ty| ty.map(|t| self.list_type(t))).collect();
        match types {
            [] => true,
            [first, rest @ ..] => {
                first.is_some()
                    && (rest.iter().all(|ty| ty == first) || listed.is_some_and(|l| lists::convert_alike(&l)))
            }
        }
    }
}

/// Is it the present moment, moved by a moderate constant interval?
fn shifts_now(symbol: &str, left: Option<&Facts>, right: &Facts) -> bool {
    matches!(symbol, "+" | "-")
        && left.is_some_and(|l| l.now && l.total)
        && match right.ty {
            Some(oid::INTERVAL) => right.literal.as_deref().is_some_and(lists::interval_is_moderate),
            Some(oid::INT4) => right.integer.is_some_and(|days| days.abs() < 100_000),
            Some(_) | None => false,
        }
}

fn is_pattern(symbol: &str) -> bool {
    matches!(symbol, "~~" | "!~~" | "~~*" | "!~~*" | "~" | "!~" | "~*" | "!~*")
}
