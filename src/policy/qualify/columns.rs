//! Columns in a DBA's expression: of the sub-selects around it from the inside out, then of the row.

use super::expression::{Mode, Printed, Printer};
use super::{ROW_MARK, names};
use crate::catalog::Column;
use crate::name::quote_ident;
use pg_query::protobuf::ColumnRef;

impl<'a> Printer<'a> {
    pub(super) fn column(&self, column: &ColumnRef) -> Printed {
        let names = names::parts(&column.fields).ok_or("a whole row (*) cannot be used")?;
        match names.as_slice() {
            [name] => {
                for level in self.around.iter().rev() {
                    let mut found = level.iter().filter(|(_, r)| r.column(name).is_some());
                    if let Some((alias, _)) = found.next() {
                        if found.next().is_some() {
                            return Err(format!("column {name} is ambiguous"));
                        }
                        return Ok(format!("{}.{}", quote_ident(alias), quote_ident(name)));
                    }
                }
                self.row_column(name)
            }
            [table, name] => {
                for level in self.around.iter().rev() {
                    if let Some((alias, relation)) = level.iter().find(|(a, _)| a == table) {
                        if relation.column(name).is_none() {
                            return Err(format!("there is no column {table}.{name}"));
                        }
                        return Ok(format!("{}.{}", quote_ident(alias), quote_ident(name)));
                    }
                }
                if *table == self.row.name.name {
                    return self.row_column(name);
                }
                Err(format!("there is no relation {table} here"))
            }
            _ => Err("a column's name has too many parts".to_owned()),
        }
    }

    /// The column that a name of one or two parts means here.
    pub(super) fn column_named(&self, names: &[&str]) -> Option<&'a Column> {
        let (table, name) = match names {
            [name] => (None, *name),
            [table, name] => (Some(*table), *name),
            _ => return None,
        };
        let around = self.around.iter().rev().flatten();
        let inner = around
            .filter(|(alias, _)| table.is_none_or(|t| t == alias))
            .find_map(|(_, relation)| relation.column(name));
        inner.or_else(|| self.row.column(name))
    }

    fn row_column(&self, name: &str) -> Printed {
        if self.row.column(name).is_none() {
            let hint = crate::policy::file::did_you_mean(name, self.row.columns.iter().map(|c| c.name.as_str()))
                .map(|h| format!(": {h}"))
                .unwrap_or_default();
            return Err(format!("there is no column {name} in {}{hint}", self.row.name));
        }
        match &self.mode {
            Mode::Policy { .. } => Ok(format!("{ROW_MARK}.{}", quote_ident(name))),
            Mode::Generated { input } => input(name).ok_or_else(|| format!("column {name} is hidden")),
        }
    }
}
