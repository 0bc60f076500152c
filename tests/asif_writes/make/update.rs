//! UPDATE in its forms, the row written back as it was read, DELETE, and statements that do several of these at once.

use super::Writer;
use super::target::Target;
use crate::generate::{Env, ident, quoted};
use crate::schema::{Column, Ty};

impl Writer<'_, '_> {
    /// What one column is set to.
    fn new_value(&mut self, t: &Target, c: &Column) -> String {
        match self.g.tape.weighted(&[52, 14, 16, 6, 3, 5]) {
            1 => format!("{}.{}", ident(&t.alias), ident(&c.name)),
            2 => {
                let depth = self.g.tape.below(2);
                let e = self.g.expr(&c.ty, &t.env, depth);
                match &c.ty {
                    // what is too long for the column is another error than what may not stand there
                    Ty::Text => format!("left({e}, 8)"),
                    Ty::TextArr | Ty::Int | Ty::Num => format!("({e})"),
                    _ => e,
                }
            }
            3 => {
                let q = self.g.query(&t.env.as_outer(), 1, Some(&[Ty::Big]));
                match c.ty {
                    Ty::Text => format!("(SELECT left(count(*)::text, 5) FROM ({}) AS q)", q.sql),
                    Ty::Int | Ty::Num => format!("(SELECT count(*) FROM ({}) AS q)", q.sql),
                    _ => self.value_for(t, c, false),
                }
            }
            4 => "DEFAULT".to_owned(),
            5 => self.step_of(t, c),
            _ => self.value_for(t, c, false),
        }
    }

    /// A change that starts from what stands there.
    fn step_of(&mut self, t: &Target, c: &Column) -> String {
        let own = format!("{}.{}", ident(&t.alias), ident(&c.name));
        match &c.ty {
            Ty::Int | Ty::Num => format!("{own} + 1"),
            Ty::Text => format!("{own} || ''"),
            Ty::Jsonb => format!("{own} || '{{\"seen\": true}}'"),
            Ty::TextArr => format!("array_append({own}, 'z')"),
            Ty::Bool => format!("NOT {own}"),
            Ty::Date => format!("{own} + 1"),
            _ => own,
        }
    }

    fn column_to_set(&mut self, t: &Target, used: &[String]) -> Option<Column> {
        let plain: Vec<Column> = t
            .relation
            .columns
            .iter()
            .filter(|c| !used.contains(&c.name))
            .cloned()
            .collect();
        if plain.is_empty() {
            return None;
        }
        let weights: Vec<u32> = plain
            .iter()
            .map(|c| match c.name.as_str() {
                "id" | "contact_line" | "expected_amount" | "balance" => 1,
                "owner_id" | "team_id" | "customer_id" => 9,
                "external_id" | "code" | "number" => 4,
                _ => 14,
            })
            .collect();
        Some(plain[self.g.tape.weighted(&weights)].clone())
    }

    /// The list after SET.
    pub fn assignments(&mut self, t: &Target, most: usize) -> String {
        let mut parts = Vec::new();
        let mut used: Vec<String> = Vec::new();
        for _ in 0..1 + self.g.tape.below(most) {
            let Some(c) = self.column_to_set(t, &used) else { break };
            used.push(c.name.clone());
            let own = format!("{}.{}", ident(&t.alias), ident(&c.name));
            match (self.g.tape.weighted(&[80, 8, 6]), &c.ty) {
                (1, Ty::Jsonb) => parts.push(format!("{}['k{}'] = '{}'", ident(&c.name), most, self.g.tape.below(9))),
                (1, Ty::TextArr) => parts.push(format!("{}[1] = 'set'", ident(&c.name))),
                (2, _) => {
                    if let Some(other) = self.column_to_set(t, &used) {
                        used.push(other.name.clone());
                        let (a, b) = (self.new_value(t, &c), self.new_value(t, &other));
                        let row = *self.g.tape.pick(&["", "ROW"]);
                        parts.push(format!(
                            "({}, {}) = {row}({a}, {b})",
                            ident(&c.name),
                            ident(&other.name)
                        ));
                    } else {
                        parts.push(format!("{} = {own}", ident(&c.name)));
                    }
                }
                _ => {
                    let v = self.new_value(t, &c);
                    parts.push(format!("{} = {v}", ident(&c.name)));
                }
            }
        }
        parts.join(", ")
    }

    pub fn update(&mut self) -> String {
        let t = self.target(|r| !r.edit.is_empty());
        let set = self.assignments(&t, 3);
        if self.g.tape.chance(14)
            && let Some(joined) = self.update_from(&t, &set)
        {
            return joined;
        }
        let filter = self.filter(&t);
        let returning = self.returning(&t.env);
        let only = if self.g.tape.chance(4) && t.relation.kind != 'v' {
            "ONLY "
        } else {
            ""
        };
        format!("UPDATE {only}{}{} SET {set}{filter}{returning}", t.name, t.naming)
    }

    /// What another row must be to match at most once: the row that a key of the target names.
    fn joined(&mut self, t: &Target) -> Option<(String, String, Env)> {
        let keys = [
            ("customer_id", "customers", "id"),
            ("owner_id", "users", "user_id"),
            ("team_id", "teams", "team_id"),
        ];
        let (column, name, key) = keys
            .into_iter()
            .find(|k| t.relation.column(k.0).is_some() && self.g.schema.relations.iter().any(|r| r.name == k.1))?;
        let other = self.g.schema.relations.iter().find(|r| r.name == name)?.clone();
        other.column(key)?;
        let alias = self.g.fresh("j");
        let mut env = t.env.clone();
        for item in &mut env.items {
            item.forms.truncate(1);
        }
        for c in &other.columns {
            env.items.push(crate::generate::Avail {
                forms: vec![format!("{alias}.{}", ident(&c.name))],
                name: c.name.clone(),
                alias: alias.clone(),
                ty: c.ty.clone(),
                samples: c.samples.clone(),
            });
        }
        let from = format!("{}.{} AS {alias}", ident(&other.schema), ident(&other.name));
        let on = format!("{alias}.{key} = {}.{column}", ident(&t.alias));
        Some((from, on, env))
    }

    fn update_from(&mut self, t: &Target, set: &str) -> Option<String> {
        let (from, on, env) = self.joined(t)?;
        let more = if self.g.tape.chance(60) {
            format!(" AND {}", self.g.predicate(&env, 1))
        } else {
            String::new()
        };
        let returning = match self.g.tape.below(3) {
            0 => String::new(),
            1 => " RETURNING *".to_owned(),
            _ => {
                let (a, b) = (self.g.any_column(&env)?.0, self.g.any_column(&env)?.0);
                format!(" RETURNING {a} AS x1, {b} AS x2")
            }
        };
        Some(format!(
            "UPDATE {}{} SET {set} FROM {from} WHERE {on}{more}{returning}",
            t.name, t.naming
        ))
    }

    pub fn delete(&mut self) -> String {
        let t = self.target(|r| !r.delete.is_empty() || !r.edit.is_empty());
        if self.g.tape.chance(20)
            && let Some((from, on, env)) = self.joined(&t)
        {
            let more = format!(" AND {}", self.g.predicate(&env, 1));
            return format!("DELETE FROM {}{} USING {from} WHERE {on}{more}", t.name, t.naming);
        }
        let filter = self.filter(&t);
        let returning = self.returning(&t.env);
        format!("DELETE FROM {}{}{filter}{returning}", t.name, t.naming)
    }

    pub fn truncate(&mut self) -> String {
        let t = self.target(|r| !r.delete.is_empty());
        let how = *self.g.tape.pick(&["", " CASCADE", " RESTART IDENTITY"]);
        format!("TRUNCATE {}{how}", t.name)
    }

    /// What a grid or an ORM does with a row that it has read: every column by key, perhaps one changed, perhaps
    /// with the old values in the condition.
    pub fn write_back(&mut self) -> String {
        let t = self.target(|r| !r.edit.is_empty());
        let rows = self.known.rows.get(&t.root).cloned().unwrap_or_default();
        if rows.is_empty() || t.relation.kind == 'v' || t.relation.is_partition || t.relation.name == "calls" {
            return self.update();
        }
        let mine: Vec<_> = rows
            .iter()
            .filter(|r| {
                ["owner_id", "team_id"].iter().any(|c| {
                    let v = r.get(*c).cloned().flatten();
                    v.as_ref() == Some(&self.known.me) || v.as_ref() == Some(&self.known.team)
                })
            })
            .cloned()
            .collect();
        let from = if mine.is_empty() || self.g.tape.chance(30) {
            &rows
        } else {
            &mine
        };
        let row = self.g.tape.pick(from).clone();
        let generated = ["contact_line", "expected_amount", "balance"];
        let columns: Vec<Column> = t
            .relation
            .columns
            .iter()
            .filter(|c| !generated.contains(&c.name.as_str()))
            .cloned()
            .collect();
        let change = self.g.tape.below(columns.len() * 2);
        let mut set = Vec::new();
        let mut old = Vec::new();
        for (i, c) in columns.iter().enumerate() {
            let had = row.get(&c.name).cloned().flatten();
            let is_key = t.relation.primary_key.contains(&c.name);
            if !is_key || self.g.tape.chance(20) {
                // a parameter that is made must be used
                let value = match &had {
                    _ if i == change && !is_key => self.value_for(&t, c, false),
                    Some(v) => self.g.constant(v, &c.ty),
                    None => "NULL".to_owned(),
                };
                set.push(format!("{} = {value}", ident(&c.name)));
            }
            old.push(match had {
                Some(v) => format!("{}.{} = {}", ident(&t.alias), ident(&c.name), quoted(&v)),
                None => format!("{}.{} IS NULL", ident(&t.alias), ident(&c.name)),
            });
        }
        let keys: Vec<String> = t
            .relation
            .primary_key
            .iter()
            .map(|k| {
                let v = row.get(k).cloned().flatten().unwrap_or_default();
                format!("{}.{} = {}", ident(&t.alias), ident(k), quoted(&v))
            })
            .collect();
        let filter = if self.g.tape.chance(35) { old } else { keys };
        let returning = self.returning(&t.env);
        format!(
            "UPDATE {}{} SET {} WHERE {}{returning}",
            t.name,
            t.naming,
            set.join(", "),
            filter.join(" AND ")
        )
    }

    /// Data-modifying common table expressions: they change tables that the rest does not read again.
    pub fn modifying_cte(&mut self) -> String {
        let inner = match self.g.tape.weighted(&[30, 40, 15]) {
            0 => {
                let t = self.target(|r| !r.insert.is_empty());
                let key = Self::key_of(&t);
                let mut text = self.insert();
                text.truncate(text.find(" RETURNING ").unwrap_or(text.len()));
                drop(t);
                let _ = key;
                format!("{text} RETURNING *")
            }
            1 => {
                let mut text = self.update();
                text.truncate(text.find(" RETURNING ").unwrap_or(text.len()));
                format!("{text} RETURNING *")
            }
            _ => {
                let mut text = self.delete();
                text.truncate(text.find(" RETURNING ").unwrap_or(text.len()));
                format!("{text} RETURNING *")
            }
        };
        let outer = match self.g.tape.below(4) {
            0 => "SELECT count(*) FROM done".to_owned(),
            1 => "SELECT * FROM done".to_owned(),
            2 => "SELECT d::text FROM done AS d".to_owned(),
            _ => {
                let t = self.target(|r| !r.edit.is_empty());
                let set = self.assignments(&t, 1);
                format!(
                    "UPDATE {}{} SET {set} WHERE {}.{} = -1 AND EXISTS (SELECT FROM done) RETURNING 1 AS one",
                    t.name,
                    t.naming,
                    ident(&t.alias),
                    Self::key_of(&t)
                )
            }
        };
        format!("WITH done AS ({inner}) {outer}")
    }
}
