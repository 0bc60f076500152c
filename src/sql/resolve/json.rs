//! SQL/JSON constructors and queries: their parts are read; none of them counts as total.

use super::facts::Facts;
use super::scope::Scope;
use super::{Analysis, lost, oid, unsupported};
use crate::refusal::Refusal;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    JsonAggConstructor, JsonArrayQueryConstructor, JsonBehavior, JsonExprOp, JsonFuncExpr, JsonOutput, JsonValueExpr,
    Node, SubLink, SubLinkType,
};

/// Before these versions the same words are calls of functions that somebody may have made.
const FIRST_WITH_CONSTRUCTORS: u32 = 160_000;
pub(super) const FIRST_WITH_QUERIES: u32 = 170_000;

impl Analysis<'_> {
    /// Reads a SQL/JSON expression.
    pub fn json(&mut self, node: &Node, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let node = node.node.as_ref().ok_or_else(lost)?;
        match node {
            NodeEnum::JsonObjectConstructor(_)
            | NodeEnum::JsonArrayConstructor(_)
            | NodeEnum::JsonArrayQueryConstructor(_)
            | NodeEnum::JsonObjectAgg(_)
            | NodeEnum::JsonArrayAgg(_)
            | NodeEnum::JsonIsPredicate(_) => self.json_since(FIRST_WITH_CONSTRUCTORS)?,
            _ => self.json_since(FIRST_WITH_QUERIES)?,
        }
        let mut facts = match node {
            NodeEnum::JsonObjectConstructor(object) => {
                let mut facts = self.json_parts(&object.exprs, scope)?;
                facts.absorb(&self.json_output(object.output.as_ref())?);
                facts
            }
            NodeEnum::JsonArrayConstructor(array) => {
                let mut facts = self.json_parts(&array.exprs, scope)?;
                facts.absorb(&self.json_output(array.output.as_ref())?);
                facts
            }
            NodeEnum::JsonObjectAgg(aggregate) => {
                let pair = aggregate.arg.as_deref().ok_or_else(lost)?;
                let mut facts = self.part(pair.key.as_deref(), scope, None)?;
                facts.absorb(&self.json_value(pair.value.as_deref(), scope)?);
                facts.absorb(&self.json_aggregate(aggregate.constructor.as_deref(), scope)?);
                facts
            }
            NodeEnum::JsonArrayAgg(aggregate) => {
                let mut facts = self.json_value(aggregate.arg.as_deref(), scope)?;
                facts.absorb(&self.json_aggregate(aggregate.constructor.as_deref(), scope)?);
                facts
            }
            NodeEnum::JsonIsPredicate(test) => self.part(test.expr.as_deref(), scope, Some(oid::BOOL))?,
            NodeEnum::JsonParseExpr(parse) => self.json_value(parse.expr.as_deref(), scope)?,
            NodeEnum::JsonScalarExpr(scalar) => self.part(scalar.expr.as_deref(), scope, None)?,
            NodeEnum::JsonSerializeExpr(serialize) => {
                let mut facts = self.json_value(serialize.expr.as_deref(), scope)?;
                facts.absorb(&self.json_output(serialize.output.as_ref())?);
                facts
            }
            NodeEnum::JsonArrayQueryConstructor(array) => self.json_array_of_query(array, scope)?,
            NodeEnum::JsonFuncExpr(function) => self.json_function(function, scope)?,
            _ => return Err(unsupported("this SQL/JSON expression")),
        };
        facts.not_total(|| "a SQL/JSON expression".to_owned());
        Ok(facts)
    }

    /// Refuses what the server reads otherwise.
    pub(super) fn json_since(&self, first: u32) -> Result<(), Refusal> {
        if self.world.catalog.server_version < first {
            let first = first / 10_000;
            return Err(unsupported(&format!(
                "this SQL/JSON on a server before PostgreSQL {first}"
            )));
        }
        Ok(())
    }

    /// JSON_EXISTS, JSON_QUERY and JSON_VALUE.
    fn json_function(&mut self, function: &JsonFuncExpr, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let mut facts = self.json_value(function.context_item.as_deref(), scope)?;
        facts.absorb(&self.part(function.pathspec.as_deref(), scope, None)?);
        facts.absorb(&self.json_passing(&function.passing, scope)?);
        for behavior in [function.on_empty.as_deref(), function.on_error.as_deref()] {
            facts.absorb(&self.json_behavior(behavior, scope)?);
        }
        let usual = match function.op() {
            JsonExprOp::JsonExistsOp => oid::BOOL,
            JsonExprOp::JsonQueryOp => oid::JSONB,
            JsonExprOp::JsonValueOp => oid::TEXT,
            JsonExprOp::Undefined | JsonExprOp::JsonTableOp => return Err(lost()),
        };
        let output = self.json_output(function.output.as_ref())?;
        facts.ty = output.ty.or(Some(usual));
        Ok(facts)
    }

    /// `JSON_ARRAY(SELECT …)`: the array of what a query yields.
    fn json_array_of_query(&mut self, array: &JsonArrayQueryConstructor, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let link = SubLink {
            sub_link_type: SubLinkType::ArraySublink.into(),
            subselect: array.query.clone(),
            location: array.location,
            ..SubLink::default()
        };
        let mut facts = self.sub_link(&link, scope)?;
        facts.ty = None;
        facts.absorb(&self.json_output(array.output.as_ref())?);
        Ok(facts)
    }

    /// `PASSING value AS name, …`.
    pub(super) fn json_passing(&mut self, passing: &[Node], scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let mut facts = Facts::default();
        for node in passing {
            let Some(NodeEnum::JsonArgument(argument)) = node.node.as_ref() else {
                return Err(lost());
            };
            facts.absorb(&self.json_value(argument.val.as_deref(), scope)?);
        }
        Ok(facts)
    }

    /// `… ON EMPTY` or `… ON ERROR`, which may hold an expression.
    pub(super) fn json_behavior(
        &mut self,
        behavior: Option<&JsonBehavior>,
        scope: &Scope<'_>,
    ) -> Result<Facts, Refusal> {
        self.part(behavior.and_then(|b| b.expr.as_deref()), scope, None)
    }

    fn json_parts(&mut self, nodes: &[Node], scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let mut facts = Facts::default();
        for node in nodes {
            let part = match node.node.as_ref().ok_or_else(lost)? {
                NodeEnum::JsonKeyValue(pair) => {
                    let mut facts = self.part(pair.key.as_deref(), scope, None)?;
                    facts.absorb(&self.json_value(pair.value.as_deref(), scope)?);
                    facts
                }
                NodeEnum::JsonValueExpr(value) => self.json_value(Some(value), scope)?,
                _ => return Err(unsupported("this SQL/JSON expression")),
            };
            facts.absorb(&part);
        }
        Ok(facts)
    }

    pub(super) fn json_value(&mut self, value: Option<&JsonValueExpr>, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        self.part(value.ok_or_else(lost)?.raw_expr.as_deref(), scope, None)
    }

    fn json_output(&mut self, output: Option<&JsonOutput>) -> Result<Facts, Refusal> {
        if let Some(name) = output.and_then(|o| o.type_name.as_ref()) {
            return Ok(Facts::of(self.type_name(name)?));
        }
        Ok(Facts::default())
    }

    fn json_aggregate(&mut self, of: Option<&JsonAggConstructor>, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let of = of.ok_or_else(lost)?;
        let mut facts = self.json_output(of.output.as_ref())?;
        facts.absorb(&self.part(of.agg_filter.as_deref(), scope, None)?);
        facts.absorb(&self.all(&of.agg_order, scope)?);
        match &of.over {
            Some(window) => {
                facts.absorb(&self.window(window, scope)?);
                facts.window = true;
            }
            None => facts.aggregate = true,
        }
        Ok(facts)
    }
}
