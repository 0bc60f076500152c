//! What is written to: a table under one of its names, and what expressions may say of its row.

use super::Writer;
use crate::generate::{Avail, Env, RowRef, ident};
use crate::rules;
use crate::schema::Relation;

/// A write's target.
#[derive(Debug, Clone)]
pub struct Target {
    /// The protected table behind it.
    pub root: String,
    pub relation: Relation,
    /// As it is written in the statement.
    pub name: String,
    pub alias: String,
    /// What follows the name: nothing, or the alias.
    pub naming: String,
    pub env: Env,
}

/// The protected table that a relation belongs to.
fn root(relation: &Relation) -> String {
    let name = match relation.name.as_str() {
        n if n.starts_with("service_records") => "service_records",
        "calls" => "activities",
        "key_customers" => "customers",
        "open_opportunities" => "opportunities",
        n => n,
    };
    format!("{}.{name}", relation.schema)
}

impl Writer<'_, '_> {
    /// A table, mostly one that the person has rights to write.
    pub fn target(&mut self, wanted: fn(&rules::Right) -> bool) -> Target {
        let relations = self.g.schema.relations.clone();
        let weights: Vec<u32> = relations
            .iter()
            .map(|r| {
                let root = root(r);
                let right = rules::rights(self.roles, &root).into_iter().any(wanted);
                match (r.kind, right, r.is_partition) {
                    ('r' | 'p', true, false) if r.name != "calls" => 60,
                    ('r' | 'p', true, _) => 4,
                    ('v', true, _) => 5,
                    ('m', ..) => 0,
                    ('v', false, _) => 1,
                    _ => 2,
                }
            })
            .collect();
        let relation = relations[self.g.tape.weighted(&weights)].clone();
        self.named(relation)
    }

    fn named(&mut self, relation: Relation) -> Target {
        let name = if relation.schema != "public" || self.g.tape.chance(25) {
            format!("{}.{}", ident(&relation.schema), ident(&relation.name))
        } else {
            ident(&relation.name)
        };
        let bare = self.g.tape.chance(55);
        let alias = if bare { relation.name.clone() } else { self.g.fresh("t") };
        let naming = if bare { String::new() } else { format!(" AS {alias}") };
        let mut env = Env::default();
        for c in &relation.columns {
            let mut forms = vec![format!("{}.{}", ident(&alias), ident(&c.name))];
            forms.push(ident(&c.name));
            env.items.push(Avail {
                forms,
                name: c.name.clone(),
                alias: alias.clone(),
                ty: c.ty.clone(),
                samples: c.samples.clone(),
            });
        }
        env.rows.push(RowRef {
            alias: alias.clone(),
            columns: relation
                .columns
                .iter()
                .map(|c| (c.name.clone(), c.ty.clone()))
                .collect(),
            phantom: Vec::new(),
            key: relation.primary_key.clone(),
            is_relation: true,
            is_table: relation.kind != 'v',
        });
        Target {
            root: root(&relation),
            relation,
            name,
            alias,
            naming,
            env,
        }
    }

    /// What identifies a row of the target by itself.
    pub fn key_of(t: &Target) -> &'static str {
        crate::dprime::roles::key(&t.root)
    }

    /// WHERE: by a key that is seen, hidden or nowhere, by any condition, or not at all.
    pub fn filter(&mut self, t: &Target) -> String {
        let key = Self::key_of(t);
        let column = format!("{}.{key}", ident(&t.alias));
        let visible: Vec<String> = self
            .known
            .rows
            .get(&t.root)
            .into_iter()
            .flatten()
            .filter_map(|r| r.get(key).cloned().flatten())
            .collect();
        let hidden = self.known.hidden.get(&t.root).cloned().unwrap_or_default();
        let ty = t.relation.column(key).map_or(crate::schema::Ty::Int, |c| c.ty.clone());
        match self.g.tape.weighted(&[40, 10, 10, 30, 8, 4]) {
            0 if !visible.is_empty() => {
                let v = self.g.tape.pick(&visible).clone();
                format!(" WHERE {column} = {}", self.g.constant(&v, &ty))
            }
            1 if !hidden.is_empty() => {
                let v = self.g.tape.pick(&hidden).clone();
                format!(" WHERE {column} = {}", self.g.constant(&v, &ty))
            }
            2 if !visible.is_empty() && !hidden.is_empty() => {
                let (a, b) = (self.g.tape.pick(&visible).clone(), self.g.tape.pick(&hidden).clone());
                let (a, b) = (self.g.constant(&a, &ty), self.g.constant(&b, &ty));
                format!(" WHERE {column} IN ({a}, {b})")
            }
            3 => format!(" WHERE {}", self.g.predicate(&t.env, 1)),
            4 => String::new(),
            _ => {
                let v = self.g.tape.below(120).to_string();
                if ty == crate::schema::Ty::Int {
                    format!(" WHERE {column} % 7 = 3 AND {column} < {v}")
                } else {
                    format!(" WHERE {column} > 'C' AND {column} < 'U'")
                }
            }
        }
    }

    /// RETURNING, or nothing.
    pub fn returning(&mut self, env: &Env) -> String {
        let row = &env.rows[0].alias;
        match self.g.tape.weighted(&[32, 18, 22, 8, 12, 4]) {
            0 => String::new(),
            1 => " RETURNING *".to_owned(),
            2 => {
                let n = 1 + self.g.tape.below(4);
                let mut parts = Vec::new();
                for i in 0..n {
                    let Some((sql, a)) = self.g.any_column(env) else { break };
                    parts.push(format!("{sql} AS {}{i}", &a.name[..1]));
                }
                format!(" RETURNING {}", parts.join(", "))
            }
            3 => format!(" RETURNING {row}"),
            4 => {
                let ty = env.items[self.g.tape.below(env.items.len())].ty.clone();
                let e = self.g.expr(&ty, env, 1);
                format!(" RETURNING {e} AS e1, {row}.*")
            }
            _ => format!(" RETURNING {row}.*::text, to_jsonb({row})"),
        }
    }
}
