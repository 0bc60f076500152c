//! Which columns conditions and masks look at.

use crate::catalog::{Column, Relation};
use crate::policy::decision::{ColumnView, ROW_ALIAS, TableView};
use crate::sql::census::census;
use std::collections::BTreeSet;

/// Columns that the masks of other columns look at: to change them would change what shows.
pub(super) fn mask_inputs(relation: &Relation, view: &TableView) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (column, shown) in relation.columns.iter().zip(&view.columns) {
        if let ColumnView::Masked { sql, mask, .. } = shown
            && mask.split('|').any(|word| word == "sql")
        {
            names.extend(row_columns(sql).unwrap_or_else(|| relation.columns.iter().map(|c| c.name.clone()).collect()));
            names.remove(&column.name);
        }
    }
    add_inputs(&mut names, relation);
    names
}

/// What generated columns among these are computed from is looked at, too.
fn add_inputs(names: &mut BTreeSet<String>, relation: &Relation) {
    for column in relation.columns.iter().filter(|c| c.is_generated) {
        if names.contains(&column.name) {
            let inputs = column
                .generated_from
                .iter()
                .filter_map(|n| relation.column_by_number(*n));
            names.extend(inputs.map(|c| c.name.clone()));
        }
    }
}

/// The columns of the row that an expression names; `None` where it names the whole row or cannot be read.
fn row_columns(sql: &str) -> Option<BTreeSet<String>> {
    let tree = pg_query::parse(&format!("SELECT ({sql})"), pg_query::ParserOptions::DEFAULT).ok()?;
    let mut names = BTreeSet::new();
    for column in census(&tree.protobuf).columns {
        if column.parts.first().is_some_and(|p| p == ROW_ALIAS) {
            match column.parts.as_slice() {
                [_, name] if name != "*" => names.insert(name.clone()),
                _ => return None,
            };
        }
    }
    Some(names)
}

/// Which columns the conditions on a row look at.
pub(super) struct Deciding {
    names: Option<BTreeSet<String>>,
}

impl Deciding {
    pub(super) fn of(predicates: &[String], relation: &Relation) -> Self {
        let mut names = BTreeSet::new();
        for sql in predicates {
            let Some(found) = row_columns(sql) else {
                return Self { names: None };
            };
            names.extend(found);
        }
        add_inputs(&mut names, relation);
        Self { names: Some(names) }
    }

    pub(super) fn has(&self, column: &Column) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(&column.name))
    }
}
