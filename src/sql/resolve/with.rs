//! The order in which the queries of a WITH are read: what a recursive one names comes before it, wherever it stands.

use crate::sql::census::census_of_node;
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, WithClause};
use std::collections::BTreeSet;

/// The queries of a WITH, each behind those that it names. Queries that name each other, which PostgreSQL refuses, keep
/// their order.
pub(super) fn in_order(with: &WithClause) -> Vec<&Node> {
    let named = |node: &Node| match node.node.as_ref() {
        Some(NodeEnum::CommonTableExpr(cte)) => cte.ctename.clone(),
        Some(_) | None => String::new(),
    };
    let mut open: Vec<(&Node, String, BTreeSet<String>)> = with
        .ctes
        .iter()
        .map(|node| {
            let relations = census_of_node(node).relations;
            let bare = relations.into_iter().filter(|r| r.schema.is_empty()).map(|r| r.name);
            (node, named(node), bare.collect())
        })
        .collect();
    let mut order = Vec::with_capacity(open.len());
    while !open.is_empty() {
        let waits = |(_, own, names): &(&Node, String, BTreeSet<String>)| {
            open.iter().any(|(_, other, _)| other != own && names.contains(other))
        };
        let next = match with.recursive {
            true => open.iter().position(|item| !waits(item)).unwrap_or(0),
            false => 0,
        };
        order.push(open.remove(next).0);
    }
    order
}
