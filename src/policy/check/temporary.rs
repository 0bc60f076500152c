//! Does what a role may give for a time exist?

use super::Check;
use crate::policy::file::{Spot, Word, did_you_mean};
use crate::policy::load::scope_word;
use crate::policy::named::unshareable;
use crate::policy::temporary::Approver;
use crate::policy::written::RoleRule;
use crate::rights::language::What;

/// What makes a key name one row.
pub(super) const UNIQUE: &str = "a unique index has to hold over columns of the key: no expression, no condition, not deferrable, \
     no nondeterministic collation, and no table that inherits from this one";

impl<'a> Check<'a> {
    /// Scopes that may be given are tied to their tables, whether or not a role uses them.
    pub(super) fn temporary(&mut self, role: &'a RoleRule) {
        let rule = &role.temporary;
        for pattern in rule.give.iter().chain(&rule.request) {
            self.what(&pattern.what, &pattern.at);
        }
        let roles = rule.raise.iter().chain(&rule.suspend_roles);
        let deciding = rule.approve.iter().filter_map(|approver| match approver {
            Approver::Role(role) => Some(role),
            Approver::Manager => None,
        });
        for name in roles.chain(deciding) {
            self.known_role(name, &role.at);
        }
        for table in rule.share.iter().chain(&rule.suspend_tables) {
            self.known_table(table, &role.at);
        }
        for table in &rule.share {
            self.shareable(table, &role.at);
        }
    }

    fn shareable(&self, name: &str, at: &Spot) {
        let relation = self
            .bound
            .relation_of(name)
            .and_then(|oid| self.catalog.relations.get(&oid));
        if let Some((rule, relation)) = self.written.tables.get(name).zip(relation)
            && let Some(why) = unshareable(rule, relation, self.catalog)
        {
            let message = format!("records of table \"{name}\" cannot be shared: {why}");
            self.problems.error(at, message, Some(UNIQUE.to_owned()));
        }
    }

    fn what(&mut self, what: &What, at: &Spot) {
        match what {
            What::Role(name) => self.known_role(&name.text, at),
            What::Rows { table, scope, .. } => {
                let written = self.written;
                if self.known_table(&table.text, at)
                    && let Some(table) = written.tables.get(&table.text)
                {
                    let word = Word {
                        text: scope.text.clone(),
                        at: at.clone(),
                    };
                    let scope = scope_word(&word);
                    self.scope(table, &scope, scope.up);
                }
            }
            What::Columns { table, columns } => {
                if !self.known_table(&table.text, at) {
                    return;
                }
                let relation = self.bound.relation_of(&table.text);
                if let Some(relation) = relation.and_then(|oid| self.catalog.relations.get(&oid)) {
                    for column in columns {
                        let word = Word {
                            text: column.text.clone(),
                            at: at.clone(),
                        };
                        self.find_column(relation, &word);
                    }
                }
            }
        }
    }

    fn known_role(&self, name: &str, at: &Spot) {
        if !self.written.roles.contains_key(name) {
            let known = self.written.roles.keys().map(String::as_str);
            let message = format!("there is no role \"{name}\"");
            self.problems.error(at, message, did_you_mean(name, known));
        }
    }

    fn known_table(&self, name: &str, at: &Spot) -> bool {
        let is_known = self.written.tables.contains_key(name);
        if !is_known {
            let known = self.written.tables.keys().map(String::as_str);
            let message = format!("there is no table \"{name}\" in the policies");
            self.problems.error(at, message, did_you_mean(name, known));
        }
        is_known
    }
}
