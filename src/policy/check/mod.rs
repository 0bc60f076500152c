//! Does what the policy names exist, and fit? Ties a written policy to a catalogue and tells every problem.

mod directory;
mod roles;
mod tables;
mod temporary;

use super::PolicySet;
use super::bound::Bound;
use super::file::{Problem, Problems};
use super::written::Written;
use crate::catalog::Catalog;
use crate::identity::directory::Shape;
use std::sync::Arc;

/// Everything that the checks look at and write down.
struct Check<'a> {
    written: &'a Written,
    catalog: &'a Catalog,
    shape: &'a Shape,
    problems: &'a Problems,
    bound: Bound,
}

/// Ties `written` to `catalog`. `shape` says which attributes people have.
///
/// The set is usable even where there are errors: each table that an error is about is denied to everybody. At
/// load the caller refuses a set with errors; when the database changes under a good set, this is what keeps it
/// closed. `before` is the same policy tied to an earlier catalogue: what it protected and no table names any
/// more (a renamed relation) is closed too.
pub fn bind(
    written: &Arc<Written>,
    catalog: &Catalog,
    shape: &Shape,
    before: Option<&PolicySet>,
) -> (PolicySet, Vec<Problem>) {
    let problems = Problems::default();
    let mut check = Check {
        written,
        catalog,
        shape,
        problems: &problems,
        bound: Bound::default(),
    };
    check.tables();
    check.roles();
    check.bound.spread(catalog);
    check.nesting();
    check.directory();
    if let Some(before) = before {
        for oid in before.bound.protected() {
            if check.bound.cover(oid).is_none() && catalog.relations.contains_key(&oid) {
                check.bound.close(oid);
            }
        }
    }
    let set = PolicySet {
        written: Arc::clone(written),
        bound: Arc::new(check.bound),
        memo: Arc::default(),
        closed: Arc::default(),
    };
    (set, problems.into_sorted())
}
