//! How the rows of COPY FROM are held to the policy: there is no RETURNING, but a WHERE over the rows as they come.

use super::Writes;
use crate::catalog::Relation;
use crate::policy::decision::ROW_ALIAS;
use crate::sql::census::census;
use std::collections::BTreeSet;

/// What has to be done for a COPY into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyCheck {
    /// Nothing: every row may go in.
    Free,
    /// This condition of its WHERE holds on each row, or raises. It is seen before triggers, which change nothing.
    Where(String),
    /// The rows must be stored elsewhere first and inserted from there: the condition reads other rows or what is
    /// computed later, or a trigger may change them.
    Staged,
}

impl Writes {
    /// For a COPY of these columns.
    pub fn copy_check(&self, relation: &Relation, given: &BTreeSet<usize>) -> CopyCheck {
        if self
            .columns
            .iter()
            .enumerate()
            .any(|(at, c)| c.default.is_some() && !given.contains(&at))
        {
            return CopyCheck::Staged;
        }
        let Some(check) = self.insert_check(given, false) else {
            return CopyCheck::Free;
        };
        let condition = (!self.before_insert).then(|| in_place(&check, relation)).flatten();
        condition.map_or(CopyCheck::Staged, |sql| CopyCheck::Where(format!("({sql}) IS NULL")))
    }
}

/// A check as it can stand in COPY's own WHERE: over bare columns, and without what would make PostgreSQL store the
/// rows one by one. `None` where it reads other rows, the whole row, or columns that are computed later.
fn in_place(check: &str, relation: &Relation) -> Option<String> {
    const HEAD: &str = "SELECT (";
    let text = format!("{HEAD}{check})");
    let tree = pg_query::parse(&text, pg_query::ParserOptions::DEFAULT).ok()?;
    let census = census(&tree.protobuf);
    if census.queries != 1 {
        return None;
    }
    let qualifier = format!("\"{ROW_ALIAS}\".");
    let mut edits: Vec<(usize, &str, &str)> = Vec::new();
    for column in &census.columns {
        let [of, name] = column.parts.as_slice() else {
            return None;
        };
        if of != ROW_ALIAS || relation.column(name)?.is_generated {
            return None;
        }
        edits.push((usize::try_from(column.location).ok()?, &qualifier, ""));
    }
    for (name, location) in &census.functions {
        if name.last().is_some_and(|n| n == "clock_timestamp") {
            let at = usize::try_from(*location).ok()?;
            edits.push((at, "pg_catalog.clock_timestamp", "pg_catalog.now"));
        }
    }
    edits.sort_unstable();
    let mut out = String::with_capacity(check.len());
    let mut done = HEAD.len();
    for (at, old, new) in edits {
        out.push_str(text.get(done..at)?);
        out.push_str(new);
        done = at + text.get(at..)?.starts_with(old).then_some(old.len())?;
    }
    out.push_str(text.get(done..text.len() - 1)?);
    Some(out)
}
