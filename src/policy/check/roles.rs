//! Roles: the tables, scopes, columns and masks that they name.

use super::Check;
use crate::catalog::{Column, Relation};
use crate::policy::chance::Chance;
use crate::policy::file::{Word, did_you_mean};
use crate::policy::mask::OWN_SCHEMA;
use crate::policy::written::{ColumnRule, MaskRule, RoleRule, RoleTable, Scope, ScopeWord, Show, TableRule};
use crate::policy::{mask, print, qualify};

impl<'a> Check<'a> {
    pub(super) fn roles(&mut self) {
        let written = self.written;
        for role in written.roles.values() {
            self.rights(role);
            self.temporary(role);
            for (name, said) in &role.tables {
                let Some(table) = written.tables.get(name) else {
                    self.problems.error(
                        &said.table.at,
                        format!("there is no table \"{name}\" in the policy"),
                        did_you_mean(name, written.tables.keys().map(String::as_str))
                            .or_else(|| Some("describe it in tables.toml".to_owned())),
                    );
                    continue;
                };
                let before = self.problems.errors();
                self.role_table(role, table, said);
                if self.problems.errors() > before {
                    self.bound.break_table(name);
                }
            }
        }
        for (name, scope) in &written.scopes {
            let used = written.roles.values().flat_map(|r| r.tables.values()).any(|t| {
                let lists = [&t.view, &t.insert, &t.edit, &t.delete, &t.export];
                let columns = t
                    .columns
                    .values()
                    .flat_map(|c| c.except.iter().chain(c.transfer.iter().flatten()));
                lists
                    .into_iter()
                    .flatten()
                    .chain(columns)
                    .any(|s| s.scope == Scope::Named(name.clone()))
            });
            if !used {
                self.problems
                    .warning(&scope.condition.at, format!("scope \"{name}\" is used nowhere"), None);
            }
        }
    }

    /// Functions and relations that a role's rights name should exist.
    fn rights(&self, role: &RoleRule) {
        for name in role.rights.functions.iter().chain(&role.rights.message_functions) {
            if name.schema == OWN_SCHEMA {
                let message = format!("{name} is rowgate's own: no policy opens it");
                self.problems.error(&role.at, message, None);
            }
            let found = self.catalog.functions.get(&name.name);
            if !found.into_iter().flatten().any(|f| f.name == *name) {
                let known = self.catalog.functions.values().flatten();
                let known: Vec<String> = known
                    .filter(|f| f.name.schema != "pg_catalog")
                    .map(|f| f.name.to_string())
                    .collect();
                self.problems.warning(
                    &role.at,
                    format!("role \"{}\" names a function that does not exist: {name}", role.name),
                    did_you_mean(&name.to_string(), known.iter().map(String::as_str)),
                );
            }
        }
        for name in &role.rights.derived_relations {
            if self.catalog.relation(name).is_none() {
                self.problems.warning(
                    &role.at,
                    format!("role \"{}\" names a relation that does not exist: {name}", role.name),
                    None,
                );
            }
        }
    }

    fn role_table(&mut self, role: &'a RoleRule, table: &'a TableRule, said: &'a RoleTable) {
        for list in [&said.view, &said.insert, &said.edit, &said.delete, &said.export] {
            for scope in list {
                self.scope(table, scope, scope.up);
            }
        }
        let Some(relation) = self
            .bound
            .relation_of(&table.name.text)
            .and_then(|oid| self.catalog.relations.get(&oid))
        else {
            return;
        };
        for (name, rule) in &said.columns {
            for scope in rule.except.iter().chain(rule.transfer.iter().flatten()) {
                self.scope(table, scope, scope.up);
            }
            if name == "*" {
                for column in &relation.columns {
                    if !said.columns.contains_key(&column.name) {
                        self.column(role, table, relation, column, rule);
                    }
                }
                continue;
            }
            if let Some(column) = self.find_column(relation, &rule.name) {
                self.column(role, table, relation, column, rule);
                self.writing(table, rule);
            }
        }
    }

    pub(super) fn scope(&mut self, table: &'a TableRule, scope: &ScopeWord, up: usize) {
        let written = self.written;
        let parent = table
            .parent
            .as_ref()
            .and_then(|rule| written.tables.get(&rule.table.text));
        let name = &table.name.text;
        let missing = |what: &str, example: &str| {
            self.problems.error(
                &scope.at,
                format!("scope \"{}\" needs {what} of table \"{name}\"", scope.written()),
                Some(format!("add {example} to [{name}] in tables.toml")),
            );
        };
        if up > 0 {
            match parent {
                Some(parent) => self.scope(parent, scope, up - 1),
                None => missing("the parent", "parent = { table = \"…\", column = \"…\" }"),
            }
            return;
        }
        match &scope.scope {
            Scope::All => {}
            Scope::Own | Scope::Reports | Scope::Delegated => match &table.owner {
                Some(word) => self.index(table, word),
                None => missing("the owner", "owner = \"…\""),
            },
            Scope::Team | Scope::TeamTree => match &table.team {
                Some(word) => self.index(table, word),
                None => missing("the team", "team = \"…\""),
            },
            Scope::Member => {
                // records can be shared by their key, too
                if table.members.is_none() && table.key.is_empty() {
                    missing(
                        "the members",
                        "members = { relation = \"…\", row = \"…\", user = \"…\" }",
                    );
                }
            }
            Scope::Parent => {
                if parent.is_none() {
                    missing("the parent", "parent = { table = \"…\", column = \"…\" }");
                }
            }
            Scope::Named(word) => self.custom(table, scope, word),
        }
    }

    fn index(&self, table: &TableRule, word: &Word) {
        let relation = self
            .bound
            .relation_of(&table.name.text)
            .and_then(|oid| self.catalog.relations.get(&oid));
        if let Some(relation) = relation
            && let Some(column) = relation.column(&word.text)
        {
            self.advise_index(word, relation, column);
        }
    }

    fn custom(&mut self, table: &TableRule, scope: &ScopeWord, word: &str) {
        let Some(custom) = self.written.scopes.get(word) else {
            let known = Scope::WORDS
                .into_iter()
                .chain(self.written.scopes.keys().map(String::as_str));
            let hint = did_you_mean(word, known.clone())
                .unwrap_or_else(|| format!("known: {}", known.collect::<Vec<_>>().join(", ")));
            self.problems
                .error(&scope.at, format!("there is no scope \"{word}\""), Some(hint));
            return;
        };
        if self.bound.custom(&table.name.text, word).is_some() {
            return;
        }
        let Some(relation) = self
            .bound
            .relation_of(&table.name.text)
            .and_then(|oid| self.catalog.relations.get(&oid))
        else {
            return;
        };
        self.attributes(&custom.condition);
        match qualify::template(&custom.condition.text, self.catalog, relation) {
            Ok(template) => {
                let chance = Chance::of(&custom.condition.text);
                self.bound.add_custom(&table.name.text, word, template, chance);
            }
            Err(why) => self.problems.error(
                &custom.condition.at,
                format!(
                    "scope \"{word}\" cannot be used on table \"{}\": {why}",
                    table.name.text
                ),
                None,
            ),
        }
    }

    fn attributes(&self, text: &Word) {
        for name in qualify::attributes_of(&text.text) {
            if !self.shape.has(&name) {
                self.problems.error(
                    &text.at,
                    format!("the directory gives people no attribute \"{name}\""),
                    did_you_mean(&name, self.shape.names())
                        .or_else(|| Some(format!("add a column {name} to the directory's users query"))),
                );
            }
        }
    }

    fn column(&mut self, role: &RoleRule, table: &TableRule, relation: &Relation, column: &Column, rule: &ColumnRule) {
        let Show::Mask(mask_rule) = &rule.show else {
            return;
        };
        if let MaskRule::Sql { expression } = mask_rule {
            self.attributes(expression);
            match qualify::template(&expression.text, self.catalog, relation) {
                Ok(template) => {
                    self.bound
                        .add_expression(&role.name, &table.name.text, &rule.name.text, template);
                }
                Err(why) => self.problems.error(
                    &expression.at,
                    format!("the mask of column {} cannot be used: {why}", column.name),
                    None,
                ),
            }
            return;
        }
        if let Err(why) = mask::sql(
            mask_rule,
            column,
            &print::alias(0),
            self.catalog,
            mask::Given::default(),
        ) {
            let hint = matches!(mask_rule, MaskRule::Hash)
                .then(|| format!("if it is missing: {}", mask::HASH_KEY_DDL))
                .or_else(|| Some("choose another mask, such as \"null\"".to_owned()));
            self.problems.error(
                &rule.name.at,
                format!(
                    "column {} cannot have the mask \"{}\": {why}",
                    column.name,
                    mask_rule.word()
                ),
                hint,
            );
        }
    }

    /// Columns that decide scopes are written by `transfer` alone, and only they are.
    fn writing(&self, table: &TableRule, rule: &ColumnRule) {
        let decides = [&table.owner, &table.team]
            .into_iter()
            .flatten()
            .chain(table.parent.iter().flat_map(|p| &p.column))
            .any(|w| w.text == rule.name.text);
        if decides && rule.edit == Some(true) {
            self.problems.error(
                &rule.name.at,
                format!(
                    "column {} decides a scope, so it is written by transfer alone",
                    rule.name.text
                ),
                Some("such as { transfer = [\"team\"] }".to_owned()),
            );
        }
        if !decides && rule.transfer.is_some() {
            self.problems.error(
                &rule.name.at,
                format!(
                    "column {} decides no scope, so nothing is handed over by it",
                    rule.name.text
                ),
                Some("use edit = true or edit = false".to_owned()),
            );
        }
    }
}
