//! Which relations say who people are, or which rows a scope of the DBA's own means.

use super::Check;
use crate::catalog::Oid;
use crate::name::QualifiedName;
use crate::policy::bound::relation_name;
use crate::policy::qualify;
use crate::sql::census::census;

impl Check<'_> {
    /// Notes the relations that the directory's queries and the DBA's scopes name, protected ones that a scope looks at
    /// aside: their own policies say who may write them. A name without a schema stands for every relation of
    /// that name, since the connection that asks decides which it is. So it is with relations of members that no policy
    /// protects.
    pub(super) fn directory(&mut self) {
        let rules = self.written.tables.values().filter_map(|table| table.members.as_ref());
        let members = rules.filter_map(|m| relation_name(&m.relation.text));
        let members: Vec<Oid> = members
            .filter_map(|name| Some(self.catalog.relation(&name)?.oid))
            .collect();
        for oid in members {
            if self.bound.cover(oid).is_none() {
                self.bound.add_directory(oid, self.catalog);
            }
        }
        let queries = self.written.directory.iter();
        let queries = queries.flat_map(|rule| std::iter::once(&rule.users).chain(&rule.teams));
        let queries = queries.map(|query| (query.text.clone(), false));
        let scopes = self.written.scopes.values();
        let scopes = scopes.filter_map(|s| qualify::numbered(&s.condition.text));
        let scopes = scopes.map(|condition| (format!("SELECT ({condition}\n)"), true));
        for (query, is_scope) in queries.chain(scopes) {
            let Ok(tree) = pg_query::parse(&query, pg_query::ParserOptions::DEFAULT) else {
                continue;
            };
            for reference in census(&tree.protobuf).relations {
                let catalog = self.catalog;
                let found: Vec<u32> = if reference.schema.is_empty() {
                    let named = catalog.relations.values().filter(|r| r.name.name == reference.name);
                    named.map(|r| r.oid).collect()
                } else {
                    let name = QualifiedName::new(&reference.schema, &reference.name);
                    catalog.relation(&name).map(|r| r.oid).into_iter().collect()
                };
                for oid in found {
                    let of_server = catalog
                        .relations
                        .get(&oid)
                        .is_some_and(|r| r.name.schema == "pg_catalog");
                    let has_policy = is_scope && self.bound.cover(oid).is_some();
                    if !of_server && !has_policy {
                        self.bound.add_directory(oid, catalog);
                    }
                }
            }
        }
    }
}
