//! What a statement that writes stores and returns, in the text that will be sent: each value has passed what the policy says
//! of its column, and what is returned begins with the check.

use super::walk::Walk;
use super::writes::{column_place, columns_named};
use super::{Check, broken};
use crate::catalog::Relation;
use crate::policy::Writes;
use crate::refusal::Refusal;
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, ReturningClause};
use std::ops::Range;

impl Check<'_> {
    /// The assignments: free ones, or a list in which each value has passed what the policy says of its column.
    pub(super) fn stored(
        &self,
        list: &[Node],
        relation: &Relation,
        writes: &Writes,
        checked: bool,
        walk: &Walk<'_>,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        let set = columns_named(list, relation)?;
        if writes.assigns_freely(&set) && !(checked && writes.update_check(&set).is_some()) {
            return Ok(());
        }
        let mut kept = Vec::new();
        let mut source = None;
        for node in list {
            let Some(NodeEnum::ResTarget(column)) = node.node.as_ref() else {
                return Err(broken("an assignment of an unknown kind"));
            };
            let at = column_place(relation, &column.name)?;
            match column.val.as_ref().and_then(|v| v.node.as_ref()) {
                Some(NodeEnum::SetToDefault(_)) if writes.assigns_freely(&[at].into()) => {}
                Some(NodeEnum::MultiAssignRef(several)) if column.indirection.is_empty() => {
                    let Some(NodeEnum::SubLink(link)) = several.source.as_ref().and_then(|s| s.node.as_ref()) else {
                        return Err(broken("assignments without their query"));
                    };
                    if source.is_some_and(|s| s != link.location) {
                        return Err(broken("assignments from several queries"));
                    }
                    source = Some(link.location);
                    kept.push(at);
                }
                Some(_) | None => return Err(broken("an assignment that is not held")),
            }
        }
        let at = source
            .and_then(|s| usize::try_from(s).ok())
            .ok_or_else(|| broken("assignments at no place"))?;
        let head = format!(
            "(SELECT {} FROM ((SELECT) AS \"rowgate:set\"",
            writes.assignments(&kept, checked).join(", ")
        );
        if !self.text.get(at..).is_some_and(|t| t.starts_with(&head)) {
            return Err(broken("assignments of other values"));
        }
        let open = walk.at(at).ok_or_else(|| broken("assignments at no token"))?;
        let close = walk.step(open);
        let places: Vec<String> = (1..=kept.len()).map(|n| format!("\"{n}\"")).collect();
        let tail = format!(") AS \"{}\"({}))", crate::policy::writes::NEW_ALIAS, places.join(", "));
        let end = walk.finish(close - 1);
        if !self.text.get(at..end).is_some_and(|t| t.ends_with(&tail)) {
            return Err(broken("assignments without their names"));
        }
        explained.push(at..at + head.len());
        Ok(())
    }

    /// The first thing returned is the check, so that nothing else is computed of a row that fails it.
    pub(super) fn checked(
        &self,
        check: Option<&str>,
        returning: Option<&ReturningClause>,
        explained: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        if returning.is_some_and(|r| !r.options.is_empty()) {
            return Err(broken("other names for what a write returns"));
        }
        for item in returning.iter().flat_map(|r| &r.exprs) {
            let star = match item.node.as_ref() {
                Some(NodeEnum::ResTarget(target)) => match target.val.as_ref().and_then(|v| v.node.as_ref()) {
                    Some(NodeEnum::ColumnRef(c)) => {
                        c.fields.len() == 1
                            && matches!(c.fields.first().and_then(|f| f.node.as_ref()), Some(NodeEnum::AStar(_)))
                    }
                    Some(_) | None => false,
                },
                Some(_) | None => return Err(broken("a returned value of an unknown kind")),
            };
            if star {
                return Err(broken("a star in what a write returns"));
            }
        }
        let Some(check) = check else { return Ok(()) };
        let first = returning.and_then(|r| r.exprs.first());
        let at = first
            .and_then(case_at)
            .ok_or_else(|| broken("a write without its check"))?;
        if !self.text.get(at..).is_some_and(|t| t.starts_with(check)) {
            return Err(broken("a write with another check"));
        }
        explained.push(at..at + check.len());
        Ok(())
    }
}

/// Where a returned value that is a CASE begins.
pub(super) fn case_at(item: &Node) -> Option<usize> {
    let Some(NodeEnum::ResTarget(target)) = item.node.as_ref() else {
        return None;
    };
    match target.val.as_ref()?.node.as_ref()? {
        NodeEnum::CaseExpr(case) => usize::try_from(case.location).ok(),
        _ => None,
    }
}
