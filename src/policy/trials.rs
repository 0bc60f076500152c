//! Statements that try every mask and condition on a sample of its table.

use super::PolicySet;
use super::bound::Place;
use super::file::Spot;
use super::scope::{Scopes, Wording};
use super::written::{MaskRule, Scope, Show};
use super::{mask, print};
use crate::catalog::Catalog;
use crate::identity::Principal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A constant of a `fixed` mask, to be read once under settings that leave no doubt.
#[derive(Debug, Clone)]
pub struct Constant {
    /// Whose it is: role, table, column.
    pub place: Place,
    /// Where it stands.
    pub at: Spot,
    /// Its text as the policy has it.
    pub text: String,
    /// The column's type as SQL.
    pub type_sql: String,
}

/// One expression to try.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What in the policy it stands for.
    pub at: Spot,
    /// For people: `the mask of column phone`.
    pub what: String,
    expression: String,
    from: String,
}

impl Trial {
    /// A statement that evaluates the expression on up to a thousand rows and yields one.
    pub fn sql(&self) -> String {
        format!(
            "SELECT pg_catalog.count(tried.e) FROM (SELECT {} AS e FROM {} AS {} LIMIT 1000) AS tried",
            self.expression,
            self.from,
            print::alias(0)
        )
    }
}

impl PolicySet {
    /// Every constant of a `fixed` mask.
    pub fn fixed_constants(&self, catalog: &Catalog) -> Vec<Constant> {
        let mut found = Vec::new();
        for role in self.written.roles.values() {
            for said in role.tables.values() {
                let relation = self
                    .bound
                    .relation_of(&said.table.text)
                    .and_then(|oid| catalog.relations.get(&oid));
                for column in relation.iter().flat_map(|r| &r.columns) {
                    let rule = said.columns.get(&column.name).or_else(|| said.columns.get("*"));
                    if let Some(Show::Mask(MaskRule::Fixed { value })) = rule.map(|r| &r.show) {
                        found.push(Constant {
                            place: (role.name.clone(), said.table.text.clone(), column.name.clone()),
                            at: value.at.clone(),
                            text: value.text.clone(),
                            type_sql: column.type_sql.clone(),
                        });
                    }
                }
            }
        }
        found
    }

    /// The set with those constants as the database printed them.
    pub fn with_constants(mut self, constants: BTreeMap<Place, String>) -> Self {
        Arc::make_mut(&mut self.bound).set_constants(constants);
        self.memo = Arc::default();
        self
    }

    /// The constants that the set has.
    pub fn constants(&self) -> BTreeMap<Place, String> {
        self.bound.constants().clone()
    }

    /// Every mask, and every condition of the DBA's, as `someone` who has the role sees it.
    pub fn trials<'p>(&self, catalog: &Catalog, someone: impl Fn(&str) -> &'p Principal) -> Vec<Trial> {
        let mut trials = Vec::new();
        let mut tried = BTreeSet::new();
        for role in self.written.roles.values() {
            let who = someone(&role.name);
            let scopes = Scopes {
                written: &self.written,
                bound: &self.bound,
                catalog,
                who,
                wording: Wording::Sets,
                closed: &self.closed,
                roles: &[],
            };
            for said in role.tables.values() {
                let Some((table, relation)) = self.written.tables.get(&said.table.text).and_then(|t| {
                    let oid = self.bound.relation_of(&t.name.text)?;
                    Some((t, catalog.relations.get(&oid)?))
                }) else {
                    continue;
                };
                let from = relation.name.to_sql();
                let mut add = |at: &Spot, what: String, expression: String| {
                    if tried.insert((from.clone(), expression.clone())) {
                        trials.push(Trial {
                            at: at.clone(),
                            what,
                            expression,
                            from: from.clone(),
                        });
                    }
                };
                for scope in said.view.iter().chain(&said.edit).chain(&said.export) {
                    let sql = scopes.rows(role, table, std::slice::from_ref(scope), 0).rows();
                    if let super::Rows::Where(sql) = sql {
                        let at = match &scope.scope {
                            Scope::Named(name) => self.written.scopes.get(name).map_or(&scope.at, |s| &s.condition.at),
                            _ => &scope.at,
                        };
                        add(
                            at,
                            format!("scope \"{}\" of table \"{}\"", scope.written(), table.name.text),
                            format!("({sql} IS TRUE)"),
                        );
                    }
                }
                for column in &relation.columns {
                    let Some(rule) = said.columns.get(&column.name).or_else(|| said.columns.get("*")) else {
                        continue;
                    };
                    let mask_rule = match &rule.show {
                        Show::Clear | Show::Hidden | Show::Mask(MaskRule::Fixed { .. }) => continue,
                        Show::Mask(mask_rule) => mask_rule,
                    };
                    let expression = self
                        .bound
                        .expression(&role.name, &table.name.text, &rule.name.text)
                        .and_then(|t| t.render(&print::alias(0), who));
                    let given = mask::Given {
                        expression,
                        constant: None,
                    };
                    if let Ok(sql) = mask::sql(mask_rule, column, &print::alias(0), catalog, given) {
                        let at = match mask_rule {
                            MaskRule::Sql { expression } => &expression.at,
                            _ => &rule.name.at,
                        };
                        add(at, format!("the mask of column {}", column.name), sql);
                    }
                }
            }
        }
        trials
    }
}
