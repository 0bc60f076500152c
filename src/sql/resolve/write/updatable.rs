//! Which views PostgreSQL writes through by itself (`view_query_is_auto_updatable` in rewriteHandler.c), and what it says of
//! others.

use super::target::Doing;
use crate::catalog::Relation;
use crate::refusal::{Refusal, SqlState};
use crate::sql::resolve::facts::Facts;
use pg_query::protobuf::{LimitOption, SelectStmt, SetOperation};

/// For anything but one relation in FROM.
pub(super) const NOT_SINGLE: &str =
    "Views that do not select from a single table or view are not automatically updatable.";

/// What keeps PostgreSQL from writing through a query, its select list and FROM aside.
pub(super) fn query_fault(select: &SelectStmt) -> Option<&'static str> {
    if select.op() != SetOperation::SetopNone {
        return Some("Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.");
    }
    let limited = select.limit_count.is_some() || select.limit_offset.is_some();
    let faults = [
        (
            !select.distinct_clause.is_empty(),
            "Views containing DISTINCT are not automatically updatable.",
        ),
        (
            !select.group_clause.is_empty(),
            "Views containing GROUP BY are not automatically updatable.",
        ),
        (
            select.having_clause.is_some(),
            "Views containing HAVING are not automatically updatable.",
        ),
        (
            select.with_clause.is_some(),
            "Views containing WITH are not automatically updatable.",
        ),
        (
            limited || select.limit_option() == LimitOption::WithTies,
            "Views containing LIMIT or OFFSET are not automatically updatable.",
        ),
        (!select.values_lists.is_empty(), NOT_SINGLE),
    ];
    faults.into_iter().find(|(is, _)| *is).map(|(_, why)| why)
}

/// What keeps it from writing through a column that is computed so.
pub(super) fn computes(facts: &Facts) -> &'static str {
    match (facts.aggregate, facts.window) {
        (true, _) => "Views that return aggregate functions are not automatically updatable.",
        (false, true) => "Views that return window functions are not automatically updatable.",
        (false, false) => "Views that return set-returning functions are not automatically updatable.",
    }
}

/// 55000, as PostgreSQL says it.
pub(super) fn not_updatable(view: &Relation, doing: Doing, why: &str) -> Refusal {
    let what = match doing {
        Doing::Insert => "insert into",
        Doing::Delete => "delete from",
        Doing::Merge => "merge into",
        Doing::Update | Doing::Truncate => "update",
    };
    let message = format!("cannot {what} view \"{}\"", view.name.name);
    Refusal::new("view-not-updatable", SqlState::ObjectNotInPrerequisiteState, message).detail(why.to_owned())
}
