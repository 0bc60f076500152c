//! Sub-selects in a DBA's condition: plain ones over named relations.

use super::expression::Printer;
use super::names;
use crate::catalog::Relation;
use crate::name::{QualifiedName, quote_ident};
use pg_query::NodeEnum;
use pg_query::protobuf::{JoinType, Node, SelectStmt, SetOperation, SubLink, SubLinkType};

impl<'a> Printer<'a> {
    pub(super) fn sub_select(&mut self, link: &SubLink) -> Result<String, String> {
        let Some(NodeEnum::SelectStmt(select)) = link.subselect.as_ref().and_then(|s| s.node.as_ref()) else {
            return Err("a sub-select cannot be read".to_owned());
        };
        match link.sub_link_type() {
            SubLinkType::ExistsSublink => Ok(format!("(EXISTS ({}))", self.select(select)?)),
            SubLinkType::ArraySublink => Ok(format!("ARRAY({})", self.select(select)?)),
            SubLinkType::AnySublink => {
                let left = self.part(link.testexpr.as_deref())?;
                let operator = if link.oper_name.is_empty() {
                    "OPERATOR(pg_catalog.=)".to_owned()
                } else {
                    names::operator(self.catalog, &link.oper_name)?.0
                };
                Ok(format!("({left} {operator} ANY ({}))", self.select(select)?))
            }
            SubLinkType::ExprSublink => {
                Err("a sub-select as a value may yield several rows: use EXISTS, IN or ARRAY(…)".to_owned())
            }
            _ => Err("a sub-select of this kind cannot be qualified".to_owned()),
        }
    }

    fn select(&mut self, select: &SelectStmt) -> Result<String, String> {
        let plain = select.distinct_clause.is_empty()
            && select.into_clause.is_none()
            && select.group_clause.is_empty()
            && select.having_clause.is_none()
            && select.window_clause.is_empty()
            && select.values_lists.is_empty()
            && select.sort_clause.is_empty()
            && select.limit_count.is_none()
            && select.limit_offset.is_none()
            && select.locking_clause.is_empty()
            && select.with_clause.is_none()
            && select.op() == SetOperation::SetopNone
            && !select.from_clause.is_empty();
        if !plain {
            return Err("a sub-select may hold SELECT, FROM, JOIN and WHERE only".to_owned());
        }
        self.around.push(Vec::new());
        let printed = self.select_body(select);
        self.around.pop();
        printed
    }

    fn select_body(&mut self, select: &SelectStmt) -> Result<String, String> {
        let mut from = Vec::new();
        for node in &select.from_clause {
            from.push(self.from(node)?);
        }
        let mut targets = Vec::new();
        for node in &select.target_list {
            let Some(NodeEnum::ResTarget(target)) = &node.node else {
                return Err("a sub-select's list cannot be read".to_owned());
            };
            targets.push(self.part(target.val.as_deref())?);
        }
        let filter = match select.where_clause.as_deref() {
            Some(node) => format!(" WHERE {}", self.expression(node)?),
            None => String::new(),
        };
        Ok(format!(
            "SELECT {} FROM {}{filter}",
            targets.join(", "),
            from.join(", ")
        ))
    }

    fn from(&mut self, node: &Node) -> Result<String, String> {
        match &node.node {
            Some(NodeEnum::RangeVar(range)) => {
                if !range.inh {
                    return Err("ONLY cannot be used".to_owned());
                }
                let relation = self.relation(&range.schemaname, &range.relname)?;
                let alias = match &range.alias {
                    Some(alias) if !alias.colnames.is_empty() => {
                        return Err("an alias cannot rename columns".to_owned());
                    }
                    Some(alias) => alias.aliasname.clone(),
                    None => range.relname.clone(),
                };
                let Some(level) = self.around.last_mut() else {
                    return Err("a relation stands outside a sub-select".to_owned());
                };
                if level.iter().any(|(a, _)| *a == alias) {
                    return Err(format!("the name {alias} is used twice"));
                }
                level.push((alias.clone(), relation));
                Ok(format!("{} AS {}", relation.name.to_sql(), quote_ident(&alias)))
            }
            Some(NodeEnum::JoinExpr(join)) => {
                if join.is_natural || !join.using_clause.is_empty() || join.alias.is_some() {
                    return Err("a join in a sub-select must say ON".to_owned());
                }
                let word = match join.jointype() {
                    JoinType::JoinInner => "JOIN",
                    JoinType::JoinLeft => "LEFT JOIN",
                    _ => return Err("only JOIN and LEFT JOIN can be used".to_owned()),
                };
                let left = self.from(join.larg.as_deref().ok_or("a join lacks a side")?)?;
                let right = self.from(join.rarg.as_deref().ok_or("a join lacks a side")?)?;
                let on = self.part(join.quals.as_deref())?;
                Ok(format!("({left} {word} {right} ON {on})"))
            }
            _ => Err("a sub-select may read relations only".to_owned()),
        }
    }

    fn relation(&self, schema: &str, name: &str) -> Result<&'a Relation, String> {
        let found = if schema.is_empty() {
            let mut all = self
                .catalog
                .relation_names
                .iter()
                .filter(|(n, _)| n.name == name && n.schema != "information_schema");
            let first = all.next();
            if all.next().is_some() {
                return Err(format!(
                    "relation {name} exists in several schemas: write schema.{name}"
                ));
            }
            first.and_then(|(_, oid)| self.catalog.relations.get(oid))
        } else {
            self.catalog.relation(&QualifiedName::new(schema, name))
        };
        found
            .map(AsRef::as_ref)
            .ok_or_else(|| format!("there is no relation {name}"))
    }
}
