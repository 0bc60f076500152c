//! What can be named of a table in commands about temporary rights.

use super::PolicySet;
use super::decision::{Access, ColumnView, Rows};
use super::print::{self, Family};
use super::scope::{Scopes, Wording};
use super::written::{Scope, TableRule};
use crate::catalog::{Catalog, Column, Relation};
use crate::identity::Principal;

impl PolicySet {
    /// The scopes that mean something on a table, those of its parent not counted one by one.
    pub fn scopes_of(&self, table: &str) -> Vec<String> {
        let Some(rule) = self.written.tables.get(table) else {
            return Vec::new();
        };
        let builtin = Scope::WORDS.into_iter().filter(|word| match Scope::from_word(word) {
            Scope::All => true,
            Scope::Own | Scope::Reports | Scope::Delegated => rule.owner.is_some(),
            Scope::Team | Scope::TeamTree => rule.team.is_some(),
            Scope::Member => rule.members.is_some() || !rule.key.is_empty(),
            Scope::Parent => rule.parent.is_some(),
            Scope::Named(_) => false,
        });
        let own = self.written.scopes.keys();
        let own = own.filter(|name| self.bound.custom(table, name).is_some());
        let mut names: Vec<String> = builtin.map(str::to_owned).chain(own.cloned()).collect();
        let parent = rule.parent.as_ref().map(|p| p.table.text.as_str());
        if let Some(parent) = parent.filter(|p| *p != table) {
            names.extend(self.scopes_of(parent).into_iter().map(|name| format!("parent:{name}")));
        }
        names
    }

    /// The columns of a table.
    pub fn columns_of<'c>(&self, table: &str, catalog: &'c Catalog) -> Vec<&'c str> {
        let relation = self
            .bound
            .relation_of(table)
            .and_then(|oid| catalog.relations.get(&oid));
        let columns = relation.map(|r| &r.columns).into_iter().flatten();
        columns.map(|c| c.name.as_str()).collect()
    }

    /// Why no record of a table can be shared by its key; `None` where each can.
    pub fn unshareable(&self, table: &str, catalog: &Catalog) -> Option<String> {
        let rule = self.written.tables.get(table)?;
        let relation = self
            .bound
            .relation_of(table)
            .and_then(|oid| catalog.relations.get(&oid));
        relation.and_then(|relation| unshareable(rule, relation, catalog))
    }

    /// Does the key of a table show in clear to somebody on every row? Otherwise whoever looks for a record would learn by
    /// guessing what the key is.
    pub fn shows_key(&self, table: &str, who: &Principal, catalog: &Catalog) -> bool {
        let relation = self
            .bound
            .relation_of(table)
            .and_then(|oid| catalog.relations.get(&oid));
        let Some((rule, relation)) = self.written.tables.get(table).zip(relation) else {
            return false;
        };
        let Access::Guarded(view) = self.access(who, relation, catalog) else {
            return false;
        };
        let mut columns = relation.columns.iter().zip(&view.columns);
        columns.all(|(column, shown)| *shown == ColumnView::Clear || rule.key.iter().all(|w| w.text != column.name))
    }

    /// A query that yields a row if a key names one record, and that is among the rows that somebody may view, or among
    /// all. `None` where there can be none.
    pub fn record_query(
        &self,
        table: &str,
        key: &[String],
        who: Option<&Principal>,
        catalog: &Catalog,
    ) -> Option<String> {
        let rule = self.written.tables.get(table)?;
        let relation = catalog.relations.get(&self.bound.relation_of(table)?)?;
        let mut holder = Principal::default();
        holder.held.add_record(table, key, None);
        let scopes = Scopes {
            written: &self.written,
            bound: &self.bound,
            catalog,
            who: &holder,
            wording: Wording::Sets,
            closed: &self.closed,
            roles: &[],
        };
        let Rows::Where(named) = scopes.shared(rule, 0).rows() else {
            return None;
        };
        let seen = match who.map(|who| self.access(who, relation, catalog)) {
            None => "TRUE".to_owned(),
            Some(Access::Guarded(view)) => match &view.by_key.as_ref().unwrap_or(&view).rows {
                Rows::All => "TRUE".to_owned(),
                Rows::None => return None,
                Rows::Where(sql) => sql.clone(),
            },
            Some(Access::Open | Access::Denied) => return None,
        };
        let from = format!("{} AS {}", relation.name.to_sql(), print::alias(0));
        Some(format!(
            "SELECT FROM {from} WHERE {named} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.=) 1 \
             AND pg_catalog.bool_and(({seen}) IS TRUE)"
        ))
    }
}

/// Why no record of a table can be shared by its key: of another row by the same key nobody has said that it is shared.
pub(super) fn unshareable(rule: &TableRule, relation: &Relation, catalog: &Catalog) -> Option<String> {
    let columns: Vec<&Column> = rule.key.iter().filter_map(|w| relation.column(&w.text)).collect();
    if columns.is_empty() || columns.len() != rule.key.len() {
        return Some("the policies name no key of it".to_owned());
    }
    for column in &columns {
        match print::family(catalog, column.type_oid) {
            Some(Family::Integer(..) | Family::Numeric | Family::Text | Family::Uuid) => {}
            Some(Family::Same(..)) | None => {
                return Some(format!(
                    "its key column {} holds no numbers, texts or uuids",
                    column.name
                ));
            }
        }
    }
    let numbers: Vec<i16> = columns.iter().map(|c| c.number).collect();
    if relation.is_named_by(&numbers) {
        return None;
    }
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    Some(format!("several rows may have one key ({})", names.join(", ")))
}
