//! What can be named of a table in commands about temporary rights.

use super::PolicySet;
use super::decision::{Access, Rows};
use super::print;
use super::written::Scope;
use crate::catalog::Catalog;
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

    /// A query that finds the record of a key, whose values are its parameters as text, among the rows that somebody may
    /// view, or among all. `None` where there can be none.
    pub fn record_query(&self, table: &str, who: Option<&Principal>, catalog: &Catalog) -> Option<String> {
        let rule = self.written.tables.get(table)?;
        let relation = catalog.relations.get(&self.bound.relation_of(table)?)?;
        let mut tests = Vec::new();
        for (at, word) in rule.key.iter().enumerate() {
            let column = relation.column(&word.text)?;
            tests.push(format!(
                "{} OPERATOR(pg_catalog.=) (${}::pg_catalog.text)::{}",
                print::column(&print::alias(0), &column.name),
                at + 1,
                column.type_sql
            ));
        }
        if let Some(who) = who {
            match self.access(who, relation, catalog) {
                Access::Guarded(view) => match &view.by_key.as_ref().unwrap_or(&view).rows {
                    Rows::All => {}
                    Rows::None => return None,
                    Rows::Where(sql) => tests.push(format!("({sql})")),
                },
                Access::Open | Access::Denied => return None,
            }
        }
        let from = format!("{} AS {}", relation.name.to_sql(), print::alias(0));
        Some(format!("SELECT FROM {from} WHERE {} LIMIT 1", tests.join(" AND ")))
    }
}
