//! JSON_TABLE: a relation made of a JSON document, which may come from what stands before it in FROM.

use super::facts::Facts;
use super::json::FIRST_WITH_QUERIES;
use super::scope::{Col, Item, Scope, Source};
use super::{Analysis, lost, oid, unsupported};
use crate::refusal::Refusal;
use pg_query::NodeEnum;
use pg_query::protobuf::{JsonTable, JsonTableColumn, JsonTableColumnType, Node};

impl Analysis<'_> {
    /// Reads JSON_TABLE. Its document, its paths and what they find may raise, so that the rows which it reads from are
    /// filtered first.
    pub(super) fn json_table(&mut self, table: &JsonTable, scope: &Scope<'_>) -> Result<Item, Refusal> {
        self.json_since(FIRST_WITH_QUERIES)?;
        let mut facts = self.json_value(table.context_item.as_deref(), scope)?;
        let path = table.pathspec.as_ref().and_then(|path| path.string.as_deref());
        facts.absorb(&self.part(path, scope, None)?);
        facts.absorb(&self.json_passing(&table.passing, scope)?);
        facts.absorb(&self.json_behavior(table.on_error.as_deref(), scope)?);
        let mut columns = Vec::new();
        self.json_columns(&table.columns, scope, &mut facts, &mut columns)?;
        facts.not_total(|| "JSON_TABLE".to_owned());
        if facts.set_returning {
            return Err(unsupported("a set-returning function in JSON_TABLE"));
        }
        self.note(&facts);
        if facts.leaks() {
            self.fence(&facts.reach.all(), "JSON_TABLE")?;
        }
        let reach = facts.reach.of_outer(self.first_own);
        for column in &mut columns {
            column.reach = reach.clone();
        }
        Ok(self.finish_item(columns, Source::Derived, table.alias.as_ref(), "json_table", None))
    }

    /// Reads COLUMNS (…); those of NESTED PATH follow where they stand, as PostgreSQL numbers them.
    fn json_columns(
        &mut self,
        list: &[Node],
        scope: &Scope<'_>,
        facts: &mut Facts,
        columns: &mut Vec<Col>,
    ) -> Result<(), Refusal> {
        for nested in [false, true] {
            for node in list {
                let Some(NodeEnum::JsonTableColumn(column)) = node.node.as_ref() else {
                    return Err(lost());
                };
                let is_nested = column.coltype() == JsonTableColumnType::JtcNested;
                if is_nested != nested {
                    continue;
                }
                let path = column.pathspec.as_ref().and_then(|path| path.string.as_deref());
                facts.absorb(&self.part(path, scope, None)?);
                for behavior in [column.on_empty.as_deref(), column.on_error.as_deref()] {
                    facts.absorb(&self.json_behavior(behavior, scope)?);
                }
                if is_nested {
                    self.json_columns(&column.columns, scope, facts, columns)?;
                } else {
                    columns.push(self.json_column(column)?);
                }
            }
        }
        Ok(())
    }

    fn json_column(&mut self, column: &JsonTableColumn) -> Result<Col, Refusal> {
        let ty = match &column.type_name {
            Some(name) => self.type_name(name)?,
            None if column.coltype() == JsonTableColumnType::JtcForOrdinality => Some(oid::INT4),
            None => return Err(lost()),
        };
        Ok(Col {
            name: column.name.clone(),
            ty,
            collation: None,
            ..Col::default()
        })
    }
}
