//! SQL/JSON constructors and queries: their parts are read; none of them counts as total.

use super::facts::Facts;
use super::scope::Scope;
use super::{Analysis, lost, oid, unsupported};
use crate::refusal::Refusal;
use pg_query::NodeEnum;
use pg_query::protobuf::{JsonAggConstructor, JsonOutput, JsonValueExpr, Node};

/// Before this version these are calls of functions that somebody may have made.
const FIRST_WITH_CONSTRUCTORS: u32 = 160_000;

impl Analysis<'_> {
    /// Reads a SQL/JSON expression.
    pub fn json(&mut self, node: &Node, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        if self.world.catalog.server_version < FIRST_WITH_CONSTRUCTORS {
            return Err(unsupported("SQL/JSON on a server before PostgreSQL 16"));
        }
        let mut facts = match node.node.as_ref().ok_or_else(lost)? {
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
            _ => return Err(unsupported("this SQL/JSON expression")),
        };
        facts.not_total(|| "a SQL/JSON expression".to_owned());
        Ok(facts)
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

    fn json_value(&mut self, value: Option<&JsonValueExpr>, scope: &Scope<'_>) -> Result<Facts, Refusal> {
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
