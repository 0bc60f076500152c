//! XMLTABLE: a relation made of an XML document, which may come from what stands before it in FROM.

use super::facts::Facts;
use super::scope::{Col, Item, Scope, Source};
use super::{Analysis, lost, oid, unsupported};
use crate::refusal::Refusal;
use pg_query::NodeEnum;
use pg_query::protobuf::{RangeTableFunc, RangeTableFuncCol};

impl Analysis<'_> {
    /// Reads XMLTABLE. Its document, its paths and what they find may raise, so that the rows which it reads from are
    /// filtered first.
    pub(super) fn xml_table(&mut self, table: &RangeTableFunc, scope: &Scope<'_>) -> Result<Item, Refusal> {
        let mut facts = self.targets_of(&table.namespaces, scope)?;
        let mut columns = Vec::new();
        for part in [table.rowexpr.as_deref(), table.docexpr.as_deref()] {
            facts.absorb(&self.part(part, scope, None)?);
        }
        for node in &table.columns {
            let Some(NodeEnum::RangeTableFuncCol(column)) = node.node.as_ref() else {
                return Err(lost());
            };
            columns.push(self.xml_column(column, scope, &mut facts)?);
        }
        facts.not_total(|| "XMLTABLE".to_owned());
        if facts.set_returning {
            return Err(unsupported("a set-returning function in XMLTABLE"));
        }
        self.note(&facts);
        if facts.leaks() {
            self.fence(&facts.reach.all(), "XMLTABLE")?;
        }
        let reach = facts.reach.of_outer(self.first_own);
        for column in &mut columns {
            column.reach = reach.clone();
        }
        Ok(self.finish_item(columns, Source::Derived, table.alias.as_ref(), "xmltable", None))
    }

    fn xml_column(&mut self, column: &RangeTableFuncCol, scope: &Scope<'_>, facts: &mut Facts) -> Result<Col, Refusal> {
        let ty = match &column.type_name {
            Some(name) => self.type_name(name)?,
            None if column.for_ordinality => Some(oid::INT4),
            None => return Err(lost()),
        };
        for part in [column.colexpr.as_deref(), column.coldefexpr.as_deref()] {
            facts.absorb(&self.part(part, scope, None)?);
        }
        Ok(Col {
            name: column.colname.clone(),
            ty,
            collation: None,
            ..Col::default()
        })
    }
}
